"""Kinds of simple values in schema.yaml: names, types, flags, keywords and SQL."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from waiaas_migrate.files.problem_report import shown
from waiaas_migrate.files.schema_file import shapes as s
from waiaas_migrate.files.schema_file.forms import Columns, Kind, unsupported
from waiaas_migrate.files.yaml_text.yaml_values import Value, described
from waiaas_migrate.files.yaml_text.yaml_writer import Data, Paragraph
from waiaas_migrate.schema.model import Action, Conflict, Deferral, LogicalType, SqlText
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.unknown_names import default_error
from waiaas_migrate.sqlite.quoting import quote_literal
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import SqlError
from waiaas_migrate.sqlite.reading.quoted_strings import double_quoted_words

T = TypeVar("T")

_RESERVED_NAMES = re.compile("|".join(s.RESERVED))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

#: The problem of a carriage return in SQL, and its fix.
CARRIAGE_RETURN = (
    "the text contains a carriage return, which yoyo reads from a migration as a line feed.",
    "Remove it, or write char(13) in an SQL expression: 'a' || char(13) || 'b'.",
)

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


def name_problem(name: str) -> str:
    """Return the problem with the name of a column or constraint; "" if none."""
    if not name.strip():
        return "the name is empty."
    return "the name contains a control character." if _CONTROL.search(name) else ""


def object_name_problem(name: str) -> str:
    """Return the problem with the name of a table, view, index or trigger; "" if none."""
    if _RESERVED_NAMES.match(fold(name)):
        return f"the name `{shown(name)}` is reserved for SQLite, yoyo or waiaas-migrate."
    return name_problem(name)


def items(fields: Mapping[str, Value], key: str, example: str) -> list[Value]:
    """Return the items of the list at ``key``; an empty list if the key is missing."""
    return fields[key].items(example) if key in fields else []


def named_entries(
    fields: Mapping[str, Value], key: str, example: str, problem_of: Callable[[str], str] = object_name_problem
) -> list[tuple[str, Value]]:
    """Return the entries of the mapping at ``key``; report names with a problem."""
    entries = fields[key].entries(example) if key in fields else []
    for name, value in entries:
        if problem := problem_of(name):
            value.key_problem(problem, "Choose another name.")
    return entries


def _read_name(value: Value, _: Columns) -> str | None:
    text = value.text("a name")
    if text is not None and (problem := name_problem(text)):
        value.problem(problem, "Choose another name.")
        return None
    return text


def write_name(name: str, _: Columns, where: str) -> str:
    """Return ``name``; raise UnsupportedError if no column or constraint can have it."""
    if problem := name_problem(name):
        raise unsupported(f"{where}: the name {name!r}", problem)
    return name


def write_object_name(name: str, kind: str) -> str:
    """Return ``name``; raise UnsupportedError if no table, view, index or trigger can have it."""
    if problem := object_name_problem(name):
        raise unsupported(f"{kind} {name!r}", problem)
    return name


def write_expression(expression: SqlText, columns: Columns, where: str) -> str:
    """Return an expression's text; raise UnsupportedError if it can't be read again."""
    try:
        ddl.read_expression(expression.sql, columns)
    except SqlError as error:
        raise unsupported(f"{where}: {expression.sql}", f"it can't be read as an expression: {error}.") from None
    return expression.sql


def _read_default_sql(value: Value, _: Columns) -> SqlText | None:
    sql = value.sql()
    found = parse_sql(value, sql, default=True)
    if sql is None or found is None:
        return None
    # A word in double quotes is text in a default. As the whole default, that is clear; in an expression, it looks
    # like a column.
    for word in () if ddl.may_omit_parentheses(sql) else double_quoted_words(sql):
        text = quote_literal(word)
        what = f'"{word}" in double quotes would be the text {text}: a default can\'t name a column.'
        value.problem(what, f"Write {text} in single quotes.")
    if "(" in sql and (error := default_error(sql)):
        value.problem(f"SQLite can't compute this default: {error}.", "Correct the expression.")
    return found


def _read_literal(value: Value, _: Columns) -> SqlText | None:
    if value.is_mapping or value.is_list:
        fix = "Put text in quotes; write an SQL expression with `default_sql`."
        value.problem(f"expected a single value, found {described(value.node)}.", fix)
        return None
    if isinstance(value.scalar, float) and math.isnan(value.scalar):
        value.problem("SQLite can't store NaN.", "Write `default: null`.")
        return None
    return parse_sql(value, quote_literal(value.scalar))


def parse_sql(value: Value, sql: str | None, columns: Columns = (), *, default: bool = False) -> SqlText | None:
    """Parse an expression or a DEFAULT; return None if ``sql`` is None or can't be parsed."""
    if sql is None:
        return None
    if ddl.has_carriage_return(sql):
        value.problem(*CARRIAGE_RETURN)
    try:
        return ddl.read_default(sql) if default else ddl.read_expression(sql, columns)
    except SqlError as error:
        fix = _syntax_fix(sql, f"Correct `{shown(sql)}`.")
        value.problem(f"this is not an SQL expression: {str(error).rstrip('.')}.", fix)
        return None


def _syntax_fix(text: str, otherwise: str) -> str:
    """Return the fix for invalid SQL: to add quotes if a comma of YAML cut it off, else ``otherwise``."""
    is_cut = text.count("(") > text.count(")")
    return "A comma inside `{…}` ends the value. Put the whole value in quotes." if is_cut else otherwise


def _keyword(words: Mapping[str, T]) -> Kind:
    """Return the kind of one of ``words``; the word that means None is the default."""
    written = {meaning: word for word, meaning in words.items()}
    return Kind(s.word(words), lambda value, _: value.word(words), lambda content, _columns, _where: written[content])


_DEFERRALS = {
    "deferrable": Deferral.DEFERRABLE,
    "initially deferred": Deferral.DEFERRED,
    "initially immediate": Deferral.IMMEDIATE,
    "not": Deferral.NOT_DEFERRABLE,
    "not initially deferred": Deferral.NOT_DEFERRED,
    "not initially immediate": Deferral.NOT_IMMEDIATE,
}
_FLAG_DEFERRALS = {True: Deferral.DEFERRABLE, False: Deferral.NOT_DEFERRABLE}
_WRITTEN_DEFERRALS: dict[Deferral, Data] = {deferral: word for word, deferral in _DEFERRALS.items()}
_WRITTEN_DEFERRALS |= {deferral: flag for flag, deferral in _FLAG_DEFERRALS.items()}


def _read_class_name(value: Value, _: Columns) -> str | None:
    text = value.text("a class name")
    if text is not None and not re.fullmatch(s.CLASS_NAME["pattern"], text):
        value.problem(f"`{shown(text)}` is not a name in Python.", "Write a class name, such as `AuditLog`.")
        return None
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """A column's declared type, and its logical type if schema.yaml gives one."""

    declared: str | None = None
    logical: LogicalType | None = None


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
    if fold(declared) in SQLITE_TYPES:
        return fold(declared)
    if declared in LOGICAL_TYPES:
        return declared.upper()
    if _type_problem(declared):
        raise unsupported(f"{where}: the type {declared}", "it could not be read again.")
    return declared


def _type_problem(text: str) -> tuple[str, str] | None:
    """Return the problem with a declared type, and its fix; None if the type is valid."""
    match = _TYPE.match(text.strip())
    if match is None:
        fix = _syntax_fix(text, "Write words and at most two numbers, such as `VARCHAR(50)`.")
        return f"`{shown(text)}` is not a type.", fix
    words = re.sub(_QUOTED, " ", match["words"]).upper().split()
    keyword = next((word for word in words if word in _NOT_IN_TYPES), None)
    if keyword is None:
        return None
    fix = "Write a constraint as a separate key, such as `nullable: false`."
    return f"`{keyword}` is an SQL keyword, not part of a type.", fix


NAME = Kind(s.NAME, _read_name, write_name)
TYPE = Kind(s.suggested(sorted(_KNOWN_TYPES), s.OPTIONAL_TEXT), _read_type, _write_type)
CLASS_NAME = Kind(s.CLASS_NAME, _read_class_name, lambda name, _columns, _where: name)
FLAG = Kind(s.FLAG, lambda value, _: value.flag(), lambda content, _columns, _where: content)
COMMENT = Kind(
    s.OPTIONAL_TEXT,
    lambda value, _: None if value.is_null else value.text(),
    lambda comment, _columns, _where: Paragraph(comment) if comment.strip() else None,
)
EXPRESSION = Kind(s.SQL, lambda value, columns: parse_sql(value, value.sql(), columns), write_expression)
LITERAL = Kind(s.LITERAL, _read_literal)
DEFAULT_SQL = Kind(s.SQL, _read_default_sql, write_expression)
#: True means that the column stores the names of the enum's members.
STORES = _keyword({"values": False, "names": True})
ORDER = _keyword({"asc": False, "desc": True})
CONFLICT = _keyword({"abort": None, **{conflict.lower(): conflict for conflict in Conflict}})
ACTION = _keyword({"no action": None, **{action.lower(): action for action in Action}})
DEFERRAL = Kind(
    s.any_of(s.FLAG, s.word(_DEFERRALS)),
    lambda value, _: _FLAG_DEFERRALS[value.scalar] if isinstance(value.scalar, bool) else value.word(_DEFERRALS),
    lambda content, _columns, _where: _WRITTEN_DEFERRALS[content],
)
