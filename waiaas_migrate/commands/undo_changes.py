"""``drift --fix``: generate the SQL that undoes the manual changes of a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.authoring.affected_objects import stale_indexes
from waiaas_migrate.authoring.draft import changes_of, hazards_of
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.authoring.migration_proof import run_new
from waiaas_migrate.authoring.rollback_remarks import hazard_remark
from waiaas_migrate.commands.drift import manual_changes
from waiaas_migrate.commands.live_database import copy_of_schema
from waiaas_migrate.errors import ProofError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.migration_files import new_migration
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.templates.render import Head, Renderer
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.hazard import Hazard
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import Renames
from waiaas_migrate.sqlite.database.memory import copy_database
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.planning.actions import CopyRows, Drop, DropColumn, Step
from waiaas_migrate.sqlite.planning.plan import plan
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.introspect import introspect


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """The SQL that would undo the manual changes of a database, with the changes that it makes and their hazards.

    The SQL has not run on the database. ``sql`` is empty if the database has no manual changes.
    """

    database: str
    changes: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    sql: str = ""


@collection_paused()
def undo_changes(project: Project, database: StrPath) -> Undoing:
    """Return the SQL that would undo the manual changes of ``database``, tried in memory; write nothing.

    Raises:
        InputError: a file cannot be used.
        DatabaseRefused: the database has no record of migrations, or ran other migrations than those in the folder.
    """
    renderer = Renderer(project.templates)
    with manual_changes(project, database) as manual:
        other_tools = manual.folder.other_tools.with_declared(manual.expected.names)
        before = copy_of_schema(manual.connection, other_tools, renderer, manual.name)
    with closing(before):
        transition = make_transition(before, manual.expected, Renames(), renderer, project.options)
        changes = tuple(describe(change) for change in changes_of(transition))
        if not changes:
            return Undoing(database=manual.name)
        hazards = hazards_of(transition)
        title = f"Undo the manual changes to {manual.name}: {'; '.join(changes)}"
        sql = _render_and_prove(before, transition, hazards, renderer, " ".join(title.split()))
    return Undoing(database=manual.name, changes=changes, hazards=hazards, sql=sql)


def _render_and_prove(
    before: sqlite3.Connection, transition: Transition, hazards: Sequence[Hazard], renderer: Renderer, title: str
) -> str:
    """Return the SQL that makes ``transition``, after running it on a copy of ``before`` and checking the result."""
    how_to_run = "Review it, back up the database, then run: sqlite3 -bail DATABASE < THIS_FILE"
    head = Head(title=title, remarks=(*map(hazard_remark, hazards), how_to_run))

    def render() -> str:
        return renderer.migration(head, [_warn_of_loss(step, hazards) for step in plan(transition)])

    sql = render()
    with closing(copy_database(before)) as after:
        run_new(after, new_migration(Path("fix.sql"), depends=(), sql=sql, rollback=""))
        if left := diff(introspect(after), transition.new):
            words = "; ".join(map(describe, left))
            raise ProofError(f"The SQL does not undo the manual changes. Missing: {words}. Nothing was changed.")
        if stale := stale_indexes(before, after, transition):
            transition = replace(transition, stale_indexes=stale)
            sql = render()
    return f"PRAGMA foreign_keys = OFF;\nBEGIN IMMEDIATE;\n\n{sql}\nCOMMIT;\n"


def _warn_of_loss(step: Step, hazards: Sequence[Hazard]) -> Step:
    """Return ``step`` with a warning in its comment if it deletes data."""
    tables = {
        fold(action.name if isinstance(action, Drop) else action.table)
        for action in step.actions
        if isinstance(action, Drop | DropColumn | CopyRows)
    }
    destructive = (hazard for hazard in hazards if hazard.is_destructive)
    losses = [hazard.what for hazard in destructive if fold(hazard.where.partition(".")[0]) in tables]
    return replace(step, words=f"DESTRUCTIVE: {' '.join(losses)} {step.words}".rstrip()) if losses else step
