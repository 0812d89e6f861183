"""A table has no primary key.

Nothing then identifies a row, or keeps it from being inserted twice. Other tables can't refer to it, and replication
and synchronization tools can't follow it.

Declare the columns that identify a row as `primary_key`, or add `id: {type: integer, primary_key: true}`, which costs
no space.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.indexes import TableIndex, indexes_of
from waiaas_migrate.commands.lint.rule import Found, Linted
from waiaas_migrate.schema.model import Table
from waiaas_migrate.schema.names import fold

SEVERITY = Severity.WARNING

BAD = """\
tables:
  settings:
    columns:
      name: {type: text, nullable: false}
      value: text
"""

GOOD = """\
tables:
  settings:
    columns:
      name: {type: text, nullable: false, primary_key: true}
      value: text
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each such table, unless NOT NULL columns are unique together: they are a primary key in all but name."""
    for table in linted.schema.tables:
        if table.primary_key is None and not any(_identifies(table, index) for index in indexes_of(table)):
            yield Found(("tables", table.name), "the table has no primary key.", "Declare one.")


def _identifies(table: Table, index: TableIndex) -> bool:
    not_null = {fold(column.name) for column in table.columns if column.not_null is not None}
    return index.unique and index.where is None and not_null.issuperset(term[0] for term in index.terms)
