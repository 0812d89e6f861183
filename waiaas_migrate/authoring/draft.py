"""A migration drafted: its changes, its hazards, and the text of its two files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.authoring.migration_names import next_id
from waiaas_migrate.authoring.migration_proof import run_new
from waiaas_migrate.authoring.newly_broken import newly_broken_objects
from waiaas_migrate.authoring.stale_indexes import stale_indexes
from waiaas_migrate.files.migration_dir.facts import Facts
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, new_migration
from waiaas_migrate.files.templates.render import Head, Renderer
from waiaas_migrate.schema.changes import (
    AddColumn,
    AddTable,
    Change,
    DropColumn,
    DropTable,
    DropVirtualTable,
    ModifyPrimaryKey,
    object_of,
)
from waiaas_migrate.schema.describe import describe_briefly
from waiaas_migrate.schema.enum_lists import literal, values_held
from waiaas_migrate.schema.hazard_codes import Code
from waiaas_migrate.schema.hazards import Hazard, hazards, swapped_names
from waiaas_migrate.schema.hints import rollback_target
from waiaas_migrate.schema.model import Column, PrimaryKey, Table, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import copy
from waiaas_migrate.sqlite.planning.effects import Cost, Effects
from waiaas_migrate.sqlite.planning.plan import plan
from waiaas_migrate.sqlite.planning.plan_effects import effects_of
from waiaas_migrate.sqlite.planning.row_values import checks_always_met, column_of, is_filled, mapping
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.planning.unknown_names import unknown_names

#: How many changes the head of a migration lists one by one.
_LISTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a transition changes, what is dangerous about it, and the migration that makes it, with its facts."""

    changes: tuple[Change, ...]
    hazards: tuple[Hazard, ...]
    migration: MigrationFile
    facts: Facts


def changes_of(transition: Transition) -> tuple[Change, ...]:
    """All that changes, renames first."""
    return (*transition.renames.tables, *transition.renames.columns, *transition.changes)


def hazards_of(transition: Transition) -> tuple[Hazard, ...]:
    """What is dangerous about it."""
    swaps, old, new = swapped_names(transition.renames), transition.old, transition.new
    return (*swaps, *hazards(old, new, transition.changes, checks_always_met(old, new)), *unknown_names(old, new))


def draft(
    before: sqlite3.Connection,
    transition: Transition,
    dangers: tuple[Hazard, ...],
    migrations: Sequence[MigrationFile],
    renderer: Renderer,
    name: str | None = None,
) -> Draft:
    """Write the migration that makes ``transition``, with its hazards ``dangers``, as the next of ``migrations``.

    ``before`` holds what the migrations make, and is not changed.
    """
    changes = changes_of(transition)
    name = next_id((file.id for file in migrations), name, changes)
    there, depends = plan(transition), heads(migrations)
    costs = _costs(effects_of(there, (), transition.old))
    head = Head(title=_title(name, changes) + costs, remarks=_remarks(dangers), depends=depends)
    forward = renderer.migration(head, there.steps)
    with closing(copy(before)) as after:
        run_new(after, new_migration(Path(f"{name}.sql"), depends=depends, sql=forward, rollback=""))
        broken, stale = tuple(newly_broken_objects(before, after, transition)), stale_indexes(before, after, transition)
        if broken or stale:
            dangers += broken
            there = plan(replace(transition, stale_indexes=stale))
            forward = renderer.migration(replace(head, remarks=_remarks(dangers)), there.steps)
        back = _transition_back(before, after, transition, renderer)
    asked = hazards_of(back)
    said, steps = (*_lost(transition, dangers), *_may_refuse(asked)), plan(back)
    title = f"Roll back {name}{_costs(effects_of(steps, (), back.start)) or '.'}"
    backward = renderer.migration(Head(title=title, remarks=said), steps.steps)
    return Draft(
        changes=changes,
        hazards=dangers,
        migration=new_migration(Path(f"{name}.sql"), depends=depends, sql=forward, rollback=backward),
        facts=Facts(
            forward=effects_of(there, dangers, transition.start),
            rollback=replace(effects_of(steps, _mismatches(asked), back.start), loses=True),
        ),
    )


def _transition_back(
    before: sqlite3.Connection, after: sqlite3.Connection, transition: Transition, renderer: Renderer
) -> Transition:
    """Return the transition that restores ``before`` from ``after`` the migration that makes ``transition``."""
    target = rollback_target(transition.start, transition.new, transition.renames)
    renames = transition.renames.reversed()
    back = make_transition(after, target, renames, renderer, transition.options, transition.known)
    # Earlier migrations and their rollbacks rely on the order of a table's columns.
    return replace(back, in_order=True, stale_indexes=stale_indexes(after, before, back))


def _title(migration: str, changes: Sequence[Change]) -> str:
    """The migration's name and what it changes: each change, or how many there are."""
    words = [" ".join(describe_briefly(change).split()) for change in changes]
    if len(words) > _LISTED:
        tables = dict.fromkeys(object_of(change)[1] for change in changes)
        return f"{migration}: {len(words)} changes to {', '.join(tables)}"
    return f"{migration}: {'; '.join(words)}"


def _costs(effects: Effects) -> str:
    """What grows with the rows, in words; nothing if nothing does."""
    scanned = [name for name, cost in effects.tables or () if cost is Cost.SCAN]
    words = [f"Rewrites {', '.join(effects.rebuilt)}"] if effects.rebuilt else []
    words += [f"{'reads' if words else 'Reads'} every row of {', '.join(scanned)}"] if scanned else []
    return f". {' and '.join(words)}." if words else ""


def _remarks(dangers: Iterable[Hazard]) -> tuple[str, ...]:
    return tuple(f"hazard {hazard.code} {hazard.where}: {hazard.what}" for hazard in dangers)


def heads(migrations: Sequence[MigrationFile]) -> tuple[str, ...]:
    """Return the ids that no other migration depends on; a new one depends on these.

    An id with whitespace in it is left out: a ``depends`` line separates ids by whitespace, so none can name it.
    """
    depended_on = {name for migration in migrations for name in migration.depends}
    return tuple(m.id for m in migrations if m.id not in depended_on and not has_whitespace(m.id))


def has_whitespace(migration_id: str) -> bool:
    """Return whether the id has a blank, a line break or the like in it."""
    return migration_id.split() != [migration_id]


def _mismatches(asked: Iterable[Hazard]) -> Iterator[Hazard]:
    """What the runner looks for as it rolls back; that this can lose what was added goes without saying."""
    yield from (hazard for hazard in asked if hazard.code is Code.FOREIGN_KEY_MISMATCH)


def _may_refuse(hazards_back: Iterable[Hazard]) -> Iterator[str]:
    """What rolling back asks of rows; that it drops what was added goes without saying."""
    asked: dict[str, list[str]] = {}
    for hazard in hazards_back:
        if hazard.code is Code.FOREIGN_KEY_MISMATCH:
            yield from _remarks([hazard])
        elif hazard.code not in (Code.DROP_TABLE, Code.DROP_COLUMN, Code.DROP_VIRTUAL_TABLE, Code.SWAP_NAMES):
            asked.setdefault(hazard.what.replace("the migration refuses", "this refuses"), []).append(hazard.where)
    yield from (f"{', '.join(where)}: {what}" for what, where in asked.items())


def _lost(transition: Transition, dangers: Iterable[Hazard]) -> Iterator[str]:
    """What rolling back deletes, and what it can't bring back."""
    tables = [change.table.name for change in transition.changes if isinstance(change, AddTable)]
    columns = [f"{c.table}.{c.column.name}" for c in transition.changes if isinstance(c, AddColumn)]
    if tables:
        yield f"Deletes table{'s' if len(tables) > 1 else ''} {', '.join(tables)} with all rows."
    if columns:
        yield f"Deletes column{'s' if len(columns) > 1 else ''} {', '.join(columns)} with all values."
    yield from _not_restored(transition, dangers)


def _not_restored(transition: Transition, dangers: Iterable[Hazard]) -> Iterator[str]:
    for change in transition.changes:
        match change:
            case DropTable(table=Table(name=name)) | DropVirtualTable(table=VirtualTable(name=name, holds_data=True)):
                yield f"the rows of {name} do not come back"
            case DropColumn(table=table_name, column=column):
                given = " they get a neutral value" if column.not_null and column.default is None else ""
                yield f"the values of {table_name}.{column.name} do not come back{';' + given if given else ''}"
            case ModifyPrimaryKey(table=table_name, old=PrimaryKey(autoincrement=True)):
                yield f"AUTOINCREMENT of {table_name} goes on from its highest row, not from where it was"
            case _:
                continue
    yield from _filled(transition)
    yield from _merged(transition)
    for hazard in dangers:
        if hazard.code in (Code.NARROW_TYPE, Code.DROP_ROWID):
            yield f"{hazard.where}: values keep what the migration made of them: {hazard.what}"


def _filled(transition: Transition) -> Iterator[str]:
    """Columns that stay, and whose NULLs a backfill filled."""
    old_tables = transition.old.by_name()
    for table in transition.new.tables:
        old = old_tables.get(fold(table.name))
        for column in table.columns if old is not None else ():
            if old is not None and column_of(old, column.name) is not None and is_filled(old, column):
                yield f"{table.name}.{column.name}: values that the migration filled in stay"


def _merged(transition: Transition) -> Iterator[str]:
    """Values that became others, and cannot be told apart from these now."""
    old_tables = transition.old.by_name()
    for table in transition.new.tables:
        for column in table.columns:
            if not (column.hints.renamed_values or column.hints.removed_values):
                continue
            old = old_tables.get(fold(table.name))
            before = None if old is None else column_of(old, column.name)
            if old is not None and before is not None:
                for words in _merged_in(old, before, column):
                    yield f"{table.name}.{column.name}: {words}"


def _merged_in(old: Table, before: Column, after: Column) -> Iterator[str]:
    held = values_held(old, before)
    became: dict[str | int | None, list[str | int]] = {}
    for value, other in mapping(old, after).items():
        became.setdefault(other, []).append(value)
    for other, values in became.items():
        if held is None or other in held or (other is None and before.not_null is None):
            yield f"rows that held {', '.join(map(literal, values))} keep {literal(other)}"
        elif other is None or len(values) > 1:
            yield f"rows that hold {literal(other)} get {literal(values[0])}, whatever they held before"
