"""Two foreign keys are duplicates.

SQLite checks both on every write. If their actions differ, what happens to a row depends on their order.

Remove one.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, columns_path, folded
from waiaas_migrate.schema.foreign_keys import targets_of
from waiaas_migrate.schema.names import fold

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
    foreign_keys:
      - {columns: [author_id], references: {table: authors, columns: [id]}, on_delete: cascade}
    indexes:
      idx_books_author_id: [author_id]
"""

GOOD = """\
tables:
  authors:
    columns:
      id: {type: integer, primary_key: true}
  books:
    columns:
      id: {type: integer, primary_key: true}
      author_id: {type: integer, references: {table: authors, on_delete: cascade}}
    indexes:
      idx_books_author_id: [author_id]
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each foreign key with the columns and targets of an earlier one."""
    tables = linted.tables
    for table in linted.schema.tables:
        seen = set()
        for key in table.foreign_keys:
            targets = targets_of(tables.get(fold(key.table)), key)
            pairs = frozenset(zip(folded(key.columns), folded(targets), strict=False))
            if (fold(key.table), pairs) in seen:
                what = f"another foreign key already refers to {key.table} from {', '.join(key.columns)}."
                yield Found(columns_path(table.name, key.columns), what, "Remove one.")
            seen.add((fold(key.table), pairs))
