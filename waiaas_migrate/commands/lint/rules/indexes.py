"""Rules about indexes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import AUTHORS_AND_BOOKS, Found, Linted, path_to, rule
from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.model import IndexPart, SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_alias
from waiaas_migrate.sqlite.reading.allowed_values import tree_of


class _Term(NamedTuple):
    """A column of an index, in lower case, or an expression in canonical form, with its collation and direction."""

    column: str
    collation: str | None
    descending: bool


class _TableIndex(NamedTuple):
    """An index, or the index that SQLite creates for a constraint; then ``name`` is empty.

    ``description`` names the index or constraint in messages; ``where`` is the condition of a partial index.
    """

    name: str
    description: str
    terms: tuple[_Term, ...]
    unique: bool
    where: SqlText | None = None


def _indexes_of(table: Table) -> Iterator[_TableIndex]:
    """Yield the primary key, the UNIQUE constraints and the indexes of ``table``, by which SQLite can find rows."""
    if table.primary_key is not None:
        yield _TableIndex("", "the primary key", _terms(table, table.primary_key.parts), unique=True)
    for unique in table.uniques:
        yield _TableIndex("", f"UNIQUE ({', '.join(unique.columns)})", _terms(table, unique.parts), unique=True)
    for index in table.indexes:
        yield _TableIndex(index.name, f"index {index.name}", _terms(table, index.parts), index.unique, index.where)


def _terms(table: Table, parts: Iterable[IndexPart]) -> tuple[_Term, ...]:
    collations = {fold(column.name): column.collation for column in table.columns}
    terms = []
    for part in parts:
        name = fold(part.column or "")
        if part.expression is not None:
            terms.append(_Term(f"({part.expression.key})", None, part.descending))
        else:
            terms.append(_Term(name, canonical_collation(part.collation or collations.get(name)), part.descending))
    return tuple(terms)


@rule(
    Severity.WARNING,
    good=AUTHORS_AND_BOOKS,
    mistakes={"    indexes:\n      idx_books_author_id: [author_id]\n": ""},
)
def foreign_key_without_index(linted: Linted) -> Iterator[Found]:
    """A foreign key has no index on its columns.

    When a row of the parent table is deleted or its key changes, SQLite searches the child table for rows that refer to
    it. Without an index, each search reads the whole child table, and so does a join along the foreign key. See
    [Required and suggested indexes](https://www.sqlite.org/foreignkeys.html#fk_indexes).

    Add an index that begins with the columns of the foreign key.
    """
    for table, key in linted.foreign_keys():
        columns = tuple(map(fold, key.columns))
        if not any(_finds_rows(index, columns) for index in _indexes_of(table)):
            names = ", ".join(key.columns)
            what = f"no index begins with {names}, so deleting from {key.table} reads all of {table.name}."
            name = "_".join(("idx", table.name, *key.columns))
            yield Found(path_to(table.name, *key.columns), what, f"Add `{name}: [{names}]` to its `indexes`.")


def _finds_rows(index: _TableIndex, columns: tuple[str, ...]) -> bool:
    """Return whether SQLite can use ``index`` to find rows by the ``columns`` of a foreign key."""
    # One column of a foreign key is enough: the index then already leaves few rows.
    if not index.terms or index.terms[0].column not in columns:
        return False
    return index.where is None or _omits_only_null(index.where, columns)


def _omits_only_null(where: SqlText, columns: tuple[str, ...]) -> bool:
    """Return whether a partial index omits only rows that refer to no parent, because a column is NULL."""
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

    A redundant index takes space, makes every write slower, and speeds up no query. An index is redundant if another
    index, the primary key or a UNIQUE constraint begins with the same columns, in the same order and with the same
    collations. An index on the INTEGER PRIMARY KEY is redundant, too, because the table itself is in that order.

    Drop the index.
    """
    for table in linted.schema.tables:
        indexes = tuple(_indexes_of(table))
        for position, index in enumerate(indexes):
            if index.name and (other := _covering_index(table, indexes, position)) is not None:
                is_equal = len(other.terms) == len(index.terms)
                what = f"the index {'equals' if is_equal else 'is a prefix of'} {other.description}."
                yield Found(("tables", table.name, "indexes", index.name), what, "Drop the index.")


def _covering_index(table: Table, indexes: Sequence[_TableIndex], position: int) -> _TableIndex | None:
    """Return the index because of which ``indexes[position]`` is redundant; None if there is none."""
    index = indexes[position]
    for number, other in enumerate(indexes):
        if number == position or not _covers(table, other, index):
            continue
        # If two indexes cover each other, only the second one is redundant.
        if number < position or not _covers(table, index, other):
            return other
    return None


def _covers(table: Table, other: _TableIndex, index: _TableIndex) -> bool:
    """Return whether ``other`` can replace ``index``: it finds the same rows and refuses the same duplicates."""
    # The table itself is in the order of its rowids.
    is_table = not other.name and [term.column for term in other.terms] == [rowid_alias(table)]
    if other.where != index.where and not is_table:
        return False  # a partial index is smaller, so it isn't redundant
    if index.unique and not (other.unique and len(other.terms) == len(index.terms)):
        return False
    return _with_first_ascending(other.terms[: len(index.terms)]) == _with_first_ascending(index.terms)


def _with_first_ascending(terms: Sequence[_Term]) -> Sequence[_Term]:
    """Return ``terms``, each in the other direction if the first is descending: SQLite reads an index both ways."""
    is_backward = bool(terms) and terms[0].descending
    return [term._replace(descending=term.descending != is_backward) for term in terms]
