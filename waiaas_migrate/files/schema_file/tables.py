"""Read a table of schema.yaml: its columns, constraints and indexes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from waiaas_migrate.files.enum_sources.definitions import LoadedEnums
from waiaas_migrate.files.problem_report import shown
from waiaas_migrate.files.schema_file import constraints as c
from waiaas_migrate.files.schema_file import schema_keys as k
from waiaas_migrate.files.schema_file.columns import ReadColumn, Scope, read_column
from waiaas_migrate.files.schema_file.value_kinds import name_problem, object_name_problem
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import Check, Index, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.allowed_values import allowed_values

T = TypeVar("T")


class ReadTable(NamedTuple):
    """A table, and the places of all of it. More than one of ``primary_keys`` is an error."""

    table: Table
    at: Value
    fields: dict[str, Value]
    columns: tuple[ReadColumn, ...]
    primary_keys: tuple[c.ReadKey[PrimaryKey], ...] = ()
    uniques: tuple[c.ReadKey[Unique], ...] = ()
    foreign_keys: tuple[c.ReadForeignKey, ...] = ()
    indexes: tuple[c.ReadKey[Index], ...] = ()

    def column(self, name: str) -> ReadColumn | None:
        """Return the column called ``name``, in any case."""
        name = fold(name)
        return next((column for column in self.columns if fold(column.column.name) == name), None)


def read_table(name: str, value: Value, enums: LoadedEnums | None) -> ReadTable:
    """Return the table ``name``, without the parts that can't be read; report those."""
    if value.is_null:
        value.key_problem("the table has no columns.", "Add `columns`.")
    fields = k.TABLE.fields(value)
    if problem := object_name_problem(name):
        value.key_problem(problem, "Choose another name.")
    columns = _read_columns(fields["columns"], enums) if "columns" in fields else ()
    names = tuple(column.column.name for column in columns)
    primary_keys = [column.primary_key for column in columns]
    if "primary_key" in fields:
        primary_keys.append(c.read_key(PrimaryKey, k.PRIMARY_KEY, fields["primary_key"], names))
    uniques = fields["unique"].items("a list of lists of columns, such as `[[a, b]]`") if "unique" in fields else []
    foreign_keys = fields["foreign_keys"].items("a list of mappings") if "foreign_keys" in fields else []
    read = ReadTable(
        table=Table(name=name, columns=()),
        at=value,
        fields=fields,
        columns=columns,
        primary_keys=_present(primary_keys),
        uniques=_present(
            [*(one.unique for one in columns), *(c.read_key(Unique, k.UNIQUE, item, names) for item in uniques)]
        ),
        foreign_keys=_present([*(one.foreign_key for one in columns), *map(c.read_foreign_key, foreign_keys)]),
        indexes=_read_indexes(fields["indexes"], names) if "indexes" in fields else (),
    )
    return read._replace(table=_table(name, read, names))


def _present(found: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(one for one in found if one is not None)


def _table(name: str, read: ReadTable, names: tuple[str, ...]) -> Table:
    """Return the table that was read: first the constraints of its columns, then its own."""
    own_checks = c.read_checks(read.fields["checks"], names) if "checks" in read.fields else ()
    checks = (*(check for column in read.columns for check in column.checks), *own_checks)
    return Table(
        name=name,
        columns=tuple(column.column for column in read.columns),
        primary_key=read.primary_keys[0].key if read.primary_keys else None,
        uniques=tuple(key.key for key in read.uniques),
        checks=tuple(_unqualified(check, name, names) for check in checks),
        foreign_keys=tuple(key.key for key in read.foreign_keys),
        indexes=tuple(key.key for key in read.indexes),
        **k.TABLE.contents(read.fields, names),
    )


def _unqualified(check: Check, table: str, names: tuple[str, ...]) -> Check:
    """Return ``check``, reading ``table.column`` in it as ``column``."""
    meant = ddl.expression(check.expression.sql, names, table)
    is_same = meant.key == check.expression.key
    expression = check.expression if is_same else replace(check.expression, key=meant.key)
    allowed = allowed_values(expression)
    return check if is_same and allowed is None else replace(check, expression=expression, allowed=allowed)


def _read_columns(value: Value, enums: LoadedEnums | None) -> tuple[ReadColumn, ...]:
    entries = value.entries("a column's name and type on each line")
    if not entries and (value.is_null or value.is_mapping):
        value.key_problem("a table requires at least one column.", "Add one, such as `id: {type: integer}`.")
    scope = Scope(columns=tuple(name for name, _ in entries), enums=enums)
    seen: dict[str, str] = {}
    columns = []
    for name, entry in entries:
        if problem := name_problem(name):
            entry.key_problem(problem, "Choose another name.")
        if fold(name) in seen:
            what = f"the column `{shown(name)}` is already declared as `{shown(seen[fold(name)])}`; case is ignored."
            entry.key_problem(what, "Remove one of them.")
            continue
        seen[fold(name)] = name
        columns.append(read_column(name, entry, scope))
    return tuple(columns)


def _read_indexes(value: Value, names: tuple[str, ...]) -> tuple[c.ReadKey[Index], ...]:
    entries = value.entries("`name: [columns]`")
    for name, item in entries:
        if problem := object_name_problem(name):
            item.key_problem(problem, "Choose another name.")
    return _present(c.read_key(partial(Index, name=name), k.INDEX, item, names) for name, item in entries)
