"""The changes that turn one schema into another, as a closed union of types.

:func:`schema_after` applies changes to a schema in Python, without SQLite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar, assert_never

from waiaas_migrate.schema import model as m
from waiaas_migrate.schema.foreign_keys import identity
from waiaas_migrate.schema.names import fold

#: An object that schema.yaml declares as a whole CREATE statement.
StatementObject = m.View | m.Trigger | m.VirtualTable

#: A column, a constraint or an index, or the name of one.
PartT = TypeVar("PartT")
OwnerT = TypeVar("OwnerT", m.Schema, m.Table)


@dataclass(frozen=True, slots=True, kw_only=True)
class InTable:
    """A change within the table named ``table``, which stays."""

    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Added(InTable, Generic[PartT]):
    old: ClassVar[None] = None
    new: PartT


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dropped(InTable, Generic[PartT]):
    old: PartT
    new: ClassVar[None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Modified(InTable, Generic[PartT]):
    old: PartT
    new: PartT


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTable:
    """A new table, with its indexes."""

    old: ClassVar[None] = None
    new: m.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable:
    """A dropped table, with its indexes."""

    old: m.Table
    new: ClassVar[None] = None


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
class ReorderColumns(_Modified[tuple[str, ...]]):
    """Columns in another order, or others than before; reported only on request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn(_Added[m.Column]):
    """A new column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn(_Dropped[m.Column]):
    """A dropped column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumn(_Modified[str]):
    """A column under a new name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyColumn(_Modified[m.Column]):
    """A column with another type, NOT NULL, default, collation or expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPrimaryKey(_Modified[m.PrimaryKey | None]):
    """A primary key added (``old`` is None), dropped (``new`` is None) or changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUnique(_Added[m.Unique]):
    """A new UNIQUE constraint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropUnique(_Dropped[m.Unique]):
    """A dropped UNIQUE constraint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheck(_Added[m.Check]):
    """A new CHECK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropCheck(_Dropped[m.Check]):
    """A dropped CHECK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyCheck(_Modified[m.Check]):
    """A CHECK of the same name, or on the same column, with another expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddForeignKey(_Added[m.ForeignKey]):
    """A new foreign key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropForeignKey(_Dropped[m.ForeignKey]):
    """A dropped foreign key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyForeignKey(_Modified[m.ForeignKey]):
    """A foreign key on the same columns with another target, action or deferral."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddIndex(_Added[m.Index]):
    """A new index on an existing table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex(_Dropped[m.Index]):
    """A dropped index of a table that stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyIndex(_Modified[m.Index]):
    """An index of the same name with another definition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddObject:
    """A new view, trigger or virtual table."""

    old: ClassVar[None] = None
    new: StatementObject


@dataclass(frozen=True, slots=True, kw_only=True)
class DropObject:
    """A dropped view or trigger, or a dropped virtual table with its shadow tables."""

    old: StatementObject
    new: ClassVar[None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyObject:
    """A view, trigger or virtual table of the same name with another statement."""

    old: StatementObject
    new: StatementObject


IndexChange = AddIndex | DropIndex | ModifyIndex
ObjectChange = AddObject | DropObject | ModifyObject
#: A change to the CREATE TABLE of a table that stays, except renames.
Alteration = (
    ModifyTableOptions | ReorderColumns | AddColumn | DropColumn | ModifyColumn | ModifyPrimaryKey | AddUnique
    | DropUnique | AddCheck | DropCheck | ModifyCheck | AddForeignKey | DropForeignKey | ModifyForeignKey
)  # fmt: skip
Change = AddTable | DropTable | RenameTable | RenameColumn | Alteration | IndexChange | ObjectChange
#: A change that replaces an object, or a part of a table, by another of the same name or place.
Modification = (
    ModifyTableOptions | ModifyColumn | ModifyPrimaryKey | ModifyCheck | ModifyForeignKey | ModifyIndex | ModifyObject
)


def table_of(change: Change) -> str | None:
    """Return the name of the table whose options or parts ``change`` changes, if any."""
    return spelled_name(change) if isinstance(change, ModifyTableOptions | InTable) else None


def object_of(change: Change) -> tuple[str, str]:
    """Return the kind and the folded name of the catalog object to change."""
    match change:
        case AddIndex(new=index) | DropIndex(old=index) | ModifyIndex(new=index):
            return "index", fold(index.name)
        case AddObject(new=item) | DropObject(old=item) | ModifyObject(new=item):
            return {m.View: "view", m.Trigger: "trigger", m.VirtualTable: "table"}[type(item)], fold(item.name)
        case AddTable() | DropTable() | RenameTable() | ModifyTableOptions() | InTable():
            return "table", fold(spelled_name(change))
        case _:
            assert_never(change)


def spelled_name(change: Change) -> str:
    """Return the name of the changed table, view or trigger, as the schema spells it."""
    match change:
        case AddTable(new=item) | DropTable(old=item) | ModifyTableOptions(new=item):
            return item.name
        case AddObject(new=item) | DropObject(old=item) | ModifyObject(new=item):
            return item.name
        case RenameTable(new=name) | InTable(table=name):
            return name
        case _:
            assert_never(change)


def owner_of(change: Change) -> str | None:
    """Return the folded name of the table to which the changed object belongs.

    A table belongs to itself, a trigger to its table or view. Return None for a view, which belongs to no table.
    """
    match change:
        case AddObject(new=item) | DropObject(old=item) | ModifyObject(new=item):
            return None if isinstance(item, m.View) else fold(item.table if isinstance(item, m.Trigger) else item.name)
        case AddTable() | DropTable() | RenameTable() | ModifyTableOptions() | InTable():
            return fold(spelled_name(change))
        case _:
            assert_never(change)


def is_addition(change: Change) -> bool:
    """Return whether ``change`` adds a table, a virtual table or a view."""
    return isinstance(change, AddTable) or (isinstance(change, AddObject) and not isinstance(change.new, m.Trigger))


def foreign_keys_to_check(changes: Sequence[Change]) -> Iterator[tuple[str, m.ForeignKey]]:
    """Yield the table and the key, for each key that existing rows may violate.

    Such a key is new, or refers to another table or other columns than before. Rows can't violate a key with a new
    column that is NULL in every row.
    """
    empty = {
        (fold(change.table), fold(change.new.name))
        for change in changes
        if isinstance(change, AddColumn)
        and change.new.default is None
        and change.new.generated is None
        and change.new.hints.backfill is None
    }
    for change in changes:
        if isinstance(change, AddForeignKey | ModifyForeignKey):
            is_new = change.old is None or identity("", change.old) != identity("", change.new)
            if is_new and not any((fold(change.table), fold(column)) in empty for column in change.new.columns):
                yield change.table, change.new


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


def schema_after(schema: m.Schema, changes: Iterable[Change]) -> m.Schema:
    """Return ``schema`` after ``changes``. Other objects keep their text and order.

    Raises:
        ValueError: a change is a rename.
    """
    for change in changes:
        match change:
            case AddTable() | DropTable() | AddObject() | DropObject() | ModifyObject():
                schema = _replaced(schema, change.old, change.new)
            case RenameTable() | RenameColumn():
                raise ValueError("renames can't be applied here")
            case _:
                owner = fold(spelled_name(change))
                tables = (altered(table, change) if fold(table.name) == owner else table for table in schema.tables)
                schema = replace(schema, tables=tuple(tables))
    return schema


def altered(table: m.Table, change: Alteration | IndexChange) -> m.Table:  # noqa: PLR0911 — an arm for each kind
    """Return ``table`` after ``change``; drop the CHECKs and keys on a dropped column."""
    match change:
        case DropColumn(old=column):
            name = fold(column.name)
            checks = tuple(check for check in table.checks if m.written_on(check) != name)
            foreign_keys = tuple(key for key in table.foreign_keys if m.written_on(key) != name)
            return _replaced(replace(table, checks=checks, foreign_keys=foreign_keys), column, None)
        case ModifyCheck(old=check):
            return _replaced(table, check, replace(change.new, column=check.column))
        case ModifyForeignKey(old=key):
            return _replaced(table, key, replace(change.new, inline=key.inline))
        case ModifyPrimaryKey(new=primary_key):
            return replace(table, primary_key=primary_key)
        case ModifyTableOptions(new=options):
            return replace(table, strict=options.strict, without_rowid=options.without_rowid)
        case (
            AddColumn() | ModifyColumn() | AddUnique() | DropUnique() | AddCheck() | DropCheck()
            | AddForeignKey() | DropForeignKey() | AddIndex() | DropIndex() | ModifyIndex()
        ):  # fmt: skip
            return _replaced(table, change.old, change.new)
        case ReorderColumns():
            return table
        case _:
            assert_never(change)


def _replaced(owner: OwnerT, old: object, new: object) -> OwnerT:
    """Replace ``old`` by ``new`` in ``owner``; if one is None, add or drop the other."""
    field = _FIELDS[type(old or new)]
    items: tuple[object, ...] = getattr(owner, field)
    index: int = items.index(old) if old in items else len(items)
    changed: dict[str, Any] = {field: (*items[:index], *filter(None, [new]), *items[index + 1 :])}
    return replace(owner, **changed)
