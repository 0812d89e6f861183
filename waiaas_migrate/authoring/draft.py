"""Draft a migration: the text of its two files, with its hazards and facts. Nothing is written."""

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

#: The most changes that the title of a migration lists. If there are more, the title has their number.
_MOST_LISTED = 3


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
    """Return the hazards of ``transition`` that can be found without running a migration."""
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
    """Draft the migration that makes ``transition`` and follows ``migrations``.

    ``before`` is the database in memory that ``migrations`` build; it isn't changed. Running the migration can reveal
    more hazards, which the draft adds to ``hazards``. If ``name`` is None, the changes give the name.
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
    migration = new_migration(path, depends=depends, sql=sql, rollback=rollback)
    facts = Facts(forward=effects_of(forward, hazards, transition.start), rollback=effects)
    return Draft(hazards=hazards, migration=migration, facts=facts)


def _rollback(
    transition: Transition, back: Transition, hazards: Iterable[Hazard], renderer: Renderer, name: str
) -> tuple[str, Effects]:
    """Return the text of the rollback that makes the transition ``back``, and its effects."""
    backward, back_hazards = plan(back), hazards_of(back)
    slow_steps = _slow_steps(effects_of(backward, (), back.start)) or "."
    remarks = tuple(rollback_remarks(transition, hazards, back_hazards))
    head = Head(title=f"Roll back {name}{slow_steps}", remarks=remarks)
    mismatches = [hazard for hazard in back_hazards if hazard.code is Code.FOREIGN_KEY_MISMATCH]
    effects = effects_of(backward, mismatches, back.start)
    return renderer.migration(head, backward), replace(effects, loses=True)


def _transition_back(
    before: sqlite3.Connection, after: sqlite3.Connection, transition: Transition, renderer: Renderer
) -> Transition:
    """Return the transition that the rollback makes, from the database ``after`` to the schema of ``before``."""
    target = rollback_target(transition.start, transition.new, transition.renames)
    renames = transition.renames.reversed()
    back = make_transition(after, target, renames, renderer, transition.options, transition.known)
    # Keep the order of columns, because earlier migrations and their rollbacks rely on it.
    return replace(back, in_order=True, stale_indexes=stale_indexes(after, before, back))


def _title(migration: str, changes: Sequence[Change], effects: Effects) -> str:
    """Return the title of a migration: its id, its changes or their number, and its slow steps."""
    summary = "; ".join(" ".join(describe(change, brief=True).split()) for change in changes)
    if len(changes) > _MOST_LISTED:
        summary = f"{len(changes)} changes to {', '.join(dict.fromkeys(object_of(change)[1] for change in changes))}"
    return f"{migration}: {summary}{_slow_steps(effects)}"


def _slow_steps(effects: Effects) -> str:
    """Return the end of a title, which names the tables that are rewritten or read as a whole; it can be empty."""
    scanned = ", ".join(name for name, cost in effects.tables or () if cost is Cost.SCAN)
    rebuilt = ", ".join(effects.rebuilt)
    if rebuilt and scanned:
        return f". Rewrites {rebuilt} and reads every row of {scanned}."
    if rebuilt:
        return f". Rewrites {rebuilt}."
    return f". Reads every row of {scanned}." if scanned else ""
