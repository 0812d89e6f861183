"""Finding out from SQLite which views and triggers do not compile."""

from __future__ import annotations

import re
import sqlite3

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_name

_CULPRIT = re.compile(r"error in (view|trigger) (.*?)(?: after rename)?: ", re.DOTALL)


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
        connection.execute("ALTER TABLE _waiaas_probe RENAME TO _waiaas_probed")
    except sqlite3.OperationalError as error:
        match = _CULPRIT.match(str(error))
        if match is None:
            raise
        return match[1], match[2]
    return None
