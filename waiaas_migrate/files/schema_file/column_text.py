"""Write a column and its constraints in the form of schema.yaml."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from waiaas_migrate.files.enum_sources.definitions import value_list_problem
from waiaas_migrate.files.schema_file import schema_keys as k
from waiaas_migrate.files.schema_file.value_kinds import write_expression, write_name
from waiaas_migrate.files.yaml_text.scalars import Scalar, ScalarError, resolve
from waiaas_migrate.files.yaml_text.yaml_writer import Data
from waiaas_migrate.schema.model import Check, Column, ForeignKey, SqlText
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.layout import ColumnLayout
from waiaas_migrate.sqlite.quoting import membership, quote_literal
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import tokenize, without_comments

_BOOLEAN = (0, 1)

Values = tuple[str | int, ...]


class EnumReference(NamedTuple):
    """The name of an enum; ``by_names``: the column stores its member names instead of their values."""

    name: str
    by_names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A column's table: its name, its columns, enums by folded column name, and keys to undeclared tables."""

    table: str
    columns: tuple[str, ...]
    enums: Mapping[str, EnumReference]
    external: Collection[ForeignKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lists:
    """The CHECK that ``boolean`` or ``enum`` expands to, and its values."""

    is_boolean: bool = False
    values: Values = ()
    check: Check | None = None


def column_data(place: ColumnLayout, around: Surroundings) -> Data:
    """Return the column of ``place`` as YAML data.

    Raises:
        UnsupportedError: schema.yaml can't hold something; the message names it.
    """
    column, columns, where = place.column, around.columns, f"table {around.table}, column {place.column.name}"
    lists = _lists(place, around)
    fields = k.COLUMN.write(column, columns, where)
    fields |= _default(column.default, lists, where) | _keys(place, where) | _conflicts(place)
    fields |= _constraints(place, lists, around, where)
    if column.not_null is not None:
        fields["nullable"] = False
        fields |= {} if column.not_null.name is None else {"not_null_name": write_name(column.not_null.name, (), where)}
    if lists.is_boolean:
        fields["type"] = "boolean"
    elif lists.check is not None:
        fields["enum"] = _enum(lists, lists.check, around.enums.get(fold(column.name)), where)
    if fields.keys() <= {"type"}:
        return fields.get("type")
    return {name: fields[name] for name in k.COLUMN.keys if name in fields}


def _lists(place: ColumnLayout, around: Surroundings) -> _Lists:
    """Return the CHECK to write as ``boolean`` or ``enum``: it has the same text, or an enum is linked."""
    column = place.column
    is_linked, is_integer = fold(column.name) in around.enums, fold(column.type or "") == "integer"
    for check in place.checks:
        if check.allowed is None or not is_usable_list(check, column):
            continue
        values = check.allowed.values
        is_boolean = not is_linked and is_integer and check.name is None and values == _BOOLEAN
        sql = membership(column.name, values, nullable=column.not_null is None and not is_boolean)
        if is_linked or ddl.read_expression(sql, around.columns).key == check.expression.key:
            return _Lists(is_boolean=is_boolean, values=values, check=check)
    return _Lists()


def is_usable_list(check: Check, column: Column) -> bool:
    """Return whether ``check`` is a list of values for ``column`` that ``enum`` can declare."""
    found = check.allowed
    return found is not None and found.column == fold(column.name) and not value_list_problem(found.values)


def _enum(lists: _Lists, check: Check, enum: EnumReference | None, where: str) -> Data:
    """Return a reference to ``enum``, or the values if it is None, with the name of the CHECK."""
    fields: dict[str, Data] = {"values": list(lists.values)} if enum is None else {"name": enum.name}
    fields |= {"stores": "names"} if enum is not None and enum.by_names else {}
    if check.name is not None:
        fields["constraint"] = write_name(check.name, (), where)
    return fields if len(fields) > 1 else next(iter(fields.values()))


def _default(default: SqlText | None, lists: _Lists, where: str) -> dict[str, Data]:
    """Return a default as a literal if it has the same text and is a valid value; else as SQL."""
    if default is None:
        return {}
    tokens = without_comments(tokenize(default.sql))
    sql = tokens[0].text if len(tokens) == 1 else default.sql  # leaves out a comment that is only for yoyo's splitter
    literal = _literal(sql)
    if quote_literal(literal) != (sql.upper() if literal is None else sql):
        return {"default_sql": write_expression(default, (), where)}
    if lists.is_boolean and isinstance(literal, int) and literal in _BOOLEAN:
        return {"default": bool(literal)}
    is_listed = literal is None or literal in (lists.values or (literal,))
    return {"default": literal} if is_listed else {"default_sql": sql}


def _literal(sql: str) -> Scalar:
    """Return the value that ``sql`` is a literal of, as far as its form shows."""
    if sql[:1] == "'":
        return sql[1:-1].replace("''", "'")
    try:
        return resolve(sql, plain=True)
    except ScalarError:
        return None


def _keys(place: ColumnLayout, where: str) -> dict[str, Data]:
    fields: dict[str, Data] = {}
    if (key := place.primary_key) is not None:
        order: dict[str, Data] = {"order": "desc"} if key.parts[0].descending else {}
        fields["primary_key"] = order | k.COLUMN_PRIMARY_KEY.write(replace(key, on_conflict=None), (), where) or True
        if key.autoincrement:
            fields["autoincrement"] = True
    if place.uniques:
        unique = replace(place.uniques[0], on_conflict=None)
        fields["unique"] = k.COLUMN_UNIQUE.write(unique, (), where) or True
    return fields


def _constraints(place: ColumnLayout, lists: _Lists, around: Surroundings, where: str) -> dict[str, Data]:
    fields: dict[str, Data] = {}
    others = [check for check in place.checks if check is not lists.check]
    if checks := [k.CHECK.shortest(check, around.columns, where) for check in others]:
        fields["check"] = checks[0] if len(checks) == 1 else checks
    if place.foreign_keys:
        key = place.foreign_keys[0]
        options = k.REFERENCE_OPTIONS.write(key, around.columns, where)
        fields["references"] = reference_data(key, around, where, options)
    return fields


def _conflicts(place: ColumnLayout) -> dict[str, Data]:
    """Return the conflict clauses by constraint; only the word if just one constraint can have a clause."""
    present = {
        "not_null": place.column.not_null,
        "primary_key": place.primary_key,
        "unique": place.uniques[0] if place.uniques else None,
    }
    there = {name: constraint.on_conflict for name, constraint in present.items() if constraint is not None}
    said: dict[str, Data] = {name: conflict.lower() for name, conflict in there.items() if conflict is not None}
    if not said:
        return {}
    return {"on_conflict": next(iter(said.values())) if len(there) == 1 else said}


def reference_data(key: ForeignKey, around: Surroundings, where: str, more: Mapping[str, Data] | None = None) -> Data:
    """Return the target of ``key`` and ``more`` keys, as ``table.column`` or ``table`` if that suffices."""
    fields = k.PARENT.write(key, (), where) | ({"external": True} if key in around.external else {}) | dict(more or {})
    table, column = fields["table"], fields.get("column", "")
    if not isinstance(table, str) or not isinstance(column, str) or "." in column:
        return fields
    if fields.keys() == {"table"} and "." not in table:
        return table
    return f"{table}.{column}" if fields.keys() == {"table", "column"} else fields
