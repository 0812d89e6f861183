"""Foreign keys looked at from both ends: new ones must have their parents, old ones must not lose them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from waiaas_migrate.schema.changes import DropTable, ModifyPrimaryKey, asked_foreign_keys
from waiaas_migrate.schema.foreign_keys import Fault, Tables, fault, identity, mended_keys, targets_of
from waiaas_migrate.schema.model import ForeignKey, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import is_renumbered, rowid_name
from waiaas_migrate.sqlite.planning.actions import (
    Action,
    FollowedKey,
    GuardNoRow,
    GuardParents,
    GuardViolations,
    NoteViolations,
    Step,
)
from waiaas_migrate.sqlite.planning.backfill_order import moved_columns
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.spelling import spelled_name


def parent_guards(transition: Transition) -> tuple[Step, ...]:
    """Guards that every row has its parent by each foreign key that is new, leads elsewhere, or leads anywhere now."""
    steps = []
    asked = (*asked_foreign_keys(transition.changes), *mended_keys(transition.old, transition.new))
    for table, key in asked:
        action = _guard(transition.new, table, key)
        words = f"every row of {table} has its parent in {key.table}"
        steps += [Step(words=words, cost=Cost.SCAN, actions=(action,))] if action is not None else []
    return tuple(steps)


def _guard(schema: Schema, table: str, key: ForeignKey) -> Action | None:
    """The guard for one foreign key; None where SQLite cannot follow it, and so asks nothing of rows."""
    tables = schema.by_name()
    match fault(schema, tables, key):
        case Fault.MISMATCH:
            return None
        case Fault.MISSING:
            held = " AND ".join(f"{spelled_name(column)} IS NOT NULL" for column in key.columns)
            rule = f"rows would have no parent in {key.table}, which is not there"
            return GuardNoRow(table=table, rule=rule, where=held)
        case None:
            targets = targets_of(tables[fold(key.table)], key)
            return GuardParents(table=table, foreign_key=replace(key, targets=targets))


def violation_guards(transition: Transition) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Guards around what may take a parent away: a first step that takes violations down, a last that compares."""
    touched = {fold(c.table.name) for c in transition.changes if isinstance(c, DropTable)}
    touched |= {fold(c.table) for c in transition.changes if isinstance(c, ModifyPrimaryKey)}
    old, new = transition.old.by_name(), transition.new.by_name()
    moved = frozenset(moved_columns(transition))
    if not touched and not moved:
        return (), ()
    children = [
        name
        for name, table in new.items()
        if name in old
        and any(fold(key.table) in touched or _uses(new, table, key, moved) for key in table.foreign_keys)
    ]
    whole = tuple(name for name in children if _is_checked(transition, name))
    tables = tuple(new[name].name for name in whole)
    renumbered = tuple(new[name].name for name in whole if is_renumbered(old[name], new[name]))
    mixed = [name for name in children if name not in whole]
    keys = tuple(pair for name in mixed for pair in _followed(transition, old[name], new[name]))
    if not tables and not keys:
        return (), ()
    note = NoteViolations(tables=tables, renumbered=renumbered, keys=tuple(before for before, _ in keys))
    compare = GuardViolations(tables=tables, renumbered=renumbered, keys=tuple(after for _, after in keys))
    return (
        (Step(words="take down the foreign key violations that there are", cost=Cost.SCAN, actions=(note,)),),
        (Step(words="no row has lost its parent", cost=Cost.SCAN, actions=(compare,)),),
    )


def _uses(tables: Tables, table: Table, key: ForeignKey, columns: Collection[tuple[str, str]]) -> bool:
    """Whether one of ``columns`` stands at either end of the foreign key ``key`` of ``table``."""
    targets = targets_of(tables.get(fold(key.table)), key)
    ends = [(fold(table.name), fold(column)) for column in key.columns]
    ends += [(fold(key.table), fold(target)) for target in targets]
    return any(end in columns for end in ends)


def _is_checked(transition: Transition, name: str) -> bool:
    """Whether SQLite checks the table's foreign keys before and after: one that it cannot follow keeps it from all."""
    return all(
        fault(schema, tables, key) is not Fault.MISMATCH
        for schema in (transition.old, transition.new)
        for tables in (schema.by_name(),)
        for key in tables[name].foreign_keys
    )


def _followed(transition: Transition, old: Table, new: Table) -> Iterator[tuple[FollowedKey, FollowedKey]]:
    """The foreign keys that a table has before and after and that can be followed, as they are at either time."""
    row = None if is_renumbered(old, new) else rowid_name(old, new)
    earlier = {identity(new.name, key): key for key in old.foreign_keys}
    for key in new.foreign_keys:
        was = earlier.get(identity(new.name, key))
        before = None if was is None else _follow(transition.old, old, was, row)
        after = _follow(transition.new, new, key, row)
        if before is not None and after is not None:
            yield before, after


def _follow(schema: Schema, table: Table, key: ForeignKey, row: str | None) -> FollowedKey | None:
    tables = schema.by_name()
    if fault(schema, tables, key) is Fault.MISMATCH:
        return None
    parent = tables.get(fold(key.table))
    targets = () if parent is None else targets_of(parent, key)
    return FollowedKey(table=table.name, row=row, columns=key.columns, parent=key.table, targets=targets)
