"""A type is misspelled.

SQLite accepts any word as a type, and its letters decide how values are stored. So `INTERGER` is not an error, but as
a primary key it is not an alias of the rowid.

Correct it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, column_path

SEVERITY = Severity.ERROR

BAD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      rank: interger
"""

GOOD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      rank: integer
"""

#: Types of SQLite and of other databases, whose schemas are often carried over.
_KNOWN = frozenset(
    """
    any bigint bigserial binary bit blob bool boolean bytea bytes char character cidr clob date datetime datetimeoffset
    decimal double enum fixed float float4 float8 guid image inet int int1 int2 int3 int4 int8 integer interval json
    jsonb long longblob longtext mediumblob mediumint mediumtext money national nchar nclob ntext number numeric
    nvarchar nvarchar2 precision raw real rowversion serial set short single smalldatetime smallint smallmoney
    smallserial string text time timestamp timestamptz timetz tinyblob tinyint tinytext tsvector uint uint16 uint32
    uint64 uint8 int16 int32 int64 unsigned uuid varbinary varchar varchar2 varying varyingcharacter xml year
    """.split()
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_CLOSE = 0.8


def find(linted: Linted) -> Iterator[Found]:
    """Yield each column whose type is nearly a known one; a type that is like no other is meant."""
    for table in linted.schema.tables:
        for column in table.columns:
            match = _WORD.match(column.type or "")
            if match is None or (word := match[0].lower()) in _KNOWN:
                continue
            close = difflib.get_close_matches(word, _KNOWN, n=1, cutoff=_CLOSE)
            if close:
                what = f"the type {column.type} is unknown."
                meant = "text" if close[0] == "string" else close[0]  # which would store numbers
                yield Found(column_path(table.name, column.name), what, f"Did you mean `{meant}`?")
