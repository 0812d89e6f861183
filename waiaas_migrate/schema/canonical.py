"""The one form in which schemas are compared.

Not counted: the case of names, spacing, comments, the place where a constraint was written (its column or the
table), and order where order means nothing. Everything else counts. The order of a table's columns is told apart,
by :func:`column_order`. Expressions and statements arrive here with their meaning already in
:attr:`~waiaas_migrate.schema.model.SqlText.key`.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

from waiaas_migrate.schema.model import (
    Check,
    Column,
    ForeignKey,
    Index,
    IndexPart,
    PrimaryKey,
    Schema,
    SqlText,
    Table,
    Trigger,
    Unique,
    View,
    VirtualTable,
)
from waiaas_migrate.schema.names import fold


def canonical(schema: Schema) -> Schema:
    """``schema`` in the form in which two schemas that mean the same are equal."""
    return Schema(
        tables=tuple(sorted((canonical_table(table) for table in schema.tables), key=_name)),
        views=tuple(sorted((canonical_view(view) for view in schema.views), key=_name)),
        triggers=tuple(sorted((canonical_trigger(trigger) for trigger in schema.triggers), key=_name)),
        virtual_tables=tuple(sorted((canonical_virtual_table(table) for table in schema.virtual_tables), key=_name)),
    )


def canonical_table(table: Table) -> Table:
    """``table`` with its indexes, as :func:`canonical` has it."""
    return replace(
        table,
        name=fold(table.name),
        columns=tuple(sorted((canonical_column(column) for column in table.columns), key=_name)),
        primary_key=None if table.primary_key is None else canonical_primary_key(table.primary_key),
        uniques=tuple(sorted({canonical_unique(unique) for unique in table.uniques}, key=repr)),
        checks=tuple(sorted((canonical_check(check) for check in table.checks), key=repr)),
        foreign_keys=tuple(sorted((canonical_foreign_key(key) for key in table.foreign_keys), key=repr)),
        indexes=tuple(sorted((canonical_index(index) for index in table.indexes), key=_name)),
    )


def canonical_column(column: Column) -> Column:
    """``column`` as :func:`canonical` has it."""
    not_null = column.not_null
    if not_null is not None:
        not_null = replace(not_null, name=_folded(not_null.name))
    return replace(
        column,
        name=fold(column.name),
        type=canonical_type(column.type),
        not_null=not_null,
        collation=_folded(column.collation),
    )


def canonical_collation(name: str | None) -> str | None:
    """How a column's values are compared, folded; BINARY is what it has without a collation, and so None.

    To write one for the other changes the declaration, and nothing about rows
    (https://www.sqlite.org/datatype3.html#collation).
    """
    folded = _folded(name)
    return None if folded == "binary" else folded


def canonical_type(declared: str | None) -> str | None:
    """A declared type without case and spacing; None where there is none."""
    if not declared:
        return None
    return re.sub(r"\s*([(),+-])\s*", r"\1", " ".join(declared.upper().split()))


def canonical_primary_key(key: PrimaryKey) -> PrimaryKey:
    """``key`` as :func:`canonical` has it."""
    return replace(key, parts=_parts(key.parts), name=_folded(key.name), inline=False)


def canonical_unique(unique: Unique) -> Unique:
    """``unique`` as :func:`canonical` has it."""
    return replace(unique, parts=_parts(unique.parts), name=_folded(unique.name), inline=False)


def canonical_check(check: Check) -> Check:
    """``check`` as :func:`canonical` has it."""
    expression = replace(check.expression, sql="")
    return replace(check, expression=expression, name=_folded(check.name), column=None)


def canonical_foreign_key(key: ForeignKey) -> ForeignKey:
    """``key`` as :func:`canonical` has it."""
    return replace(
        key,
        columns=tuple(fold(column) for column in key.columns),
        table=fold(key.table),
        targets=tuple(fold(column) for column in key.targets),
        match=_folded(key.match),
        name=_folded(key.name),
        inline=False,
    )


def canonical_index(index: Index) -> Index:
    """``index`` as :func:`canonical` has it."""
    return replace(index, name=fold(index.name), parts=_parts(index.parts))


def canonical_view(view: View) -> View:
    """``view`` as :func:`canonical` has it."""
    return replace(view, name=fold(view.name))


def canonical_trigger(trigger: Trigger) -> Trigger:
    """``trigger`` as :func:`canonical` has it."""
    return replace(trigger, name=fold(trigger.name), table=fold(trigger.table))


def canonical_virtual_table(table: VirtualTable) -> VirtualTable:
    """``table`` as :func:`canonical` has it."""
    return replace(table, name=fold(table.name), module=fold(table.module))


def column_order(table: Table) -> tuple[str, ...]:
    """The names of the columns in their order, for a comparison that asks for it."""
    return tuple(fold(column.name) for column in table.columns)


def without_meaning(tables: tuple[Table, ...]) -> tuple[Table, ...]:
    """``tables`` whose expressions all mean the same, for a comparison of everything around them."""
    return tuple(_without_meaning(table) for table in tables)


def _without_meaning(value: Any) -> Any:  # noqa: ANN401  whatever a table is made of
    if isinstance(value, SqlText):
        return replace(value, key="")
    if isinstance(value, tuple):
        return tuple(_without_meaning(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: _without_meaning(getattr(value, item.name)) for item in fields(value)})
    return value


def _parts(parts: tuple[IndexPart, ...]) -> tuple[IndexPart, ...]:
    return tuple(replace(part, column=_folded(part.column), collation=_folded(part.collation)) for part in parts)


def _folded(name: str | None) -> str | None:
    return None if name is None else fold(name)


def _name(item: Table | Column | Index | View | Trigger | VirtualTable) -> str:
    return item.name
