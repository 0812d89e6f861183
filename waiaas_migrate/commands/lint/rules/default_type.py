"""A default doesn't fit the type of its column.

SQLite stores what doesn't fit as it is: text in a column of numbers, or the text 'CURRENT_TIMESTAMP' instead of
the time. The mistake shows only when a program reads it.

Correct the default: `default` is a value, `default_sql` an expression, such as `unixepoch()`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, column_path
from waiaas_migrate.schema.model import Column

SEVERITY = Severity.ERROR

BAD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      rank: {type: integer, nullable: false, default: first}
      weight: {type: real, nullable: false, default: heavy}
      created_at: {type: timestamp, nullable: false, default_sql: CURRENT_TIMESTAMP}
      changed_at: {type: text, nullable: false, default: CURRENT_TIMESTAMP}
"""

GOOD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      rank: {type: integer, nullable: false, default: 1}
      weight: {type: real, nullable: false, default: 0.5}
      created_at: {type: timestamp, nullable: false, default_sql: unixepoch()}
      changed_at: {type: text, nullable: false, default_sql: CURRENT_TIMESTAMP}
"""

_TEXT = re.compile(r"'((?:[^']|'')*)'\Z|\"([^\"]*)\"\Z", re.DOTALL)
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*\Z", re.IGNORECASE)
#: Expressions that were meant to be computed.
_QUOTED_SQL = re.compile(r"\s*(?:NULL|CURRENT_(?:TIMESTAMP|DATE|TIME)|\w+\(.*\))\s*\Z", re.IGNORECASE | re.DOTALL)
#: Expressions whose value is text.
_TIME = re.compile(r"\(?\s*CURRENT_(?:TIMESTAMP|DATE|TIME)\s*\)?\Z", re.IGNORECASE)


#: Types whose values are numbers; those of DATE, for example, may be text.
_OF_NUMBERS = re.compile(r"INT|REAL|FLOA|DOUB|NUMERIC|DECIMAL|BOOL")


def find(linted: Linted) -> Iterator[Found]:
    """Yield each such column."""
    for table in linted.schema.tables:
        for column in table.columns:
            if column.default is not None and (fault := _fault(column, column.default.sql.strip())):
                yield Found(column_path(table.name, column.name), *fault)


def _fault(column: Column, default: str) -> tuple[str, str] | None:
    """Return what is wrong with a default, and the fix; None if it is right."""
    declared = (column.type or "").upper()
    is_integer, is_number = "INT" in declared, _OF_NUMBERS.search(declared) is not None
    match = _TEXT.match(default)
    text = "" if match is None else match[1] or match[2] or ""
    if is_integer and _TIME.match(text or default):
        what = f"the default {default} is text, and the column is {column.type}."
        return what, "For Unix seconds, write `default_sql: unixepoch()`."
    if _QUOTED_SQL.match(text):
        return f"the default is the text {default}, not its value as SQL.", f"Write `default_sql: {text}`."
    if is_number and match is not None and not _NUMBER.match(text):
        return f"the default {default} is text, and the column is {column.type}.", "Write a number."
    return None
