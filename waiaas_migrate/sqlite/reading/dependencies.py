"""Ask SQLite which columns and views an expression or a query reads."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import execute
from waiaas_migrate.sqlite.quoting import quote_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The columns and views that an expression over the rows of a table reads.

    ``columns`` are pairs of table and column. All names are folded. ``reads_itself``: the expression also reads other
    rows of its own table.
    """

    columns: frozenset[tuple[str, str]] = frozenset()
    views: frozenset[str] = frozenset()
    reads_itself: bool = False

    def __or__(self, other: Dependencies) -> Dependencies:
        """Return the dependencies of both."""
        return Dependencies(
            columns=self.columns | other.columns,
            views=self.views | other.views,
            reads_itself=self.reads_itself or other.reads_itself,
        )


def expression_dependencies(connection: sqlite3.Connection, table: str, expression: str) -> Dependencies:
    """Return the dependencies of ``expression`` over a row of ``table``.

    Raises:
        sqlite3.Error: SQLite rejects the expression.
    """
    query = f"SELECT ({expression}) FROM {quote_name(table)}"
    # WHERE rejects expressions over several rows: aggregates and window functions.
    execute(connection, f"SELECT 1 FROM {quote_name(table)} WHERE ({expression}) LIMIT 0")
    found = query_dependencies(connection, query)
    pages = {row[0] for row in connection.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = ?", (table,))}
    steps = connection.execute(f"EXPLAIN {query}").fetchall()
    # A row of EXPLAIN: address, opcode, p1, p2, …; p2 of OpenRead is the page of the table or index that it opens.
    opened = sum(step[1] == "OpenRead" and step[3] in pages for step in steps)
    return replace(found, reads_itself=opened > 1)


def query_dependencies(connection: sqlite3.Connection, query: str) -> Dependencies:
    """Return the dependencies of ``query``.

    SQLite reports each to the authorizer while it compiles the query: https://www.sqlite.org/c3ref/set_authorizer.html.

    Raises:
        sqlite3.Error: SQLite rejects the query.
    """
    columns: set[tuple[str, str]] = set()
    views: set[str] = set()

    def note(action: int, name: str | None, column: str | None, _: str | None, view: str | None) -> int:
        if action == sqlite3.SQLITE_READ:
            columns.add((fold(name or ""), fold(column or "")))
            if view is not None:
                views.add(fold(view))
        return sqlite3.SQLITE_OK

    connection.set_authorizer(note)
    try:
        execute(connection, f"EXPLAIN {query}")
    finally:
        connection.set_authorizer(None)
    return Dependencies(columns=frozenset(columns), views=frozenset(views))
