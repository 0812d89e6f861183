"""Format generated Python code as ``ruff format`` and Black do, so that neither of them changes it.

A call that fits in 88 columns is one line. Otherwise each argument has its own line, with a comma after the last one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

#: The default line length of both formatters.
_COLUMNS = 88
#: The longest line on which a string literal is kept whole. Formatters join the parts of a split literal if they fit on
#: one line, and some projects allow lines of 120 columns.
_LONGEST_TEXT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call, or other code with items in brackets. Each item has a label, such as ``name=``, which may be empty."""

    opening: str
    items: tuple[tuple[str, Code], ...]
    closing: str = ")"


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal that is split into several if it is long."""

    value: str


Code: TypeAlias = str | Text | Call
#: Keyword arguments by name; None leaves the argument out.
Options: TypeAlias = Mapping[str, Code | bool | None]


def call(function: str, /, *arguments: Code, **options: Code | bool | None) -> Call:
    """Return the call of ``function`` with ``arguments``, and with the ``options`` that are not None."""
    keywords = [(f"{name}=", code) for name, code in given(options).items()]
    return Call(opening=f"{function}(", items=(*(("", argument) for argument in arguments), *keywords))


def given(options: Options) -> dict[str, Code]:
    """Return the code of the ``options`` that are not None."""
    return {
        name: str(value) if isinstance(value, bool) else value for name, value in options.items() if value is not None
    }


def quoted(value: str) -> str:
    """Return ``value`` as a string literal, in the quotes that need fewer escapes."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    text = "".join(_escaped(character, quote) for character in value)
    return f"{quote}{text}{quote}"


def _escaped(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return f"\\{character}"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def lines(code: Code, *, indent: int = 0, before: str = "", after: str = "", split: bool = False) -> list[str]:
    """Return the lines of ``code``, each after ``indent`` spaces.

    ``before`` is text before the code on its first line, such as ``name = ``; ``after`` follows on the last line. If
    ``split`` is true, the items of a call are on several lines even if one line is enough.
    """
    margin = " " * indent
    line = f"{margin}{before}{_flat(code)}{after}"
    match code:
        case str():
            return [line]
        case Text(value=value):
            # Formatters can move the value of an assignment into parentheses on its own line, indented by 4.
            width = len(margin) + len(quoted(value)) + (4 if before else len(after))
            return [line] if width <= _LONGEST_TEXT else _split_text(value, margin, before, after)
        case Call() if not code.items or (len(line) <= _COLUMNS and not split):
            return [line]
        case Call() if before.endswith("= ") and len(margin + before + code.opening) > _COLUMNS:
            return [f"{margin}{before}(", *lines(code, indent=indent + 4, split=split), f"{margin}){after}"]
        case Call():
            # The comma of a tuple with one item doesn't keep the tuple on several lines, so its item is split.
            inner = [
                text
                for label, item in code.items
                for text in lines(item, indent=indent + 4, before=label, after=",", split=_is_single_item_tuple(code))
            ]
            return [f"{margin}{before}{code.opening}", *inner, f"{margin}{code.closing}{after}"]


def _is_single_item_tuple(code: Call) -> bool:
    return code.opening == "(" and len(code.items) == 1


def _flat(code: Code) -> str:
    match code:
        case str():
            return code
        case Text(value=value):
            return quoted(value)
        case Call():
            items = ", ".join(f"{label}{_flat(item)}" for label, item in code.items)
            return f"{code.opening}{items}{',' if _is_single_item_tuple(code) else ''}{code.closing}"


def _split_text(value: str, margin: str, before: str, after: str) -> list[str]:
    """Return a long text as adjacent literals, each on its own line; in parentheses if ``before`` isn't empty."""
    width = _COLUMNS - len(margin) - 8
    pieces = [quoted(piece) for piece in _split_words(width, value)]
    if not before:
        return [f"{margin}{piece}" for piece in pieces[:-1]] + [f"{margin}{pieces[-1]}{after}"]
    return [f"{margin}{before}(", *(f"{margin}    {piece}" for piece in pieces), f"{margin}){after}"]


def _split_words(width: int, value: str) -> list[str]:
    """Split ``value`` between words into pieces of at most ``width``, if no word is longer."""
    pieces = [""]
    for word in re.findall(r"\S*\s*", value):
        if pieces[-1] and len(pieces[-1]) + len(word.rstrip()) > width:
            pieces.append("")
        pieces[-1] += word
    return [piece for piece in pieces if piece]


def imports(names: Iterable[tuple[str, str]]) -> list[str]:
    """Return sorted ``from module import name`` statements for pairs of a module and a name."""
    by_module: dict[str, set[str]] = {}
    for module, name in names:
        by_module.setdefault(module, set()).add(name)
    statements = []
    for module in sorted(by_module):
        sorted_names = sorted(by_module[module], key=_isort_key)
        line = f"from {module} import {', '.join(sorted_names)}"
        split = [f"from {module} import (", *(f"    {name}," for name in sorted_names), ")"]
        statements += [line] if len(line) <= _COLUMNS else split
    return statements


def _isort_key(name: str) -> tuple[int, str]:
    """Return the sort key of isort: constants come first, then classes, then functions."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name
