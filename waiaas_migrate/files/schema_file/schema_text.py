"""Write a schema as schema.yaml, as briefly as the format allows.

Reading the text gives a schema with the same meaning. Hints for ``generate`` are left out, because they only tell how
to change a schema.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace

from waiaas_migrate.files.enum_sources.load_enums import EnumSource
from waiaas_migrate.files.schema_file import schema_keys as k
from waiaas_migrate.files.schema_file.column_text import (
    EnumReference,
    TableContext,
    column_data,
    is_usable_list,
    reference_data,
)
from waiaas_migrate.files.schema_file.forms import unsupported
from waiaas_migrate.files.schema_file.load_schema import VERSION
from waiaas_migrate.files.schema_file.value_kinds import write_expression, write_name, write_object_name
from waiaas_migrate.files.yaml_text.yaml_reader import as_data
from waiaas_migrate.files.yaml_text.yaml_writer import Data, Lines, Paragraph, yaml_text
from waiaas_migrate.schema.foreign_keys import is_enforceable
from waiaas_migrate.schema.model import Check, ForeignKey, Schema, Table, Trigger, View, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.layout import TableLayout, layout
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import SqlError
from waiaas_migrate.sqlite.reading.spelling import tidy_whitespace

#: References to enums, by the folded names of the table and column that use them.
Links = Mapping[tuple[str, str], EnumReference]

_NO_LINKS: Links = {}


def schema_text(
    schema: Schema,
    *,
    pragmas: Iterable[tuple[str, str | int]] = (),
    enums: Links = _NO_LINKS,
    enum_sources: Sequence[EnumSource] = (),
) -> str:
    """Return ``schema`` as a schema.yaml, with its tables and columns in order.

    ``enums`` are the columns whose list of values is written as a reference to an enum. ``enum_sources`` are the
    modules and files that define these enums.

    Raises:
        UnsupportedError: schema.yaml can't express a part of the schema; the message names the part.
    """
    top = Lines({"version": VERSION})
    if enum_sources:
        sources = [source.name if source.mapping is None else as_data(source.mapping) for source in enum_sources]
        top["enums"] = sources[0] if len(sources) == 1 else sources
    if settings := dict(pragmas):
        top["pragmas"] = Lines(settings)
    return yaml_text(top | schema_data(schema, enums=enums))


def schema_data(schema: Schema, *, enums: Links = _NO_LINKS) -> Lines:
    """Return the sections of a schema.yaml as YAML data; see :func:`schema_text`."""
    parents = {fold(table.name): table for table in schema.tables}
    tables = {write_object_name(table.name, "table"): _table(table, parents, enums) for table in schema.tables}
    objects = {
        "virtual_tables": _objects(schema.virtual_tables, "virtual table", ddl.read_virtual_table),
        "views": _objects(schema.views, "view", ddl.read_view),
        "triggers": _objects(schema.triggers, "trigger", ddl.read_trigger),
    }
    return Lines({"tables": Lines(tables), **{name: section for name, section in objects.items() if section}})


def _table(table: Table, parents: Mapping[str, Table], enums: Links) -> Lines:
    linked = {column: name for (owner, column), name in enums.items() if owner == fold(table.name)}
    where, table_layout = f"table {table.name}", layout(with_lists_on_columns(table, linked))
    references = [(key, parents.get(fold(key.table))) for key in table.foreign_keys]
    context = TableContext(
        table=table.name,
        columns=tuple(column.name for column in table.columns),
        enums=linked,
        external={key for key, parent in references if parent is None or not is_enforceable(parent, key)},
    )
    fields = k.TABLE.write(replace(table, renamed_from=None), context.columns, where) | _constraint_fields(
        table_layout, context, where
    )
    fields["columns"] = Lines(
        {write_name(column.column.name, (), where): column_data(column, context) for column in table_layout.columns}
    )
    return Lines({name: fields[name] for name in k.TABLE.keys if fields.get(name)})


def with_lists_on_columns(table: Table, linked: Container[str] | None = None) -> Table:
    """Move CHECKs that list the values of a column from the table to the column.

    A column gets at most one list. If ``linked`` is given, move only lists of these columns, given by folded name.
    """
    columns = {fold(column.name): column for column in table.columns if linked is None or fold(column.name) in linked}
    taken = {fold(check.column) for check in table.checks if check.column is not None and check.allowed is not None}
    checks = []
    for check in table.checks:
        column = columns.get(check.allowed.column) if check.column is None and check.allowed is not None else None
        if column is not None and fold(column.name) not in taken and is_usable_list(check, column):
            taken.add(fold(column.name))
            check = replace(check, column=column.name)  # noqa: PLW2901
        checks.append(check)
    return replace(table, checks=tuple(checks))


def _constraint_fields(table_layout: TableLayout, context: TableContext, where: str) -> dict[str, Data]:
    """Return indexes and constraints, except those that columns declare."""
    columns = context.columns
    uniques = [*table_layout.uniques, *(unique for column in table_layout.columns for unique in column.uniques[1:])]
    keys = [*table_layout.foreign_keys, *(key for column in table_layout.columns for key in column.foreign_keys[1:])]
    primary_key = table_layout.primary_key
    return {
        "primary_key": None if primary_key is None else k.PRIMARY_KEY.shortest(primary_key, columns, where),
        "unique": [k.UNIQUE.shortest(unique, columns, where) for unique in uniques],
        "checks": _check_fields(table_layout.checks, columns, where),
        "foreign_keys": [_foreign_key(key, context, where) for key in keys],
        "indexes": Lines(
            {
                write_object_name(index.name, "index"): k.INDEX.shortest(index, columns, f"index {index.name}")
                for index in table_layout.table.indexes
            }
        ),
    }


def _check_fields(checks: Sequence[Check], columns: tuple[str, ...], where: str) -> Data:
    """Return CHECKs as a mapping if all have different names, or else as a list."""
    named = {check.name: check.expression for check in checks if check.name is not None}
    if len(named) < len(checks):
        return [k.CHECK.shortest(check, columns, where) for check in checks]
    return Lines({write_name(name, (), where): write_expression(sql, columns, where) for name, sql in named.items()})


def _foreign_key(key: ForeignKey, context: TableContext, where: str) -> Data:
    fields = k.FOREIGN_KEY.write(key, context.columns, where)
    fields["references"] = reference_data(key, context, where, {})
    return {name: fields[name] for name in k.FOREIGN_KEY.keys if name in fields}


def _objects(items: Sequence[View | Trigger | VirtualTable], kind: str, read: Callable[[str, str], object]) -> Lines:
    return Lines({write_object_name(item.name, kind): _statement(item, kind, read) for item in items})


def _statement(item: View | Trigger | VirtualTable, kind: str, read: Callable[[str, str], object]) -> Data:
    """Return a CREATE statement or, for a view without a column list, its SELECT."""
    sql = tidy_whitespace(item.statement.sql)
    try:
        if isinstance(item, View):
            sql = ddl.select_of(sql) or sql
        read(item.name, sql)
    except SqlError as error:
        raise unsupported(f"{kind} {item.name}", f"its text could not be read back: {error}.") from None
    return Paragraph(sql + "\n") if "\n" in sql else sql
