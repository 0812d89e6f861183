"""Finding out from SQLite which views and triggers do not compile."""

from __future__ import annotations

import sqlite3

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.memory import execute
from waiaas_migrate.sqlite.quoting import quote_name


def not_compiling(connection: sqlite3.Connection) -> frozenset[str]:
    """The folded names of the views and triggers at which any ALTER TABLE … RENAME would stumble.

    SQLite reads all of them again before it renames anything, related or not
    (https://www.sqlite.org/lang_altertable.html#compatibility_note), so a rename is tried and taken back.
    """
    found: set[str] = set()
    connection.execute("SAVEPOINT probe")
    try:
        connection.execute("CREATE TABLE _waiaas_probe (x)")
        while culprit := _culprit(connection):
            kind, name = culprit
            found.add(fold(name))
            connection.execute(f"DROP {kind.upper()} {quote_name(name)}")
    finally:
        connection.execute("ROLLBACK TO probe")
        connection.execute("RELEASE probe")
    return frozenset(found)


def _culprit(connection: sqlite3.Connection) -> tuple[str, str] | None:
    try:
        execute(connection, "ALTER TABLE _waiaas_probe RENAME TO _waiaas_probed")
    except sqlite3.OperationalError as error:
        found = culprit_of(connection, error)
        if found is None:
            raise
        return found
    return None


def culprit_of(connection: sqlite3.Connection, error: sqlite3.Error) -> tuple[str, str] | None:
    """The kind and name of the view or trigger at which ALTER TABLE stumbled, by what SQLite says."""
    for kind, name in connection.execute("SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger')"):
        # Compared with each name, since a name may hold anything that stands around it in the message.
        if str(error).startswith((f"error in {kind} {name}: ", f"error in {kind} {name} after rename: ")):
            return kind, name
    return None
