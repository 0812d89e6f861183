"""A column written as it stands in schema.yaml, with the constraints that stand on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from waiaas_migrate.files.schema_file.enum_source import value_list_problem
from waiaas_migrate.files.schema_file.term_text import (
    shortened_reference,
    unsupported,
    written_expression,
    written_name,
    written_options,
    written_parent,
    written_reference_options,
)
from waiaas_migrate.files.schema_file.value_kinds import LOGICAL_TYPES, SQLITE_TYPES, type_problem
from waiaas_migrate.files.yaml_text.yaml_writer import Data, Paragraph
from waiaas_migrate.schema.model import Check, Column, ForeignKey, SqlText
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.layout import ColumnLayout
from waiaas_migrate.sqlite.quoting import membership, quote_literal
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import significant, tokenize

_BOOLEAN = (0, 1)

Values = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a column's writer needs to know: the table and its columns, enums by name, keys that lead elsewhere."""

    table: str
    columns: tuple[str, ...]
    enums: Mapping[str, Values]
    external: Collection[ForeignKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lists:
    """The CHECK that a logical type or an enum says, and the values of the enum."""

    is_boolean: bool = False
    values: Values | None = None
    said: Check | None = None


def written_column(place: ColumnLayout, around: Surroundings) -> Data:
    """The column of ``place``.

    Raises:
        UnsupportedError: names what schema.yaml cannot hold.
    """
    column, where = place.column, f"table {around.table}, column {place.column.name}"
    lists = _lists(place, around)
    kind = "boolean" if lists.is_boolean else written_type(column.type, where)
    fields: dict[str, Data] = {} if kind is None else {"type": kind}
    fields |= _not_null(column, where)
    fields |= _default(column.default, lists, where)
    fields |= _keys(place, where)
    if column.collation is not None:
        fields["collate"] = written_name(column.collation, where)
    if lists.values is not None:
        fields["enum"] = _enum(lists.values, around.enums)
    fields |= _checks([check for check in place.checks if check is not lists.said], around, where)
    if place.foreign_keys:
        fields["references"] = _references(place.foreign_keys[0], around, where)
    fields |= _generated(column, around, where)
    fields |= _conflicts(place)
    if column.comment and column.comment.strip():
        fields["comment"] = Paragraph(column.comment)
    return _shortened(fields)


def _shortened(fields: dict[str, Data]) -> Data:
    return fields.get("type") if fields.keys() <= {"type"} else fields


def written_type(declared: str | None, where: str) -> str | None:
    """A declared type as schema.yaml names it."""
    if declared is None:
        return None
    if fold(declared) in SQLITE_TYPES:
        return fold(declared)
    if declared in LOGICAL_TYPES:
        return declared.upper()
    if type_problem(declared):
        raise unsupported(f"{where}: the type {declared}", "it is none that can be read again.")
    return declared


def _lists(place: ColumnLayout, around: Surroundings) -> _Lists:
    """The CHECK of the column that is no more than a boolean's, or an enum's."""
    column = place.column
    is_integer = fold(column.type or "") == "integer"
    for check in place.checks:
        found = check.allowed if check.name is None else None
        if found is None or found.column != fold(column.name) or value_list_problem(found.values):
            continue
        if is_integer and found.values == _BOOLEAN and not found.nullable:
            return _Lists(is_boolean=True, said=check)
        # The reader's own text, since what else a list may say (``x IS NULL OR x IN``) depends on the column.
        sql = membership(column.name, found.values, nullable=column.not_null is None)
        if ddl.expression(sql, around.columns).key == check.expression.key:
            return _Lists(values=found.values, said=check)
    return _Lists()


def _enum(values: Values, enums: Mapping[str, Values]) -> Data:
    for name, listed in enums.items():
        if listed == values and list(map(type, listed)) == list(map(type, values)):
            return name
    return list(values)


def _not_null(column: Column, where: str) -> dict[str, Data]:
    if column.not_null is None:
        return {}
    fields: dict[str, Data] = {"nullable": False}
    if column.not_null.name is not None:
        fields["not_null_name"] = written_name(column.not_null.name, where)
    return fields


def _default(default: SqlText | None, lists: _Lists, where: str) -> dict[str, Data]:
    """A default as a literal, where that renders as the very same text and is one of the column's values."""
    if default is None:
        return {}
    tokens = significant(tokenize(default.sql))
    sql = tokens[0].text if len(tokens) == 1 else default.sql  # without a comment that is there for yoyo's splitter
    literal = _literal(sql)
    if quote_literal(literal) != (sql.upper() if literal is None else sql):
        return {"default_sql": written_expression(default, (), where)}
    if lists.is_boolean and isinstance(literal, int) and literal in _BOOLEAN:
        return {"default": bool(literal)}
    is_listed = literal is None or literal in (_BOOLEAN if lists.is_boolean else lists.values or (literal,))
    return {"default": literal} if is_listed else {"default_sql": sql}


def _literal(sql: str) -> str | int | float | None:
    """The value that ``sql`` may be the literal of."""
    if sql[:1] == "'":
        return sql[1:-1].replace("''", "'")
    try:
        value = int(sql)
    except ValueError:
        try:
            return float(sql) if "e" not in sql.lower() and "n" not in sql.lower() else None
        except ValueError:
            return None
    return value if -(2**63) <= value < 2**63 else None


def _keys(place: ColumnLayout, where: str) -> dict[str, Data]:
    fields: dict[str, Data] = {}
    key = place.primary_key
    if key is not None:
        options: dict[str, Data] = {"order": "desc"} if key.parts[0].descending else {}
        fields["primary_key"] = options | written_options(name=key.name, where=where) or True
        if key.autoincrement:
            fields["autoincrement"] = True
    if place.uniques:
        fields["unique"] = written_options(name=place.uniques[0].name, where=where) or True
    return fields


def _conflicts(place: ColumnLayout) -> dict[str, Data]:
    """The conflict clauses: a word where only one constraint could have it, else by constraint."""
    present = {
        "not_null": place.column.not_null,
        "primary_key": place.primary_key,
        "unique": place.uniques[0] if place.uniques else None,
    }
    there = {what: constraint.on_conflict for what, constraint in present.items() if constraint is not None}
    said: dict[str, Data] = {what: conflict.lower() for what, conflict in there.items() if conflict is not None}
    if not said:
        return {}
    return {"on_conflict": next(iter(said.values())) if len(there) == 1 else said}


def _checks(checks: Sequence[Check], around: Surroundings, where: str) -> dict[str, Data]:
    written = [written_check(check, around.columns, where) for check in checks]
    if not written:
        return {}
    return {"check": written[0] if len(written) == 1 else written}


def written_check(check: Check, columns: Collection[str], where: str) -> Data:
    """A CHECK: its expression, or a mapping where it has a name."""
    sql = written_expression(check.expression, columns, where)
    return sql if check.name is None else {"check": sql, "name": written_name(check.name, where)}


def _references(key: ForeignKey, around: Surroundings, where: str) -> Data:
    fields = written_parent(key, external=key in around.external, where=where)
    return shortened_reference(fields | written_reference_options(key, where))


def _generated(column: Column, around: Surroundings, where: str) -> dict[str, Data]:
    if column.generated is None:
        return {}
    sql = written_expression(column.generated.expression, around.columns, where)
    if not (column.generated.stored or column.generated.virtual):
        return {"generated": sql}
    return {"generated": {"expression": sql, "stored": column.generated.stored}}
