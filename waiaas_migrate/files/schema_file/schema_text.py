"""A schema written as schema.yaml, the way that its author would have: short forms, logical names, enums by name.

What is written is read back as a schema that means the same. What a schema cannot be written with is an error that
names it. The hints that tell ``generate`` how to carry rows over are no part of what a schema means, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from waiaas_migrate.files.schema_file.column_text import Surroundings, Values, written_check, written_column
from waiaas_migrate.files.schema_file.load_schema import VERSION
from waiaas_migrate.files.schema_file.object_text import written_objects
from waiaas_migrate.files.schema_file.term_text import (
    shortened_reference,
    written_expression,
    written_name,
    written_object_name,
    written_options,
    written_parent,
    written_parts,
    written_reference_options,
)
from waiaas_migrate.files.yaml_text.yaml_writer import Data, Lines, Paragraph, yaml_text
from waiaas_migrate.schema.foreign_keys import is_enforceable
from waiaas_migrate.schema.model import Check, ForeignKey, Index, PrimaryKey, Schema, Table, Unique
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.layout import TableLayout, layout

_NO_ENUMS: Mapping[str, Values] = {}


def schema_text(
    schema: Schema,
    *,
    pragmas: Iterable[tuple[str, str | int]] = (),
    enums: Mapping[str, Values] = _NO_ENUMS,
    enum_modules: Sequence[str] = (),
) -> str:
    """``schema`` as the text of a schema.yaml.

    Args:
        schema: What to write; tables, columns and objects keep their order.
        pragmas: The PRAGMAs of a connection, in their order.
        enums: Values by the name of an enum; where a CHECK holds a column to the same list, it refers to the name.
        enum_modules: The modules in which those names are found.

    Raises:
        UnsupportedError: names what schema.yaml cannot hold.
    """
    top = Lines({"version": VERSION})
    if enum_modules:
        top["enums"] = enum_modules[0] if len(enum_modules) == 1 else list(enum_modules)
    if settings := dict(pragmas):
        top["pragmas"] = Lines(settings)
    parents = {fold(table.name): table for table in schema.tables}
    top["tables"] = Lines(
        {written_object_name(table.name, "table"): _table(table, parents, enums) for table in schema.tables}
    )
    return yaml_text(top | written_objects(schema))


def _table(table: Table, parents: Mapping[str, Table], enums: Mapping[str, Values]) -> Lines:
    place = layout(table)
    where = f"table {table.name}"
    around = Surroundings(
        table=table.name,
        columns=tuple(column.name for column in table.columns),
        enums=enums,
        external=frozenset(key for key in table.foreign_keys if _is_external(key, parents)),
    )
    columns = Lines(
        {written_name(column.column.name, where): written_column(column, around) for column in place.columns}
    )
    fields = Lines()
    if table.comment and table.comment.strip():
        fields["comment"] = Paragraph(table.comment)
    fields["columns"] = columns
    if place.primary_key is not None:
        fields["primary_key"] = _primary_key(place.primary_key, around.columns, where)
    fields |= _constraints(place, around)
    if table.indexes:
        fields["indexes"] = Lines({index.name: _index(index, around.columns) for index in table.indexes})
    fields |= {option: True for option in ("strict", "without_rowid") if getattr(table, option)}
    return fields


def _is_external(key: ForeignKey, parents: Mapping[str, Table]) -> bool:
    parent = parents.get(fold(key.table))
    return parent is None or not is_enforceable(parent, key)


def _primary_key(key: PrimaryKey, columns: tuple[str, ...], where: str) -> Data:
    parts = written_parts(key.parts, columns, where)
    options = written_options(on_conflict=key.on_conflict, name=key.name, where=where)
    if key.autoincrement:
        options = {"autoincrement": True, **options}
    return {"columns": parts, **options} if options else parts


def _constraints(place: TableLayout, around: Surroundings) -> dict[str, Data]:
    """The constraints that stand on the table, and those of a column's that its short form has no room for."""
    where = f"table {place.table.name}"
    uniques = [unique for column in place.columns for unique in column.uniques[1:]]
    keys = [key for column in place.columns for key in column.foreign_keys[1:]]
    sections: dict[str, Data] = {
        "unique": [_unique(unique, around.columns, where) for unique in (*place.uniques, *uniques)],
        "checks": _checks(place.checks, around.columns, where),
        "foreign_keys": [_foreign_key(key, around, where) for key in (*place.foreign_keys, *keys)],
    }
    return {name: section for name, section in sections.items() if section}


def _unique(unique: Unique, columns: tuple[str, ...], where: str) -> Data:
    parts = written_parts(unique.parts, columns, where)
    options = written_options(on_conflict=unique.on_conflict, name=unique.name, where=where)
    return {"columns": parts, **options} if options else parts


def _checks(checks: Sequence[Check], columns: tuple[str, ...], where: str) -> Data:
    """CHECKs by name where all have one of their own, else as a list."""
    names = [check.name for check in checks if check.name is not None]
    if len(set(names)) < len(checks):
        return [written_check(check, columns, where) for check in checks]
    return Lines(
        {
            written_name(name, where): written_expression(check.expression, columns, where)
            for name, check in zip(names, checks, strict=True)
        }
    )


def _foreign_key(key: ForeignKey, around: Surroundings, where: str) -> Data:
    columns: list[Data] = [written_name(column, where) for column in key.columns]
    fields: dict[str, Data] = {"column": columns[0]} if len(columns) == 1 else {"columns": columns}
    parent = written_parent(key, external=key in around.external, where=where)
    return fields | {"references": shortened_reference(parent)} | written_reference_options(key, where)


def _index(index: Index, columns: tuple[str, ...]) -> Data:
    where = f"index {written_object_name(index.name, 'index')}"
    parts = written_parts(index.parts, columns, where)
    fields: dict[str, Data] = {"columns": parts}
    if index.unique:
        fields["unique"] = True
    if index.where is not None:
        fields["where"] = written_expression(index.where, columns, where)
    return fields if len(fields) > 1 else parts
