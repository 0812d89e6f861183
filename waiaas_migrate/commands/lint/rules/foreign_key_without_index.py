"""A foreign key has no index on its columns.

Whenever a row of the parent is deleted or its key changes, SQLite looks for rows that refer to it. Without an index
it reads the whole table each time, and so does every join along the key. See [Required and suggested
indexes](https://www.sqlite.org/foreignkeys.html#fk_indexes).

Add an index that begins with the columns of the foreign key.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.indexes import TableIndex, indexes_of
from waiaas_migrate.commands.lint.rule import Found, Linted, columns_path, folded
from waiaas_migrate.schema.model import SqlText
from waiaas_migrate.sqlite.reading.literal_uses import tree_of

SEVERITY = Severity.WARNING

BAD = """\
tables:
  authors:
    columns:
      id: {type: integer, primary_key: true}
  books:
    columns:
      id: {type: integer, primary_key: true}
      author_id: {type: integer, references: authors.id}
"""

GOOD = """\
tables:
  authors:
    columns:
      id: {type: integer, primary_key: true}
  books:
    columns:
      id: {type: integer, primary_key: true}
      author_id: {type: integer, references: authors.id}
    indexes:
      idx_books_author_id: [author_id]
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each foreign key whose columns begin no index."""
    for table in linted.schema.tables:
        known = tuple(indexes_of(table))
        for key in table.foreign_keys:
            columns = folded(key.columns)
            if not any(_serves(index, columns) for index in known):
                names = ", ".join(key.columns)
                what = f"no index begins with {names}, so deleting from {key.table} reads all of {table.name}."
                name = "_".join(("idx", table.name, *key.columns))
                yield Found(columns_path(table.name, key.columns), what, f"Add `{name}: [{names}]` to its `indexes`.")


def _serves(index: TableIndex, columns: tuple[str, ...]) -> bool:
    """Return whether SQLite can find rows by ``columns``; NULL never refers to a parent, so an index may omit it."""
    if not index.terms or index.terms[0][0] not in columns:
        return False
    # Of a key with several columns, one that begins an index is enough to find few rows.
    return index.where is None or _omits_only_null(index.where, columns)


def _omits_only_null(where: SqlText, columns: tuple[str, ...]) -> bool:
    tree = tree_of(where) or {}
    is_not_null = tree.get("op") == "NOT_NULL" or (
        tree.get("op") == "IS_NOT" and tree["right"].get("literal_type") == "NULL"
    )
    return is_not_null and tree["left"].get("column") in columns
