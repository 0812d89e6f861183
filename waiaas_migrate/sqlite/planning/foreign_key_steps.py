"""Plan guards of foreign keys: rows must have, and keep, their parents."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from waiaas_migrate.schema.changes import DropTable, ModifyPrimaryKey, foreign_keys_to_check
from waiaas_migrate.schema.foreign_keys import Fault, fault, identity, newly_enforceable_keys, targets_of
from waiaas_migrate.schema.model import ForeignKey, Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import is_renumbered, rowid_name
from waiaas_migrate.sqlite.planning.actions import GuardParents, GuardViolations, NoteViolations, Orphans, Step
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.quoting import orphan_condition
from waiaas_migrate.sqlite.reading.spelling import sql_name


def parent_guards(transition: Transition) -> Iterator[Step]:
    """Yield steps that fail if a row violates a new or newly enforceable foreign key."""
    new, enforceable = transition.new, newly_enforceable_keys(transition.old, transition.new)
    for table, key in (*foreign_keys_to_check(transition.changes), *enforceable):
        if (orphans := _orphans(new, table, key)) is not None:
            words = f"every row of {table} has its parent in {key.table}"
            yield Step(words=words, cost=Cost.SCAN, actions=(GuardParents(orphans=orphans),))


def violation_guards(transition: Transition) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Return steps that record violations before a migration and compare them after."""
    parents = {fold(c.old.name) for c in transition.changes if isinstance(c, DropTable)}
    parents |= {fold(c.table) for c in transition.changes if isinstance(c, ModifyPrimaryKey)}
    columns = frozenset(transition.changing_columns())
    pairs = tuple(_orphan_pairs(transition, parents, columns)) if parents or columns else ()
    if not pairs:
        return (), ()
    note = NoteViolations(orphans=tuple(before for before, _ in pairs))
    compare = GuardViolations(orphans=tuple(after for _, after in pairs))
    return (
        (Step(words="record existing foreign key violations", cost=Cost.SCAN, actions=(note,)),),
        (Step(words="no row has lost its parent", cost=Cost.SCAN, actions=(compare,)),),
    )


def _orphan_pairs(
    transition: Transition, parents: Collection[str], columns: Collection[tuple[str, str]]
) -> Iterator[tuple[Orphans, Orphans]]:
    """Yield old and new orphans of keys to ``parents`` and keys that use ``columns``."""
    old, new = transition.old.by_name(), transition.new.by_name()
    for name, table in new.items():
        old_keys = {identity(name, key): key for key in old[name].foreign_keys} if name in old else {}
        for key in table.foreign_keys:
            old_key = old_keys.get(identity(name, key))
            ends = {(name, fold(column)) for column in key.columns}
            ends |= {(fold(key.table), fold(target)) for target in targets_of(new.get(fold(key.table)), key)}
            if old_key is None or (fold(key.table) not in parents and ends.isdisjoint(columns)):
                continue
            rowid = None if is_renumbered(old[name], table) else rowid_name(old[name], table)
            before = _orphans(transition.old, old[name].name, old_key, rowid)
            after = _orphans(transition.new, table.name, key, rowid)
            if before is not None and after is not None:
                yield before, after


def _orphans(schema: Schema, table: str, key: ForeignKey, rowid: str | None = None) -> Orphans | None:
    """Return the rows without a parent; None if SQLite cannot check ``key``."""
    tables = schema.by_name()
    if fault(schema, tables, key) is Fault.MISMATCH:
        return None
    parent = tables.get(fold(key.table))
    targets = () if parent is None else targets_of(parent, key)
    columns = tuple(map(sql_name, key.columns))
    where = orphan_condition(columns, sql_name(key.table), tuple(map(sql_name, targets)))
    return Orphans(table=table, columns=key.columns, parent=key.table, where=where, rowid=rowid)
