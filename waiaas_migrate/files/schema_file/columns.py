"""Read a column of schema.yaml and the constraints that it declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from waiaas_migrate.files.enum_sources.definitions import EnumDefinition, LoadedEnums, unknown_enum, value_list_problem
from waiaas_migrate.files.schema_file import schema_keys as k
from waiaas_migrate.files.schema_file.constraints import ParsedForeignKey, ParsedKey, read_check, read_references
from waiaas_migrate.files.schema_file.forms import Columns, Form
from waiaas_migrate.files.schema_file.value_kinds import CARRIAGE_RETURN, CONFLICT, ColumnType, parse_sql
from waiaas_migrate.files.yaml_text.yaml_values import Value, described
from waiaas_migrate.schema import model as m
from waiaas_migrate.sqlite.quoting import membership

#: The attributes of the model's column that hold the value of a key unchanged.
_ATTRIBUTES = frozenset(m.Column.__dataclass_fields__) - {"type"}

Fields = Mapping[str, Value]
#: Conflict clauses by kind of constraint: ``not_null``, ``primary_key`` and ``unique``.
Conflicts = Mapping[str, m.Conflict | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumValues:
    """The values that a column's ``enum`` allows, in order, and the name of the CHECK.

    ``definition`` is the enum in the application's code; None if the column lists the values itself.
    """

    definition: EnumDefinition | None
    values: tuple[str | int, ...]
    constraint: str | None = None


class ParsedColumn(NamedTuple):
    """A column and the constraints that it declares, with their places in the file."""

    column: m.Column
    at: Value
    fields: dict[str, Value]
    is_boolean: bool = False
    primary_key: ParsedKey[m.PrimaryKey] | None = None
    unique: ParsedKey[m.Unique] | None = None
    checks: tuple[m.Check, ...] = ()
    foreign_key: ParsedForeignKey | None = None
    enum: EnumValues | None = None


def read_column(name: str, value: Value, columns: Columns, enums: LoadedEnums | None) -> ParsedColumn:
    """Return the column ``name`` of a table; report and omit parts that can't be read.

    ``columns`` are the names of the table's columns. If loading the enums failed, which is reported once and not at
    each reference, ``enums`` is None.
    """
    fields = _column_fields(value)
    found = k.COLUMN.contents(fields, columns)
    column_type = found.get("type", ColumnType())
    is_boolean = column_type.logical == "boolean"
    if fields.keys() <= {"type"} and not is_boolean:
        column = m.Column(name=name, type=column_type.declared, logical_type=column_type.logical)
        return ParsedColumn(column=column, at=value, fields=fields)
    conflicts = _read_conflicts(fields)
    enum = _read_enum(fields["enum"], enums) if "enum" in fields else None
    attributes = {key: content for key, content in found.items() if key in _ATTRIBUTES}
    attributes.setdefault("default", found.get("default_sql"))
    not_null, hints = _read_not_null(fields, found, conflicts), _read_hints(fields, found)
    types = {"type": column_type.declared, "logical_type": column_type.logical}
    column = m.Column(name=name, not_null=not_null, hints=hints, **types, **attributes)
    return ParsedColumn(
        column=column,
        at=value,
        fields=fields,
        is_boolean=is_boolean,
        primary_key=_read_primary_key(name, fields, found, conflicts),
        unique=_read_unique(name, fields, conflicts),
        checks=_read_checks(column, fields, columns, boolean=is_boolean, enum=enum),
        foreign_key=read_references(fields["references"], name) if "references" in fields else None,
        enum=enum,
    )


def _column_fields(value: Value) -> dict[str, Value]:
    if value.is_mapping:
        return k.COLUMN.fields(value)
    if value.is_list:
        value.problem("expected a column, found a list.", "Write `{type: text}`, or `text`.")
    return {} if value.is_null or value.is_list else {"type": value}


def _read_conflicts(fields: Fields) -> Conflicts:
    """Return the conflict clauses in the column's ``on_conflict``, by constraint."""
    value = fields.get("on_conflict")
    if value is None:
        return {}
    nullable = fields.get("nullable")
    present = [name for name in ("primary_key", "unique") if name in fields and fields[name].scalar is not False]
    if nullable is not None and nullable.scalar is False:
        present.insert(0, "not_null")
    if value.is_mapping:
        items = k.COLUMN_CONFLICTS.fields(value)
        for name in items.keys() - present:
            items[name].key_problem(f"the column has no `{name}` constraint.", "Remove this key.")
        return {name: CONFLICT.read(item, ()) for name, item in items.items() if name in present}
    conflict = CONFLICT.read(value, ())
    if not present:
        value.key_problem("the column has no NOT NULL, PRIMARY KEY or UNIQUE constraint.", "Remove `on_conflict`.")
    elif len(present) > 1:
        fix = f"Write `{{{present[0]}: {value.scalar}}}`."
        value.problem("`on_conflict` must name one of the column's constraints.", fix)
    return {present[0]: conflict} if len(present) == 1 else {}


def _read_not_null(fields: Fields, found: Mapping[str, Any], conflicts: Conflicts) -> m.NotNull | None:
    name = found.get("not_null_name")
    if found.get("nullable") is False:
        return m.NotNull(on_conflict=conflicts.get("not_null"), name=name)
    if name is not None:
        fix = "Add `nullable: false`, or remove `not_null_name`."
        fields["not_null_name"].key_problem("the column is nullable, so it has no NOT NULL constraint.", fix)
    return None


def _read_options(key: str, form: Form, fields: Fields, conflicts: Conflicts) -> dict[str, Any] | None:
    """Return the options of ``primary_key`` or ``unique``; None if it isn't set."""
    value = fields.get(key)
    if value is None or not (value.is_mapping or value.flag()):
        return None
    options = form.fields(value) if value.is_mapping else {}
    if "on_conflict" in options and key in conflicts:
        options["on_conflict"].key_problem("the column itself also has `on_conflict`.", "Keep one.")
    return {"on_conflict": conflicts.get(key)} | form.contents(options, ())


def _read_primary_key(
    name: str, fields: Fields, found: Mapping[str, Any], conflicts: Conflicts
) -> ParsedKey[m.PrimaryKey] | None:
    options = _read_options("primary_key", k.COLUMN_PRIMARY_KEY, fields, conflicts)
    autoincrement = found.get("autoincrement", False)
    if options is None:
        if autoincrement:
            fix = "Add `primary_key: true`, or remove `autoincrement`."
            fields["autoincrement"].key_problem("`autoincrement` requires a primary key.", fix)
        return None
    parts = (m.IndexPart(column=name, descending=options.pop("descending", False)),)
    key = m.PrimaryKey(parts=parts, autoincrement=autoincrement, inline=True, **options)
    return ParsedKey(key=key, at=fields["primary_key"])


def _read_unique(name: str, fields: Fields, conflicts: Conflicts) -> ParsedKey[m.Unique] | None:
    options = _read_options("unique", k.COLUMN_UNIQUE, fields, conflicts)
    if options is None:
        return None
    return ParsedKey(key=m.Unique(parts=(m.IndexPart(column=name),), inline=True, **options), at=fields["unique"])


def _read_enum(value: Value, enums: LoadedEnums | None) -> EnumValues | None:
    if not value.is_mapping:
        return _read_inline_enum(value) if value.is_list else _read_named_enum(value, enums)
    fields = k.ENUM.fields(value)
    if ("name" in fields) == ("values" in fields):
        return None
    options = k.ENUM.contents(fields, ())
    if "stores" in fields and "values" in fields:
        fields["stores"].key_problem("`values` has no names.", "Remove `stores`.")
    if "name" in fields:
        found = _read_named_enum(fields["name"], enums, by_names=options.get("stores", False))
    else:
        found = _read_inline_enum(fields["values"])
    return None if found is None else replace(found, constraint=options.get("constraint"))


def _read_named_enum(value: Value, enums: LoadedEnums | None, *, by_names: bool = False) -> EnumValues | None:
    name = value.text("an enum's name, or a list of values")
    if name is None or enums is None:
        return None
    definition = enums.find(name)
    if definition is None:
        value.problem(*unknown_enum(name, enums))
        return None
    if by_names:
        if not definition.members:
            value.problem(f"`{name}` is not an enum class, so it has no names.", "Remove `stores`.")
            return None
        return EnumValues(definition=definition, values=definition.members)
    if definition.problem:
        value.report.extend([definition.as_problem()])
        return None
    return EnumValues(definition=definition, values=definition.values)


def _read_enum_value(value: Value) -> str | int | None:
    scalar = value.scalar
    if isinstance(scalar, bool) or not isinstance(scalar, str | int):
        value.problem(f"expected text or a whole number, found {described(value.node)}.", "Put the value in quotes.")
        return None
    return scalar


def _read_inline_enum(value: Value) -> EnumValues | None:
    found = [_read_enum_value(item) for item in value.items("a list of values")]
    values = tuple(scalar for scalar in found if scalar is not None)
    if len(values) < len(found):
        return None
    if problem := value_list_problem(values):
        value.problem(f"can't use this list as an enum: {problem}.", "Correct the list.")
        return None
    return EnumValues(definition=None, values=values)


def _read_checks(
    column: m.Column, fields: Fields, columns: Columns, *, boolean: bool, enum: EnumValues | None
) -> tuple[m.Check, ...]:
    found: list[m.Check | None] = []
    value = fields.get("check")
    is_omitted = value is not None and value.scalar is False
    if boolean and not is_omitted:
        # This CHECK needs no IS NULL, because NULL passes every CHECK.
        found.append(_list_check(column.name, fields["type"], membership(column.name, (0, 1), nullable=False), columns))
    if enum is not None:
        sql = membership(column.name, enum.values, nullable=column.not_null is None)
        found.append(_list_check(column.name, fields["enum"], sql, columns, name=enum.constraint))
    if value is not None and is_omitted and not boolean:
        value.problem("`check: false` only leaves out the CHECK of a boolean.", "Write an expression.")
    elif value is not None and not is_omitted:
        items = value.items("expressions") if value.is_list else [value]
        found += [read_check(item, columns, column=column.name) for item in items]
    return tuple(check for check in found if check is not None)


def _list_check(column: str, at: Value, sql: str, columns: Columns, *, name: str | None = None) -> m.Check | None:
    expression = parse_sql(at, sql, columns)
    return None if expression is None else m.Check(expression=expression, column=column, name=name)


def _read_hints(fields: Fields, found: Mapping[str, Any]) -> m.ColumnHints:
    value = fields.get("enum_values")
    replaced = k.ENUM_VALUES.fields(value) if value is not None else {}
    if value is not None and "enum" not in fields:
        value.key_problem("the column has no enum.", "Add `enum`, or remove `enum_values`.")
    renamed = _read_replacements(replaced.get("renamed"), allows_null=False)
    return m.ColumnHints(
        renamed_from=found.get("renamed_from"),
        backfill=found.get("backfill"),
        renamed_values=tuple((old, new) for old, new in renamed if new is not None),
        removed_values=tuple(_read_replacements(replaced.get("removed"), allows_null=True)),
    )


def _read_replacements(value: Value | None, *, allows_null: bool) -> list[tuple[str | int, str | int | None]]:
    """Return pairs of an old and a new value; report and omit invalid pairs."""
    found: list[tuple[str | int, str | int | None]] = []
    for old, new in value.scalar_entries("`OLD: NEW`") if value is not None else ():
        if isinstance(old, str) and "\r" in old:
            new.key_problem(*CARRIAGE_RETURN)
        elif isinstance(old, bool) or not isinstance(old, str | int):
            new.key_problem("expected text or a whole number as the key.", "Put it in quotes.")
        elif new.is_null and allows_null:
            found.append((old, None))
        elif (replacement := _read_enum_value(new)) is not None:
            found.append((old, replacement))
    return found
