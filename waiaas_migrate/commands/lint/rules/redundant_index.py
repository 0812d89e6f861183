"""An index is redundant, because another one covers it.

It takes space and makes every write slower, and no query is faster for it. An index is redundant if its columns are the
first ones of another index, the primary key or a UNIQUE constraint, in the same order and with the same collations. So
is an index on the INTEGER PRIMARY KEY, because that is the table itself.

Drop it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.indexes import TableIndex, indexes_of, is_rowid
from waiaas_migrate.commands.lint.rule import Found, Linted
from waiaas_migrate.schema.model import Table

SEVERITY = Severity.WARNING

BAD = """\
tables:
  visits:
    columns:
      id: {type: integer, primary_key: true}
      page: text
      day: text
    indexes:
      idx_visits_page: [page]
      idx_visits_page_day: [page, day]
"""

GOOD = """\
tables:
  visits:
    columns:
      id: {type: integer, primary_key: true}
      page: text
      day: text
    indexes:
      idx_visits_day: [day]
      idx_visits_page_day: [page, day]
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each index that another one replaces; of two equal ones, the later."""
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
    where = None if index.where is None else index.where.key
    if other.where is not None and (where is None or other.where.key != where):
        return False
    if where is not None and other.where is None and not is_rowid(table, other):
        return False  # A partial index is smaller.
    if index.unique and not (other.unique and len(other.terms) == len(index.terms)):
        return False
    return _normal(other.terms[: len(index.terms)]) == _normal(index.terms)


def _normal(terms: Sequence[tuple[str, str | None, bool]]) -> Sequence[tuple[str, str | None, bool]]:
    """Return ``terms`` in the direction in which the first ascends: SQLite reads an index both ways."""
    is_backward = bool(terms) and terms[0][2]
    return [(column, collation, descending != is_backward) for column, collation, descending in terms]
