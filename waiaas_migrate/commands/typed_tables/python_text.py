"""Lay out Python code as ``ruff format`` and Black do, so that neither changes it.

A call that fits in 88 columns is one line. Otherwise each argument has its own line, with a comma after the last one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

#: The default of both formatters.
_COLUMNS = 88
#: Formatters join the pieces of a text if they fit on one line. Projects allow up to 120 columns, so only longer texts
#: are split.
_LONGEST_TEXT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call, or anything else with items between brackets; each item has a label, such as ``a=``."""

    opening: str
    items: tuple[tuple[str, Code], ...]
    closing: str = ")"


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal that may be long."""

    value: str


Code: TypeAlias = str | Text | Call
#: The options of a call by name; those that are None are left out.
Options: TypeAlias = Mapping[str, Code | bool | None]


def call(function: str, /, *arguments: Code, **options: Code | bool | None) -> Call:
    """Return the call of ``function``, without the options that are None."""
    keywords = [(f"{name}=", code) for name, code in given(options).items()]
    return Call(opening=f"{function}(", items=(*(("", argument) for argument in arguments), *keywords))


def given(options: Options) -> dict[str, Code]:
    """Return the code of ``options``, without those that are None."""
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
    """Return ``code`` as lines, between the texts ``before`` and ``after``, which stay on its first and last line.

    ``split``: a call has several lines even if it would fit on one.
    """
    margin = " " * indent
    line = f"{margin}{before}{_flat(code)}{after}"
    match code:
        case str():
            return [line]
        case Text(value=value):
            # If a label makes a text too long, formatters put the text in parentheses, on its own line.
            width = len(margin) + len(quoted(value)) + (4 if before else len(after))
            return [line] if width <= _LONGEST_TEXT else _pieces(value, margin, before, after)
        case Call() if not code.items or (len(line) <= _COLUMNS and not split):
            return [line]
        case Call() if before.endswith("= ") and len(margin + before + code.opening) > _COLUMNS:
            return [f"{margin}{before}(", *lines(code, indent=indent + 4, split=split), f"{margin}){after}"]
        case Call():
            # A trailing comma keeps other calls on several lines, but not a tuple with one item.
            inner = [
                text
                for label, item in code.items
                for text in lines(item, indent=indent + 4, before=label, after=",", split=_is_single(code))
            ]
            return [f"{margin}{before}{code.opening}", *inner, f"{margin}{code.closing}{after}"]


def _is_single(code: Call) -> bool:
    return code.opening == "(" and len(code.items) == 1


def _flat(code: Code) -> str:
    match code:
        case str():
            return code
        case Text(value=value):
            return quoted(value)
        case Call():
            items = ", ".join(f"{label}{_flat(item)}" for label, item in code.items)
            return f"{code.opening}{items}{',' if _is_single(code) else ''}{code.closing}"


def _pieces(value: str, margin: str, before: str, after: str) -> list[str]:
    """Return a long text as adjacent literals, one on each line; after a label they are in parentheses."""
    width = _COLUMNS - len(margin) - 8
    pieces = [quoted(piece) for piece in _words_up_to(width, value)]
    if not before:
        return [f"{margin}{piece}" for piece in pieces[:-1]] + [f"{margin}{pieces[-1]}{after}"]
    return [f"{margin}{before}(", *(f"{margin}    {piece}" for piece in pieces), f"{margin}){after}"]


def _words_up_to(width: int, value: str) -> list[str]:
    """Return ``value`` in pieces of whole words, with their spaces."""
    pieces = [""]
    for word in re.findall(r"\S*\s*", value):
        if pieces[-1] and len(pieces[-1]) + len(word.rstrip()) > width:
            pieces.append("")
        pieces[-1] += word
    return [piece for piece in pieces if piece]


def imports(names: Iterable[tuple[str, str]]) -> list[str]:
    """Return sorted ``from module import name`` statements."""
    by_module: dict[str, set[str]] = {}
    for module, name in names:
        by_module.setdefault(module, set()).add(name)
    return [line for module in sorted(by_module) for line in _import(module, sorted(by_module[module], key=_isort))]


def _isort(name: str) -> tuple[int, str]:
    """Sort as isort does: CONSTANTS, then Classes, then functions."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def _import(module: str, names: Sequence[str]) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _COLUMNS:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]
