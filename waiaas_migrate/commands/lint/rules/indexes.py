"""Rules about indexes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import AUTHORS_AND_BOOKS, Found, Linted, path_to, rule
from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.model import IndexPart, SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_alias
from waiaas_migrate.sqlite.reading.allowed_values import tree_of

#: A term: its folded column or the meaning of its expression, its collation, and whether it is descending.
Term = tuple[str, str | None, bool]


class TableIndex(NamedTuple):
    """An index: what messages call it, its terms, whether it is unique, and its condition.

    ``name`` is empty for the index that SQLite makes for a constraint.
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
        yield TableIndex("", f"UNIQUE ({', '.join(unique.columns)})", _terms(table, unique.parts), unique=True)
    for index in table.indexes:
        yield TableIndex(index.name, f"index {index.name}", _terms(table, index.parts), index.unique, index.where)


def _terms(table: Table, parts: tuple[IndexPart, ...]) -> tuple[Term, ...]:
    own = {fold(column.name): column.collation for column in table.columns}
    terms: list[Term] = []
    for part in parts:
        name = fold(part.column or "")
        if part.expression is not None:
            terms.append((f"({part.expression.key})", None, part.descending))
        else:
            terms.append((name, canonical_collation(part.collation or own.get(name)), part.descending))
    return tuple(terms)


@rule(
    Severity.WARNING,
    good=AUTHORS_AND_BOOKS,
    mistakes={"    indexes:\n      idx_books_author_id: [author_id]\n": ""},
)
def foreign_key_without_index(linted: Linted) -> Iterator[Found]:
    """A foreign key has no index on its columns.

    Whenever a row of the parent is deleted or its key changes, SQLite looks for rows that refer to it. Without an index
    it reads the whole table each time, and so does every join along the key. See [Required and suggested
    indexes](https://www.sqlite.org/foreignkeys.html#fk_indexes).

    Add an index that begins with the columns of the foreign key.
    """
    for table, key in linted.foreign_keys():
        columns = tuple(map(fold, key.columns))
        if not any(_serves(index, columns) for index in indexes_of(table)):
            names = ", ".join(key.columns)
            what = f"no index begins with {names}, so deleting from {key.table} reads all of {table.name}."
            name = "_".join(("idx", table.name, *key.columns))
            yield Found(path_to(table.name, *key.columns), what, f"Add `{name}: [{names}]` to its `indexes`.")


def _serves(index: TableIndex, columns: tuple[str, ...]) -> bool:
    """Return whether SQLite can find rows by ``columns``; NULL never refers to a parent, so an index may omit it."""
    if not index.terms or index.terms[0][0] not in columns:
        return False
    # If a key has several columns, an index that begins with one of them already leaves few rows.
    return index.where is None or _omits_only_null(index.where, columns)


def _omits_only_null(where: SqlText, columns: tuple[str, ...]) -> bool:
    tree = tree_of(where) or {}
    is_not_null = tree.get("op") == "NOT_NULL" or (
        tree.get("op") == "IS_NOT" and tree["right"].get("literal_type") == "NULL"
    )
    return is_not_null and tree["left"].get("column") in columns


@rule(
    Severity.WARNING,
    good="""
    tables:
      visits:
        columns:
          id: {type: integer, primary_key: true}
          page: text
          day: text
        indexes:
          idx_visits_day: [day]
          idx_visits_page_day: [page, day]
    """,
    mistakes={"idx_visits_day: [day]": "idx_visits_page: [page]"},
)
def redundant_index(linted: Linted) -> Iterator[Found]:
    """An index is redundant, because another one covers it.

    It takes space and makes every write slower, and speeds up no query. It is redundant if its columns begin
    another index, the primary key or a UNIQUE constraint, in the same order and with the same collations. An index on
    the INTEGER PRIMARY KEY is redundant, too, because the table itself is in that order.

    Drop it.
    """
    for table in linted.schema.tables:
        known = tuple(indexes_of(table))
        for position, index in enumerate(known):
            if index.name and (other := _replacement(table, known, position)) is not None:
                equal = len(other.terms) == len(index.terms)
                what = f"the index {'is equal to' if equal else 'begins'} {other.words}."
                yield Found(("tables", table.name, "indexes", index.name), what, "Drop it.")


def _replacement(table: Table, known: Sequence[TableIndex], position: int) -> TableIndex | None:
    index = known[position]
    for number, other in enumerate(known):
        if number == position or not _covers(table, other, index):
            continue
        # Of two that cover each other, the first is kept, so that one of them is always reported.
        if number < position or not _covers(table, index, other):
            return other
    return None


def _covers(table: Table, other: TableIndex, index: TableIndex) -> bool:
    """Return whether ``other`` finds all rows that ``index`` finds, and refuses all duplicates that it refuses."""
    # The table itself is in the order of its rowids.
    is_table = not other.name and [column for column, _, _ in other.terms] == [rowid_alias(table)]
    if other.where != index.where and not is_table:
        return False  # a partial index is smaller, so it isn't redundant
    if index.unique and not (other.unique and len(other.terms) == len(index.terms)):
        return False
    return _normal(other.terms[: len(index.terms)]) == _normal(index.terms)


def _normal(terms: Sequence[Term]) -> Sequence[Term]:
    """Return ``terms`` in the direction in which the first ascends: SQLite reads an index both ways."""
    is_backward = bool(terms) and terms[0][2]
    return [(column, collation, descending != is_backward) for column, collation, descending in terms]
