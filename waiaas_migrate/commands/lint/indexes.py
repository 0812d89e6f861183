"""The indexes of a table, those that SQLite makes for constraints included, for rules to compare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.model import Column, IndexPart, SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_column

#: A term: its folded column or the meaning of its expression, its collation, and whether it is descending.
Term = tuple[str, str | None, bool]


class TableIndex(NamedTuple):
    """An index: what messages call it, its terms, whether it is unique, and its condition.

    ``name`` is empty for the index of a constraint.
    """

    name: str
    words: str
    terms: tuple[Term, ...]
    unique: bool
    where: SqlText | None = None


def indexes_of(table: Table) -> Iterator[TableIndex]:
    """Yield everything by which SQLite can look up rows of ``table``: first the constraints, then the indexes."""
    if table.primary_key is not None:
        yield TableIndex("", "the primary key", _terms(table, table.primary_key.parts), unique=True)
    for unique in table.uniques:
        columns = ", ".join(part.column or "" for part in unique.parts)
        yield TableIndex("", f"UNIQUE ({columns})", _terms(table, unique.parts), unique=True)
    for index in table.indexes:
        yield TableIndex(index.name, f"index {index.name}", _terms(table, index.parts), index.unique, index.where)


def is_rowid(table: Table, index: TableIndex) -> bool:
    """Return whether ``index`` is not an index but the table itself, in the order of its rowids."""
    column = rowid_column(table)
    return column is not None and not index.name and [term[0] for term in index.terms] == [fold(column.name)]


def false_alias(table: Table) -> Column | None:
    """Return the single column of a primary key that looks like an alias of the rowid, but isn't one.

    If it refers to another table, that one chooses the numbers, so nothing is missing.
    """
    key = table.primary_key
    if key is None or len(key.parts) != 1 or table.without_rowid or rowid_column(table) is not None:
        return None
    name = fold(key.parts[0].column or "")
    if any(name in map(fold, one.columns) for one in table.foreign_keys):
        return None
    return next((c for c in table.columns if fold(c.name) == name and "INT" in (c.type or "").upper()), None)


def _terms(table: Table, parts: tuple[IndexPart, ...]) -> tuple[Term, ...]:
    own = {fold(column.name): column.collation for column in table.columns}
    return tuple(
        (f"({part.expression.key})", None, part.descending)
        if part.expression is not None
        else (
            fold(part.column or ""),
            canonical_collation(part.collation or own.get(fold(part.column or ""))),
            part.descending,
        )
        for part in parts
    )
