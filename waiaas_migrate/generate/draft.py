"""A migration drafted: its changes, its hazards, and the text of its two files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.files.render import Renderer
from waiaas_migrate.generate.breakage import breakage
from waiaas_migrate.generate.naming import next_id
from waiaas_migrate.generate.proof import MigrationText, run_file
from waiaas_migrate.generate.stale_indexes import stale_indexes
from waiaas_migrate.generate.transition import make_transition
from waiaas_migrate.schema.changes import Change, DropColumn, DropTable, DropVirtualTable, ModifyPrimaryKey
from waiaas_migrate.schema.enum_lists import literal, values_held
from waiaas_migrate.schema.hazard_codes import Code
from waiaas_migrate.schema.hazards import Hazard, hazards
from waiaas_migrate.schema.hints import way_back
from waiaas_migrate.schema.model import Column, PrimaryKey, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.kept_rules import kept_rules
from waiaas_migrate.sqlite.memory import copy
from waiaas_migrate.sqlite.plan import plan
from waiaas_migrate.sqlite.row_steps import column_of, mapping
from waiaas_migrate.sqlite.transition import Transition
from waiaas_migrate.sqlite.unknown_names import unknown_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a transition changes, what is dangerous about it, and the migration that makes it."""

    changes: tuple[Change, ...]
    hazards: tuple[Hazard, ...]
    text: MigrationText


def changes_of(transition: Transition) -> tuple[Change, ...]:
    """All that changes, renames first."""
    return (*transition.renames.tables, *transition.renames.columns, *transition.changes)


def hazards_of(transition: Transition) -> tuple[Hazard, ...]:
    """What is dangerous about it."""
    old, new = transition.old, transition.new
    return (*hazards(old, new, transition.changes, kept_rules(old, new)), *unknown_names(old, new))


def draft(
    before: sqlite3.Connection,
    transition: Transition,
    migrations: Sequence[MigrationFile],
    renderer: Renderer,
    name: str | None = None,
) -> Draft:
    """The migration that makes ``transition`` on ``before``, which is not changed, as the next of ``migrations``."""
    changes, dangers = changes_of(transition), hazards_of(transition)
    migration = next_id((file.id for file in migrations), name, changes)
    steps, depends = plan(transition).steps, heads(migrations)
    forward = renderer.migration(migration, steps, depends=depends, remarks=_remarks(dangers))
    with closing(copy(before)) as after:
        run_file(after, forward, f"{migration}.sql")
        broken, stale = tuple(breakage(before, after, transition)), stale_indexes(before, after, transition)
        if broken or stale:
            dangers += broken
            steps = plan(replace(transition, stale_indexes=stale)).steps
            forward = renderer.migration(migration, steps, depends=depends, remarks=_remarks(dangers))
        target = way_back(transition.start, transition.new, transition.renames)
        renames = transition.renames.reversed()
        back = make_transition(after, target, renames, renderer, transition.options, transition.known)
        # Migrations before it, and their rollbacks, count on the columns of a table in their order.
        back = replace(back, in_order=True, stale_indexes=stale_indexes(after, before, back))
    said = (*_lost(transition), *_may_refuse(back))
    backward = renderer.migration(f"{migration}, rolled back", plan(back).steps, remarks=said)
    return Draft(
        changes=changes,
        hazards=dangers,
        text=MigrationText(id=migration, forward=forward, backward=backward),
    )


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


def _may_refuse(back: Transition) -> Iterator[str]:
    """What rolling back asks of rows; that it drops what was added goes without saying."""
    for hazard in hazards_of(back):
        if hazard.code is Code.FOREIGN_KEY_MISMATCH:  # which the runner looks for
            yield from _remarks([hazard])
        elif hazard.code not in (Code.DROP_TABLE, Code.DROP_COLUMN, Code.DROP_VIRTUAL_TABLE):
            yield f"{hazard.where}: {hazard.what.replace('the migration refuses', 'this refuses')}"


def _lost(transition: Transition) -> Iterator[str]:
    """What rolling back cannot bring back."""
    for change in transition.changes:
        match change:
            case DropTable(table=table) | DropVirtualTable(table=table):
                yield f"the rows of {table.name} do not come back"
            case DropColumn(table=table_name, column=column):
                given = " they get a neutral value" if column.not_null and column.default is None else ""
                yield f"the values of {table_name}.{column.name} do not come back{';' + given if given else ''}"
            case ModifyPrimaryKey(table=table_name, old=PrimaryKey(autoincrement=True)):
                yield f"AUTOINCREMENT of {table_name} goes on from its highest row, not from where it was"
            case _:
                continue
    yield from _merged(transition)
    for hazard in hazards_of(transition):
        if hazard.code in (Code.NARROW_TYPE, Code.DROP_ROWID):
            yield f"{hazard.where}: what became of this is not taken back: {hazard.what}"


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
            yield f"what became {literal(other)} stays so: {', '.join(map(literal, values))}"
        elif other is None or len(values) > 1:
            yield f"rows that hold {literal(other)} get {literal(values[0])}, whatever they held before"
