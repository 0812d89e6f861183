"""Ask SQLite which columns and views an expression or a query reads."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import execute
from waiaas_migrate.sqlite.quoting import quote_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The columns and views that an expression or a query reads; all names are folded.

    Args:
        columns: pairs of table or view, and column; the column is empty if no column of the table is read.
        views: the names of the views.
        reads_other_rows: whether an expression over a row of a table also reads other rows of that table.
    """

    columns: frozenset[tuple[str, str]] = frozenset()
    views: frozenset[str] = frozenset()
    reads_other_rows: bool = False

    def __or__(self, other: Dependencies) -> Dependencies:
        return Dependencies(
            columns=self.columns | other.columns,
            views=self.views | other.views,
            reads_other_rows=self.reads_other_rows or other.reads_other_rows,
        )


def expression_dependencies(connection: sqlite3.Connection, table: str, expression: str) -> Dependencies:
    """Return the dependencies of an expression over a row of ``table``.

    Raises:
        sqlite3.Error: SQLite rejects the expression.
    """
    query = f"SELECT ({expression}) FROM {quote_name(table)}"
    # A WHERE rejects aggregates and window functions, whose value depends on several rows.
    execute(connection, f"SELECT 1 FROM {quote_name(table)} WHERE ({expression}) LIMIT 0")
    found = query_dependencies(connection, query)
    pages = {row[0] for row in connection.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = ?", (table,))}
    steps = connection.execute(f"EXPLAIN {query}").fetchall()
    # A row of EXPLAIN: address, opcode, p1, p2, …; p2 of OpenRead is the root page of the table or index that it opens.
    times_opened = sum(step[1] == "OpenRead" and step[3] in pages for step in steps)
    return replace(found, reads_other_rows=times_opened > 1)


def query_dependencies(connection: sqlite3.Connection, query: str) -> Dependencies:
    """Return the dependencies of a query.

    SQLite reports them to the connection's authorizer (https://www.sqlite.org/c3ref/set_authorizer.html).

    Raises:
        sqlite3.Error: SQLite rejects the query.
    """
    columns: set[tuple[str, str]] = set()
    views: set[str] = set()

    def record(action: int, name: str | None, column: str | None, _: str | None, view: str | None) -> int:
        if action == sqlite3.SQLITE_READ:
            columns.add((fold(name or ""), fold(column or "")))
            if view is not None:
                views.add(fold(view))
        return sqlite3.SQLITE_OK

    connection.set_authorizer(record)
    try:
        execute(connection, f"EXPLAIN {query}")
    finally:
        connection.set_authorizer(None)
    return Dependencies(columns=frozenset(columns), views=frozenset(views))
