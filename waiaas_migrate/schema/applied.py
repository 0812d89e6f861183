"""A schema with changes made to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.altered import altered
from waiaas_migrate.schema.model import Schema, Table, Trigger, View
from waiaas_migrate.schema.names import fold


def applied(schema: Schema, changes: Iterable[c.Change]) -> Schema:
    """Return ``schema`` after ``changes``, which rename nothing; the rest keeps its text and order."""
    for change in changes:
        schema = _applied(schema, change)
    return schema


def _applied(schema: Schema, change: c.Change) -> Schema:
    match change:
        case c.AddTable(table=table):
            return replace(schema, tables=_with(schema.tables, None, table))
        case c.DropTable(table=table):
            return replace(schema, tables=_with(schema.tables, table, None))
        case c.AddObject(item=item):
            return _with_object(schema, None, item)
        case c.DropObject(item=item):
            return _with_object(schema, item, None)
        case c.ModifyObject(old=old, new=new):
            return _with_object(schema, old, new)
        case c.RenameTable():
            raise ValueError("a rename is not applied here")
        case _:
            owner = fold(c.table_of(change) or "")
            tables = tuple(_altered(table, change) if fold(table.name) == owner else table for table in schema.tables)
            return replace(schema, tables=tables)


def _altered(table: Table, change: c.IndexChange | c.Alteration) -> Table:
    match change:
        case c.AddIndex(index=index):
            return replace(table, indexes=_with(table.indexes, None, index))
        case c.DropIndex(index=index):
            return replace(table, indexes=_with(table.indexes, index, None))
        case c.ModifyIndex(old=old, new=new):
            return replace(table, indexes=_with(table.indexes, old, new))
        case _:
            return altered(table, change)


def _with_object(schema: Schema, old: c.StatementObject | None, new: c.StatementObject | None) -> Schema:
    match old or new:
        case View():
            return replace(schema, views=_with(schema.views, old, new))
        case Trigger():
            return replace(schema, triggers=_with(schema.triggers, old, new))
        case _:
            return replace(schema, virtual_tables=_with(schema.virtual_tables, old, new))


def _with(items: tuple[Any, ...], old: Any, new: Any) -> tuple[Any, ...]:  # noqa: ANN401 — objects of one kind
    """Return ``items`` with ``new`` in the place of ``old``, or at the end; None stands for nothing."""
    if old is None:
        return (*items, new)
    found = (new if fold(item.name) == fold(old.name) else item for item in items)
    return tuple(item for item in found if item is not None)
