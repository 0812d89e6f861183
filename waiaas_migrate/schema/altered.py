"""A table with one change made to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Column, ForeignKey, Table
from waiaas_migrate.schema.names import fold

ItemT = TypeVar("ItemT")


def altered(table: Table, change: c.Change) -> Table:
    """``table`` after ``change``. What replaces a constraint stands where that one stood, on its column or the table.

    A change that is about another kind of object, or about the order of columns, leaves the table as it is.
    """
    match change:
        case c.AddColumn() | c.DropColumn() | c.ModifyColumn():
            return _with_column(table, change)
        case c.AddCheck(check=check):
            return replace(table, checks=(*table.checks, check))
        case c.DropCheck(check=check):
            return replace(table, checks=_without(table.checks, check))
        case c.ModifyCheck(old=old, new=new):
            return replace(table, checks=_exchanged(table.checks, old, lambda was: replace(new, column=was.column)))
        case _:
            return _with_key(table, change)


def column_changed(change: c.Change) -> str | None:
    """The folded name of the column whose definition ``change`` is about; None if it is about anything else."""
    match change:
        case c.AddColumn(column=column) | c.DropColumn(column=column) | c.ModifyColumn(new=column):
            return fold(column.name)
        case c.AddCheck(check=check) | c.DropCheck(check=check) | c.ModifyCheck(old=check):
            return None if check.column is None else fold(check.column)
        case c.AddForeignKey(foreign_key=key) | c.DropForeignKey(foreign_key=key) | c.ModifyForeignKey(old=key):
            return fold(key.columns[0]) if key.inline else None
        case _:
            return None


def _with_column(table: Table, change: c.AddColumn | c.DropColumn | c.ModifyColumn) -> Table:
    match change:
        case c.AddColumn(column=column):
            return replace(table, columns=(*table.columns, column))
        case c.ModifyColumn(new=new):
            return replace(table, columns=tuple(new if _is(new, column) else column for column in table.columns))
        case c.DropColumn(column=gone):
            return replace(
                table,
                columns=tuple(column for column in table.columns if not _is(gone, column)),
                checks=tuple(check for check in table.checks if fold(check.column or "") != fold(gone.name)),
                foreign_keys=tuple(key for key in table.foreign_keys if not _stands_on(key, gone)),
            )


def _with_key(table: Table, change: c.Change) -> Table:
    match change:
        case c.AddForeignKey() | c.DropForeignKey() | c.ModifyForeignKey():
            return replace(table, foreign_keys=_foreign_keys(table.foreign_keys, change))
        case c.AddUnique(unique=unique):
            return replace(table, uniques=(*table.uniques, unique))
        case c.DropUnique(unique=unique):
            return replace(table, uniques=_without(table.uniques, unique))
        case c.ModifyPrimaryKey(new=primary_key):
            return replace(table, primary_key=primary_key)
        case c.ModifyTableOptions(new=new_table):
            return replace(table, strict=new_table.strict, without_rowid=new_table.without_rowid)
        case _:
            return table


def _foreign_keys(
    keys: tuple[ForeignKey, ...], change: c.AddForeignKey | c.DropForeignKey | c.ModifyForeignKey
) -> tuple[ForeignKey, ...]:
    match change:
        case c.AddForeignKey(foreign_key=key):
            return (*keys, key)
        case c.DropForeignKey(foreign_key=key):
            return _without(keys, key)
        case c.ModifyForeignKey(old=old, new=new):
            return _exchanged(keys, old, lambda was: replace(new, inline=was.inline))


def _is(column: Column, other: Column) -> bool:
    return fold(column.name) == fold(other.name)


def _stands_on(key: ForeignKey, column: Column) -> bool:
    return key.inline and fold(key.columns[0]) == fold(column.name)


def _without(items: tuple[ItemT, ...], gone: ItemT) -> tuple[ItemT, ...]:
    at = items.index(gone) if gone in items else len(items)
    return (*items[:at], *items[at + 1 :])


def _exchanged(items: tuple[ItemT, ...], old: ItemT, new: Callable[[ItemT], ItemT]) -> tuple[ItemT, ...]:
    at = items.index(old) if old in items else len(items)
    return (*items[:at], *map(new, items[at : at + 1]), *items[at + 1 :])
