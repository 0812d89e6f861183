"""Run ALTER TABLE on a connection that lacks collations of the application."""

from __future__ import annotations

import re
import sqlite3

#: SQLite's error for a missing collation. ALTER TABLE compiles every index of the database, not only the table's.
_ABSENT = re.compile(r"error in index .*: no such collation sequence: (?P<name>.+)", re.DOTALL)


def execute(connection: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Run one statement, if necessary with a stand-in for a missing collation.

    ALTER TABLE compiles the indexes of all tables. It needs their collations only if it also compares values.

    Raises:
        sqlite3.Error: SQLite rejects the statement for another reason, or it compares values by a missing collation.
    """
    try:
        return connection.execute(statement)
    except sqlite3.OperationalError as error:
        absent = _ABSENT.match(str(error))
        if absent is None:
            raise
        return _execute_with_stand_in(connection, statement, absent["name"], error)


def _execute_with_stand_in(
    connection: sqlite3.Connection, statement: str, collation: str, refusal: sqlite3.OperationalError
) -> sqlite3.Cursor:
    """Run ``statement`` with a stand-in for ``collation``; undo it if the stand-in compared values."""
    compared: list[str] = []

    def compare(left: str, _: str) -> int:
        compared.append(left)
        return 0

    connection.create_collation(collation, compare)
    connection.execute("SAVEPOINT stand_in")
    is_done = False
    try:
        cursor = execute(connection, statement)
        is_done = not compared
    finally:
        if connection.in_transaction:
            if not is_done:
                connection.execute("ROLLBACK TO stand_in")
            connection.execute("RELEASE stand_in")
        connection.create_collation(collation, None)
    if not is_done:
        raise refusal
    return cursor
