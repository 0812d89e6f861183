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
from waiaas_migrate.files.schema_file.columns import ParsedColumn, read_column
from waiaas_migrate.files.schema_file.value_kinds import items, name_problem, named_entries
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import Check, Index, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.allowed_values import allowed_values

T = TypeVar("T")


class ParsedTable(NamedTuple):
    """A table and its parts, with their places. Several primary keys are an error."""

    table: Table
    at: Value
    fields: dict[str, Value]
    columns: tuple[ParsedColumn, ...]
    primary_keys: tuple[c.ParsedKey[PrimaryKey], ...]
    uniques: tuple[c.ParsedKey[Unique], ...]
    foreign_keys: tuple[c.ParsedForeignKey, ...]
    indexes: tuple[c.ParsedKey[Index], ...]

    def column(self, name: str) -> ParsedColumn | None:
        """Return the column called ``name``; ignore case."""
        name = fold(name)
        return next((column for column in self.columns if fold(column.column.name) == name), None)


def read_table(name: str, value: Value, enums: LoadedEnums | None) -> ParsedTable:
    """Return the table ``name``; report and omit parts that can't be read."""
    if value.is_null:
        value.key_problem("the table has no columns.", "Add `columns`.")
    fields = k.TABLE.fields(value)
    columns = _read_columns(fields, enums)
    names = tuple(column.column.name for column in columns)
    # The constraints that columns declare come before those that the table declares.
    checks = [*(check for column in columns for check in column.checks), *c.read_checks(fields, names)]
    found_keys = [column.primary_key for column in columns]
    if "primary_key" in fields:
        found_keys.append(c.read_key(PrimaryKey, k.PRIMARY_KEY, fields["primary_key"], names))
    unique_items = items(fields, "unique", "a list of lists of columns, such as `[[a, b]]`")
    found_uniques = [column.unique for column in columns]
    found_uniques += (c.read_key(Unique, k.UNIQUE, item, names) for item in unique_items)
    found_foreign_keys = [column.foreign_key for column in columns]
    found_foreign_keys += map(c.read_foreign_key, items(fields, "foreign_keys", "a list of mappings"))
    named_indexes = named_entries(fields, "indexes", "`name: [columns]`")
    found_indexes = (c.read_key(partial(Index, name=index), k.INDEX, item, names) for index, item in named_indexes)
    primary_keys, uniques = _present(found_keys), _present(found_uniques)
    foreign_keys, indexes = _present(found_foreign_keys), _present(found_indexes)
    table = Table(
        name=name,
        columns=tuple(column.column for column in columns),
        primary_key=primary_keys[0].key if primary_keys else None,
        uniques=tuple(parsed.key for parsed in uniques),
        checks=tuple(_unqualified_check(check, name, names) for check in checks),
        foreign_keys=tuple(parsed.key for parsed in foreign_keys),
        indexes=tuple(parsed.key for parsed in indexes),
        **k.TABLE.contents(fields, names),
    )
    return ParsedTable(table, value, fields, columns, primary_keys, uniques, foreign_keys, indexes)


def _present(values: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(value for value in values if value is not None)


def _unqualified_check(check: Check, table: str, names: tuple[str, ...]) -> Check:
    """Return ``check``, understood as if ``table.column`` were ``column``, with the values that it lists."""
    unqualified = ddl.read_expression(check.expression.sql, names, table)
    is_same = unqualified.key == check.expression.key
    expression = check.expression if is_same else replace(check.expression, key=unqualified.key)
    allowed = allowed_values(expression)
    return check if is_same and allowed is None else replace(check, expression=expression, allowed=allowed)


def _read_columns(fields: dict[str, Value], enums: LoadedEnums | None) -> tuple[ParsedColumn, ...]:
    entries = named_entries(fields, "columns", "a column's name and type on each line", name_problem)
    value = fields.get("columns")
    if value is not None and not entries and (value.is_null or value.is_mapping):
        value.key_problem("a table requires at least one column.", "Add one, such as `id: {type: integer}`.")
    names = tuple(name for name, _ in entries)
    seen: dict[str, str] = {}
    columns = []
    for name, entry in entries:
        if fold(name) in seen:
            what = f"the column `{shown(name)}` is already declared as `{shown(seen[fold(name)])}`; case is ignored."
            entry.key_problem(what, "Remove one of them.")
            continue
        seen[fold(name)] = name
        columns.append(read_column(name, entry, names, enums))
    return tuple(columns)
