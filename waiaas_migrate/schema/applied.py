"""Make changes to a schema or a table as values, without SQLite."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema import model as m
from waiaas_migrate.schema.names import fold

OwnerT = TypeVar("OwnerT", m.Schema, m.Table)

#: The field of a schema or a table that contains the objects of each kind.
_FIELDS = {
    m.Table: "tables",
    m.View: "views",
    m.Trigger: "triggers",
    m.VirtualTable: "virtual_tables",
    m.Column: "columns",
    m.Unique: "uniques",
    m.Check: "checks",
    m.ForeignKey: "foreign_keys",
    m.Index: "indexes",
}


def schema_after(schema: m.Schema, changes: Iterable[c.Change]) -> m.Schema:
    """Return ``schema`` after ``changes``. Other objects keep their text and order.

    Raises:
        ValueError: a change is a rename.
    """
    for change in changes:
        match change:
            case c.AddTable() | c.DropTable() | c.AddObject() | c.DropObject() | c.ModifyObject():
                schema = _replaced(schema, change.old, change.new)
            case c.RenameTable() | c.RenameColumn():
                raise ValueError("renames can't be applied here")
            case _:
                owner = fold(c.spelled_name(change))
                tables = (altered(table, change) if fold(table.name) == owner else table for table in schema.tables)
                schema = replace(schema, tables=tuple(tables))
    return schema


def altered(table: m.Table, change: c.Alteration | c.IndexChange) -> m.Table:  # noqa: PLR0911 — an arm for each kind
    """Return ``table`` after ``change``. A modified constraint keeps its place."""
    match change:
        case c.DropColumn(old=column):
            name = fold(column.name)
            checks = tuple(check for check in table.checks if m.written_on(check) != name)
            foreign_keys = tuple(key for key in table.foreign_keys if m.written_on(key) != name)
            return _replaced(replace(table, checks=checks, foreign_keys=foreign_keys), column, None)
        case c.ModifyCheck(old=check):
            return _replaced(table, check, replace(change.new, column=check.column))
        case c.ModifyForeignKey(old=key):
            return _replaced(table, key, replace(change.new, inline=key.inline))
        case c.ModifyPrimaryKey(new=primary_key):
            return replace(table, primary_key=primary_key)
        case c.ModifyTableOptions(new=options):
            return replace(table, strict=options.strict, without_rowid=options.without_rowid)
        case (
            c.AddColumn() | c.ModifyColumn() | c.AddUnique() | c.DropUnique() | c.AddCheck() | c.DropCheck()
            | c.AddForeignKey() | c.DropForeignKey() | c.AddIndex() | c.DropIndex() | c.ModifyIndex()
        ):  # fmt: skip
            return _replaced(table, change.old, change.new)
        case c.ReorderColumns():
            return table


def _replaced(owner: OwnerT, old: object, new: object) -> OwnerT:
    """Return ``owner`` with ``new`` instead of ``old``; None adds or removes an item."""
    field = _FIELDS[type(old or new)]
    items: tuple[object, ...] = getattr(owner, field)
    index: int = items.index(old) if old in items else len(items)
    changed: dict[str, Any] = {field: (*items[:index], *filter(None, [new]), *items[index + 1 :])}
    return replace(owner, **changed)
