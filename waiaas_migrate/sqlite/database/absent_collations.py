"""Run ALTER TABLE on a connection that lacks the application's collations."""

from __future__ import annotations

import re
import sqlite3

from waiaas_migrate.sqlite.database.connection import undone_on_error

#: SQLite's error if ALTER TABLE compiles an index with a missing collation.
_ABSENT = re.compile(r"error in index .*: no such collation sequence: (?P<name>.+)", re.DOTALL)


def execute(connection: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Run one statement; if a collation is missing, define a stand-in while the statement runs.

    ALTER TABLE compiles the indexes of all tables, but it needs their collations only if it also compares values.

    Raises:
        sqlite3.Error: the statement fails for another reason, or compares values by a missing collation.
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
    """Run a statement with a stand-in; if that compares values, undo it and raise ``refusal``."""
    compared: list[str] = []

    def compare(left: str, _: str) -> int:
        compared.append(left)
        return 0

    connection.create_collation(collation, compare)
    try:
        with undone_on_error(connection):
            cursor = execute(connection, statement)  # another collation may be missing, too
            if compared:
                raise refusal
    finally:
        connection.create_collation(collation, None)
    return cursor
