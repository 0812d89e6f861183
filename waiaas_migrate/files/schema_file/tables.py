"""A table of schema.yaml: its columns, constraints and indexes put together."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from waiaas_migrate.files.problem_report import shown
from waiaas_migrate.files.schema_file.columns import ReadColumn, Scope, read_column, read_comment
from waiaas_migrate.files.schema_file.constraints import (
    ReadForeignKey,
    ReadKey,
    read_checks,
    read_foreign_key,
    read_index,
    read_primary_key,
    read_unique,
)
from waiaas_migrate.files.schema_file.enum_source import LoadedEnums
from waiaas_migrate.files.schema_file.value_kinds import name_problem, object_name_problem, read_name
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import Check, Index, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.allowed_values import allowed_values

TABLE_KEYS = (
    "columns",
    "primary_key",
    "unique",
    "checks",
    "foreign_keys",
    "indexes",
    "strict",
    "without_rowid",
    "comment",
    "renamed_from",
)


#: What to write instead of keys that other tools have.
_INSTEAD = {
    "pk": "Write `primary_key: [COLUMN]`.",
    "fields": "Write `columns`.",
    "constraints": "Write `checks`, `unique` or `foreign_keys`.",
    **dict.fromkeys(("fk", "fks", "references"), "Write `foreign_keys`."),
    **dict.fromkeys(("description", "doc"), "Write `comment: TEXT`."),
    "triggers": "Write `triggers` at the top of the file, beside `tables`.",
}


class ReadTable(NamedTuple):
    """A table, and where all of it stands. ``primary_keys`` has more than one item only where that is an error."""

    table: Table
    at: Value
    fields: dict[str, Value]
    columns: tuple[ReadColumn, ...]
    primary_keys: tuple[ReadKey, ...] = ()
    uniques: tuple[ReadKey, ...] = ()
    foreign_keys: tuple[ReadForeignKey, ...] = ()
    indexes: tuple[ReadKey, ...] = ()

    def column(self, name: str) -> ReadColumn | None:
        """The column called ``name``, in any case."""
        name = fold(name)
        return next((column for column in self.columns if fold(column.column.name) == name), None)


def read_table(name: str, value: Value, enums: LoadedEnums | None) -> ReadTable:
    """The table ``name``. What cannot be read of it is noted and left out; the table itself is always there."""
    if value.is_null:
        value.key_problem("the table is empty.", "Give it `columns`.")
    fields = value.fields(TABLE_KEYS, "a mapping with `columns`", _INSTEAD)
    if problem := object_name_problem(name):
        value.key_problem(problem, "Choose another name.")
    columns = _columns(value, fields, enums)
    names = tuple(column.column.name for column in columns)
    primary_keys = [column.primary_key for column in columns]
    if "primary_key" in fields:
        primary_keys.append(read_primary_key(fields["primary_key"], names))
    read = ReadTable(
        table=Table(name=name, columns=()),
        at=value,
        fields=fields,
        columns=columns,
        primary_keys=tuple(key for key in primary_keys if key is not None),
        uniques=_uniques(columns, fields.get("unique"), names),
        foreign_keys=_foreign_keys(columns, fields.get("foreign_keys")),
        indexes=_indexes(fields.get("indexes"), names),
    )
    return _assembled(name, read, names)


def _unqualified(check: Check, table: str, names: tuple[str, ...]) -> Check:
    """Return ``check`` with the meaning it has in ``table``, whether it says ``table.column`` or ``column``."""
    meant = ddl.expression(check.expression.sql, names, table)
    expression = replace(check.expression, key=meant.key)
    return replace(check, expression=expression, allowed=allowed_values(expression))


def _assembled(name: str, read: ReadTable, names: tuple[str, ...]) -> ReadTable:
    """The same, with its table made out of what was read: first what stood on columns, then the table's own."""
    fields = read.fields
    own_checks = read_checks(fields["checks"], names) if "checks" in fields else ()
    checks = (*(check for column in read.columns for check in column.checks), *own_checks)
    keys = [key.key for key in read.primary_keys if isinstance(key.key, PrimaryKey)]
    table = Table(
        name=name,
        columns=tuple(column.column for column in read.columns),
        primary_key=keys[0] if keys else None,
        uniques=tuple(key.key for key in read.uniques if isinstance(key.key, Unique)),
        checks=tuple(_unqualified(check, name, names) for check in checks),
        foreign_keys=tuple(key.key for key in read.foreign_keys),
        indexes=tuple(key.key for key in read.indexes if isinstance(key.key, Index)),
        strict=bool(fields["strict"].flag()) if "strict" in fields else False,
        without_rowid=bool(fields["without_rowid"].flag()) if "without_rowid" in fields else False,
        comment=read_comment(fields.get("comment")),
        renamed_from=read_name(fields.get("renamed_from"), "the old name"),
    )
    return read._replace(table=table)


def _columns(value: Value, fields: dict[str, Value], enums: LoadedEnums | None) -> tuple[ReadColumn, ...]:
    if "columns" not in fields:
        if value.is_mapping:
            value.key_problem("`columns` is missing.", "Write `columns:` with a line for each column.")
        return ()
    entries = fields["columns"].entries("a column's name and type on each line")
    if not entries and (fields["columns"].is_null or fields["columns"].is_mapping):
        fields["columns"].key_problem("a table needs at least one column.", "Write `id: {type: integer}` below it.")
    scope = Scope(columns=tuple(name for name, _ in entries), enums=enums)
    seen: dict[str, str] = {}
    columns = []
    for name, entry in entries:
        if problem := name_problem(name):
            entry.key_problem(problem, "Choose another name.")
        if fold(name) in seen:
            entry.key_problem(
                f"the column `{shown(name)}` is here already as `{shown(seen[fold(name)])}`; SQLite compares names "
                f"without case.",
                "Take one of them away.",
            )
            continue
        seen[fold(name)] = name
        columns.append(read_column(name, entry, scope))
    return tuple(columns)


def _uniques(columns: tuple[ReadColumn, ...], value: Value | None, names: tuple[str, ...]) -> tuple[ReadKey, ...]:
    items = value.items("a list of lists of columns, such as `[[a, b]]`") if value is not None else []
    found = [*(column.unique for column in columns), *(read_unique(item, names) for item in items)]
    return tuple(key for key in found if key is not None)


def _foreign_keys(columns: tuple[ReadColumn, ...], value: Value | None) -> tuple[ReadForeignKey, ...]:
    items = value.items("a list of mappings") if value is not None else []
    found = [*(column.foreign_key for column in columns), *(read_foreign_key(item) for item in items)]
    return tuple(key for key in found if key is not None)


def _indexes(value: Value | None, names: tuple[str, ...]) -> tuple[ReadKey, ...]:
    found = []
    for name, item in value.entries("`name: [columns]`") if value is not None else ():
        if problem := object_name_problem(name):
            item.key_problem(problem, "Choose another name.")
        found.append(read_index(name, item, names))
    return tuple(key for key in found if key is not None)
