"""Two schemas compared: the changes that turn one into the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.canonical import canonical
from waiaas_migrate.schema.model import Check, Schema, Table
from waiaas_migrate.schema.names import fold

ItemT = TypeVar("ItemT")


def diff(old: Schema, new: Schema, *, column_order: bool = False) -> tuple[c.Change, ...]:
    """Return the changes that turn ``old`` into ``new``, in a fixed order; empty if both mean the same.

    ``column_order``: report another order of a table's columns, too.
    """
    return tuple(_changes(old, new, column_order=column_order))


def _changes(old: Schema, new: Schema, *, column_order: bool) -> Iterator[c.Change]:
    before, after = old.by_name(), new.by_name()
    for name, table in before.items():
        if name not in after:
            yield c.DropTable(table=table)
        elif table != after[name]:
            yield from diff_table(table, after[name], column_order=column_order)
    yield from (c.AddTable(table=table) for name, table in after.items() if name not in before)
    yield from _object_changes(old.virtual_tables, new.virtual_tables)
    yield from _object_changes(old.views, new.views)
    yield from _object_changes(old.triggers, new.triggers)


def _object_changes(old: Sequence[c.StatementObject], new: Sequence[c.StatementObject]) -> Iterator[c.Change]:
    return _compare(
        (old, new),
        lambda item: fold(item.name),
        add=lambda item: c.AddObject(item=item),
        drop=lambda item: c.DropObject(item=item),
        modify=lambda before, after: c.ModifyObject(old=before, new=after),
    )


def diff_table(old: Table, new: Table, *, column_order: bool = False) -> Iterator[c.Change]:
    """Yield the changes that turn one table into another of the same name."""
    name = new.name
    if (old.strict, old.without_rowid) != (new.strict, new.without_rowid):
        yield c.ModifyTableOptions(old=old, new=new)
    yield from _compare(
        (old.columns, new.columns),
        lambda column: fold(column.name),
        add=lambda column: c.AddColumn(table=name, column=column),
        drop=lambda column: c.DropColumn(table=name, column=column),
        modify=lambda before, after: c.ModifyColumn(table=name, old=before, new=after),
    )
    before, after = (tuple(column.name for column in table.columns) for table in (old, new))
    if column_order and [*map(fold, before)] != [*map(fold, after)]:
        yield c.ReorderColumns(table=name, old=before, new=after)
    yield from _constraint_changes(old, new)
    yield from _compare(
        (old.indexes, new.indexes),
        lambda index: fold(index.name),
        add=lambda index: c.AddIndex(table=name, index=index),
        drop=lambda index: c.DropIndex(table=name, index=index),
        modify=lambda before, after: c.ModifyIndex(table=name, old=before, new=after),
    )


def _constraint_changes(old: Table, new: Table) -> Iterator[c.Change]:
    name = new.name
    if canonical(old.primary_key) != canonical(new.primary_key):
        yield c.ModifyPrimaryKey(table=name, old=old.primary_key, new=new.primary_key)
    # SQLite makes one index for equal UNIQUEs.
    dropped, added = _unmatched(tuple(dict.fromkeys(old.uniques)), tuple(dict.fromkeys(new.uniques)))
    yield from (c.DropUnique(table=name, unique=unique) for unique in dropped)
    yield from (c.AddUnique(table=name, unique=unique) for unique in added)
    yield from _compare(
        (old.checks, new.checks),
        _name_or_column,
        add=lambda check: c.AddCheck(table=name, check=check),
        drop=lambda check: c.DropCheck(table=name, check=check),
        modify=lambda before, after: c.ModifyCheck(table=name, old=before, new=after),
    )
    yield from _compare(
        (old.foreign_keys, new.foreign_keys),
        lambda key: tuple(map(fold, key.columns)),
        add=lambda key: c.AddForeignKey(table=name, foreign_key=key),
        drop=lambda key: c.DropForeignKey(table=name, foreign_key=key),
        modify=lambda before, after: c.ModifyForeignKey(table=name, old=before, new=after),
    )


def _name_or_column(check: Check) -> object:
    if check.name is not None:
        return "name", fold(check.name)
    column = check.column if check.column is not None or check.allowed is None else check.allowed.column
    return None if column is None else fold(column)


def _compare(
    sides: tuple[Sequence[ItemT], Sequence[ItemT]],
    key: Callable[[ItemT], object],
    *,
    add: Callable[[ItemT], c.Change],
    drop: Callable[[ItemT], c.Change],
    modify: Callable[[ItemT, ItemT], c.Change],
) -> Iterator[c.Change]:
    """Yield the changes between the old and the new side: those of old items in their order, then new items.

    A new item replaces an old one with the same ``key``, unless the key is None.
    """
    dropped, added = _unmatched(*sides)
    successors: dict[object, list[ItemT]] = {}
    for item in added:
        successors.setdefault(key(item), []).append(item)
    successors[None] = []
    replaced = []
    for item in dropped:
        if same := successors.get(key(item)):
            replaced.append(same.pop(0))
            yield modify(item, replaced[-1])
        else:
            yield drop(item)
    yield from map(add, _left_over(added, replaced))


def _unmatched(old: Sequence[ItemT], new: Sequence[ItemT]) -> tuple[list[ItemT], list[ItemT]]:
    """Return the items of each side that the other side lacks; equal items are paired one by one."""
    return ([], []) if old == new else (_left_over(old, new), _left_over(new, old))


def _left_over(items: Sequence[ItemT], others: Sequence[ItemT]) -> list[ItemT]:
    """Return ``items`` without those that have a partner of the same meaning in ``others``."""
    matched = Counter(map(canonical, others))
    left = []
    for item in items:
        form = canonical(item)
        if matched[form] > 0:
            matched[form] -= 1
        else:
            left.append(item)
    return left
