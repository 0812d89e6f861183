"""Compute the effects of hand-written SQL; if in doubt, assume the worst case.

Only ``CREATE``, ``SELECT``, harmless PRAGMAs, and ``ALTER TABLE … ADD`` or ``RENAME`` count as never losing data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import is_internal
from waiaas_migrate.sqlite.planning.effects import WORST_CASE, AnnouncedHazard, Cost, Effects, Tally
from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token, tokenize, without_comments
from waiaas_migrate.sqlite.reading.token_reader import TokenReader

_HAZARD = re.compile(r"--\s*hazard (?P<code>[A-Z_]+) (?P<where>.+?):(?: |\Z)")

#: PRAGMAs that only set a number in the header of the file.
_HARMLESS = frozenset({"user_version", "application_id"})
#: Modules of SQLite whose CREATE VIRTUAL TABLE reads no other table.
_MODULES = frozenset({"fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"})
#: Words in a column definition that make SQLite or the runner check existing rows.
_CHECKED = frozenset({"AS", "CHECK", "GENERATED", "NOT", "REFERENCES"})


class _Unclear(Exception):
    """The effects of a statement are not certain."""


def effects_of_sql(statements: Sequence[str]) -> Effects:
    """Return the effects of ``statements``, with the hazards in the first comments."""
    tally = Tally()
    hazards = tuple(_announced(statements))
    try:
        for statement in statements:
            _Statement(without_comments(tokenize(statement)), tally).add()
    except (SqlError, _Unclear):
        return replace(WORST_CASE, hazards=hazards)
    return tally.effects(hazards)


def _announced(statements: Sequence[str]) -> Iterator[AnnouncedHazard]:
    """Yield the hazards in the comments before the first statement."""
    try:
        tokens = tokenize(statements[0]) if statements else ()
    except SqlError:
        return
    for token in tokens:
        if token.kind is not Kind.COMMENT:
            return
        if (match := _HAZARD.match(token.text.strip())) is not None:
            yield AnnouncedHazard(code=match["code"], where=match["where"])


class _Statement:
    def __init__(self, tokens: Sequence[Token], tally: Tally) -> None:
        names = [token.name for token in tokens if token.is_name]
        if any(is_internal(name) and not fold(name).startswith("sqlite_") for name in names):
            raise _Unclear  # the statement uses a bookkeeping table
        self._words = {token.word for token in tokens}
        self._reader = TokenReader(tokens)
        self._tally = tally

    def add(self) -> None:
        """Add the effects of the statement, or raise _Unclear if they are not certain."""
        match self._reader.next().word:
            case "CREATE":
                self._create()
            case "ALTER":
                self._alter()
            case "DROP":
                self._drop()
            case "INSERT" | "REPLACE" | "UPDATE" | "DELETE":
                self._write()
            case "WITH":
                self._skip_to("SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE")
                self.add()
            case "SELECT":
                self._select()
            case "PRAGMA" if fold(self._reader.read_name()) in _HARMLESS:
                pass
            case _:
                raise _Unclear

    def _table(self) -> str:
        """Read the name of a table in the main database."""
        name = self._reader.read_name()
        if self._reader.accept("."):
            if fold(name) != "main":
                raise _Unclear
            name = self._reader.read_name()
        if is_internal(name):
            raise _Unclear
        return name

    def _skip_to(self, *words: str) -> None:
        """Go to the next of ``words`` outside parentheses."""
        while self._reader.peek() not in words:
            if self._reader.peek() == "(":
                self._reader.read_parentheses()
            else:
                self._reader.next()

    def _create(self) -> None:
        reader, tally = self._reader, self._tally
        kind = reader.next().word
        if kind in ("VIRTUAL", "UNIQUE"):
            reader.expect("TABLE" if kind == "VIRTUAL" else "INDEX")
        reader.accept("IF", "NOT", "EXISTS")
        name = self._table()
        match kind:
            case "TABLE":
                has_rows = reader.accept("AS")
                tally.create(name, Cost.SCAN if has_rows else Cost.CONSTANT)
                tally.changes_rows |= has_rows
                tally.changes_keys |= "REFERENCES" in self._words
            case "INDEX" | "UNIQUE":
                reader.expect("ON")
                tally.index(self._table())
            case "VIRTUAL":
                reader.expect("USING")
                tally.create(name, Cost.CONSTANT)
                if fold(reader.read_name()) not in _MODULES:
                    raise _Unclear
            case "TRIGGER":
                self._skip_to("ON")
                reader.expect("ON")
                tally.touch(self._table(), Cost.CONSTANT)
            case "VIEW":
                pass
            case _:  # for example TEMP, whose objects hide others of the same name
                raise _Unclear

    def _alter(self) -> None:
        reader, tally = self._reader, self._tally
        reader.expect("TABLE")
        table = self._table()
        if reader.accept("ADD"):
            tally.touch(table, Cost.CONSTANT if _CHECKED.isdisjoint(self._words) else Cost.SCAN)
            tally.changes_keys |= "REFERENCES" in self._words
        elif reader.accept("RENAME", "TO"):
            tally.rename(table, reader.read_name())
        elif reader.accept("RENAME"):
            tally.touch(table, Cost.CONSTANT)
            tally.changes_keys = True
        else:
            reader.expect("DROP")
            tally.write(table)
            tally.loses = True

    def _drop(self) -> None:
        kind = self._reader.next().word
        self._reader.accept("IF", "EXISTS")
        name = self._table()
        self._tally.loses = True
        if kind == "TABLE":
            self._tally.drop(name)

    def _write(self) -> None:
        if self._reader.accept("OR"):
            self._reader.next()
        self._reader.accept_any("INTO", "FROM")
        self._tally.write(self._table())
        self._tally.loses = True

    def _select(self) -> None:
        """Add a scan of each table that a query names after FROM or JOIN."""
        while not self._reader.is_at_end:
            if self._reader.next().word in ("FROM", "JOIN") and self._reader.peek() != "(":
                self._tally.touch(self._table(), Cost.SCAN)
