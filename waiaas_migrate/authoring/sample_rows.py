"""Sample rows for a proof: a few in every table, as many as its constraints allow."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence

from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.model import Column, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_name

_ROWS = 4


def insert_sample_rows(connection: sqlite3.Connection, tables: Iterable[Table]) -> None:
    """Insert rows into ``tables``, with the same values by number, so that children find parents.

    The last row of each table has NULL in every column that allows it; the others have no NULL.
    """
    for table in tables:
        columns = [column for column in table.columns if column.generated is None]
        lists = {check.allowed.column: check.allowed.values for check in table.checks if check.allowed is not None}
        names = ", ".join(quote_name(column.name) for column in columns)
        marks = ", ".join("?" * len(columns))
        for number in range(1, _ROWS + 1):
            values = [_value(table, column, number, lists.get(fold(column.name))) for column in columns]
            # The proof does without rows that a CHECK, a key or a trigger refuses.
            with contextlib.suppress(sqlite3.Error):
                connection.execute(f"INSERT INTO {quote_name(table.name)} ({names}) VALUES ({marks})", values)


def _value(table: Table, column: Column, number: int, allowed: tuple[str | int, ...] | None) -> object:
    if allowed:
        return allowed[number % len(allowed)]
    in_key = table.primary_key is not None and any(
        fold(part.column or "") == fold(column.name) for part in table.primary_key.parts
    )
    if number == _ROWS and column.not_null is None and not in_key:
        return None
    match affinity(column.type):
        case "TEXT":
            return f"{number}"
        case "BLOB":
            return bytes([number])
        case _:
            return number


def rows_of(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> list[str]:
    """Return the rows of a table as text, with the storage class of each value, in an order that a rebuild keeps."""
    parts = ", ".join(f"typeof({quote_name(name)}), {quote_name(name)}" for name in columns)
    return sorted(map(repr, connection.execute(f"SELECT {parts} FROM {quote_name(table)}")))
