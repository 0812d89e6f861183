"""What a migration is going to do, as far as its text tells without SQLite's grammar: its steps, and what they cost.

``generate`` writes each step under a comment that ends in its cost, ``[constant]``, ``[scan]`` or ``[rebuild]``, and
each hazard as a remark in the file's head. A migration written by hand has neither; there the statements themselves
tell, and what is not known to add only is taken to lose something.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.files.migration_dir.statements import first_line
from waiaas_migrate.schema.hazard_codes import DESTRUCTIVE, Code
from waiaas_migrate.sqlite.cost import Cost

_STEP = re.compile(r"--\s*(?P<words>.+?) \[(?P<cost>constant|scan|rebuild)\]\s*\Z")
_HAZARD = re.compile(r"--\s*hazard (?P<code>[A-Z_]+) ")
#: As schema/hazards.py words it.
_MISMATCH = re.compile(rf"--\s*hazard {Code.FOREIGN_KEY_MISMATCH} (?P<table>.+?): its foreign key on ")

#: Statements that leave every row that is there where it is, and as it is.
_ADDS = re.compile(
    r"CREATE\s|ALTER\s+TABLE\s.+?\s(?:ADD|RENAME)\s|SELECT\s|ANALYZE\b|PRAGMA\s+(?!writable_schema)",
    re.IGNORECASE | re.DOTALL,
)

_NAMED = r"""(?:(?:main|"main")\s*\.\s*)?("(?:[^"]|"")+"|`[^`]+`|\[[^]]+\]|[^\W\d]\w*)"""

#: Statements that only write into the catalog. A column with a rule has SQLite try it on the rows that are there
#: (https://www.sqlite.org/lang_altertable.html#altertabaddcol), and one with a foreign key has the run look at them.
#: What a table is made ``AS`` is none of its columns, of which a generated one has parentheses there.
_BRIEF = re.compile(
    r"CREATE\s+(?:TABLE|VIEW|TRIGGER)\s(?!.*\bAS\b\s*(?!\s|\())"
    rf"|ALTER\s+TABLE\s+{_NAMED}\s+ADD\s(?!.*\b(?:CHECK|NOT|AS|REFERENCES)\b)",
    re.IGNORECASE | re.DOTALL,
)

#: Where the name of a table stands, in the order in which it is looked for.
_TABLES = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        rf"\AALTER\s+TABLE\s+{_NAMED}",
        rf"\ADROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAMED}",
        rf"\AUPDATE\s+(?:OR\s+\w+\s+)?{_NAMED}\s+SET\s",
        rf"\ADELETE\s+FROM\s+{_NAMED}",
        rf"\A(?:INSERT|REPLACE)\s.+?\sSELECT\s.+?\sFROM\s+{_NAMED}",
        rf"\A(?:INSERT|REPLACE)\s+(?:OR\s+\w+\s+)?INTO\s+{_NAMED}",
        rf"\ACREATE\s+(?:UNIQUE\s+)?INDEX\s.+?\sON\s+{_NAMED}",
        rf"\bFROM\s+{_NAMED}",
    )
)
_EDITED = re.compile(r"\AUPDATE\s+sqlite_master\s.+AND\s+name\s*=\s*'((?:[^']|'')+)'", re.IGNORECASE | re.DOTALL)
_QUOTES = {'"': '"', "`": "`", "[": "]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutline:
    """One step: what it does in words, what it costs (None where nobody wrote it), and its statements."""

    words: str
    cost: Cost | None
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One migration: its steps, none where it is written in Python, and whether it could lose something.

    ``announced`` are the tables of which its head says that it brings them a foreign key that cannot be enforced.
    """

    id: str
    steps: tuple[StepOutline, ...]
    may_lose: bool
    announced: tuple[str, ...]
    #: Whether it looks at no row, and so is soon over whatever the database holds.
    is_brief: bool = False


@functools.lru_cache(maxsize=4096)
def outline(migration: MigrationFile) -> Outline:
    """What ``migration`` does when it is applied.

    It may lose something where it rebuilds a table, names a hazard that destroys, is written in Python, or has a
    statement without a cost that is not known to add only.
    """
    statements = migration.statements
    steps = tuple(_steps(statements))
    codes = {match["code"] for line in comments(statements[0]) if (match := _HAZARD.match(line))} if statements else ()
    may_lose = (
        migration.kind == "python"
        or any(code in codes for code in DESTRUCTIVE)
        or any(step.cost is Cost.REBUILD for step in steps)
        or any(step.cost is None and not _only_adds(step.statements) for step in steps)
    )
    return Outline(
        id=migration.id,
        steps=steps,
        may_lose=may_lose,
        announced=announced_in(statements),
        is_brief=migration.kind == "sql" and all(_BRIEF.match(code_of(statement)) for statement in statements),
    )


@functools.lru_cache(maxsize=4096)
def rollback_outline(migration: MigrationFile) -> Outline:
    """What ``migration`` does when it is rolled back: what it brought goes, and may take with it what came since."""
    statements = migration.rollback_statements
    announced = announced_in(statements)
    return Outline(id=migration.id, steps=tuple(_steps(statements)), may_lose=True, announced=announced)


def announced_in(statements: Sequence[str]) -> tuple[str, ...]:
    """The tables of which a migration's head says that it brings them a foreign key that cannot be enforced."""
    head = comments(statements[0]) if statements else ()
    return tuple(match["table"] for line in head if (match := _MISMATCH.match(line)))


def _steps(statements: Iterable[str]) -> Iterator[StepOutline]:
    """The statements by the comments above them; without one, each is a step of its own."""
    words, cost = "", None
    held: list[str] = []
    for statement in statements:
        marked = [match for line in comments(statement) if (match := _STEP.match(line))]
        if held and (marked or cost is None):
            yield StepOutline(words=words, cost=cost, statements=tuple(held))
            held = []
        if marked:
            words, cost = marked[-1]["words"], Cost(marked[-1]["cost"])
        elif cost is None:
            words = first_line(statement)
        held.append(statement)
    if held:
        yield StepOutline(words=words, cost=cost, statements=tuple(held))


def comments(statement: str) -> list[str]:
    """The ``--`` comments before a statement's code."""
    return [line.strip() for line in _head_and_code(statement)[0].splitlines() if line.strip().startswith("--")]


def code_of(statement: str) -> str:
    """``statement`` without the comments before it."""
    return _head_and_code(statement)[1]


def _head_and_code(statement: str) -> tuple[str, str]:
    at = 0
    for match in re.finditer(r"\s+|--[^\n]*|/\*.*?\*/", statement, re.DOTALL):
        if match.start() != at:
            break
        at = match.end()
    return statement[:at], statement[at:]


def _only_adds(statements: Iterable[str]) -> bool:
    return all(_ADDS.match(code_of(statement)) for statement in statements)


def tables_named(statement: str) -> tuple[str, ...]:
    """The tables that a statement reads or writes, as far as it says where they are looked for; likeliest first."""
    code = code_of(statement)
    edited = _EDITED.match(code)
    if edited is not None:
        return (edited[1].replace("''", "'"),)
    found = (match[1] for pattern in _TABLES for match in pattern.finditer(code))
    return tuple(dict.fromkeys(_unquoted(name) for name in found))


def _unquoted(name: str) -> str:
    closing = _QUOTES.get(name[0])
    return name if closing is None else name[1:-1].replace('""', '"') if closing == '"' else name[1:-1]
