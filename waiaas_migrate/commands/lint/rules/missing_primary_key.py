"""A table has no primary key.

Nothing then identifies a row, or keeps it from being inserted twice. Other tables can't refer to it, and replication
and synchronization tools can't follow it.

Declare the columns that identify a row as `primary_key`, or add `id: {type: integer, primary_key: true}`, which costs
no space.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.indexes import indexes_of
from waiaas_migrate.commands.lint.rule import Found, Linted

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
    """Yield each such table, unless other columns are unique, or it holds one value in a single column."""
    for table in linted.schema.tables:
        if table.primary_key is not None or len(table.columns) == 1:
            continue
        if not any(index.unique and index.where is None for index in indexes_of(table)):
            yield Found(("tables", table.name), "the table has no primary key.", "Declare one.")
