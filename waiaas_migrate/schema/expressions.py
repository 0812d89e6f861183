"""List the expressions of a table, each with the place to name in a message."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.schema.model import Check, Column, Index, SqlText, Table


def expressions(table: Table) -> Iterator[tuple[Check | Index | Column, str, SqlText]]:
    """Yield the owner, place and text of each expression except defaults."""
    for check in table.checks:
        yield check, check_place(table.name, check), check.expression
    for index in table.indexes:
        for text in (index.where, *(part.expression for part in index.parts)):
            if text is not None:
                yield index, index.name, text
    for column in table.columns:
        if column.generated is not None:
            yield column, f"{table.name}.{column.name}", column.generated.expression


def check_place(table: str, check: Check) -> str:
    """Return ``table.column`` for a CHECK written on a column, otherwise ``table``."""
    return f"{table}.{check.column}" if check.column else table
