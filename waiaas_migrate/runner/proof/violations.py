"""Find the foreign key violations of a database, one foreign key at a time.

``PRAGMA foreign_key_check`` is not enough. If SQLite cannot enforce one key of a table, the PRAGMA checks none of the
table's keys. It also doesn't report the values of the key's columns
(https://www.sqlite.org/pragma.html#pragma_foreign_key_check).
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.schema.foreign_keys import is_enforceable, targets_of
from waiaas_migrate.schema.model import Column, ForeignKey, IndexPart, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_name
from waiaas_migrate.sqlite.database.connection import result_code
from waiaas_migrate.sqlite.quoting import orphan_condition, quote_literal, quote_name

#: The beginning of SQLite's message about a foreign key that it cannot enforce.
MISMATCH = "foreign key mismatch"

#: The names that identify a foreign key: its table, its columns and its parent, folded.
KeyNames = tuple[str, tuple[str, ...], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A foreign key of a database. ``targets``, the columns of the parent, are empty if the parent doesn't exist."""

    table: str
    columns: tuple[str, ...]
    parent: str
    targets: tuple[str, ...]
    is_enforceable: bool

    @property
    def names(self) -> KeyNames:
        """Return the names that identify this foreign key."""
        return fold(self.table), tuple(map(fold, self.columns)), fold(self.parent)


class Violation(NamedTuple):
    """A row that violates ``key``. If ``error`` is set, a key or a whole table that SQLite can't check.

    ``values`` are the values of the key's columns, as text, since a column may change its type. ``rowid`` is None if
    the table has no rowid, or if columns hide all names of the rowid.
    """

    key: Key
    rowid: int | None = None
    values: tuple[str, ...] = ()
    error: str = ""

    def __str__(self) -> str:
        table, columns, parent = self.key.table, ", ".join(self.key.columns), self.key.parent
        if self.error == MISMATCH:
            return f"{table}: {MISMATCH}, ({columns}) refers to no unique key of {parent}"
        if self.error:
            return f"{table}: {self.error}"
        row = "a row" if self.rowid is None else f"row {self.rowid}"
        return f"{row} of {table} ({columns}) has no parent in {parent}"


def read_keys(connection: sqlite3.Connection) -> tuple[Key, ...]:
    """Return the foreign keys of the main database, table by table."""
    query = """SELECT m.name, k.id, k."table", k."from", k."to"
        FROM main.sqlite_master AS m, pragma_foreign_key_list(m.name, 'main') AS k
        WHERE m.type = 'table' AND instr(upper(m.sql), 'REFERENCES') ORDER BY m.name, k.id, k.seq"""
    found: list[Key] = []
    parents: dict[str, Table | None] = {}
    for (table, _, name), rows in itertools.groupby(connection.execute(query).fetchall(), lambda row: row[:3]):
        parts = [(column, target) for *_, column, target in rows]
        if name not in parents:
            parents[name] = _read_parent(connection, name)
        parent = parents[name]
        columns = tuple(column for column, _ in parts)
        key = ForeignKey(
            columns=columns, table=name, targets=tuple(target for _, target in parts if target is not None)
        )
        found.append(
            Key(
                table=table,
                columns=columns,
                parent=name,
                targets=() if parent is None else targets_of(parent, key),
                is_enforceable=parent is None or is_enforceable(parent, key),
            )
        )
    return tuple(found)


def _read_parent(connection: sqlite3.Connection, name: str) -> Table | None:
    """Return a table with its primary and unique keys, which foreign keys can refer to; a view has no keys.

    Return None if the database has no such table or view. No PRAGMA reports the collation of a column, so assume that
    each unique key uses the collations of its columns.
    """
    query = "SELECT 1 FROM main.sqlite_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')"
    if connection.execute(query, (name,)).fetchone() is None:
        return None
    query = "SELECT name FROM pragma_table_xinfo(?, 'main') WHERE pk ORDER BY pk"
    primary = _parts(column for (column,) in connection.execute(query, (name,)))
    query = """SELECT i.name, c.name FROM pragma_index_list(?, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS c
        WHERE i."unique" AND NOT i.partial AND c.key ORDER BY i.name, c.seqno"""
    indexes = itertools.groupby(connection.execute(query, (name,)).fetchall(), lambda row: row[0])
    return Table(
        name=name,
        columns=(),
        primary_key=PrimaryKey(parts=primary) if primary else None,
        uniques=tuple(Unique(parts=_parts(column for _, column in rows)) for _, rows in indexes),
    )


def _parts(columns: Iterable[str | None]) -> tuple[IndexPart, ...]:
    return tuple(IndexPart(column=column) for column in columns)


def violations(connection: sqlite3.Connection, keys: Sequence[Key]) -> Iterator[Violation]:
    """Yield every violation of ``keys``, also in rows with text that isn't UTF-8."""
    before, connection.text_factory = connection.text_factory, lambda text: text.decode(errors="surrogateescape")
    try:
        for table, of_table in itertools.groupby(keys, lambda key: key.table):
            yield from _violations_in_table(connection, table, tuple(of_table))
    finally:
        connection.text_factory = before


def _violations_in_table(connection: sqlite3.Connection, table: str, keys: tuple[Key, ...]) -> Iterator[Violation]:
    error = _why_unchecked(connection, table)
    if error and not error.startswith(MISMATCH):
        yield Violation(key=Key(table=table, columns=(), parent="", targets=(), is_enforceable=False), error=error)
        return
    mismatches = [key for key in keys if not key.is_enforceable]
    if error and not mismatches:  # a unique key has another collation than its column; SQLite's error names the parent
        mismatches = [
            key for key in keys if error.endswith(f'"{key.parent}"') and not _refers_to_rowid(connection, key)
        ]
    rowid = _rowid_name(connection, table)
    for key in keys:
        if key in mismatches:
            yield Violation(key=key, error=MISMATCH)
        else:
            yield from _orphans(connection, key, rowid)


def _why_unchecked(connection: sqlite3.Connection, table: str) -> str:
    """Return SQLite's reason why it can't check the foreign keys of ``table``; empty if it can check them."""
    try:
        connection.execute(f"EXPLAIN PRAGMA main.foreign_key_check({quote_literal(table)})").close()
    except sqlite3.OperationalError as error:
        if result_code(error) != sqlite3.SQLITE_ERROR:
            raise
        return str(error)
    return ""


def _refers_to_rowid(connection: sqlite3.Connection, key: Key) -> bool:
    """Return whether ``key`` refers to an INTEGER PRIMARY KEY, which has no index and no collation."""
    query = """SELECT lower(name) FROM pragma_table_xinfo(?1, 'main')
        WHERE pk AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk')"""
    return connection.execute(query, (key.parent,)).fetchall() == [(fold(target),) for target in key.targets]


def _orphans(connection: sqlite3.Connection, key: Key, rowid: str | None) -> Iterator[Violation]:
    """Yield the rows without a parent by ``key``; ``rowid`` is the name to use for the rowid, if there is one."""
    columns, targets = tuple(map(quote_name, key.columns)), tuple(map(quote_name, key.targets))
    read = ", ".join(["NULL" if rowid is None else f"child.{rowid}", *(f"child.{column}" for column in columns)])
    where = orphan_condition(columns, f"main.{quote_name(key.parent)}", targets)
    for number, *values in connection.execute(
        f"SELECT {read} FROM main.{quote_name(key.table)} AS child WHERE {where}"
    ):
        yield Violation(key=key, rowid=number, values=tuple(map(str, values)))


def deleted(connection: sqlite3.Connection, found: Iterable[Violation]) -> Iterator[Violation]:
    """Yield the violations in ``found`` whose row was deleted: no row of the table has its rowid now."""
    for table, of_table in itertools.groupby(found, lambda one: one.key.table):
        query = f"SELECT 1 FROM main.{quote_name(table)} WHERE {_rowid_name(connection, table)} = ?"
        for one in of_table:
            if one.rowid is not None and connection.execute(query, (one.rowid,)).fetchone() is None:
                yield one


def _rowid_name(connection: sqlite3.Connection, table: str) -> str | None:
    """Return the name to use for the rowid of ``table``; None if there is none."""
    query = "SELECT name FROM pragma_table_xinfo(?, 'main')"
    columns = tuple(Column(name=name) for (name,) in connection.execute(query, (table,)))
    query = "SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'"
    (without_rowid,) = connection.execute(query, (table,)).fetchone()
    return rowid_name(Table(name=table, columns=columns, without_rowid=bool(without_rowid)))
