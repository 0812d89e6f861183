"""Databases in memory, for building a schema or replaying migrations where only the structure matters.

An application may bring collations and functions of its own. In memory, where no row is ever sorted or checked by
them, stand-ins of the same name do; a real database needs the real ones.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from waiaas_migrate.sqlite.catalog import read_catalog
from waiaas_migrate.sqlite.quoting import quote_name

#: How SQLite tells of what is missing: alone, or behind "error in index x: " where it reads the schema again.
_MISSING = re.compile(r"(?:no such (?P<kind>collation sequence|function)|unknown function): (?P<name>.+)", re.DOTALL)


class _Memory(sqlite3.Connection):
    """A connection that knows which stand-ins it has, for a copy to have them too."""

    stand_ins: frozenset[tuple[str, str]] = frozenset()


def memory() -> sqlite3.Connection:
    """A new database in memory, in autocommit mode, its foreign keys not enforced."""
    # A statement that Python keeps compiled would be explained as it was before the schema changed.
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=_Memory, cached_statements=0)
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def execute(connection: sqlite3.Connection, statement: str) -> None:
    """Run one statement, putting in a stand-in for each collation or function that is missing.

    Raises:
        sqlite3.Error: whatever else SQLite says.
    """
    put_in: set[str] = set()
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            missing = _MISSING.search(str(error))
            if missing is None or missing[0] in put_in:
                raise
            put_in.add(missing[0])
            _put_in(connection, missing["kind"] or "function", missing["name"].removesuffix("()"))
        else:
            return


def _put_in(connection: sqlite3.Connection, kind: str, name: str) -> None:
    if kind == "function":
        connection.create_function(name, -1, _no_value, deterministic=True)
    else:
        connection.create_collation(name, _by_text)
    if isinstance(connection, _Memory):
        connection.stand_ins |= {(kind, name)}


def _no_value(*_: object) -> None:
    return None


def _by_text(left: str, right: str) -> int:
    return (left > right) - (left < right)


def copy(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Another database in memory with the same content."""
    other = memory()
    if isinstance(connection, _Memory):
        for kind, name in sorted(connection.stand_ins):
            _put_in(other, kind, name)
    connection.backup(other)
    return other


def schema_copy(connection: sqlite3.Connection) -> sqlite3.Connection:
    """A database in memory with the same catalog, to the letter, and without rows.

    Raises:
        sqlite3.Error: a text that SQLite does not take alone, such as that of a virtual table's own tables.
    """
    other = memory()
    order = ("table", "index", "view", "trigger")
    for row in sorted(read_catalog(connection), key=lambda row: order.index(row.kind)):
        execute(other, row.sql)
    return other


def drop_triggers(connection: sqlite3.Connection) -> None:
    """Drop all triggers at once."""
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("DELETE FROM sqlite_master WHERE type = 'trigger'")
    connection.execute("PRAGMA writable_schema = RESET")


def empty(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Take all rows out of ``tables``. No trigger fires: the catalog is without them meanwhile."""
    triggers = [row.sql for row in read_catalog(connection) if row.kind == "trigger"]
    drop_triggers(connection)
    for table in tables:
        connection.execute(f"DELETE FROM {quote_name(table)}")
    for trigger in triggers:
        execute(connection, trigger)
