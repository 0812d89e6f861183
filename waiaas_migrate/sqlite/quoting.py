"""Quote names and values for SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

#: Words that need quotes as names: SQLite's keywords (https://www.sqlite.org/lang_keywords.html), and words that yoyo's
#: statement splitter misreads without quotes: DECLARE, LOOP, WHILE, GO …
RESERVED = frozenset(
    """
    ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC ATTACH AUTOINCREMENT BEFORE BEGIN BETWEEN BY CASCADE
    CASE CAST CHECK COLLATE COLUMN COMMIT CONFLICT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
    CURRENT_TIMESTAMP DATABASE DEFAULT DEFERRABLE DEFERRED DELETE DESC DETACH DISTINCT DO DROP EACH ELSE END ESCAPE
    EXCEPT EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL FALSE FILTER FIRST FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB
    GROUP GROUPS HAVING IF IGNORE IMMEDIATE IN INDEX INDEXED INITIALLY INNER INSERT INSTEAD INTERSECT INTO IS ISNULL
    JOIN KEY LAST LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER
    OTHERS OUTER OVER PARTITION PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REGEXP REINDEX
    RELEASE RENAME REPLACE RESTRICT RETURNING RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SET STORED STRICT TABLE TEMP
    TEMPORARY THEN TIES TO TRANSACTION TRIGGER TRUE UNBOUNDED UNION UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL
    WHEN WHERE WINDOW WITH WITHIN WITHOUT
    DECLARE DISTRIBUTED ELSEIF ELSIF GO GOTO LOOP REPEAT TRAN UNTIL WHILE WORK
    """.split()
)


def quote_name(name: str) -> str:
    """Return ``name`` as an SQL identifier, in double quotes if it needs them."""
    if _PLAIN.match(name) and name.upper() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def unquote(text: str) -> str:
    """Return the name or string that ``text`` spells, without its quotes if it has any.

    See https://www.sqlite.org/lang_keywords.html for the four kinds of quotes.
    """
    closing = {'"': '"', "`": "`", "[": "]", "'": "'"}.get(text[:1])
    if closing is None:
        return text
    inner = text[1:-1]
    return inner if closing == "]" else inner.replace(closing * 2, closing)


def quote_literal(value: str | float | bytes | None) -> str:
    """Return ``value`` as an SQL literal."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(int(value))
        case bytes():
            return f"X'{value.hex().upper()}'"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case float() if value in (float("inf"), float("-inf")):
            return "9e999" if value > 0 else "-9e999"
        case _:
            return repr(value)


def membership(column: str, values: Sequence[str | int], *, nullable: bool) -> str:
    """Return a condition that allows only ``values`` in ``column``, and NULL if ``nullable``."""
    name = quote_name(column)
    listed = f"{name} IN ({', '.join(quote_literal(value) for value in values)})"
    return f"{name} IS NULL OR {listed}" if nullable else listed


def orphan_condition(columns: Sequence[str], parent: str, targets: Sequence[str]) -> str:
    """Return the SQL condition that holds for orphans: rows that violate a foreign key.

    The query must call the foreign key's table ``child``. The key's ``columns`` reference ``targets``, columns of the
    table ``parent``. All names must be quoted. If ``parent`` does not exist, ``targets`` are empty.
    """
    is_set = " AND ".join(f"child.{column} IS NOT NULL" for column in columns)
    if not targets:
        return is_set
    # A unary plus removes a column's affinity, so that the parent's affinity applies, as in a foreign key.
    matches = " AND ".join(f"parent.{target} = +child.{name}" for target, name in zip(targets, columns, strict=True))
    return f"{is_set} AND NOT EXISTS (SELECT 1 FROM {parent} AS parent WHERE {matches})"
