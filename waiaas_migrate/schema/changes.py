"""How one schema becomes another: one closed union of changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from waiaas_migrate.schema.model import (
    Check,
    Column,
    ForeignKey,
    Index,
    PrimaryKey,
    Table,
    Trigger,
    Unique,
    View,
    VirtualTable,
)
from waiaas_migrate.schema.names import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTable:
    """A table that is new, with its indexes."""

    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable:
    """A table that is gone, with its indexes."""

    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTable:
    """A table under a new name."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyTableOptions:
    """STRICT or WITHOUT ROWID set or taken away."""

    old: Table
    new: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderColumns:
    """The same columns in another order; told only where it is asked for."""

    table: str
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn:
    """A column that is new."""

    table: str
    column: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn:
    """A column that is gone."""

    table: str
    column: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumn:
    """A column under a new name."""

    table: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyColumn:
    """A column whose type, NOT NULL, default, collation or generated expression is another."""

    table: str
    old: Column
    new: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPrimaryKey:
    """A primary key added (``old`` is None), dropped (``new`` is None) or changed."""

    table: str
    old: PrimaryKey | None
    new: PrimaryKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUnique:
    """A UNIQUE constraint that is new."""

    table: str
    unique: Unique


@dataclass(frozen=True, slots=True, kw_only=True)
class DropUnique:
    """A UNIQUE constraint that is gone."""

    table: str
    unique: Unique


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheck:
    """A CHECK that is new."""

    table: str
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class DropCheck:
    """A CHECK that is gone."""

    table: str
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyCheck:
    """A CHECK of the same name, or on the same column, with another expression."""

    table: str
    old: Check
    new: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class AddForeignKey:
    """A foreign key that is new."""

    table: str
    foreign_key: ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class DropForeignKey:
    """A foreign key that is gone."""

    table: str
    foreign_key: ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyForeignKey:
    """A foreign key from the same columns with another target, action or deferrability."""

    table: str
    old: ForeignKey
    new: ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AddIndex:
    """An index that is new on a table that is not."""

    table: str
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex:
    """An index that is gone from a table that stays."""

    table: str
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyIndex:
    """An index of the same name over something else."""

    table: str
    old: Index
    new: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class AddView:
    """A view that is new."""

    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class DropView:
    """A view that is gone."""

    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyView:
    """A view of the same name that says something else."""

    old: View
    new: View


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTrigger:
    """A trigger that is new."""

    trigger: Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTrigger:
    """A trigger that is gone."""

    trigger: Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyTrigger:
    """A trigger of the same name that says something else."""

    old: Trigger
    new: Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class AddVirtualTable:
    """A virtual table that is new."""

    table: VirtualTable


@dataclass(frozen=True, slots=True, kw_only=True)
class DropVirtualTable:
    """A virtual table that is gone, and its shadow tables with it."""

    table: VirtualTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyVirtualTable:
    """A virtual table of the same name with another module or other arguments."""

    old: VirtualTable
    new: VirtualTable


ColumnChange = AddColumn | DropColumn | RenameColumn | ModifyColumn | ReorderColumns
CheckChange = AddCheck | DropCheck | ModifyCheck
KeyChange = ModifyPrimaryKey | AddUnique | DropUnique | AddForeignKey | DropForeignKey | ModifyForeignKey
IndexChange = AddIndex | DropIndex | ModifyIndex
TableChange = AddTable | DropTable | RenameTable | ModifyTableOptions
ViewChange = AddView | DropView | ModifyView
TriggerChange = AddTrigger | DropTrigger | ModifyTrigger
VirtualTableChange = AddVirtualTable | DropVirtualTable | ModifyVirtualTable

Change = (
    TableChange | ColumnChange | CheckChange | KeyChange | IndexChange | ViewChange | TriggerChange | VirtualTableChange
)


def table_of(change: Change) -> str | None:
    """The name of the table that ``change`` alters and that is there before and after it; None where there is none."""
    match change:
        case ModifyTableOptions(new=new):
            return new.name
        case (
            AddTable() | DropTable() | RenameTable() | AddView() | DropView() | ModifyView() | AddTrigger()
            | DropTrigger() | ModifyTrigger() | AddVirtualTable() | DropVirtualTable() | ModifyVirtualTable()
        ):  # fmt: skip
            return None
        case _:
            return change.table


def object_of(change: Change) -> tuple[str, str]:
    """What ``change`` is about, as a catalog has it: the kind of an object, and its folded name."""
    match change:
        case (
            AddTable(table=found) | DropTable(table=found) | ModifyTableOptions(new=found)
            | AddVirtualTable(table=found) | DropVirtualTable(table=found) | ModifyVirtualTable(new=found)
        ):  # fmt: skip
            return "table", fold(found.name)
        case RenameTable(new=name):
            return "table", fold(name)
        case AddIndex(index=index) | DropIndex(index=index) | ModifyIndex(new=index):
            return "index", fold(index.name)
        case AddView(view=view) | DropView(view=view) | ModifyView(new=view):
            return "view", fold(view.name)
        case AddTrigger(trigger=trigger) | DropTrigger(trigger=trigger) | ModifyTrigger(new=trigger):
            return "trigger", fold(trigger.name)
        case _:
            return "table", fold(change.table)


def owner_of(change: Change) -> str | None:
    """The folded name of the table, or of the view with a trigger, that ``change`` belongs to; None for a view."""
    match change:
        case AddTrigger(trigger=trigger) | DropTrigger(trigger=trigger) | ModifyTrigger(new=trigger):
            return fold(trigger.table)
        case AddView() | DropView() | ModifyView():
            return None
        case _:
            name = table_of(change)
            return object_of(change)[1] if name is None else fold(name)


def is_addition(change: Change) -> bool:
    """Whether ``change`` adds a table, a virtual table or a view."""
    return isinstance(change, AddTable | AddVirtualTable | AddView)


def asked_foreign_keys(changes: Sequence[Change]) -> Iterator[tuple[str, ForeignKey]]:
    """The foreign keys, each with its table, by which a row may lack the parent that nobody asked for before.

    They are new or lead elsewhere, and no column of theirs is one that comes without a value.
    """
    empty = {
        (fold(change.table), fold(change.column.name))
        for change in changes
        if isinstance(change, AddColumn) and _comes_empty(change.column)
    }
    for change in changes:
        match change:
            case AddForeignKey(table=table, foreign_key=key):
                pass
            case ModifyForeignKey(table=table, old=old, new=key) if _leads_to(old) != _leads_to(key):
                pass
            case _:
                continue
        if not any((fold(table), fold(column)) in empty for column in key.columns):
            yield table, key


def _comes_empty(column: Column) -> bool:
    return column.default is None and column.hints.backfill is None and column.generated is None


def _leads_to(key: ForeignKey) -> tuple[str, tuple[str, ...]]:
    return fold(key.table), tuple(fold(target) for target in key.targets)
