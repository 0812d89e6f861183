"""Try ALTER TABLE … RENAME: SQLite compiles every view, trigger and index again, and names the first that fails.

See https://www.sqlite.org/lang_altertable.html#compatibility_note.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import execute
from waiaas_migrate.sqlite.quoting import quote_name

RENAME_TABLE = "ALTER TABLE _waiaas_probe RENAME TO _waiaas_probed"
RENAME_COLUMN = "ALTER TABLE _waiaas_probe RENAME COLUMN a TO b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """An object at which ALTER TABLE fails, its CREATE statement, and SQLite's error."""

    kind: str
    name: str
    sql: str
    error: str


def culprit_of(connection: sqlite3.Connection, error: sqlite3.Error) -> Culprit | None:
    """Return the object at which ALTER TABLE failed, according to ``error``."""
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL"):
        # Compare each name, because a name may contain any of the text around it in the message.
        if str(error).startswith((f"error in {kind} {name}: ", f"error in {kind} {name} after rename: ")):
            return Culprit(kind=kind, name=name, sql=sql, error=str(error))
    return None


def dropped_culprits(connection: sqlite3.Connection, rename: str) -> Iterator[Culprit]:
    """Run ``rename`` until it succeeds; each time, drop and yield the object at which it failed.

    Raises:
        sqlite3.OperationalError: it failed for another reason.
    """
    execute(connection, "CREATE TABLE _waiaas_probe (a)")
    while True:
        try:
            execute(connection, rename)
        except sqlite3.OperationalError as error:
            culprit = culprit_of(connection, error)
            if culprit is None:
                raise
            execute(connection, f"DROP {culprit.kind.upper()} {quote_name(culprit.name)}")
            yield culprit
        else:
            return


def not_compiling(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the folded names of the views and triggers at which every ALTER TABLE … RENAME fails."""
    connection.execute("SAVEPOINT probe")
    try:
        return frozenset(fold(culprit.name) for culprit in dropped_culprits(connection, RENAME_TABLE))
    finally:
        connection.execute("ROLLBACK TO probe")
        connection.execute("RELEASE probe")
