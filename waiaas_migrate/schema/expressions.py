"""The expressions of a table, and where to report them."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.schema.model import Check, Column, Index, SqlText, Table


def expressions(table: Table) -> Iterator[tuple[Check | Index | Column, str, SqlText]]:
    """Yield each expression of ``table`` except defaults, after what it belongs to and the place to report."""
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
    """Return ``table.column`` for a CHECK that is written on a column, and else ``table``."""
    return f"{table}.{check.column}" if check.column else table
