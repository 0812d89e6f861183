"""Foreign-key violations, compared by what they are rather than by how many."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from waiaas_migrate.sqlite.quoting import quote_name

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A row whose parent is missing; or a table whose foreign keys SQLite cannot check, and why."""

    table: str
    columns: tuple[str, ...] = ()
    parent: str = ""
    rowid: int | None = None
    values: tuple[object, ...] = ()
    error: str = ""

    def __str__(self) -> str:
        if self.error:
            return f"{self.table}: {self.error}"
        row = "a row" if self.rowid is None else f"row {self.rowid}"
        return f"{row} of {self.table} ({', '.join(self.columns)}) has no parent in {self.parent}"


def violations(connection: sqlite3.Connection) -> tuple[Violation, ...]:
    """Every violation in the main database (https://www.sqlite.org/pragma.html#pragma_foreign_key_check).

    Tables are checked one by one, since the PRAGMA gives up altogether at a foreign key whose parent columns are not
    unique.
    """
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND instr(upper(sql), 'REFERENCES')"
    ).fetchall()
    return tuple(violation for (table,) in tables for violation in _in_table(connection, table))


def _in_table(connection: sqlite3.Connection, table: str) -> Iterator[Violation]:
    try:
        rows = connection.execute(
            "SELECT rowid, parent, fkid FROM pragma_foreign_key_check(?, 'main')", (table,)
        ).fetchall()
    except sqlite3.DatabaseError as error:
        yield Violation(table=table, error=str(error))
        return
    columns = _columns(connection, table) if rows else {}
    for rowid, parent, number in rows:
        names = columns.get(number, ())
        values = _values(connection, table, names, rowid)
        yield Violation(table=table, columns=names, parent=parent, rowid=rowid, values=values)


def _columns(connection: sqlite3.Connection, table: str) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    query = """SELECT id, "from" FROM pragma_foreign_key_list(?, 'main') ORDER BY id, seq"""
    for number, name in connection.execute(query, (table,)):
        found[number] = (*found.get(number, ()), name)
    return found


def _values(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], rowid: int | None
) -> tuple[object, ...]:
    rowid_name = None if rowid is None else _rowid_name(connection, table)
    if rowid_name is None or not columns:
        return ()
    names = ", ".join(quote_name(name) for name in columns)
    query = f"SELECT {names} FROM main.{quote_name(table)} WHERE {rowid_name} = ?"
    return tuple(connection.execute(query, (rowid,)).fetchone() or ())


def _rowid_name(connection: sqlite3.Connection, table: str) -> str | None:
    """A name of the rowid that no column of ``table`` has taken (https://www.sqlite.org/rowidtable.html)."""
    query = "SELECT name FROM pragma_table_xinfo(?, 'main')"
    taken = {name.lower() for (name,) in connection.execute(query, (table,))}
    return next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), None)


def new_violations(before: tuple[Violation, ...], after: tuple[Violation, ...]) -> tuple[Violation, ...]:
    """Those of ``after`` that were not there before.

    A violation is the same where table, row, columns and parent are. One that has no equal may have been renamed with
    its table, column or parent: it is old if a row of the same number, holding the same values, lost its parent before
    and is not accounted for.
    """
    old = Counter(before)
    unmatched = [violation for violation in after if not _take(old, violation)]
    renamed = Counter((v.rowid, v.values, v.error) for v in old.elements() if v.rowid is not None)
    return tuple(v for v in unmatched if v.rowid is None or not _take(renamed, (v.rowid, v.values, v.error)))


def _take(counter: Counter[T], item: T) -> bool:
    """Take one ``item`` out of ``counter``, if there is one."""
    if counter[item] <= 0:
        return False
    counter[item] -= 1
    return True
