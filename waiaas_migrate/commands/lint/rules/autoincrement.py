"""A table has AUTOINCREMENT, and no need of it.

INTEGER PRIMARY KEY numbers rows by itself. AUTOINCREMENT only prevents that the number of a deleted row is used again. For
that, every insert also reads and writes the table `sqlite_sequence`. See
[SQLite Autoincrement](https://www.sqlite.org/autoinc.html).

Remove it, unless something outside the database remembers the numbers of deleted rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted

SEVERITY = Severity.INFO

BAD = """\
tables:
  visits:
    columns:
      id: {type: integer, primary_key: true, autoincrement: true}
"""

GOOD = """\
tables:
  visits:
    columns:
      id: {type: integer, primary_key: true}
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each such table."""
    for table in linted.schema.tables:
        if table.primary_key is not None and table.primary_key.autoincrement:
            what = "AUTOINCREMENT makes each insert write sqlite_sequence, too."
            yield Found(("tables", table.name), what, "Remove it if numbers of deleted rows may be used again.")
