"""A column of schema.yaml, with the constraints that stand on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.files.problem_report import shown
from waiaas_migrate.files.schema_file.constraints import ReadForeignKey, ReadKey, read_check, read_references
from waiaas_migrate.files.schema_file.enum_source import LoadedEnums, unknown_enum, value_list_problem
from waiaas_migrate.files.schema_file.value_kinds import (
    CARRIAGE_RETURN,
    ORDERS,
    ColumnType,
    parsed,
    read_conflict,
    read_default,
    read_expression,
    read_name,
    read_type,
)
from waiaas_migrate.files.yaml_text.yaml_values import Value, described
from waiaas_migrate.schema.model import (
    NO_HINTS,
    Check,
    Column,
    ColumnHints,
    Conflict,
    Generated,
    IndexPart,
    NotNull,
    PrimaryKey,
    SqlText,
    Unique,
)
from waiaas_migrate.sqlite.quoting import membership, quote_literal

COLUMN_KEYS = (
    "type",
    "nullable",
    "not_null_name",
    "default",
    "default_sql",
    "primary_key",
    "autoincrement",
    "unique",
    "collate",
    "enum",
    "check",
    "references",
    "generated",
    "on_conflict",
    "comment",
    "renamed_from",
    "backfill",
    "enum_values",
)
_REQUIRED, _INDEXES = "Write `nullable: false`.", "Write `indexes: {NAME: [COLUMN]}` below the table's `columns`."
#: What to write instead of keys that other tools have.
_INSTEAD = {
    **dict.fromkeys(("null", "required", "notnull", "not_null", "optional"), _REQUIRED),
    **dict.fromkeys(("index", "indexed", "indexes"), _INDEXES),
    **dict.fromkeys(("pk", "primary", "is_primary"), "Write `primary_key: true`."),
    **dict.fromkeys(("fk", "foreign_key", "foreign", "on_delete", "on_update"), "Write `references: TABLE.COLUMN`."),
    **dict.fromkeys(("computed", "generated_as", "as"), "Write `generated: EXPRESSION`."),
    **dict.fromkeys(("description", "doc", "help"), "Write `comment: TEXT`."),
    **dict.fromkeys(("values", "choices"), "Write `enum: [VALUE, …]`."),
    **dict.fromkeys(("length", "size", "max_length"), "Write `type: VARCHAR(50)`, or a `check`."),
    "default_value": "Write `default: VALUE`.",
}
_HINT_KEYS = frozenset({"renamed_from", "backfill", "enum_values"})
_CONFLICT_TARGETS = ("not_null", "primary_key", "unique")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a column's reader needs to know of its surroundings.

    ``columns`` are the names of the table's columns. ``enums`` is None where the modules could not be imported: that
    is told once, and not again at each reference.
    """

    columns: tuple[str, ...]
    enums: LoadedEnums | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumValues:
    """The values of an enum in their order, and its name in the enum module; None for a list in schema.yaml."""

    name: str | None
    values: tuple[str | int, ...]


class ReadColumn(NamedTuple):
    """A column, the constraints that stood on it, and where all of it stands."""

    column: Column
    at: Value
    fields: dict[str, Value]
    is_boolean: bool = False
    primary_key: ReadKey | None = None
    unique: ReadKey | None = None
    checks: tuple[Check, ...] = ()
    foreign_key: ReadForeignKey | None = None
    enum: EnumValues | None = None


def read_column(name: str, value: Value, scope: Scope) -> ReadColumn:
    """The column ``name``. What cannot be read of it is noted and left out; the column itself is always there."""
    fields = _fields(value)
    kind = read_type(fields["type"]) if "type" in fields else ColumnType(declared=None)
    if fields.keys() <= {"type"} and not kind.is_boolean:
        return ReadColumn(column=Column(name=name, type=kind.declared), at=value, fields=fields)
    conflicts = _conflicts(fields)
    not_null = _not_null(fields, conflicts)
    enum = _enum(fields["enum"], scope.enums) if "enum" in fields else None
    column = Column(
        name=name,
        type=kind.declared,
        not_null=not_null,
        default=_default(fields),
        collation=read_name(fields.get("collate"), "a collation, such as `NOCASE`"),
        generated=_generated(fields["generated"], scope) if "generated" in fields else None,
        comment=read_comment(fields.get("comment")),
        hints=_hints(fields, scope),
    )
    references = fields.get("references")
    return ReadColumn(
        column=column,
        at=value,
        fields=fields,
        is_boolean=kind.is_boolean,
        primary_key=_primary_key(name, fields, conflicts),
        unique=_unique(name, fields, conflicts),
        checks=_checks(column, fields, scope, boolean=kind.is_boolean, enum=enum),
        foreign_key=read_references(references, name) if references is not None else None,
        enum=enum,
    )


def read_comment(value: Value | None) -> str | None:
    """A comment; nothing is no comment."""
    return value.text() if value is not None and not value.is_null else None


def _fields(value: Value) -> dict[str, Value]:
    if value.is_mapping:
        return value.fields(COLUMN_KEYS, "a type, or a mapping", _INSTEAD)
    if value.is_null:
        return {}
    if value.is_list:
        value.problem(f"this must be a column, but is {described(value.node)}.", "Write `{type: text}`, or `text`.")
        return {}
    return {"type": value}


def _is_on(value: Value | None) -> bool:
    """Whether a key that takes true or a mapping is there and not false."""
    return value is not None and value.scalar is not False


def _conflicts(fields: dict[str, Value]) -> dict[str, Conflict | None]:
    """The column's ``on_conflict``, by the constraint that it belongs to."""
    value = fields.get("on_conflict")
    if value is None:
        return {}
    nullable = fields.get("nullable")
    present = {
        "not_null": nullable is not None and nullable.scalar is False,
        "primary_key": _is_on(fields.get("primary_key")),
        "unique": _is_on(fields.get("unique")),
    }
    if value.is_mapping:
        found = value.fields(_CONFLICT_TARGETS, "`{unique: ignore}`")
        for target, item in found.items():
            if not present[target]:
                item.key_problem(f"the column has no `{target}` that this could belong to.", "Take it away.")
        return {target: read_conflict(item) for target, item in found.items() if present[target]}
    targets = [target for target, is_there in present.items() if is_there]
    conflict = read_conflict(value)
    if len(targets) == 1:
        return {targets[0]: conflict}
    if targets:
        value.problem("it is not clear what this belongs to.", f"Write `{{{targets[0]}: {value.scalar}}}`.")
    else:
        value.key_problem(
            "the column has no NOT NULL, primary key or UNIQUE that this could belong to.", "Take it away."
        )
    return {}


def _not_null(fields: dict[str, Value], conflicts: dict[str, Conflict | None]) -> NotNull | None:
    nullable = fields["nullable"].flag() if "nullable" in fields else True
    name = read_name(fields.get("not_null_name"))
    if nullable is False:
        return NotNull(on_conflict=conflicts.get("not_null"), name=name)
    if name is not None:
        fields["not_null_name"].key_problem("the column is nullable.", "Add `nullable: false`, or take this away.")
    return None


def _default(fields: dict[str, Value]) -> SqlText | None:
    literal, expression = fields.get("default"), fields.get("default_sql")
    if literal is not None and expression is not None:
        expression.key_problem("`default` and `default_sql` are both here.", "Write one of them.")
    if literal is None:
        return read_default(expression)
    if literal.is_mapping or literal.is_list:
        literal.problem(
            f"a default must be a single value, but this is {described(literal.node)}.",
            "Put text in quotes; write an SQL expression with `default_sql`.",
        )
        return None
    if isinstance(literal.scalar, float) and math.isnan(literal.scalar):
        literal.problem("SQLite stores no NaN.", "Write `default: null`.")
        return None
    return parsed(literal, quote_literal(literal.scalar), ())


def _generated(value: Value, scope: Scope) -> Generated | None:
    fields = value.fields(("expression", "stored"), "an expression") if value.is_mapping else {"expression": value}
    if "expression" not in fields:
        value.key_problem("`expression` is missing.", "Write `{expression: a + b, stored: true}`.")
    stored = fields["stored"].flag() if "stored" in fields else None
    expression = read_expression(fields.get("expression"), scope.columns)
    if expression is None:
        return None
    return Generated(expression=expression, stored=stored is True, virtual=stored is False)


def _constraint_fields(value: Value, known: tuple[str, ...]) -> dict[str, Value] | None:
    """The fields of a key that takes true, false or a mapping; None for false."""
    if value.is_mapping:
        return value.fields(known, "`true`")
    return {} if value.flag() else None


def _conflict(target: str, fields: dict[str, Value], conflicts: dict[str, Conflict | None]) -> Conflict | None:
    own = fields.get("on_conflict")
    if own is not None and target in conflicts:
        own.key_problem("the column's own `on_conflict` says this too.", "Write one of them.")
    return read_conflict(own) if own is not None else conflicts.get(target)


def _primary_key(name: str, fields: dict[str, Value], conflicts: dict[str, Conflict | None]) -> ReadKey | None:
    value, increments = fields.get("primary_key"), fields.get("autoincrement")
    autoincrement = bool(increments.flag()) if increments is not None else False
    own = _constraint_fields(value, ("order", "on_conflict", "name")) if value is not None else None
    if value is None or own is None:
        if increments is not None and autoincrement:
            increments.key_problem("only a primary key counts up.", "Add `primary_key: true`, or take this away.")
        return None
    descending = own["order"].word(ORDERS) if "order" in own else False
    key = PrimaryKey(
        parts=(IndexPart(column=name, descending=bool(descending)),),
        autoincrement=autoincrement,
        on_conflict=_conflict("primary_key", own, conflicts),
        name=read_name(own.get("name")),
        inline=True,
    )
    return ReadKey(key=key, at=value)


def _unique(name: str, fields: dict[str, Value], conflicts: dict[str, Conflict | None]) -> ReadKey | None:
    value = fields.get("unique")
    own = _constraint_fields(value, ("on_conflict", "name")) if value is not None else None
    if value is None or own is None:
        return None
    conflict = _conflict("unique", own, conflicts)
    key = Unique(parts=(IndexPart(column=name),), on_conflict=conflict, name=read_name(own.get("name")), inline=True)
    return ReadKey(key=key, at=value)


def _enum(value: Value, enums: LoadedEnums | None) -> EnumValues | None:
    if value.is_list:
        return _inline_enum(value)
    name = value.text("an enum's name, or a list of values")
    if name is None or enums is None:
        return None
    definition = enums.find(name)
    if definition is None:
        value.problem(*unknown_enum(name, enums))
        return None
    if definition.problem:
        fix = f"Correct it in the module `{definition.module}`."
        value.problem(f"`{name}` cannot be used as an enum: {definition.problem}.", fix)
        return None
    return EnumValues(name=name, values=definition.values)


def _inline_enum(value: Value) -> EnumValues | None:
    values: list[str | int] = []
    for item in value.items("a list of values"):
        scalar = item.scalar
        if isinstance(scalar, bool) or not isinstance(scalar, str | int):
            item.problem(
                f"an enum's value must be text or a whole number, not {described(item.node)}.", "Put it in quotes."
            )
            return None
        values.append(scalar)
    if problem := value_list_problem(values):
        value.problem(f"this list cannot be used as an enum: {problem}.", "Correct the list.")
        return None
    return EnumValues(name=None, values=tuple(values))


def _checks(
    column: Column, fields: dict[str, Value], scope: Scope, *, boolean: bool, enum: EnumValues | None
) -> tuple[Check, ...]:
    found: list[Check | None] = []
    value = fields.get("check")
    is_off = value is not None and value.scalar is False
    if boolean and not is_off:
        found.append(_list_check(column, fields["type"], scope, EnumValues(name=None, values=(0, 1))))
    if enum is not None:
        found.append(_list_check(column, fields["enum"], scope, enum))
    if value is not None and is_off and not boolean:
        value.problem("only `type: boolean` brings a CHECK that `false` leaves out.", "Write an expression.")
    elif value is not None and value.is_list:
        found += [read_check(item, scope.columns, column=column.name) for item in value.items("expressions")]
    elif value is not None and not is_off:
        found.append(read_check(value, scope.columns, column=column.name))
    return tuple(check for check in found if check is not None)


def _list_check(column: Column, at: Value, scope: Scope, enum: EnumValues) -> Check | None:
    """The CHECK of an enum, or of a boolean, which is written without the case of NULL: it passes all the same."""
    is_enum = at.step == "enum"
    sql = membership(column.name, enum.values, nullable=is_enum and column.not_null is None)
    expression = parsed(at, sql, scope.columns)
    if expression is None:
        return None
    return Check(expression=expression, column=column.name)


def _hints(fields: dict[str, Value], scope: Scope) -> ColumnHints:
    if _HINT_KEYS.isdisjoint(fields):
        return NO_HINTS
    value = fields.get("enum_values")
    found = value.fields(("renamed", "removed"), "`{renamed: {OLD: NEW}}`") if value is not None else {}
    if value is not None and "enum" not in fields:
        value.key_problem("the column has no enum.", "Take this away, or add `enum`.")
    renamed = [(old, new) for old, new in _replacements(found.get("renamed"), removed=False) if new is not None]
    return ColumnHints(
        renamed_from=read_name(fields.get("renamed_from"), "the old name"),
        backfill=read_expression(fields.get("backfill"), scope.columns),
        renamed_values=tuple(renamed),
        removed_values=tuple(_replacements(found.get("removed"), removed=True)),
    )


def _replacements(value: Value | None, *, removed: bool) -> list[tuple[str | int, str | int | None]]:
    """Old values with the new ones; NULL may replace a removed value, not a renamed one."""
    found: list[tuple[str | int, str | int | None]] = []
    for old, new in value.scalar_entries("`OLD: NEW`") if value is not None else ():
        if isinstance(old, str) and "\r" in old:
            new.key_problem(*CARRIAGE_RETURN)
        elif isinstance(old, bool) or not isinstance(old, str | int):
            new.key_problem("an enum's value must be text or a whole number.", "Put it in quotes.")
        elif new.is_null and removed:
            found.append((old, None))
        elif isinstance(new.scalar, bool) or not isinstance(new.scalar, str | int):
            new.problem(
                f"an enum's value must be text or a whole number, not {described(new.node)}.", "Write the new value."
            )
        else:
            found.append((old, new.scalar))
    return found


def literal_default(column: ReadColumn) -> tuple[bool, object]:
    """Whether the column has a default that is no NULL, as a literal, and that literal."""
    value = column.fields.get("default")
    return (True, value.scalar) if value is not None and value.scalar is not None else (False, None)


def shown_value(value: object) -> str:
    """A value for a message."""
    return shown(repr(value))
