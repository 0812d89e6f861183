"""Foreign keys looked at from both ends: new ones must have their parents, old ones must not lose them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from waiaas_migrate.schema.changes import DropTable, ModifyPrimaryKey, asked_foreign_keys
from waiaas_migrate.schema.model import ForeignKey, IndexPart, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.actions import Action, Cost, GuardNoRow, GuardParents, GuardViolations, NoteViolations, Step
from waiaas_migrate.sqlite.reading import moved_columns
from waiaas_migrate.sqlite.rebuild import is_renumbered
from waiaas_migrate.sqlite.spelling import spelled_name
from waiaas_migrate.sqlite.transition import Transition

#: The tables of a schema by their folded names.
Tables = Mapping[str, Table]


def parent_guards(transition: Transition) -> tuple[Step, ...]:
    """Guards that every row has its parent by each foreign key that is new or leads elsewhere."""
    steps = []
    tables = transition.new.by_name()
    for table, key in asked_foreign_keys(transition.changes):
        action = _guard(tables, table, key)
        words = f"every row of {table} has its parent in {key.table}"
        steps += [Step(words=words, cost=Cost.SCAN, actions=(action,))] if action is not None else []
    return tuple(steps)


def _guard(tables: Tables, table: str, key: ForeignKey) -> Action | None:
    """The guard for one foreign key; None where its targets are no columns, and so nobody can follow it."""
    parent = tables.get(fold(key.table))
    targets = _targets(parent, key)
    if parent is None or len(targets) != len(key.columns):
        held = " AND ".join(f"{spelled_name(column)} IS NOT NULL" for column in key.columns)
        rule = f"rows would have no parent in {key.table}, which is not there"
        return GuardNoRow(table=table, rule=rule, where=held)
    if not {fold(target) for target in targets} <= {fold(column.name) for column in parent.columns}:
        return None
    return GuardParents(table=table, foreign_key=replace(key, targets=targets))


def _targets(parent: Table | None, key: ForeignKey) -> tuple[str, ...]:
    if key.targets or parent is None or parent.primary_key is None:
        return key.targets
    return tuple(part.column or "" for part in parent.primary_key.parts)


def violation_guards(transition: Transition) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Guards around what may take a parent away: a first step that takes violations down, a last that compares."""
    touched = {fold(c.table.name) for c in transition.changes if isinstance(c, DropTable)}
    touched |= {fold(c.table) for c in transition.changes if isinstance(c, ModifyPrimaryKey)}
    old, new = transition.old.by_name(), transition.new.by_name()
    moved = frozenset(moved_columns(transition))
    if not touched and not moved:
        return (), ()
    children = tuple(
        table.name
        for name, table in new.items()
        if name in old
        and any(fold(key.table) in touched or _uses(new, table, key, moved) for key in table.foreign_keys)
        and _is_checkable(transition.new, new, table)
        and _is_checkable(transition.old, old, old[name])
    )
    if not children:
        return (), ()
    renumbered = tuple(name for name in children if is_renumbered(old[fold(name)], new[fold(name)]))
    note = NoteViolations(tables=children, renumbered=renumbered)
    compare = GuardViolations(tables=children, renumbered=renumbered)
    return (
        (Step(words="take down the foreign key violations that there are", cost=Cost.SCAN, actions=(note,)),),
        (Step(words="no row has lost its parent", cost=Cost.SCAN, actions=(compare,)),),
    )


def _uses(tables: Tables, table: Table, key: ForeignKey, columns: Collection[tuple[str, str]]) -> bool:
    """Whether one of ``columns`` stands at either end of the foreign key ``key`` of ``table``."""
    targets = _targets(tables.get(fold(key.table)), key)
    ends = [(fold(table.name), fold(column)) for column in key.columns]
    ends += [(fold(key.table), fold(target)) for target in targets]
    return any(end in columns for end in ends)


def _is_checkable(schema: Schema, tables: Tables, table: Table) -> bool:
    """Whether SQLite can check the table's foreign keys: their targets must be unique.

    See https://www.sqlite.org/foreignkeys.html#fk_indexes.
    """
    return all(_is_sound(schema, tables, key) for key in table.foreign_keys)


def _is_sound(schema: Schema, tables: Tables, key: ForeignKey) -> bool:
    parent = tables.get(fold(key.table))
    if parent is None:
        return fold(key.table) not in {fold(name) for name in schema.names}
    targets = sorted(fold(target) for target in _targets(parent, key))
    key_parts = [other.parts for other in (parent.primary_key, *parent.uniques) if other is not None]
    key_parts += [index.parts for index in parent.indexes if index.unique and index.where is None]
    return len(targets) == len(key.columns) and any(
        targets == sorted(fold(part.column or "") for part in parts) and _has_own_collations(parent, parts)
        for parts in key_parts
    )


def _has_own_collations(parent: Table, parts: Sequence[IndexPart]) -> bool:
    """Whether a unique key compares its columns as they compare themselves, as a foreign key needs it."""
    own = {fold(column.name): fold(column.collation or "binary") for column in parent.columns}
    return all(part.collation is None or fold(part.collation) == own.get(fold(part.column or "")) for part in parts)
