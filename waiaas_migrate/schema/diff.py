"""Two schemas compared: the changes that make the one the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from waiaas_migrate.schema import canonical as form
from waiaas_migrate.schema.changes import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddTable,
    AddTrigger,
    AddUnique,
    AddView,
    AddVirtualTable,
    Change,
    DropCheck,
    DropColumn,
    DropForeignKey,
    DropIndex,
    DropTable,
    DropTrigger,
    DropUnique,
    DropView,
    DropVirtualTable,
    ModifyCheck,
    ModifyColumn,
    ModifyForeignKey,
    ModifyIndex,
    ModifyPrimaryKey,
    ModifyTableOptions,
    ModifyTrigger,
    ModifyView,
    ModifyVirtualTable,
    ReorderColumns,
)
from waiaas_migrate.schema.model import Check, ForeignKey, Schema, Table
from waiaas_migrate.schema.names import fold


class _Named(Protocol):
    @property
    def name(self) -> str: ...


NamedT = TypeVar("NamedT", bound=_Named)
ItemT = TypeVar("ItemT")


def diff(old: Schema, new: Schema, *, column_order: bool = False) -> tuple[Change, ...]:
    """The changes that make ``old`` into ``new``, in a fixed order; empty where they mean the same.

    Args:
        old: the schema as it is.
        new: the schema as it should be.
        column_order: whether another order of a table's columns is a change too.
    """
    return tuple(_changes(old, new, column_order=column_order))


def _changes(old: Schema, new: Schema, *, column_order: bool) -> Iterator[Change]:
    for table, other in _pairs(old.tables, new.tables):
        if table is not None and other is None:
            yield DropTable(table=table)
        elif other is not None and table is None:
            yield AddTable(table=other)
        elif table is not None and other is not None and table != other:
            yield from diff_table(table, other, column_order=column_order)
    yield from _object_changes(
        old.virtual_tables,
        new.virtual_tables,
        form.canonical_virtual_table,
        lambda before, after: ModifyVirtualTable(old=before, new=after),
        lambda table: AddVirtualTable(table=table),
        lambda table: DropVirtualTable(table=table),
    )
    yield from _object_changes(
        old.views,
        new.views,
        form.canonical_view,
        lambda before, after: ModifyView(old=before, new=after),
        lambda view: AddView(view=view),
        lambda view: DropView(view=view),
    )
    yield from _object_changes(
        old.triggers,
        new.triggers,
        form.canonical_trigger,
        lambda before, after: ModifyTrigger(old=before, new=after),
        lambda trigger: AddTrigger(trigger=trigger),
        lambda trigger: DropTrigger(trigger=trigger),
    )


def _object_changes(
    old: Sequence[NamedT],
    new: Sequence[NamedT],
    key: Callable[[NamedT], object],
    modify: Callable[[NamedT, NamedT], Change],
    add: Callable[[NamedT], Change],
    drop: Callable[[NamedT], Change],
) -> Iterator[Change]:
    for before, after in _pairs(old, new):
        if before is not None and after is None:
            yield drop(before)
        elif after is not None and before is None:
            yield add(after)
        elif before is not None and after is not None and key(before) != key(after):
            yield modify(before, after)


def diff_table(old: Table, new: Table, *, column_order: bool = False) -> Iterator[Change]:
    """The changes that make one table into another of the same name."""
    if (old.strict, old.without_rowid) != (new.strict, new.without_rowid):
        yield ModifyTableOptions(old=old, new=new)
    yield from _column_changes(old, new, column_order=column_order)
    old_key = None if old.primary_key is None else form.canonical_primary_key(old.primary_key)
    new_key = None if new.primary_key is None else form.canonical_primary_key(new.primary_key)
    if old_key != new_key:
        yield ModifyPrimaryKey(table=new.name, old=old.primary_key, new=new.primary_key)
    gone, come = _unmatched(_distinct(old.uniques), _distinct(new.uniques), form.canonical_unique)
    yield from (DropUnique(table=new.name, unique=unique) for unique in gone)
    yield from (AddUnique(table=new.name, unique=unique) for unique in come)
    yield from _check_changes(old, new)
    yield from _foreign_key_changes(old, new)
    yield from _index_changes(old, new)


def _column_changes(old: Table, new: Table, *, column_order: bool) -> Iterator[Change]:
    yield from _object_changes(
        old.columns,
        new.columns,
        form.canonical_column,
        lambda before, after: ModifyColumn(table=new.name, old=before, new=after),
        lambda column: AddColumn(table=new.name, column=column),
        lambda column: DropColumn(table=new.name, column=column),
    )
    if column_order and form.column_order(old) != form.column_order(new):
        old_order = tuple(column.name for column in old.columns)
        yield ReorderColumns(table=new.name, old=old_order, new=tuple(column.name for column in new.columns))


def _check_changes(old: Table, new: Table) -> Iterator[Change]:
    gone, come = _unmatched(old.checks, new.checks, form.canonical_check)
    for check in gone:
        successor = next((other for other in come if _succeeds(check, other)), None)
        if successor is None:
            yield DropCheck(table=new.name, check=check)
        else:
            come.remove(successor)
            yield ModifyCheck(table=new.name, old=check, new=successor)
    yield from (AddCheck(table=new.name, check=check) for check in come)


def _succeeds(old: Check, new: Check) -> bool:
    if old.name is not None or new.name is not None:
        return fold(old.name or "") == fold(new.name or "")
    return old.column is not None and fold(old.column) == fold(new.column or "")


def _foreign_key_changes(old: Table, new: Table) -> Iterator[Change]:
    gone, come = _unmatched(old.foreign_keys, new.foreign_keys, form.canonical_foreign_key)
    for key in gone:
        successor = next((other for other in come if _from(other) == _from(key)), None)
        if successor is None:
            yield DropForeignKey(table=new.name, foreign_key=key)
        else:
            come.remove(successor)
            yield ModifyForeignKey(table=new.name, old=key, new=successor)
    yield from (AddForeignKey(table=new.name, foreign_key=key) for key in come)


def _from(key: ForeignKey) -> tuple[str, ...]:
    return tuple(fold(column) for column in key.columns)


def _index_changes(old: Table, new: Table) -> Iterator[Change]:
    yield from _object_changes(
        old.indexes,
        new.indexes,
        form.canonical_index,
        lambda before, after: ModifyIndex(table=new.name, old=before, new=after),
        lambda index: AddIndex(table=new.name, index=index),
        lambda index: DropIndex(table=new.name, index=index),
    )


def _pairs(old: Sequence[NamedT], new: Sequence[NamedT]) -> Iterator[tuple[NamedT | None, NamedT | None]]:
    """Things of the same name beside each other: first what ``old`` has, in its order, then what only ``new`` has."""
    successors = {fold(item.name): item for item in new}
    for item in old:
        yield item, successors.pop(fold(item.name), None)
    for item in new:
        if fold(item.name) in successors:
            yield None, item


def _unmatched(
    old: Sequence[ItemT], new: Sequence[ItemT], key: Callable[[ItemT], object]
) -> tuple[list[ItemT], list[ItemT]]:
    """What only ``old`` has and what only ``new`` has, each as often as it has it more."""
    return _beyond(old, Counter(map(key, new)), key), _beyond(new, Counter(map(key, old)), key)


def _beyond(items: Sequence[ItemT], matched: Counter[object], key: Callable[[ItemT], object]) -> list[ItemT]:
    left = []
    for item in items:
        if matched[key(item)] > 0:
            matched[key(item)] -= 1
        else:
            left.append(item)
    return left


def _distinct(items: Sequence[ItemT]) -> tuple[ItemT, ...]:
    return tuple(dict.fromkeys(items))
