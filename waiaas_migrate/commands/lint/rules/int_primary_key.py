"""A primary key looks like an alias of the rowid, but isn't one.

Only the type INTEGER, spelled out, makes a single-column primary key the rowid of its table. With INT, BIGINT or
another type, and with INTEGER PRIMARY KEY DESC, SQLite keeps a separate index, doesn't choose a number if none is
given, and stores NULL instead. See [ROWIDs and the INTEGER PRIMARY
KEY](https://www.sqlite.org/lang_createtable.html#rowid).

Declare the type `integer`.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.indexes import false_alias
from waiaas_migrate.commands.lint.rule import Found, Linted, column_path

SEVERITY = Severity.WARNING

BAD = """\
tables:
  users:
    columns:
      id: {type: BIGINT, nullable: false, primary_key: true}
"""

GOOD = """\
tables:
  users:
    columns:
      id: {type: integer, primary_key: true}
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each such column."""
    for table in linted.schema.tables:
        column, key = false_alias(table), table.primary_key
        if column is not None and key is not None:
            spelled = f"{column.type} PRIMARY KEY{' DESC' if key.parts[0].descending else ''}"
            what = f"{spelled} is not an alias of the rowid, so SQLite chooses no number for a new row."
            fix = "Declare it `{type: integer, primary_key: true}`."
            yield Found(column_path(table.name, column.name), what, fix)
