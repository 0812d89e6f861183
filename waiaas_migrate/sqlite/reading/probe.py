"""Finding out from SQLite what an expression reads, and which views and triggers stand in the way of a rename."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import execute
from waiaas_migrate.sqlite.quoting import quote_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an expression over the rows of a table reads: columns as table and column, and views, all folded.

    ``reads_itself``: it also looks into its own table, beyond its row.
    """

    columns: frozenset[tuple[str, str]] = frozenset()
    views: frozenset[str] = frozenset()
    reads_itself: bool = False

    def __or__(self, other: Reading) -> Reading:
        """What the two read together."""
        return Reading(
            columns=self.columns | other.columns,
            views=self.views | other.views,
            reads_itself=self.reads_itself or other.reads_itself,
        )


def reading_of(connection: sqlite3.Connection, table: str, expression: str) -> Reading:
    """Return what ``expression`` over a row of ``table`` reads.

    Raises:
        sqlite3.Error: what SQLite does not understand about it.
    """
    query = f"SELECT ({expression}) FROM {quote_name(table)}"
    # What WHERE may not hold is no value of one row: an aggregate would make one row of all, a window looks at others.
    execute(connection, f"SELECT 1 FROM {quote_name(table)} WHERE ({expression}) LIMIT 0")
    found = reading_of_query(connection, query)
    pages = {row[0] for row in connection.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = ?", (table,))}
    steps = connection.execute(f"EXPLAIN {query}").fetchall()
    # A row of EXPLAIN: address, opcode, p1, p2, …; p2 of OpenRead is the page of what is opened.
    opened = sum(step[1] == "OpenRead" and step[3] in pages for step in steps)
    return replace(found, reads_itself=opened > 1)


def reading_of_query(connection: sqlite3.Connection, query: str) -> Reading:
    """Return what ``query`` reads, by what SQLite asks its authorizer while it compiles it.

    (https://www.sqlite.org/c3ref/set_authorizer.html)

    Raises:
        sqlite3.Error: what SQLite does not understand about it.
    """
    columns: set[tuple[str, str]] = set()
    views: set[str] = set()

    def noted(action: int, name: str | None, column: str | None, _: str | None, within: str | None) -> int:
        if action == sqlite3.SQLITE_READ:
            columns.add((fold(name or ""), fold(column or "")))
            if within is not None:
                views.add(fold(within))
        return sqlite3.SQLITE_OK

    connection.set_authorizer(noted)
    try:
        execute(connection, f"EXPLAIN {query}")
    finally:
        connection.set_authorizer(None)
    return Reading(columns=frozenset(columns), views=frozenset(views))


def not_compiling(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the folded names of the views and triggers at which any ALTER TABLE … RENAME fails.

    SQLite reads all of them again before it renames anything, related or not
    (https://www.sqlite.org/lang_altertable.html#compatibility_note), so a rename is tried and rolled back.
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
