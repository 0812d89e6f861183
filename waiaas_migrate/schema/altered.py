"""A table with one change made to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Check, Column, ForeignKey, Table
from waiaas_migrate.schema.names import fold

ItemT = TypeVar("ItemT")


def altered(table: Table, change: c.Change) -> Table:  # noqa: PLR0911  one return for each kind of change
    """Return ``table`` after ``change`` if that changes its columns, constraints or options; else unchanged.

    A constraint that replaces another one keeps its place, on the column or the table.
    """
    match change:
        case c.AddColumn() | c.DropColumn() | c.ModifyColumn():
            return _with_column(table, change)
        case c.AddCheck() | c.DropCheck() | c.ModifyCheck():
            return replace(table, checks=_checks(table.checks, change))
        case c.AddForeignKey() | c.DropForeignKey() | c.ModifyForeignKey():
            return replace(table, foreign_keys=_foreign_keys(table.foreign_keys, change))
        case c.AddUnique(unique=unique) | c.DropUnique(unique=unique):
            is_new = isinstance(change, c.AddUnique)
            return replace(table, uniques=(*table.uniques, unique) if is_new else _without(table.uniques, unique))
        case c.ModifyPrimaryKey(new=primary_key):
            return replace(table, primary_key=primary_key)
        case c.ModifyTableOptions(new=new):
            return replace(table, strict=new.strict, without_rowid=new.without_rowid)
        case (
            c.AddTable() | c.DropTable() | c.RenameTable() | c.RenameColumn() | c.ReorderColumns()
            | c.AddIndex() | c.DropIndex() | c.ModifyIndex() | c.AddObject() | c.DropObject() | c.ModifyObject()
        ):  # fmt: skip
            return table
        case _:
            assert_never(change)


def column_changed(change: c.Change) -> str | None:
    """Return the folded name of the column whose definition ``change`` edits; None if it edits anything else."""
    match change:
        case c.AddColumn(column=column) | c.DropColumn(column=column) | c.ModifyColumn(new=column):
            return fold(column.name)
        case c.AddCheck(check=check) | c.DropCheck(check=check) | c.ModifyCheck(old=check):
            return None if check.column is None else fold(check.column)
        case c.AddForeignKey(foreign_key=key) | c.DropForeignKey(foreign_key=key) | c.ModifyForeignKey(old=key):
            return fold(key.columns[0]) if key.inline else None
        case (
            c.AddTable() | c.DropTable() | c.RenameTable() | c.ModifyTableOptions() | c.RenameColumn()
            | c.ReorderColumns() | c.ModifyPrimaryKey() | c.AddUnique() | c.DropUnique() | c.AddIndex()
            | c.DropIndex() | c.ModifyIndex() | c.AddObject() | c.DropObject() | c.ModifyObject()
        ):  # fmt: skip
            return None
        case _:
            assert_never(change)


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
        case _:
            assert_never(change)


def _checks(checks: tuple[Check, ...], change: c.AddCheck | c.DropCheck | c.ModifyCheck) -> tuple[Check, ...]:
    match change:
        case c.AddCheck(check=check):
            return (*checks, check)
        case c.DropCheck(check=check):
            return _without(checks, check)
        case c.ModifyCheck(old=old, new=new):
            return _exchanged(checks, old, lambda was: replace(new, column=was.column))
        case _:
            assert_never(change)


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
        case _:
            assert_never(change)


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
