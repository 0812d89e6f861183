"""Translate PyYAML's syntax errors into problems with a fix."""

from __future__ import annotations

import re

import yaml

from waiaas_migrate.files.problem_report import Origin

_TAB = "a tab is used to indent.", "Replace it: YAML indents with spaces only."
_ADD_QUOTES = "or quote the value if it contains a comma or bracket."

#: Patterns for messages of libyaml and of PyYAML's Python parser, each with the problem and its fix.
_EXPLANATIONS: dict[str, tuple[str, str]] = {
    r"tab character that violates indentation": _TAB,
    r"mapping values are not allowed": (
        "unexpected colon.",
        "Quote a value that contains `: `, or correct the indentation of this line.",
    ),
    r"found unexpected end of stream": (
        "the quote that opens here is never closed.",
        "Close it. For a quote inside the text, write `''` in single quotes or `\"` in double quotes.",
    ),
    r"',' or '\]'": ("the list that opens here is not closed.", f"Add the missing `,` or `]`, {_ADD_QUOTES}"),
    r"',' or '\}'": ("the mapping that opens here is not closed.", f"Add the missing `,` or `}}`, {_ADD_QUOTES}"),
    r"(did not find expected key|expected <block end>|expected '-' indicator)": (
        "this does not fit the lines above.",
        "Correct the indentation, or put the whole value in quotes.",
    ),
    r"could not find expected ':'": ("the key has no colon.", "Write `key: value`, or correct the indentation."),
    r"unknown escape character|escape sequence|escape code": (
        "unknown escape in double quotes.",
        "Write a backslash twice, or use single quotes.",
    ),
    r"expected (the )?node content": (
        "a value is missing before this character.",
        "Write the value, or remove the character.",
    ),
    r"<document start>": (
        "this does not belong to the lines above.",
        "Begin every top-level key in the first column.",
    ),
    r"incompatible YAML document": ("unknown YAML version.", "Remove the %YAML line."),
    r"undefined tag handle": ("unknown tag.", "Quote a value that begins with `!`."),
}
#: The marker that git writes at the start of a merge conflict.
_CONFLICT_MARKER = re.compile(r"^<{7}(?: .*)?$", re.MULTILINE)


def is_too_deep(error: yaml.YAMLError) -> bool:
    """Return whether the parser gave up because values are nested too deeply."""
    return "maximum nesting depth" in str(getattr(error, "problem", None) or error)


def explain(error: yaml.YAMLError, text: str, name: str) -> tuple[Origin, str, str]:
    """Return the place of a syntax error, the problem, and its fix."""
    if conflict := _CONFLICT_MARKER.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        fix = "Keep what both branches need, and remove git's marks."
        return Origin(file=name, line=line, column=1), "a merge conflict begins here.", fix
    mark = getattr(error, "problem_mark", None)
    what, fix = _explanation(str(getattr(error, "problem", None) or error), _character_at(text, mark))
    if "closed" in what:
        # Report the opening quote or bracket, not the place where the parser noticed that the other is missing.
        mark = getattr(error, "context_mark", None) or mark
    if mark is None:
        return Origin(file=name), what, fix
    return Origin(file=name, line=mark.line + 1, column=mark.column + 1), what, fix


def _character_at(text: str, mark: yaml.Mark | None) -> str:
    """Return the character at ``mark``; "" without a mark or at the end of the text."""
    lines = text.splitlines()
    return lines[mark.line][mark.column : mark.column + 1] if mark is not None and mark.line < len(lines) else ""


def _explanation(problem: str, character: str) -> tuple[str, str]:
    if "cannot start any token" in problem:
        return _TAB if character == "\t" else (f"a value can't begin with `{character}`.", "Put the value in quotes.")
    for pattern, explanation in _EXPLANATIONS.items():
        if re.search(pattern, problem):
            return explanation
    return f"this is not YAML: {problem}.", "Correct it, or put the value in quotes."
