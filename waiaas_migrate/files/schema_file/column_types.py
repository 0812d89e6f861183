"""The kind of the key ``type``: a declared type, or one such as ``boolean``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from waiaas_migrate.files.problem_report import shown
from waiaas_migrate.files.schema_file.forms import Columns, Kind, unsupported
from waiaas_migrate.files.schema_file.shapes import OPTIONAL_TEXT, suggested
from waiaas_migrate.files.schema_file.value_kinds import syntax_fix
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import LogicalType
from waiaas_migrate.schema.names import fold

#: The declared type in SQL of each logical type.
LOGICAL_TYPES: dict[LogicalType, str] = {"boolean": "INTEGER", "timestamp": "INTEGER", "json": "TEXT", "uuid": "TEXT"}
SQLITE_TYPES = frozenset({"text", "integer", "real", "blob", "numeric", "any"})
#: The types that a STRICT table may have (https://www.sqlite.org/stricttables.html).
STRICT_TYPES = frozenset({"INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"})

_WORD = r"(?:[^\W\d]|[^\x00-\x7f])(?:[\w$]|[^\x00-\x7f])*"
_QUOTED = r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|`(?:[^`]|``)*`|\[[^\]]*\]'
_NUMBER = r"[-+]?\s*(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_TYPE = re.compile(
    rf"(?P<words>(?:{_WORD}|{_QUOTED})(?:\s+{_WORD}|\s*(?:{_QUOTED})|(?<=[]\"'`]){_WORD})*)"
    rf"\s*(?:\(\s*{_NUMBER}\s*(?:,\s*{_NUMBER}\s*)?\))?\Z"
)
#: Keywords that SQLite doesn't accept in a type. They begin a constraint or another clause.
_NOT_IN_TYPES = frozenset(
    """
    ADD ALL ALTER ALWAYS AND AS AUTOINCREMENT BETWEEN CASE CHECK COLLATE COMMIT CONSTRAINT CREATE DEFAULT DEFERRABLE
    DELETE DISTINCT DROP ELSE ESCAPE EXCEPT EXISTS FOREIGN FROM GENERATED GROUP HAVING IN INDEX INSERT INTERSECT INTO
    IS ISNULL JOIN LIMIT NOT NOTHING NOTNULL NULL ON OR ORDER PRIMARY REFERENCES RETURNING SELECT SET TABLE THEN TO
    TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN WHERE
    """.split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """A column's declared type, and its logical type if schema.yaml gives one."""

    declared: str | None = None
    logical: LogicalType | None = None


NO_TYPE = ColumnType()
_KNOWN_TYPES = {name: ColumnType(declared=name.upper()) for name in SQLITE_TYPES}
_KNOWN_TYPES |= {name: ColumnType(declared=declared, logical=name) for name, declared in LOGICAL_TYPES.items()}


def _read_type(value: Value, _: Columns) -> ColumnType | None:
    text = None if value.is_null else value.text("a type, such as `text`")
    if text is None:
        return None
    if text in _KNOWN_TYPES:
        return _KNOWN_TYPES[text]
    if problem := _type_problem(text):
        value.problem(*problem)
        return None
    return ColumnType(declared=text.strip())


def _write_type(declared: str, _: Columns, where: str) -> str:
    """Return a declared type as schema.yaml spells it."""
    if fold(declared) in SQLITE_TYPES:
        return fold(declared)
    if declared in LOGICAL_TYPES:
        return declared.upper()
    if _type_problem(declared):
        raise unsupported(f"{where}: the type {declared}", "it could not be read again.")
    return declared


TYPE = Kind(suggested(sorted(_KNOWN_TYPES), OPTIONAL_TEXT), _read_type, _write_type)


def _type_problem(text: str) -> tuple[str, str] | None:
    """Return the problem with a declared type, and its fix; None if the type is valid."""
    match = _TYPE.match(text.strip())
    if match is None:
        fix = syntax_fix(text, "Write words and at most two numbers, such as `VARCHAR(50)`.")
        return f"`{shown(text)}` is not a type.", fix
    words = re.sub(_QUOTED, " ", match["words"]).upper().split()
    keyword = next((word for word in words if word in _NOT_IN_TYPES), None)
    if keyword is None:
        return None
    fix = "Write a constraint as a separate key, such as `nullable: false`."
    return f"`{keyword}` is an SQL keyword, not part of a type.", fix
