"""Copy hints to a schema that SQLite has read back; reverse them for a rollback."""

from __future__ import annotations

from dataclasses import replace
from operator import is_

from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.enum_lists import literal, values_in_lists
from waiaas_migrate.schema.model import NO_HINTS, Column, ColumnHints, Schema, SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import Renames


def with_hints(read_back: Schema, declared: Schema) -> Schema:
    """Return ``read_back`` with the hints of ``declared``; databases have no hints."""
    sources = declared.by_name()
    tables = (hints_from(table, sources.get(fold(table.name))) for table in read_back.tables)
    return replace(read_back, tables=tuple(tables))


def hints_from(table: Table, source: Table | None) -> Table:
    """Return ``table`` with the hints of ``source``, or without hints if it is None."""
    hints = {fold(column.name): column.hints for column in source.columns} if source is not None else {}
    pairs = [(column, hints.get(fold(column.name), NO_HINTS)) for column in table.columns]
    columns = tuple(column if column.hints == found else replace(column, hints=found) for column, found in pairs)
    renamed_from = source.renamed_from if source is not None else None
    if renamed_from == table.renamed_from and all(map(is_, columns, table.columns)):
        return table  # not a copy: comparing an object with itself is faster
    return replace(table, renamed_from=renamed_from, columns=columns)


def rollback_target(start: Schema, new: Schema, renames: Renames) -> Schema:
    """Return ``start`` with hints that restore its values as far as possible.

    ``start`` is the schema before a migration, and ``new`` the one after it, with the hints that the migration used.
    """
    tables = []
    after = new.by_name()
    for table in start.tables:
        name = renames.table_after(table.name)
        successor = after.get(fold(name))
        columns = {fold(column.name): column for column in successor.columns} if successor is not None else {}
        back = (
            _rollback_column(table, c, columns.get(fold(renames.column_after(name, c.name)))) for c in table.columns
        )
        tables.append(replace(table, columns=tuple(back)))
    return replace(start, tables=tuple(tables))


def _rollback_column(table: Table, column: Column, successor: Column | None) -> Column:
    """Return ``column`` with hints that reverse those of its ``successor``.

    ``successor`` is the column after the migration; None if the migration drops it. If the migration replaced several
    values by one new value, all rows get the first of them back. If the column was NOT NULL, NULL becomes the first
    value that it replaced. If the replacement existed before, rows keep it, because nothing shows which rows had the
    old value. A dropped column that is NOT NULL without a default gets a neutral value.
    """
    if successor is None:
        if column.not_null is None or column.default is not None or column.generated is not None:
            return column
        return replace(column, hints=ColumnHints(backfill=SqlText(sql=_neutral_value(table, column), key="")))
    replacements = (*successor.hints.renamed_values, *successor.hints.removed_values)
    known = values_in_lists(table, column) if replacements else None
    if known is None:
        return column
    originals: dict[str | int, str | int] = {}
    for old, new in replacements:
        if new is not None and new not in known:
            originals.setdefault(new, old)
    nulled = next((old for old, new in replacements if new is None and old in known), None)
    backfill = None if nulled is None or column.not_null is None else SqlText(sql=literal(nulled), key="")
    return replace(column, hints=ColumnHints(renamed_values=tuple(originals.items()), backfill=backfill))


def _neutral_value(table: Table, column: Column) -> str:
    """Return a literal to fill a column with: a value in its list, zero or empty."""
    for check in table.checks:
        if check.allowed is not None and check.allowed.column == fold(column.name):
            return literal(check.allowed.values[0])
    return {"TEXT": "''", "BLOB": "X''"}.get(affinity(column.type), "0")
