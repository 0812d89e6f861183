"""A column of the primary key accepts NULL.

In SQLite, PRIMARY KEY doesn't imply NOT NULL, except for INTEGER PRIMARY KEY, and in STRICT and WITHOUT ROWID tables.
As NULL differs from NULL, any number of rows can have a key that is NULL, and no foreign key can refer to them. See
[Primary keys can sometimes contain
NULLs](https://www.sqlite.org/quirks.html#primary_keys_can_sometimes_contain_nulls).

Declare the column `nullable: false`.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.indexes import false_alias
from waiaas_migrate.commands.lint.rule import Found, Linted, columns_path
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_column

SEVERITY = Severity.WARNING

BAD = """\
tables:
  users:
    columns:
      id: {type: text, primary_key: true}
"""

GOOD = """\
tables:
  users:
    columns:
      id: {type: text, primary_key: true, nullable: false}
  events:
    columns:
      id: {type: integer, primary_key: true}
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each table with such columns, but for those of INT_PRIMARY_KEY, whose fix mends this, too."""
    for table in linted.schema.tables:
        key = table.primary_key
        if key is None or table.strict or table.without_rowid or rowid_column(table) is not None or false_alias(table):
            continue
        keys = {fold(part.column or "") for part in key.parts}
        names = tuple(one.name for one in table.columns if fold(one.name) in keys and one.not_null is None)
        if names:
            what = f"the primary key accepts NULL in {', '.join(names)}."
            yield Found(columns_path(table.name, names), what, "Declare it `nullable: false`.")
