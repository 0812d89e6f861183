"""A table with one change made to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar, assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Table
from waiaas_migrate.schema.names import fold

ItemT = TypeVar("ItemT")


def altered(table: Table, change: c.Alteration) -> Table:  # noqa: C901, PLR0911, PLR0912 — an arm for each kind
    """Return ``table`` after ``change``. A constraint that replaces another one keeps its place."""
    match change:
        case c.AddColumn(column=column):
            return replace(table, columns=(*table.columns, column))
        case c.DropColumn(column=column):
            return _without_column(table, fold(column.name))
        case c.ModifyColumn(new=new):
            columns = tuple(new if fold(new.name) == fold(column.name) else column for column in table.columns)
            return replace(table, columns=columns)
        case c.AddCheck(check=check):
            return replace(table, checks=(*table.checks, check))
        case c.DropCheck(check=check):
            return replace(table, checks=_without(table.checks, check))
        case c.ModifyCheck(old=check, new=new_check):
            at = _position(table.checks, check)
            checks = [replace(new_check, column=x.column) if n == at else x for n, x in enumerate(table.checks)]
            return replace(table, checks=tuple(checks))
        case c.AddForeignKey(foreign_key=key):
            return replace(table, foreign_keys=(*table.foreign_keys, key))
        case c.DropForeignKey(foreign_key=key):
            return replace(table, foreign_keys=_without(table.foreign_keys, key))
        case c.ModifyForeignKey(old=key, new=new_key):
            at = _position(table.foreign_keys, key)
            keys = [replace(new_key, inline=x.inline) if n == at else x for n, x in enumerate(table.foreign_keys)]
            return replace(table, foreign_keys=tuple(keys))
        case c.AddUnique(unique=unique):
            return replace(table, uniques=(*table.uniques, unique))
        case c.DropUnique(unique=unique):
            return replace(table, uniques=_without(table.uniques, unique))
        case c.ModifyPrimaryKey(new=primary_key):
            return replace(table, primary_key=primary_key)
        case c.ModifyTableOptions(new=options):
            return replace(table, strict=options.strict, without_rowid=options.without_rowid)
        case c.RenameColumn() | c.ReorderColumns():
            return table
        case _:
            assert_never(change)


def column_changed(change: c.Alteration) -> str | None:
    """Return the folded name of the column whose definition ``change`` edits; None if it edits anything else."""
    match change:
        case c.AddColumn(column=column) | c.DropColumn(column=column) | c.ModifyColumn(new=column):
            return fold(column.name)
        case c.AddCheck(check=check) | c.DropCheck(check=check) | c.ModifyCheck(old=check):
            return None if check.column is None else fold(check.column)
        case c.AddForeignKey(foreign_key=key) | c.DropForeignKey(foreign_key=key) | c.ModifyForeignKey(old=key):
            return fold(key.columns[0]) if key.inline else None
        case (
            c.ModifyTableOptions() | c.RenameColumn() | c.ReorderColumns() | c.ModifyPrimaryKey() | c.AddUnique()
            | c.DropUnique()
        ):  # fmt: skip
            return None
        case _:
            assert_never(change)


def _without_column(table: Table, name: str) -> Table:
    """Return ``table`` without a column, given its folded name, and without the constraints written on it."""
    return replace(
        table,
        columns=tuple(column for column in table.columns if fold(column.name) != name),
        checks=tuple(check for check in table.checks if fold(check.column or "") != name),
        foreign_keys=tuple(key for key in table.foreign_keys if not (key.inline and fold(key.columns[0]) == name)),
    )


def _position(items: tuple[ItemT, ...], item: ItemT) -> int:
    return items.index(item) if item in items else len(items)


def _without(items: tuple[ItemT, ...], gone: ItemT) -> tuple[ItemT, ...]:
    at = _position(items, gone)
    return (*items[:at], *items[at + 1 :])
