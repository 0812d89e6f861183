"""How one schema becomes another: one closed union of changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from waiaas_migrate.schema import model as m
from waiaas_migrate.schema.foreign_keys import identity
from waiaas_migrate.schema.names import fold

#: An object that schema.yaml declares as a whole CREATE statement.
StatementObject = m.View | m.Trigger | m.VirtualTable


@dataclass(frozen=True, slots=True, kw_only=True)
class InTable:
    """A change within the table named ``table``, which exists before and after it."""

    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTable:
    """A new table, with its indexes."""

    table: m.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable:
    """A dropped table, with its indexes."""

    table: m.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTable:
    """A table under a new name."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyTableOptions:
    """STRICT or WITHOUT ROWID added or removed."""

    old: m.Table
    new: m.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderColumns(InTable):
    """The same columns in another order; reported only on request."""

    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn(InTable):
    """A new column."""

    column: m.Column


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn(InTable):
    """A dropped column."""

    column: m.Column


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumn(InTable):
    """A column under a new name."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyColumn(InTable):
    """A column with another type, NOT NULL, default, collation or generated expression."""

    old: m.Column
    new: m.Column


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPrimaryKey(InTable):
    """A primary key added (``old`` is None), dropped (``new`` is None) or changed."""

    old: m.PrimaryKey | None
    new: m.PrimaryKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUnique(InTable):
    """A new UNIQUE constraint."""

    unique: m.Unique


@dataclass(frozen=True, slots=True, kw_only=True)
class DropUnique(InTable):
    """A dropped UNIQUE constraint."""

    unique: m.Unique


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheck(InTable):
    """A new CHECK."""

    check: m.Check


@dataclass(frozen=True, slots=True, kw_only=True)
class DropCheck(InTable):
    """A dropped CHECK."""

    check: m.Check


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyCheck(InTable):
    """A CHECK of the same name, or on the same column, with another expression."""

    old: m.Check
    new: m.Check


@dataclass(frozen=True, slots=True, kw_only=True)
class AddForeignKey(InTable):
    """A new foreign key."""

    foreign_key: m.ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class DropForeignKey(InTable):
    """A dropped foreign key."""

    foreign_key: m.ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyForeignKey(InTable):
    """A foreign key from the same columns with another target, action or deferrability."""

    old: m.ForeignKey
    new: m.ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AddIndex(InTable):
    """A new index on an existing table."""

    index: m.Index


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex(InTable):
    """A dropped index of a table that stays."""

    index: m.Index


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyIndex(InTable):
    """An index of the same name with another definition."""

    old: m.Index
    new: m.Index


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
#: A change to the definition of a table that exists before and after it.
Alteration = ModifyTableOptions | ColumnChange | CheckChange | KeyChange


def table_of(change: Change) -> str | None:
    """Return the name of the table that ``change`` alters; None if it adds, drops or renames a whole object."""
    match change:
        case ModifyTableOptions(new=m.Table(name=name)) | InTable(table=name):
            return name
        case AddTable() | DropTable() | RenameTable() | AddObject() | DropObject() | ModifyObject():
            return None
        case _:
            assert_never(change)


def object_of(change: Change) -> tuple[str, str]:
    """Return the kind and the folded name of the object that ``change`` is about, as in the catalog."""
    kind, name = _named(change)
    return kind, fold(name)


def spelled_name(change: Change) -> str:
    """Return the name to report, as it is spelled: that of the table, or of the view, trigger or virtual table."""
    return table_of(change) or _named(change)[1]


def _named(change: Change) -> tuple[str, str]:
    match change:
        case AddTable(table=m.Table(name=name)) | DropTable(table=m.Table(name=name)) | RenameTable(new=name):
            return "table", name
        case AddIndex(index=index) | DropIndex(index=index) | ModifyIndex(new=index):
            return "index", index.name
        case AddObject(item=item) | DropObject(item=item) | ModifyObject(new=item):
            return {m.View: "view", m.Trigger: "trigger", m.VirtualTable: "table"}[type(item)], item.name
        case ModifyTableOptions(new=m.Table(name=name)) | InTable(table=name):
            return "table", name
        case _:
            assert_never(change)


def owner_of(change: Change) -> str | None:
    """Return the folded name of the table that owns the object: for a trigger, its table or view; None for a view."""
    match change:
        case AddObject(item=item) | DropObject(item=item) | ModifyObject(new=item) if isinstance(item, m.Trigger):
            return fold(item.table)
        case AddObject(item=item) | DropObject(item=item) | ModifyObject(new=item) if isinstance(item, m.View):
            return None
        case _:
            return fold(spelled_name(change))


def is_addition(change: Change) -> bool:
    """Return whether ``change`` adds a table, a virtual table or a view."""
    return isinstance(change, AddTable) or (isinstance(change, AddObject) and not isinstance(change.item, m.Trigger))


def foreign_keys_to_check(changes: Sequence[Change]) -> Iterator[tuple[str, m.ForeignKey]]:
    """Yield the foreign keys, each with its table, that existing rows may violate.

    Such a key is new, or refers to other columns than before. A key with a new column that is empty in every row is not
    one of them.
    """
    empty = {
        (fold(change.table), fold(change.column.name))
        for change in changes
        if isinstance(change, AddColumn)
        and change.column.default is None
        and change.column.generated is None
        and change.column.hints.backfill is None
    }
    for change in changes:
        if isinstance(change, AddForeignKey):
            key = change.foreign_key
        elif isinstance(change, ModifyForeignKey) and identity("", change.old) != identity("", change.new):
            key = change.new
        else:
            continue
        if not any((fold(change.table), fold(column)) in empty for column in key.columns):
            yield change.table, key
