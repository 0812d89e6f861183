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
from waiaas_migrate.files.schema_file.value_kinds import items, name_problem, named_entries
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import Check, Index, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.allowed_values import allowed_values

T = TypeVar("T")


class ReadTable(NamedTuple):
    """A table with the places of its parts. More than one of ``primary_keys`` is an error."""

    table: Table
    at: Value
    fields: dict[str, Value]
    columns: tuple[ReadColumn, ...]
    primary_keys: tuple[c.ReadKey[PrimaryKey], ...]
    uniques: tuple[c.ReadKey[Unique], ...]
    foreign_keys: tuple[c.ReadForeignKey, ...]
    indexes: tuple[c.ReadKey[Index], ...]

    def column(self, name: str) -> ReadColumn | None:
        """Return the column called ``name``, in any case."""
        name = fold(name)
        return next((column for column in self.columns if fold(column.column.name) == name), None)


def read_table(name: str, value: Value, enums: LoadedEnums | None) -> ReadTable:
    """Return the table ``name``; report the parts that can't be read, and leave them out."""
    if value.is_null:
        value.key_problem("the table has no columns.", "Add `columns`.")
    fields = k.TABLE.fields(value)
    columns = _read_columns(fields, enums)
    names = tuple(column.column.name for column in columns)
    own_keys = [fields["primary_key"]] if "primary_key" in fields else []
    own_uniques = items(fields, "unique", "a list of lists of columns, such as `[[a, b]]`")
    own_foreign_keys = items(fields, "foreign_keys", "a list of mappings")
    named_indexes = named_entries(fields, "indexes", "`name: [columns]`")
    own_checks = (check for check in c.read_checks(fields, names) if check is not None)
    checks = (*(check for column in columns for check in column.checks), *own_checks)
    primary_keys = [column.primary_key for column in columns]
    primary_keys += (c.read_key(PrimaryKey, k.PRIMARY_KEY, item, names) for item in own_keys)
    uniques = [column.unique for column in columns]
    uniques += (c.read_key(Unique, k.UNIQUE, item, names) for item in own_uniques)
    foreign_keys = [column.foreign_key for column in columns]
    foreign_keys += map(c.read_foreign_key, own_foreign_keys)
    indexes = (c.read_key(partial(Index, name=index), k.INDEX, item, names) for index, item in named_indexes)
    read = ReadTable(
        table=Table(name=name, columns=tuple(column.column for column in columns), **k.TABLE.contents(fields, names)),
        at=value,
        fields=fields,
        columns=columns,
        primary_keys=_present(primary_keys),
        uniques=_present(uniques),
        foreign_keys=_present(foreign_keys),
        indexes=_present(indexes),
    )
    table = replace(
        read.table,
        primary_key=read.primary_keys[0].key if read.primary_keys else None,
        uniques=tuple(key.key for key in read.uniques),
        checks=tuple(_unqualified(check, name, names) for check in checks),
        foreign_keys=tuple(key.key for key in read.foreign_keys),
        indexes=tuple(key.key for key in read.indexes),
    )
    return read._replace(table=table)


def _present(found: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(one for one in found if one is not None)


def _unqualified(check: Check, table: str, names: tuple[str, ...]) -> Check:
    """Return ``check`` with each ``table.column`` replaced by ``column``."""
    meant = ddl.read_expression(check.expression.sql, names, table)
    is_same = meant.key == check.expression.key
    expression = check.expression if is_same else replace(check.expression, key=meant.key)
    allowed = allowed_values(expression)
    return check if is_same and allowed is None else replace(check, expression=expression, allowed=allowed)


def _read_columns(fields: dict[str, Value], enums: LoadedEnums | None) -> tuple[ReadColumn, ...]:
    entries = named_entries(fields, "columns", "a column's name and type on each line", name_problem)
    value = fields.get("columns")
    if value is not None and not entries and (value.is_null or value.is_mapping):
        value.key_problem("a table requires at least one column.", "Add one, such as `id: {type: integer}`.")
    scope = Scope(columns=tuple(name for name, _ in entries), enums=enums)
    seen: dict[str, str] = {}
    columns = []
    for name, entry in entries:
        if fold(name) in seen:
            what = f"the column `{shown(name)}` is already declared as `{shown(seen[fold(name)])}`; case is ignored."
            entry.key_problem(what, "Remove one of them.")
            continue
        seen[fold(name)] = name
        columns.append(read_column(name, entry, scope))
    return tuple(columns)
