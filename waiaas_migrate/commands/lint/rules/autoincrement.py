"""A join table has AUTOINCREMENT.

INTEGER PRIMARY KEY numbers rows by itself. AUTOINCREMENT only keeps the number of a deleted row from being used
again. For that, every insert also reads and writes the table `sqlite_sequence`. See [SQLite
Autoincrement](https://www.sqlite.org/autoinc.html). In a join table, nothing refers to that number.

Remove it, or make the foreign keys the primary key.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted
from waiaas_migrate.schema.model import Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_alias

SEVERITY = Severity.INFO

BAD = """\
tables:
  books:
    columns:
      id: {type: integer, primary_key: true}
  tags:
    columns:
      id: {type: integer, primary_key: true}
  book_tags:
    columns:
      id: {type: integer, primary_key: true, autoincrement: true}
      book_id: {type: integer, nullable: false, references: books.id}
      tag_id: {type: integer, nullable: false, references: tags.id}
    indexes:
      idx_book_tags_book_id: [book_id]
      idx_book_tags_tag_id: [tag_id]
"""

GOOD = BAD.replace(", autoincrement: true", "")


def find(linted: Linted) -> Iterator[Found]:
    """Yield each such table that no other one refers to."""
    parents = {fold(key.table) for table in linted.schema.tables for key in table.foreign_keys}
    for table in linted.schema.tables:
        if table.primary_key is None or not table.primary_key.autoincrement or fold(table.name) in parents:
            continue
        if _only_links(table):
            what = "AUTOINCREMENT makes each insert write sqlite_sequence, too, and nothing remembers the numbers."
            yield Found(("tables", table.name), what, "Remove it.")


def _only_links(table: Table) -> bool:
    linking = {fold(column) for key in table.foreign_keys for column in key.columns}
    others = {fold(column.name) for column in table.columns} - linking - {rowid_alias(table)}
    return len(table.foreign_keys) > 1 and not others
