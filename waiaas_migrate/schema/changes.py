"""How one schema becomes another: one closed union of changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

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

#: What schema.yaml declares as a whole CREATE statement.
StatementObject = View | Trigger | VirtualTable


@dataclass(frozen=True, slots=True, kw_only=True)
class InTable:
    """A change within a table that exists before and after it; ``table`` is its name."""

    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTable:
    """A new table, with its indexes."""

    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable:
    """A dropped table, with its indexes."""

    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTable:
    """A table under a new name."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyTableOptions:
    """STRICT or WITHOUT ROWID added or removed."""

    old: Table
    new: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderColumns(InTable):
    """The same columns in another order; reported only on request."""

    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn(InTable):
    """A new column."""

    column: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn(InTable):
    """A dropped column."""

    column: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumn(InTable):
    """A column under a new name."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyColumn(InTable):
    """A column with another type, NOT NULL, default, collation or generated expression."""

    old: Column
    new: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPrimaryKey(InTable):
    """A primary key added (``old`` is None), dropped (``new`` is None) or changed."""

    old: PrimaryKey | None
    new: PrimaryKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUnique(InTable):
    """A new UNIQUE constraint."""

    unique: Unique


@dataclass(frozen=True, slots=True, kw_only=True)
class DropUnique(InTable):
    """A dropped UNIQUE constraint."""

    unique: Unique


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheck(InTable):
    """A new CHECK."""

    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class DropCheck(InTable):
    """A dropped CHECK."""

    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyCheck(InTable):
    """A CHECK of the same name, or on the same column, with another expression."""

    old: Check
    new: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class AddForeignKey(InTable):
    """A new foreign key."""

    foreign_key: ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class DropForeignKey(InTable):
    """A dropped foreign key."""

    foreign_key: ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyForeignKey(InTable):
    """A foreign key from the same columns with another target, action or deferrability."""

    old: ForeignKey
    new: ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AddIndex(InTable):
    """A new index on an existing table."""

    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex(InTable):
    """A dropped index of a table that stays."""

    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyIndex(InTable):
    """An index of the same name with another definition."""

    old: Index
    new: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class AddObject:
    """A new view, trigger or virtual table."""

    item: StatementObject


@dataclass(frozen=True, slots=True, kw_only=True)
class DropObject:
    """A dropped view, trigger or virtual table, with the shadow tables of the latter."""

    item: StatementObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyObject:
    """A view, trigger or virtual table of the same name with another statement."""

    old: StatementObject
    new: StatementObject


ColumnChange = AddColumn | DropColumn | RenameColumn | ModifyColumn | ReorderColumns
CheckChange = AddCheck | DropCheck | ModifyCheck
KeyChange = ModifyPrimaryKey | AddUnique | DropUnique | AddForeignKey | DropForeignKey | ModifyForeignKey
IndexChange = AddIndex | DropIndex | ModifyIndex
TableChange = AddTable | DropTable | RenameTable | ModifyTableOptions
ObjectChange = AddObject | DropObject | ModifyObject
Change = TableChange | ColumnChange | CheckChange | KeyChange | IndexChange | ObjectChange


def table_of(change: Change) -> str | None:
    """Return the name of the table that ``change`` alters; None if it adds, drops or renames a whole object."""
    match change:
        case ModifyTableOptions(new=Table(name=name)) | InTable(table=name):
            return name
        case AddTable() | DropTable() | RenameTable() | AddObject() | DropObject() | ModifyObject():
            return None
        case _:
            assert_never(change)


def object_of(change: Change) -> tuple[str, str]:
    """Return the kind and the folded name of the object that ``change`` is about, as the catalog has them."""
    kind, name = _named(change)
    return kind, fold(name)


def spelled_name(change: Change) -> str:
    """Return the name that a reader looks for: that of the table, or of the view, trigger or virtual table."""
    return table_of(change) or _named(change)[1]


def _named(change: Change) -> tuple[str, str]:
    match change:
        case AddTable(table=Table(name=name)) | DropTable(table=Table(name=name)) | RenameTable(new=name):
            return "table", name
        case AddIndex(index=index) | DropIndex(index=index) | ModifyIndex(new=index):
            return "index", index.name
        case AddObject(item=item) | DropObject(item=item) | ModifyObject(new=item):
            return {View: "view", Trigger: "trigger", VirtualTable: "table"}[type(item)], item.name
        case ModifyTableOptions(new=Table(name=name)) | InTable(table=name):
            return "table", name
        case _:
            assert_never(change)


def owner_of(change: Change) -> str | None:
    """Return the folded name of the table, or of the view with a trigger, that owns the object; None for a view."""
    match change:
        case AddObject(item=item) | DropObject(item=item) | ModifyObject(new=item) if isinstance(item, Trigger):
            return fold(item.table)
        case AddObject(item=item) | DropObject(item=item) | ModifyObject(new=item) if isinstance(item, View):
            return None
        case _:
            return fold(spelled_name(change))


def is_addition(change: Change) -> bool:
    """Return whether ``change`` adds a table, a virtual table or a view."""
    return isinstance(change, AddTable) or (isinstance(change, AddObject) and not isinstance(change.item, Trigger))


def foreign_keys_to_check(changes: Sequence[Change]) -> Iterator[tuple[str, ForeignKey]]:
    """Yield the foreign keys, each with its table, that existing rows may violate.

    They are new or refer to other columns than before. Keys with a new column that is empty in every row are left out.
    """
    empty = {
        (fold(change.table), fold(change.column.name))
        for change in changes
        if isinstance(change, AddColumn) and _is_empty(change.column)
    }
    for change in changes:
        match change:
            case AddForeignKey(table=table, foreign_key=key):
                pass
            case ModifyForeignKey(table=table, old=old, new=key) if _target(old) != _target(key):
                pass
            case (
                AddTable() | DropTable() | RenameTable() | ModifyTableOptions() | AddColumn() | DropColumn()
                | RenameColumn() | ModifyColumn() | ReorderColumns() | AddCheck() | DropCheck() | ModifyCheck()
                | ModifyPrimaryKey() | AddUnique() | DropUnique() | DropForeignKey() | ModifyForeignKey()
                | AddIndex() | DropIndex() | ModifyIndex() | AddObject() | DropObject() | ModifyObject()
            ):  # fmt: skip
                continue
            case _:
                assert_never(change)
        if not any((fold(table), fold(column)) in empty for column in key.columns):
            yield table, key


def _is_empty(column: Column) -> bool:
    return column.default is None and column.hints.backfill is None and column.generated is None


def _target(key: ForeignKey) -> tuple[str, tuple[str, ...]]:
    return fold(key.table), tuple(map(fold, key.targets))
