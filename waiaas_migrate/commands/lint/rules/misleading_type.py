"""A type that means text stores numbers.

SQLite derives from the letters of a declared type how a column stores values. STRING and UUID have none of the words
CHAR, CLOB and TEXT, so they store text that looks like a number as a number: `'007'` becomes `7`, `'1e5'` becomes
`100000`, and a UUID of digits loses precision. Likewise FLOATING POINT stores integers, because it ends in INT. See
[Determination of column affinity](https://www.sqlite.org/datatype3.html#determination_of_column_affinity).

Declare the type as `text`, `uuid` or `real`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, column_path
from waiaas_migrate.schema.affinity import affinity

SEVERITY = Severity.WARNING

BAD = """\
tables:
  products:
    columns:
      id: {type: integer, primary_key: true}
      number: {type: STRING, nullable: false}
"""

GOOD = """\
tables:
  products:
    columns:
      id: {type: integer, primary_key: true}
      number: {type: text, nullable: false}
"""

#: Types whose values are text, whatever their affinity is.
_OF_TEXT = re.compile(r"(?:.*STRING|UUID|GUID|ENUM|HEX|BASE64)\b", re.ASCII)


def find(linted: Linted) -> Iterator[Found]:
    """Yield each column whose type promises something else than it does."""
    for table in linted.schema.tables:
        for column in table.columns:
            declared = (column.type or "").upper()
            kind = affinity(declared, strict=table.strict)
            path = column_path(table.name, column.name)
            if kind == "NUMERIC" and _OF_TEXT.match(declared):
                what = f"the type {column.type} stores text that looks like a number as a number."
                yield Found(path, what, "Declare the type as `text`.")
            elif kind == "NUMERIC" and "POINT" in declared and "FLOAT" in declared:
                yield Found(path, f"the type {column.type} stores integers.", "Declare the type as `real`.")
