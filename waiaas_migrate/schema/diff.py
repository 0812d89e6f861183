"""Compare two schemas, and list the changes that turn one into the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.canonical import canonical
from waiaas_migrate.schema.model import Check, Column, Index, Schema, Table
from waiaas_migrate.schema.names import fold

ItemT = TypeVar("ItemT")


def diff(old: Schema, new: Schema, *, column_order: bool = False) -> tuple[c.Change, ...]:
    """Return the changes that turn ``old`` into ``new``, in a fixed order.

    ``column_order``: also report a table whose columns are in another order, or are others than before.
    """
    return tuple(_changes(old, new, column_order=column_order))


def _changes(old: Schema, new: Schema, *, column_order: bool) -> Iterator[c.Change]:
    before, after = old.by_name(), new.by_name()
    for name, table in before.items():
        if name not in after:
            yield c.DropTable(old=table)
        elif table != after[name]:
            yield from _table_changes(table, after[name], column_order=column_order)
    yield from (c.AddTable(new=table) for name, table in after.items() if name not in before)
    yield from _object_changes(old.virtual_tables, new.virtual_tables)
    yield from _object_changes(old.views, new.views)
    yield from _object_changes(old.triggers, new.triggers)


def _object_changes(old: Sequence[c.StatementObject], new: Sequence[c.StatementObject]) -> Iterator[c.Change]:
    return _compare(old, new, _name, c.AddObject, c.DropObject, c.ModifyObject)


def _table_changes(old: Table, new: Table, *, column_order: bool) -> Iterator[c.Change]:
    table = new.name
    if (old.strict, old.without_rowid) != (new.strict, new.without_rowid):
        yield c.ModifyTableOptions(old=old, new=new)
    yield from _compare(old.columns, new.columns, _name, c.AddColumn, c.DropColumn, c.ModifyColumn, table=table)
    before, after = (tuple(column.name for column in side.columns) for side in (old, new))
    if column_order and [*map(fold, before)] != [*map(fold, after)]:
        yield c.ReorderColumns(table=table, old=before, new=after)
    if canonical(old.primary_key) != canonical(new.primary_key):
        yield c.ModifyPrimaryKey(table=table, old=old.primary_key, new=new.primary_key)
    # SQLite makes one index for duplicate UNIQUEs.
    dropped, added = _unmatched(tuple(dict.fromkeys(old.uniques)), tuple(dict.fromkeys(new.uniques)))
    yield from (c.DropUnique(table=table, old=unique) for unique in dropped)
    yield from (c.AddUnique(table=table, new=unique) for unique in added)
    yield from _compare(old.checks, new.checks, _name_or_column, c.AddCheck, c.DropCheck, c.ModifyCheck, table=table)
    yield from _compare(
        old.foreign_keys,
        new.foreign_keys,
        lambda key: tuple(map(fold, key.columns)),
        c.AddForeignKey,
        c.DropForeignKey,
        c.ModifyForeignKey,
        table=table,
    )
    yield from _compare(old.indexes, new.indexes, _name, c.AddIndex, c.DropIndex, c.ModifyIndex, table=table)


def _name(item: Column | Index | c.StatementObject) -> str:
    return fold(item.name)


def _name_or_column(check: Check) -> object:
    if check.name is not None:
        return "name", fold(check.name)
    column = check.column if check.column is not None or check.allowed is None else check.allowed.column
    return None if column is None else fold(column)


def _compare(
    old: Sequence[ItemT],
    new: Sequence[ItemT],
    key: Callable[[ItemT], object],
    add: Callable[..., c.Change],
    drop: Callable[..., c.Change],
    modify: Callable[..., c.Change],
    **owner: str,
) -> Iterator[c.Change]:
    """Yield the changes from ``old`` to ``new``, additions last.

    A new item replaces an old one with the same ``key``, unless the key is None. ``owner`` passes ``table`` to
    changes within a table.
    """
    dropped, added = _unmatched(old, new)
    successors: dict[object, list[ItemT]] = defaultdict(list)
    for item in added:
        successors[key(item)].append(item)
    successors[None] = []
    replaced = []
    for item in dropped:
        if candidates := successors[key(item)]:
            replaced.append(candidates.pop(0))
            yield modify(old=item, new=replaced[-1], **owner)
        else:
            yield drop(old=item, **owner)
    yield from (add(new=item, **owner) for item in _only_in(added, replaced))


def _unmatched(old: Sequence[ItemT], new: Sequence[ItemT]) -> tuple[list[ItemT], list[ItemT]]:
    return ([], []) if old == new else (_only_in(old, new), _only_in(new, old))


def _only_in(items: Sequence[ItemT], other: Sequence[ItemT]) -> list[ItemT]:
    """Return ``items`` minus ``other``: each item of ``other`` removes one equal item."""
    unmatched = Counter(map(canonical, other))
    found = []
    for item in items:
        form = canonical(item)
        if unmatched[form] > 0:
            unmatched[form] -= 1
        else:
            found.append(item)
    return found
