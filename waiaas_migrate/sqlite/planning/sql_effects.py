"""The effects of SQL that somebody wrote by hand, for the manifest; in doubt, the worst.

Each statement is read with SQLite's own tokens. Only ``CREATE`` and ``ALTER TABLE … ADD`` or ``RENAME`` lose nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import is_internal
from waiaas_migrate.sqlite.planning.effects import WORST_CASE, AnnouncedHazard, Cost, Effects, Tally
from waiaas_migrate.sqlite.reading.cursor import Cursor
from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token, significant, tokenize

_HAZARD = re.compile(r"--\s*hazard (?P<code>[A-Z_]+) (?P<where>.+?):(?: |\Z)")

#: PRAGMAs that only set a number in the file's header.
_HARMLESS = frozenset({"user_version", "application_id"})
#: Modules of virtual tables that SQLite brings, whose making reads no other table.
_MODULES = frozenset({"fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"})
#: Words in a column definition that have SQLite, or the run, look at the rows that are there.
_LOOKED_AT = frozenset({"AS", "CHECK", "GENERATED", "NOT", "REFERENCES"})


class _Unclear(Exception):
    """Nobody can say for certain what a statement does."""


def effects_of_sql(statements: Sequence[str]) -> Effects:
    """The effects of ``statements``, with the hazards that the comments above the first one announce."""
    tally = Tally()
    hazards = tuple(_announced(statements))
    try:
        for statement in statements:
            _Statement(significant(tokenize(statement)), tally).add()
    except (SqlError, _Unclear):
        return replace(WORST_CASE, hazards=hazards)
    return tally.effects(hazards)


def _announced(statements: Sequence[str]) -> Iterator[AnnouncedHazard]:
    """The hazards that the comments before the first statement name."""
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
    """One statement, added to a tally."""

    def __init__(self, tokens: Sequence[Token], tally: Tally) -> None:
        if any(token.kind in (Kind.WORD, Kind.NAME) and _is_bookkeeping(token.name) for token in tokens):
            raise _Unclear
        self._tokens = tokens
        self._cursor = Cursor(tokens)
        self._tally = tally

    def add(self) -> None:
        """Add what the statement does.

        Raises:
            _Unclear: that can't be said for certain.
        """
        known: dict[str, Callable[[], None]] = {
            "CREATE": self._create,
            "ALTER": self._alter,
            "DROP": self._drop,
            "INSERT": self._insert,
            "REPLACE": self._insert,
            "UPDATE": self._update,
            "DELETE": self._delete,
            "WITH": self._with,
            "SELECT": self._select,
            "PRAGMA": self._pragma,
        }
        verb = self._cursor.next().word
        if verb not in known:
            raise _Unclear
        known[verb]()

    def _table(self) -> str:
        """Read the name of a table in the main database."""
        cursor = self._cursor
        name = cursor.name()
        if cursor.accept("."):
            if fold(name) != "main":
                raise _Unclear
            name = cursor.name()
        if is_internal(name):
            raise _Unclear
        return name

    def _has(self, *words: str) -> bool:
        return any(token.word in words for token in self._tokens)

    def _create(self) -> None:
        cursor = self._cursor
        kind = cursor.next().word
        if kind in ("VIRTUAL", "UNIQUE"):
            cursor.expect("TABLE" if kind == "VIRTUAL" else "INDEX")
        cursor.accept("IF", "NOT", "EXISTS")
        name = self._table()
        match kind:
            case "TABLE":
                has_rows = cursor.accept("AS")
                self._tally.create(name, Cost.SCAN if has_rows else Cost.CONSTANT)
                self._tally.changes_rows |= has_rows
                self._tally.changes_keys |= self._has("REFERENCES")
            case "INDEX" | "UNIQUE":
                cursor.expect("ON")
                self._tally.index(self._table())
            case "VIRTUAL":
                cursor.expect("USING")
                self._tally.create(name, Cost.CONSTANT)
                if fold(cursor.name()) not in _MODULES:
                    raise _Unclear
            case "TRIGGER":
                self._skip_to("ON")
                cursor.expect("ON")
                self._tally.touch(self._table(), Cost.CONSTANT)
            case "VIEW":
                pass
            case _:  # TEMP, say, whose objects hide others
                raise _Unclear

    def _alter(self) -> None:
        cursor, tally = self._cursor, self._tally
        cursor.expect("TABLE")
        table = self._table()
        if cursor.accept("ADD"):
            tally.touch(table, Cost.SCAN if self._has(*_LOOKED_AT) else Cost.CONSTANT)
            tally.changes_keys |= self._has("REFERENCES")
        elif cursor.accept("RENAME", "TO"):
            tally.rename(table, cursor.name())
        elif cursor.accept("RENAME"):
            tally.touch(table, Cost.CONSTANT)
            tally.changes_keys = True
        else:
            cursor.expect("DROP")
            self._writes(table)

    def _drop(self) -> None:
        cursor = self._cursor
        kind = cursor.next().word
        cursor.accept("IF", "EXISTS")
        name = self._table()
        self._tally.loses = True
        if kind == "TABLE":
            self._writes(name)
            self._tally.drop(name)

    def _insert(self) -> None:
        if self._cursor.accept("OR"):
            self._cursor.next()
        self._cursor.expect("INTO")
        self._writes(self._table())

    def _update(self) -> None:
        if self._cursor.accept("OR"):
            self._cursor.next()
        self._writes(self._table())

    def _delete(self) -> None:
        self._cursor.expect("FROM")
        self._writes(self._table())

    def _writes(self, table: str) -> None:
        self._tally.write(table)
        self._tally.loses = True

    def _with(self) -> None:
        """Go to the verb behind the common table expressions, which stand in parentheses."""
        self._skip_to("SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE")
        self.add()

    def _skip_to(self, *words: str) -> None:
        """Go to the next of ``words`` that doesn't stand in parentheses."""
        while self._cursor.peek() not in words:
            if self._cursor.peek() == "(":
                self._cursor.balanced()
            else:
                self._cursor.next()

    def _select(self) -> None:
        """Note the tables that a query reads, which takes time."""
        cursor = self._cursor
        while not cursor.is_done:
            if cursor.next().word in ("FROM", "JOIN") and cursor.peek() != "(":
                self._tally.touch(self._table(), Cost.SCAN)

    def _pragma(self) -> None:
        if fold(self._cursor.name()) not in _HARMLESS:
            raise _Unclear


def _is_bookkeeping(name: str) -> bool:
    """Whether ``name`` is a table of yoyo's."""
    return is_internal(name) and not fold(name).startswith("sqlite_")
