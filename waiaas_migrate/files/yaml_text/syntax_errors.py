"""PyYAML's syntax errors in plain words."""

from __future__ import annotations

import re

import yaml

from waiaas_migrate.files.problem_report import Origin

#: The parser's words (those of libyaml and of PyYAML's own parser), what they mean, and what to do.
_WORDS: tuple[tuple[str, str, str], ...] = (
    (
        r"tab character that violates indentation",
        "a tab is used to indent.",
        "YAML indents with spaces only; replace the tab.",
    ),
    (
        r"mapping values are not allowed",
        "this colon has no place here.",
        "Put a value that contains `: ` in quotes, or correct the indentation of this line.",
    ),
    (
        r"found unexpected end of stream",
        "the quote that opens here is never closed.",
        "Close it, or double a quote that belongs to the text.",
    ),
    (
        r"',' or '\]'",
        "the list that opens here is not closed properly.",
        "Look for a missing `,` or `]`, or for a value with a comma or bracket in it, which needs quotes.",
    ),
    (
        r"',' or '\}'",
        "the mapping that opens here is not closed properly.",
        "Look for a missing `,` or `}`, or for a value with a comma or bracket in it, which needs quotes.",
    ),
    (
        r"(did not find expected key|expected <block end>|expected '-' indicator)",
        "this does not fit the lines above.",
        "Correct the indentation, or put the whole value in quotes.",
    ),
    (
        r"could not find expected ':'",
        "a key without a colon.",
        "Write `key: value`, or correct the indentation.",
    ),
    (
        r"unknown escape character|escape sequence|escape code",
        "this text in double quotes has an escape that YAML does not know.",
        "Write a backslash twice, or use single quotes.",
    ),
    (
        r"expected (the )?node content",
        "a value is missing before this character.",
        "Write the value, or take the character away.",
    ),
    (
        r"<document start>",
        "this does not belong to what stands above it.",
        "Begin every top-level key in the first column.",
    ),
    (r"incompatible YAML document", "this YAML version is not known.", "Take the %YAML line away."),
    (r"undefined tag handle", "a tag that is not known.", "Put a value that begins with `!` in quotes."),
)
#: How git marks what it could not merge.
_MARKER = re.compile(r"^<{7}(?: .*)?$", re.MULTILINE)

#: Where the place that opened is more use than the place where the parser noticed.
_OPENED = re.compile(r"never closed|not closed")


def too_deep(error: yaml.YAMLError) -> bool:
    """Whether the parser gave up since brackets are nested deeper than it can count."""
    return "maximum nesting depth" in str(getattr(error, "problem", None) or error)


def explain(error: yaml.YAMLError, text: str, name: str) -> tuple[Origin, str, str]:
    """Where a syntax error stands, what it is, and what to do."""
    if marker := _MARKER.search(text):
        line = text.count("\n", 0, marker.start()) + 1
        what = "here begins a conflict between two branches."
        return Origin(file=name, line=line, column=1), what, "Keep what both want, and take git's marks away."
    problem = str(getattr(error, "problem", None) or error)
    mark = getattr(error, "problem_mark", None)
    what, fix = _words(problem, _character(text, mark))
    if _OPENED.search(what):
        mark = getattr(error, "context_mark", None) or mark
    if mark is None:
        return Origin(file=name), what, fix
    return Origin(file=name, line=mark.line + 1, column=mark.column + 1), what, fix


def _character(text: str, mark: yaml.Mark | None) -> str:
    if mark is None:
        return ""
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    return line[mark.column : mark.column + 1]


def _words(problem: str, character: str) -> tuple[str, str]:
    if "cannot start any token" in problem:
        if character == "\t":
            return "a tab is used to indent.", "YAML indents with spaces only; replace the tab."
        return f"a value cannot begin with `{character}`.", "Put the value in quotes."
    for pattern, what, fix in _WORDS:
        if re.search(pattern, problem):
            return what, fix
    return f"this is not YAML: {problem}.", "Correct it, or put the value in quotes."
