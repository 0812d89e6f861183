"""Draft a migration: its changes, its hazards, and the text of its two files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.authoring.affected_objects import newly_broken_objects, stale_indexes
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.authoring.migration_names import heads, next_id
from waiaas_migrate.authoring.migration_proof import run_new
from waiaas_migrate.authoring.rollback_remarks import hazard_remark, rollback_remarks
from waiaas_migrate.files.migration_dir.facts import Facts
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, new_migration
from waiaas_migrate.files.templates.render import Head, Renderer
from waiaas_migrate.schema.changes import Change, object_of
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.hazards.find_hazards import find_hazards
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.hazards.lost_data import swapped_names
from waiaas_migrate.schema.hints import rollback_target
from waiaas_migrate.sqlite.database.memory import copy_database
from waiaas_migrate.sqlite.planning.effects import Cost, Effects
from waiaas_migrate.sqlite.planning.plan import plan
from waiaas_migrate.sqlite.planning.plan_effects import effects_of
from waiaas_migrate.sqlite.planning.row_values import checks_always_met
from waiaas_migrate.sqlite.planning.stale_values import stale_values
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.planning.unknown_names import unknown_names

#: How many changes the head of a migration lists one by one.
_LISTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A migration that isn't written yet, with its hazards and facts."""

    hazards: tuple[Hazard, ...]
    migration: MigrationFile
    facts: Facts


def changes_of(transition: Transition) -> tuple[Change, ...]:
    """Return all changes of ``transition``, renames first."""
    return (*transition.renames.tables, *transition.renames.columns, *transition.changes)


def hazards_of(transition: Transition) -> tuple[Hazard, ...]:
    """Return the hazards of ``transition`` that are known before its migration has run."""
    old, new = transition.old, transition.new
    return (
        *swapped_names(transition.renames),
        *find_hazards(old, new, transition.changes, checks_always_met(old, new)),
        *unknown_names(old, new),
        *stale_values(old, new),
    )


def draft(
    before: sqlite3.Connection,
    transition: Transition,
    hazards: tuple[Hazard, ...],
    migrations: Sequence[MigrationFile],
    renderer: Renderer,
    name: str | None = None,
) -> Draft:
    """Draft the migration that makes ``transition``, whose ``hazards`` are known, as the next of ``migrations``.

    ``before`` is the database in memory that ``migrations`` build; it isn't changed. If ``name`` is None, the changes
    give the name.
    """
    changes, depends = changes_of(transition), heads(migrations)
    name = next_id((file.id for file in migrations), name, changes)
    forward = plan(transition)
    head = Head(title=_title(name, changes, effects_of(forward, (), transition.old)), depends=depends)

    def render() -> str:
        return renderer.migration(replace(head, remarks=tuple(map(hazard_remark, hazards))), forward)

    path, sql = Path(f"{name}.sql"), render()
    with closing(copy_database(before)) as after:
        run_new(after, new_migration(path, depends=depends, sql=sql, rollback=""))
        broken, stale = tuple(newly_broken_objects(before, after, transition)), stale_indexes(before, after, transition)
        if broken or stale:
            hazards += broken
            forward = plan(replace(transition, stale_indexes=stale))
            sql = render()
        back = _transition_back(before, after, transition, renderer)
    rollback, effects = _rollback(transition, back, hazards, renderer, name)
    return Draft(
        hazards=hazards,
        migration=new_migration(path, depends=depends, sql=sql, rollback=rollback),
        facts=Facts(forward=effects_of(forward, hazards, transition.start), rollback=effects),
    )


def _rollback(
    transition: Transition, back: Transition, hazards: Iterable[Hazard], renderer: Renderer, name: str
) -> tuple[str, Effects]:
    """Return the text of the rollback that makes the transition ``back``, and its effects."""
    backward, found = plan(back), hazards_of(back)
    costs = _costs(effects_of(backward, (), back.start)) or "."
    head = Head(title=f"Roll back {name}{costs}", remarks=tuple(rollback_remarks(transition, hazards, found)))
    mismatches = [hazard for hazard in found if hazard.code is Code.FOREIGN_KEY_MISMATCH]
    effects = effects_of(backward, mismatches, back.start)
    return renderer.migration(head, backward), replace(effects, loses=True)


def _transition_back(
    before: sqlite3.Connection, after: sqlite3.Connection, transition: Transition, renderer: Renderer
) -> Transition:
    """Return the transition that restores ``before`` from ``after`` the migration that makes ``transition``."""
    target = rollback_target(transition.start, transition.new, transition.renames)
    renames = transition.renames.reversed()
    back = make_transition(after, target, renames, renderer, transition.options, transition.known)
    # Earlier migrations and their rollbacks rely on the order of a table's columns.
    return replace(back, in_order=True, stale_indexes=stale_indexes(after, before, back))


def _title(migration: str, changes: Sequence[Change], effects: Effects) -> str:
    """Return the migration's name, what it changes (each change, or how many there are), and what takes time."""
    words = [" ".join(describe(change, brief=True).split()) for change in changes]
    said = "; ".join(words)
    if len(words) > _LISTED:
        said = f"{len(words)} changes to {', '.join(dict.fromkeys(object_of(change)[1] for change in changes))}"
    return f"{migration}: {said}{_costs(effects)}"


def _costs(effects: Effects) -> str:
    """Return a sentence on the steps whose time grows with the rows, to append; empty if there are none."""
    scanned = ", ".join(name for name, cost in effects.tables or () if cost is Cost.SCAN)
    rebuilt = ", ".join(effects.rebuilt)
    if rebuilt and scanned:
        return f". Rewrites {rebuilt} and reads every row of {scanned}."
    if rebuilt:
        return f". Rewrites {rebuilt}."
    return f". Reads every row of {scanned}." if scanned else ""
