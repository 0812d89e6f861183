"""Hints carried from the schema as written to the schema as read back, and turned round for the way back."""

from __future__ import annotations

from dataclasses import replace
from operator import is_

from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.enum_lists import literal, values_held
from waiaas_migrate.schema.model import NO_HINTS, Column, ColumnHints, Schema, SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import Renames


def with_hints(read_back: Schema, written: Schema) -> Schema:
    """Return ``read_back`` with the hints of ``written``, which no database can hold."""
    source = {fold(table.name): table for table in written.tables}
    tables = tuple(
        _table(table, source[fold(table.name)]) if fold(table.name) in source else table for table in read_back.tables
    )
    return replace(read_back, tables=tables)


def _table(table: Table, source: Table) -> Table:
    hints = {fold(column.name): column.hints for column in source.columns if _has_hints(column)}
    if not hints and source.renamed_from is None:
        return table
    return replace(
        table,
        renamed_from=source.renamed_from,
        columns=tuple(replace(column, hints=hints.get(fold(column.name), NO_HINTS)) for column in table.columns),
    )


def _has_hints(column: Column) -> bool:
    # Most have that very value, and dataclasses do not look at identity first.
    return column.hints is not NO_HINTS and column.hints != NO_HINTS


def without_hints(table: Table) -> Table:
    """Return ``table`` as a database could hold it: without hints."""
    if table.renamed_from is None and not any(map(_has_hints, table.columns)):
        return table
    columns = tuple(replace(column, hints=NO_HINTS) for column in table.columns)
    return replace(table, renamed_from=None, columns=columns)


def rollback_target(start: Schema, new: Schema, renames: Renames) -> Schema:
    """``start`` with the hints that take the values of ``new`` back to it.

    Args:
        start: the schema before, to which the way back leads.
        new: the schema after, with the hints that led to it.
        renames: what was renamed on the way.
    """
    there = {fold(table.name): {fold(column.name): column for column in table.columns} for table in new.tables}
    tables = []
    for table in start.tables:
        name = renames.table_after(table.name)
        after = there.get(fold(name), {})
        columns = tuple(_turned(table, c, after.get(fold(renames.column_after(name, c.name)))) for c in table.columns)
        is_same = all(map(is_, columns, table.columns))
        tables.append(table if is_same else replace(table, columns=columns))
    return replace(start, tables=tuple(tables))


def _turned(table: Table, column: Column, successor: Column | None) -> Column:
    """``column`` with what became of its values turned round, where they became new ones.

    Values that were merged into a new one all come back as the first of them, since nobody knows which was which; so do
    those that became NULL, where there was none before. What became of a value into one that there was already stays,
    as all does in a column that took any value. A column that was dropped gets a neutral value where it cannot be
    without.
    """
    if successor is None:
        if column.not_null is None or column.default is not None or column.generated is not None:
            return column
        return replace(column, hints=ColumnHints(backfill=SqlText(sql=_neutral(table, column), key="")))
    became = (*successor.hints.renamed_values, *successor.hints.removed_values)
    if not became:
        return column
    known = values_held(table, column)
    if known is None:
        return column
    back: dict[str | int, str | int] = {}
    for old, new in became:
        if new is not None and new not in known:
            back.setdefault(new, old)
    emptied = next((old for old, new in became if new is None and old in known), None)
    filled = None if emptied is None or column.not_null is None else SqlText(sql=literal(emptied), key="")
    return replace(column, hints=ColumnHints(renamed_values=tuple(back.items()), backfill=filled))


def _neutral(table: Table, column: Column) -> str:
    """An SQL literal that stands for a value that is lost: the first that a list allows, zero, or nothing."""
    for check in table.checks:
        if check.allowed is not None and check.allowed.column == fold(column.name):
            return literal(check.allowed.values[0])
    return {"TEXT": "''", "BLOB": "X''"}.get(affinity(column.type), "0")
