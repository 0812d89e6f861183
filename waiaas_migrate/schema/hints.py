"""Hints copied from the schema as written to the schema as read back, and reversed for a rollback."""

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
    sources = written.by_name()
    tables = (_with_hints(table, sources.get(fold(table.name))) for table in read_back.tables)
    return replace(read_back, tables=tuple(tables))


def without_hints(table: Table) -> Table:
    """Return ``table`` without hints, as read from a database."""
    return _with_hints(table, None)


def _with_hints(table: Table, source: Table | None) -> Table:
    hints = {fold(column.name): column.hints for column in source.columns} if source is not None else {}
    columns = tuple(_hinted(column, hints.get(fold(column.name), NO_HINTS)) for column in table.columns)
    renamed_from = source.renamed_from if source is not None else None
    if renamed_from == table.renamed_from and all(map(is_, columns, table.columns)):
        return table  # comparing an object with itself is faster
    return replace(table, renamed_from=renamed_from, columns=columns)


def _hinted(column: Column, hints: ColumnHints) -> Column:
    return column if column.hints == hints else replace(column, hints=hints)


def rollback_target(start: Schema, new: Schema, renames: Renames) -> Schema:
    """Return ``start``, the schema before a migration, with hints that restore its values as far as possible.

    ``new`` is the schema after the migration, with the hints that led there.
    """
    tables = []
    after = new.by_name()
    for table in start.tables:
        name = renames.table_after(table.name)
        successor = after.get(fold(name))
        columns = {fold(column.name): column for column in successor.columns} if successor is not None else {}
        back = (_back(table, c, columns.get(fold(renames.column_after(name, c.name)))) for c in table.columns)
        tables.append(replace(table, columns=tuple(back)))
    return replace(start, tables=tuple(tables))


def _back(table: Table, column: Column, successor: Column | None) -> Column:
    """Return ``column`` with the hints of ``successor``, the column after the migration, reversed.

    If several values became one new value, all return as the first of them. The same goes for NULL, if the column did
    not allow it before. If a value became one that existed already, its rows keep that: nothing shows which they are. A
    dropped column that is NOT NULL and has no default gets a neutral value.
    """
    if successor is None:
        if column.not_null is None or column.default is not None or column.generated is not None:
            return column
        return replace(column, hints=ColumnHints(backfill=SqlText(sql=_neutral(table, column), key="")))
    mapped = (*successor.hints.renamed_values, *successor.hints.removed_values)
    known = values_held(table, column) if mapped else None
    if known is None:
        return column
    back: dict[str | int, str | int] = {}
    for old, new in mapped:
        if new is not None and new not in known:
            back.setdefault(new, old)
    emptied = next((old for old, new in mapped if new is None and old in known), None)
    filled = None if emptied is None or column.not_null is None else SqlText(sql=literal(emptied), key="")
    return replace(column, hints=ColumnHints(renamed_values=tuple(back.items()), backfill=filled))


def _neutral(table: Table, column: Column) -> str:
    """Return an SQL literal for a lost value: the first value that a list allows, zero, or an empty text or blob."""
    for check in table.checks:
        if check.allowed is not None and check.allowed.column == fold(column.name):
            return literal(check.allowed.values[0])
    return {"TEXT": "''", "BLOB": "X''"}.get(affinity(column.type), "0")
