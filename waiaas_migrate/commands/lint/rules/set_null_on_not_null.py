"""A foreign key sets a column to NULL that must not be NULL.

With ON DELETE SET NULL, deleting the parent sets the columns of the key to NULL. If one of them is NOT NULL, the
delete fails instead, so the action never does what it says. ON DELETE SET DEFAULT without a default is the same.

Make the column nullable, or choose CASCADE or RESTRICT.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, column_path
from waiaas_migrate.schema.model import Action, Column, ForeignKey
from waiaas_migrate.schema.names import fold

SEVERITY = Severity.ERROR

BAD = """\
tables:
  authors:
    columns:
      id: {type: integer, primary_key: true}
  books:
    columns:
      id: {type: integer, primary_key: true}
      author_id: {type: integer, nullable: false, references: {table: authors, on_delete: set null}}
    indexes:
      idx_books_author_id: [author_id]
"""

GOOD = BAD.replace("nullable: false, references", "references")


def find(linted: Linted) -> Iterator[Found]:
    """Yield each such column."""
    for table in linted.schema.tables:
        for key in table.foreign_keys:
            own = set(map(fold, key.columns))
            for column in table.columns:
                if fold(column.name) in own and column.not_null is not None and (clause := _clause(key, column)):
                    what = f"{clause} fails, because the column is NOT NULL."
                    yield Found(
                        column_path(table.name, column.name), what, "Make it nullable, or choose another action."
                    )


def _clause(key: ForeignKey, column: Column) -> str:
    """Return the action that sets ``column`` to NULL, as SQL; empty if there is none."""
    for clause, action in (("ON DELETE", key.on_delete), ("ON UPDATE", key.on_update)):
        if action is Action.SET_NULL or (action is Action.SET_DEFAULT and column.default is None):
            return f"{clause} {action}"
    return ""
