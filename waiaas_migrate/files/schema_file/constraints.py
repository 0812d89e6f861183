"""What a table's keys, constraints and indexes say in schema.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from waiaas_migrate.files.schema_file.value_kinds import (
    ORDERS,
    name_problem,
    read_action,
    read_conflict,
    read_deferral,
    read_expression,
    read_name,
)
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import Check, ForeignKey, Index, IndexPart, PrimaryKey, SqlText, Unique
from waiaas_migrate.sqlite.reading import ddl

_PARTS_EXAMPLE = "a list of columns, such as `[a, b]`"
_FOREIGN_KEY_WORDS = ("on_delete", "on_update", "match", "deferrable", "name")


# What is read of a large schema is made of many of these: a frozen dataclass takes three times as long to make.


class ReadForeignKey(NamedTuple):
    """A foreign key and where it stands; ``external`` says that its parent need not be in this file."""

    key: ForeignKey
    at: Value
    external: bool = False


class ReadKey(NamedTuple):
    """A primary key, a UNIQUE or an index, and where it stands."""

    key: PrimaryKey | Unique | Index
    at: Value


def read_part(value: Value, columns: Sequence[str], *, index: bool) -> IndexPart | None:
    """A term of a key or an index: a column's name, or a mapping."""
    if not value.is_mapping:
        name = read_name(value, "a column's name")
        return IndexPart(column=name) if name is not None else None
    known = ("column", "expression", "order", "collate") if index else ("column", "order", "collate")
    fields = value.fields(known, "a column's name")
    if ("column" in fields) == ("expression" in fields):
        choice = "either `column` or `expression`" if index else "`column`"
        value.problem(f"this needs {choice}.", "Write `{column: a, order: desc}`.")
        return None
    collation = read_name(fields.get("collate"))
    order = fields["order"].word(ORDERS) if "order" in fields else None
    part = IndexPart(collation=collation, descending=order is True, ascending=order is False)
    if "expression" in fields:
        expression = read_expression(fields["expression"], columns)
        return None if expression is None else _term(part, expression, columns)
    name = read_name(fields["column"], "a column's name")
    return None if name is None else replace(part, column=name)


def _term(part: IndexPart, expression: SqlText, columns: Sequence[str]) -> IndexPart:
    """Return ``part`` with its expression; one that is only a column is that column to SQLite, as in ``"(a)"``."""
    meant = ddl.index_term(expression.sql, columns)
    if meant.column is None:
        return replace(part, expression=expression)
    return replace(part, column=meant.column, collation=part.collation or meant.collation)


def read_parts(value: Value, columns: Sequence[str], *, index: bool = False) -> tuple[IndexPart, ...]:
    """The terms of a key or an index; empty, after noting it, where there are none."""
    values = value.items(_PARTS_EXAMPLE)
    if not values and (value.is_null or value.is_list):
        value.problem("this names no column.", f"Write {_PARTS_EXAMPLE}.")
    parts = [read_part(item, columns, index=index) for item in values]
    return tuple(part for part in parts if part is not None)


def _parts_and_fields(
    value: Value, columns: Sequence[str], known: Sequence[str], *, index: bool = False
) -> tuple[tuple[IndexPart, ...], dict[str, Value]]:
    """A key or index in its short form, a list, or its long one, a mapping with ``columns``."""
    if not value.is_mapping:
        return read_parts(value, columns, index=index), {}
    fields = value.fields(("columns", *known), _PARTS_EXAMPLE)
    if "columns" not in fields:
        value.key_problem("`columns` is missing.", "Write `columns: [a, b]`.")
        return (), fields
    return read_parts(fields["columns"], columns, index=index), fields


def read_primary_key(value: Value, columns: Sequence[str]) -> ReadKey | None:
    """The ``primary_key`` of a table."""
    parts, fields = _parts_and_fields(value, columns, ("autoincrement", "on_conflict", "name"))
    autoincrement = fields["autoincrement"].flag() if "autoincrement" in fields else False
    conflict, name = read_conflict(fields.get("on_conflict")), read_name(fields.get("name"))
    if not parts:
        return None
    key = PrimaryKey(parts=parts, autoincrement=bool(autoincrement), on_conflict=conflict, name=name)
    return ReadKey(key=key, at=value)


def read_unique(value: Value, columns: Sequence[str]) -> ReadKey | None:
    """One item of a table's ``unique``."""
    parts, fields = _parts_and_fields(value, columns, ("on_conflict", "name"))
    conflict, name = read_conflict(fields.get("on_conflict")), read_name(fields.get("name"))
    return ReadKey(key=Unique(parts=parts, on_conflict=conflict, name=name), at=value) if parts else None


def read_index(name: str, value: Value, columns: Sequence[str]) -> ReadKey | None:
    """One entry of a table's ``indexes``."""
    parts, fields = _parts_and_fields(value, columns, ("unique", "where"), index=True)
    unique = fields["unique"].flag() if "unique" in fields else False
    where = read_expression(fields.get("where"), columns)
    return ReadKey(key=Index(name=name, parts=parts, unique=bool(unique), where=where), at=value) if parts else None


def read_checks(value: Value, columns: Sequence[str]) -> tuple[Check, ...]:
    """The ``checks`` of a table: a list, or a mapping of names to expressions."""
    if not value.is_mapping:
        checks = [read_check(item, columns) for item in value.items("a list of expressions, such as `[a > b]`")]
        return tuple(check for check in checks if check is not None)
    found = []
    for name, item in value.entries("`name: expression`"):
        if problem := name_problem(name):
            item.key_problem(problem, "Choose another name.")
        expression = read_expression(item, columns)
        if expression is not None:
            found.append(Check(expression=expression, name=name))
    return tuple(found)


def read_check(value: Value, columns: Sequence[str], *, column: str | None = None) -> Check | None:
    """One CHECK: an expression, or ``{check: expression, name: …}``; ``column`` is where it stood."""
    if not value.is_mapping:
        return _check(read_expression(value, columns), None, column)
    fields = value.fields(("check", "name"), "an expression")
    if "check" not in fields:
        value.key_problem("`check` is missing.", "Write `{check: a > 0, name: positive}`.")
    name = read_name(fields.get("name"))
    return _check(read_expression(fields.get("check"), columns), name, column)


def _check(expression: SqlText | None, name: str | None, column: str | None) -> Check | None:
    return Check(expression=expression, name=name, column=column) if expression is not None else None


def read_foreign_key(value: Value) -> ReadForeignKey | None:
    """One item of a table's ``foreign_keys``."""
    if not value.is_mapping:
        value.problem("this must be a mapping.", "Write `{columns: [a], references: {table: t, columns: [b]}}`.")
        return None
    fields = value.fields(("columns", "column", "references", *_FOREIGN_KEY_WORDS), "a mapping")
    columns = _names(value, fields, required=True)
    if "references" not in fields:
        value.key_problem("`references` is missing.", "Write `references: {table: t, columns: [b]}`.")
        return None
    parent = _parent(fields["references"], ())
    if parent is None or not columns:
        return None
    table, targets, external, _ = parent
    return ReadForeignKey(key=_foreign_key(columns, table, targets, fields), at=value, external=external)


def read_references(value: Value, column: str) -> ReadForeignKey | None:
    """The ``references`` of a column."""
    parent = _parent(value, _FOREIGN_KEY_WORDS)
    if parent is None:
        return None
    table, targets, external, fields = parent
    key = _foreign_key((column,), table, targets, fields, inline=True)
    return ReadForeignKey(key=key, at=value, external=external)


def _foreign_key(
    columns: tuple[str, ...], table: str, targets: tuple[str, ...], fields: dict[str, Value], *, inline: bool = False
) -> ForeignKey:
    return ForeignKey(
        columns=columns,
        table=table,
        targets=targets,
        on_delete=read_action(fields.get("on_delete")),
        on_update=read_action(fields.get("on_update")),
        match=read_name(fields.get("match")),
        deferral=read_deferral(fields.get("deferrable")),
        name=read_name(fields.get("name")),
        inline=inline,
    )


def _parent(value: Value, more: Sequence[str]) -> tuple[str, tuple[str, ...], bool, dict[str, Value]] | None:
    """The table, its columns, whether it is external, and all fields of a ``references``."""
    if not value.is_mapping:
        text = read_name(value, "`table.column`")
        if text is None:
            return None
        table, dot, column = text.rpartition(".")
        return (table, (column,), False, {}) if dot and table and column else (text, (), False, {})
    fields = value.fields(("table", "column", "columns", "external", *more), "`table.column`")
    targets = _names(value, fields, required=False)
    external = fields["external"].flag() if "external" in fields else False
    if "table" not in fields:
        value.key_problem("`table` is missing.", "Write `{table: t, column: b}`.")
    name = read_name(fields.get("table"), "a table's name")
    return (name, targets, bool(external), fields) if name is not None else None


def _names(value: Value, fields: dict[str, Value], *, required: bool) -> tuple[str, ...]:
    """Column names out of ``columns`` or ``column``."""
    if "columns" in fields and "column" in fields:
        value.problem("`column` and `columns` are both here.", "Write one of them.")
    if "columns" in fields:
        values = fields["columns"].items(_PARTS_EXAMPLE)
        if not values and (fields["columns"].is_list or fields["columns"].is_null):
            fields["columns"].problem("this names no column.", f"Write {_PARTS_EXAMPLE}.")
    elif "column" in fields:
        values = [fields["column"]]
    else:
        values = []
        if required:
            value.key_problem("`columns` is missing.", "Write `columns: [a, b]`, or `column: a`.")
    names = [read_name(item, "a column's name") for item in values]
    return tuple(name for name in names if name is not None)
