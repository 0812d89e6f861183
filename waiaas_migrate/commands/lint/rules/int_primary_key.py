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
from waiaas_migrate.commands.lint.rule import Found, Linted, column_path
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_column

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
    """Yield each such column, unless it refers to another table, which then chooses the numbers."""
    for table in linted.schema.tables:
        key = table.primary_key
        if key is None or len(key.parts) != 1 or table.without_rowid or rowid_column(table) is not None:
            continue
        name = fold(key.parts[0].column or "")
        if any(name in map(fold, one.columns) for one in table.foreign_keys):
            continue
        for column in table.columns:
            if fold(column.name) == name and "INT" in (column.type or "").upper():
                spelled = f"{column.type} PRIMARY KEY{' DESC' if key.parts[0].descending else ''}"
                what = f"{spelled} is not an alias of the rowid, so SQLite chooses no number for a new row."
                yield Found(
                    column_path(table.name, column.name), what, "Declare it `{type: integer, primary_key: true}`."
                )
