"""A default doesn't fit the type of its column.

SQLite stores what doesn't fit as it is: text in a column of numbers, or the text 'CURRENT_TIMESTAMP' where the time
was meant. The mistake shows only when a program reads it.

Correct the default: `default` is a value, `default_sql` an expression, such as `unixepoch()`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, column_path
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.model import Column

SEVERITY = Severity.ERROR

BAD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      rank: {type: integer, nullable: false, default: first}
      created_at: {type: timestamp, nullable: false, default_sql: CURRENT_TIMESTAMP}
      changed_at: {type: text, nullable: false, default: CURRENT_TIMESTAMP}
"""

GOOD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      rank: {type: integer, nullable: false, default: 1}
      created_at: {type: timestamp, nullable: false, default_sql: unixepoch()}
      changed_at: {type: text, nullable: false, default_sql: CURRENT_TIMESTAMP}
"""

_TEXT = re.compile(r"'((?:[^']|'')*)'\Z|\"([^\"]*)\"\Z", re.DOTALL)
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*\Z", re.IGNORECASE)
#: Expressions that were meant to be computed.
_QUOTED_SQL = re.compile(r"\s*(?:NULL|CURRENT_(?:TIMESTAMP|DATE|TIME)|\w+\(.*\))\s*\Z", re.IGNORECASE | re.DOTALL)
#: What CURRENT_TIMESTAMP and its like give is text.
_TIME = re.compile(r"\(?\s*CURRENT_(?:TIMESTAMP|DATE|TIME)\s*\)?\Z", re.IGNORECASE)


def find(linted: Linted) -> Iterator[Found]:
    """Yield each such column."""
    for table in linted.schema.tables:
        for column in table.columns:
            if column.default is None:
                continue
            what, fix = _fault(column, column.default.sql.strip(), strict=table.strict)
            if what:
                yield Found(column_path(table.name, column.name), what, fix)


def _fault(column: Column, default: str, *, strict: bool) -> tuple[str, str]:
    """Return what is wrong with a default, and the fix; two empty texts if it is right."""
    is_number = affinity(column.type, strict=strict) in ("NUMERIC", "REAL")
    is_integer = "INT" in (column.type or "").upper()
    if is_integer and _TIME.match(default):
        what = f"the default {default} is text such as '2030-01-31 12:00:00', and the column is {column.type}."
        return what, "For Unix seconds, write `default_sql: unixepoch()`."
    if (match := _TEXT.match(default)) is None:
        return "", ""
    text = match[1] if match[1] is not None else match[2]
    if _QUOTED_SQL.match(text):
        return f"the default is the text {default}, not its value as SQL.", f"Write `default_sql: {text}`."
    if is_integer and not _NUMBER.match(text):
        return f"the default {default} is text, and the column is {column.type}.", "Write a number."
    del is_number
    return "", ""
