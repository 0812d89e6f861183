"""Databases in memory, for building a schema or replaying migrations where only the structure matters.

An application may bring collations and functions of its own. In memory, where no row is ever sorted or checked by
them, stand-ins of the same name do; a real database needs the real ones.
"""

from __future__ import annotations

import re
import sqlite3

_MISSING = re.compile(r"no such (collation sequence|function): (.+)")


def memory() -> sqlite3.Connection:
    """A new database in memory, in autocommit mode, its foreign keys not enforced."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
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
            missing = _MISSING.match(str(error))
            if missing is None or missing[0] in put_in:
                raise
            put_in.add(missing[0])
            _put_in(connection, missing[1], missing[2].removesuffix("()"))
        else:
            return


def _put_in(connection: sqlite3.Connection, kind: str, name: str) -> None:
    if kind == "function":
        connection.create_function(name, -1, _no_value, deterministic=True)
    else:
        connection.create_collation(name, _by_text)


def _no_value(*_: object) -> None:
    return None


def _by_text(left: str, right: str) -> int:
    return (left > right) - (left < right)


def copy(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Another database in memory with the same content."""
    other = memory()
    connection.backup(other)
    return other
