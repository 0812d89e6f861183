"""Phrases that readers had to decode stay out of messages, help, docstrings, comments, templates, and docs.

``python -m tests.test_english`` lists every occurrence, with a replacement.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent

#: What not to write, and what to write instead. Patterns are searched for in single lines, whatever their case.
PHRASES = {
    r"\b(?:is|are|was|were) to be\b": "must be, will be",
    r"\banew\b": "again, from scratch",
    r"\b(?:take|takes|taken|taking|took)\b(?: \w+)? back\b": "roll back, revert",
    r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|different\b)": "is not a",
    r"^(?!.*\b(?:leave|leaves|leaving|left)\b).*\balone\b": "only, by itself",
    r"\b(?:stands?|held|holds?) against\b": "compare with",
    r"^(?!.*(?:not|n't) tell\b)(?!.*\btells?\b.*\b(?:apart|from|how|to|where)\b).*\b(?:tell|tells|telling|told)\b": "report, say",
    r"\bwhat (?:is|was|are|were) pending\b": "pending migrations",
    r"^\W*what (?:is|was|are|were) (?:there|applied|recorded|committed|declared|done)\b": "a noun: recorded migrations",
    r"^\s*\w+(?:Error|Refused|Busy|Interrupted): where\b": "state the condition: `ApplyError: a migration failed.`",
    r"\bwhere (?:it (?!is\b|was\b|belongs\b)|(?:there|none|nothing|nobody|something|asked|needed|necessary|possible)\b)": "if, when",
    r"^(?!.*\b(?:leav\w+|left|clock)\b).*\bbehind\b": "after",
    r"\b(?:which|that) there (?:is|are|was|were)\b": "existing",
    r"\b(?:becomes|became|become) of\b": "happens to",
    r"\bshall\b": "will, must",
    r"\blest\b": "so that … not",
    r"\b(?:thereof|therein|wherein|whereof|hereof)\b": "of it, in it",
    r"\bcalls for this\b": "missing migration",
    r"\bstand(?:s|ing)? (?:in|on|beside|below|above|there)\b(?! for| place)": "is in, is below",
    r"\b(?:is|are|was|were) yet to\b": "has not yet",
    r"\breckon": "estimate",
    r"\bfor want of\b": "without",
    r"\bto be had\b": "available",
    r"\bequal rows\b": "duplicate rows",
    r"\bpatience\b": "timeout",
    r"\boversee|\boverseen\b": "monitor",
    r"\bto the letter\b": "exactly",
    r"\bin vain\b": "needlessly",
    r"\bway out\b": "fix",
    r"\b(?:colour|behaviour|favour|honour|neighbour|licence|catalogue)": "American spelling",
    r"\b\w+(?:gnis|mis|alis|nis|ris)(?:e|es|ed|ing)\b": "American spelling",
}

#: Words that the last pattern finds and that are right.
RIGHT = re.compile(
    r"\b(?:(?:com)?promis(?:e|es|ed|ing)|aris(?:e|es|ing)|premis(?:e|es)|ris(?:e|es|ing)|compris(?:e|es|ed|ing)|"
    r"surpris(?:e|es|ed|ing)|finis\w*|otherwise|raises?)\b",
    re.IGNORECASE,
)

#: What is checked, by name: the folder or file, and which of its files.
ROOMS = {
    "cli": ("waiaas_migrate/cli", "*.py"),
    "commands": ("waiaas_migrate/commands", "*.py"),
    "authoring": ("waiaas_migrate/authoring", "*.py"),
    "runner": ("waiaas_migrate/runner", "*.py"),
    "files": ("waiaas_migrate/files", "*.py"),
    "sqlite": ("waiaas_migrate/sqlite", "*.py"),
    "schema": ("waiaas_migrate/schema", "*.py"),
    "waiaas": ("waiaas_migrate/waiaas", "*.py"),
    "errors": ("waiaas_migrate", "errors.py"),
    "api": ("waiaas_migrate", "api.py"),
    "templates": ("templates", "*.j2"),
    "docs": ("docs", "*.md"),
    "readme": (".", "[A-Z]*.md"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text for readers."""

    file: Path
    number: int
    text: str


def lines_in(room: str) -> Iterator[Line]:
    """Return every line of text for readers in a room."""
    folder, pattern = ROOMS[room]
    walk = (CHECKOUT / folder).rglob if room not in ("errors", "api", "readme") else (CHECKOUT / folder).glob
    for file in sorted(walk(pattern)):
        found = python_lines(file) if file.suffix == ".py" else prose_lines(file)
        yield from (Line(file=file, number=number, text=RIGHT.sub("", text)) for number, text in found)


def python_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Return the lines of a module's strings and comments."""
    source = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from enumerate(node.value.splitlines(), node.lineno)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def prose_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Return the lines of a page outside its fenced blocks, or of a template."""
    is_code = False
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, line


def findings(room: str) -> list[str]:
    """Return every phrase in a room that has a plainer replacement."""
    return [
        f"{line.file.relative_to(CHECKOUT)}:{line.number}: {found[0].strip()!r}: write {instead!r}: {line.text.strip()}"
        for line in lines_in(room)
        for phrase, instead in PHRASES.items()
        if (found := re.search(phrase, line.text, re.IGNORECASE))
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_plain_english(room: str) -> None:
    """No line uses a phrase that has a plainer replacement."""
    assert findings(room) == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("the file is to be made", True),
        ("a.json: is no JSON", True),
        ("there is no such file", False),
        ("it is no longer needed", False),
        ("the manifest alone is read", True),
        ("it leaves the other tables alone", False),
        ("customised templates", True),
        ("as promised, an exercise that otherwise raises", False),
        ("    ApplyError: where a migration failed", True),
        ("where the file is", False),
    ],
)
def test_phrases_are_recognized(text: str, *, is_found: bool) -> None:
    """The patterns find the phrases and leave good English alone."""
    text = RIGHT.sub("", text)
    assert any(re.search(phrase, text, re.IGNORECASE) for phrase in PHRASES) is is_found


if __name__ == "__main__":
    for each in ROOMS:
        print("\n".join(findings(each)))  # noqa: T201
