"""A name is an SQL keyword.

It must be quoted in every statement, and without the quotes, a query fails with a misleading error or
means something else.

Choose another name, and carry the data over with `renamed_from`.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, column_path

SEVERITY = Severity.INFO

BAD = """\
tables:
  order:
    columns:
      id: {type: integer, primary_key: true}
      group: text
"""

GOOD = """\
tables:
  orders:
    columns:
      id: {type: integer, primary_key: true}
      group_name: text
"""

#: The keywords that SQLite takes for names nowhere: it has a fallback for the others, such as KEY
#: (https://www.sqlite.org/lang_keywords.html, and parse.y for the fallbacks).
_RESERVED = frozenset(
    """
    add all alter and as autoincrement between case check collate commit constraint create default deferrable delete
    distinct drop else escape except exists foreign from group having in index insert intersect into is isnull join
    limit not notnull null on or order primary references returning select set table then to transaction union unique
    update using values when where
    """.split()
)


def find(linted: Linted) -> Iterator[Found]:
    """Yield each table, view and column with such a name."""
    fix = "Rename it with `renamed_from`."
    for table in linted.schema.tables:
        if table.name.lower() in _RESERVED:
            yield Found(("tables", table.name), f"{table.name.upper()} is a keyword of SQL.", fix)
        for column in table.columns:
            if column.name.lower() in _RESERVED:
                yield Found(column_path(table.name, column.name), f"{column.name.upper()} is a keyword of SQL.", fix)
    for view in linted.schema.views:
        if view.name.lower() in _RESERVED:
            yield Found(("views", view.name), f"{view.name.upper()} is a keyword of SQL.", "Choose another name.")
