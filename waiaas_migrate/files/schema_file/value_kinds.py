"""The words of schema.yaml: actions, conflict clauses, deferrability, types and names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from waiaas_migrate.files.problem_report import shown
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import Action, Conflict, Deferral, SqlText
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.unknown_names import default_error
from waiaas_migrate.sqlite.quoting import quote_literal
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import SqlError
from waiaas_migrate.sqlite.reading.quoted_strings import double_quoted

#: False stands for what SQLite does anyway, which the model leaves out.
CONFLICTS: dict[str, Conflict | bool] = {
    "abort": False,
    "rollback": Conflict.ROLLBACK,
    "fail": Conflict.FAIL,
    "ignore": Conflict.IGNORE,
    "replace": Conflict.REPLACE,
}
ACTIONS: dict[str, Action | bool] = {
    "no action": False,
    "restrict": Action.RESTRICT,
    "set null": Action.SET_NULL,
    "set default": Action.SET_DEFAULT,
    "cascade": Action.CASCADE,
}
DEFERRALS: dict[str, Deferral] = {
    "deferrable": Deferral.DEFERRABLE,
    "initially deferred": Deferral.DEFERRED,
    "initially immediate": Deferral.IMMEDIATE,
    "not": Deferral.NOT_DEFERRABLE,
    "not initially deferred": Deferral.NOT_DEFERRED,
    "not initially immediate": Deferral.NOT_IMMEDIATE,
}
ORDERS: dict[str, bool] = {"asc": False, "desc": True}

#: Names of SQLite's and of yoyo's own tables.
_RESERVED_NAMES = re.compile(r"sqlite_|_yoyo_|yoyo_lock\Z|yoyo_tmp_|_waiaas_", re.ASCII)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

#: What is wrong with a carriage return in a text, and what to do.
CARRIAGE_RETURN = (
    "the text contains a carriage return, which yoyo reads from a migration as a line feed.",
    "Take it out, or write char(13) in an SQL expression: 'a' || char(13) || 'b'.",
)

LOGICAL_TYPES = {"boolean": "INTEGER", "timestamp": "INTEGER", "json": "TEXT", "uuid": "TEXT"}
SQLITE_TYPES = frozenset({"text", "integer", "real", "blob", "numeric", "any"})
#: https://www.sqlite.org/stricttables.html
STRICT_TYPES = frozenset({"INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"})

_WORD = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*"
_QUOTED = r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|`(?:[^`]|``)*`|\[[^\]]*\]'
_NUMBER = r"[-+]?\s*(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_TYPE = re.compile(
    rf"(?P<words>(?:{_WORD}|{_QUOTED})(?:\s+{_WORD}|\s*(?:{_QUOTED})|(?<=[]\"'`]){_WORD})*)"
    rf"\s*(?:\(\s*{_NUMBER}\s*(?:,\s*{_NUMBER}\s*)?\))?\Z"
)
#: The keywords that SQLite does not take for part of a type: there the type ends, and a constraint begins.
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
    """The declared type, and whether it stands for a boolean."""

    declared: str | None
    is_boolean: bool = False


_KNOWN_TYPES = {
    **{name: ColumnType(declared=name.upper()) for name in SQLITE_TYPES},
    **{name: ColumnType(declared=declared, is_boolean=name == "boolean") for name, declared in LOGICAL_TYPES.items()},
}


def read_type(value: Value) -> ColumnType:
    """The type that ``value`` names, logical or as SQLite has it."""
    text = None if value.is_null else value.text("a type, such as `text`")
    if text is None:
        return ColumnType(declared=None)
    if text in _KNOWN_TYPES:
        return _KNOWN_TYPES[text]
    if problem := type_problem(text):
        value.problem(*problem)
        return ColumnType(declared=None)
    return ColumnType(declared=text.strip())


def type_problem(text: str) -> tuple[str, str] | None:
    """What is wrong with ``text`` as a declared type, and what to do; None where nothing is."""
    match = _TYPE.match(text.strip())
    if match is None:
        return f"`{shown(text)}` is no type.", _fix(text, "Write words, and one or two numbers: `VARCHAR(50)`.")
    words = re.sub(_QUOTED, " ", match["words"]).upper().split()
    keyword = next((word for word in words if word in _NOT_IN_TYPES), None)
    if keyword is None:
        return None
    fix = "Give the constraint a key of its own, such as `nullable: false`."
    return f"`{keyword}` is an SQL keyword and no part of a type.", fix


def read_conflict(value: Value | None) -> Conflict | None:
    """An ON CONFLICT word; ABORT is SQLite's default, and None."""
    word = value.word(CONFLICTS) if value is not None else None
    return word if isinstance(word, Conflict) else None


def read_action(value: Value | None) -> Action | None:
    """An ON DELETE or ON UPDATE action; NO ACTION is SQLite's default, and None."""
    word = value.word(ACTIONS) if value is not None else None
    return word if isinstance(word, Action) else None


def read_deferral(value: Value | None) -> Deferral | None:
    """The deferrability of a foreign key: a boolean or words."""
    if value is None:
        return None
    if isinstance(value.scalar, bool):
        return Deferral.DEFERRABLE if value.scalar else Deferral.NOT_DEFERRABLE
    return value.word(DEFERRALS)


def read_name(value: Value | None, example: str = "a name") -> str | None:
    """A name that is given as a value, of a column, a collation or a constraint."""
    if value is None:
        return None
    text = value.text(example)
    if text is None:
        return None
    if problem := name_problem(text):
        value.problem(problem, "Choose another name.")
        return None
    return text


def name_problem(name: str) -> str:
    """What is wrong with ``name`` as a column's or constraint's name, or an empty string."""
    if name.isidentifier():
        return ""
    if not name.strip():
        return "the name is empty."
    if _CONTROL.search(name):
        return "the name contains a control character."
    return ""


def object_name_problem(name: str) -> str:
    """What is wrong with ``name`` as a table's, view's, index's or trigger's name, or an empty string."""
    if _RESERVED_NAMES.match(fold(name)):
        return f"the name `{shown(name)}` belongs to SQLite, to yoyo or to waiaas-migrate."
    return name_problem(name)


def read_expression(value: Value | None, columns: Iterable[str]) -> SqlText | None:
    """An SQL expression over ``columns``."""
    sql = value.sql() if value is not None else None
    if value is None or sql is None:
        return None
    return parsed(value, sql, columns)


def read_default(value: Value | None) -> SqlText | None:
    """An SQL expression as a DEFAULT."""
    sql = value.sql() if value is not None else None
    if value is None or sql is None:
        return None
    # Alone, a word in double quotes is a string to everybody; within an expression it looks like a column.
    for word in () if ddl.is_bare(sql) else double_quoted(sql):
        text = quote_literal(word)
        what = f'"{word}" in double quotes would be the text {text}: a default cannot name a column.'
        value.problem(what, f"Write {text} in single quotes.")
    found = parsed(value, sql, default=True)
    if found is not None and "(" in sql and (error := default_error(sql)):
        value.problem(f"SQLite can't compute this default: {error}.", "Correct the expression.")
    return found


def parsed(value: Value, sql: str, columns: Iterable[str] = (), *, default: bool = False) -> SqlText | None:
    """``sql`` as an expression, or as a DEFAULT; where it is none, ``value`` is where that is told."""
    if ddl.has_carriage_return(sql):
        value.problem(*CARRIAGE_RETURN)
    try:
        return ddl.default(sql) if default else ddl.expression(sql, columns)
    except SqlError as error:
        value.problem(
            f"this is not an SQL expression: {str(error).rstrip('.')}.", _fix(sql, f"Correct `{shown(sql)}`.")
        )
        return None


def _fix(text: str, otherwise: str) -> str:
    """What to do about broken text: where a parenthesis is open, a comma of YAML's has most often cut it short."""
    cut = text.count("(") > text.count(")")
    return "Inside `{…}` a comma ends a value: put the whole value in quotes." if cut else otherwise
