"""``drift --as-migration``: write a migration that makes a manual change in other databases, too."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, replace

from waiaas_migrate.authoring.declared import Declared, declare
from waiaas_migrate.authoring.follow import plan_to_live
from waiaas_migrate.authoring.generate import Planned, Request, read_history
from waiaas_migrate.authoring.migration_names import slug_of, slugify
from waiaas_migrate.commands.manual_changes import manual_changes
from waiaas_migrate.errors import DatabaseBusy, DatabaseRefused
from waiaas_migrate.files.enum_sources.load_enums import load_enums
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_history
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.enum_keys import declared_sources
from waiaas_migrate.files.schema_file.enum_links import link_enums
from waiaas_migrate.files.schema_file.schema_edits import SchemaEdit, schema_edits
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.runner.adopt import adopt_in
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.proof.differences import listed
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.applied import applied
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.allowed import allowed_codes
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.reading.introspect import introspect


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver(Planned):
    """A manual change that became a migration, which is recorded in ``database`` as applied.

    Args:
        database: the database that has the change.
        edits: what schema.yaml must declare.
        notices: what else happened.
    """

    database: str
    edits: tuple[SchemaEdit, ...] = ()
    notices: tuple[str, ...] = ()


@collection_paused()
def take_over(project: Project, database: StrPath, *, name: str, allow: Collection[str] = ()) -> TakenOver:
    """Write the migration for the manual changes of ``database``, and record it there as applied.

    The files are written first. If recording fails, or the process is killed in between, call this again: it finds
    them and records the migration. The database must have applied all others. ``allow`` names hazards, or ``all``.

    Raises:
        UsageError: ``allow`` names an unknown hazard, or ``name`` can't be used.
        InputError: a file cannot be used.
        DatabaseRefused: migrations are pending, or the database refused.
    """
    allowed, slug = allowed_codes(allow), slugify(name, "--as-migration")
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    with manual_changes(project, database) as found, closing(replay(found.folder.files.migrations)) as connection:
        head = introspect(connection)
        declared = declare(project, Renderer(project.templates), like=connection)
    written = next(iter(found.pending), "")
    has_name = len(found.pending) == 1 and slug_of(written) == slug
    is_written = has_name and not diff(head, found.live)
    if found.pending and not is_written:
        raise DatabaseRefused(
            f"{found.name}: has not applied {', '.join(found.pending)}. Nothing was changed. "
            f"Run `waiaas-migrate apply` first.{f' {_start_over(written)}' if has_name else ''}"
        )
    result = TakenOver(database=found.name, removed=removed)
    if not is_written:
        migrations, recorded = read_history(project)
        request = Request(project=project, migrations=migrations, recorded=recorded, name=name, allowed=allowed)
        plan = plan_to_live(request, found.live, declared)
        done = plan.result
        result = replace(result, changes=done.changes, hazards=done.hazards, refused=done.refused)
        if plan.manifest is None or plan.new is None:
            return result
        files = write_history(project.migrations, plan.manifest, old={}, new=plan.new.files, seen=seen)
        result, written = replace(result, written=files), plan.new.id
    edits = _edits(project, declared, found.live)
    return replace(result, migration=written, edits=edits, notices=_record(database, project, written))


def _record(database: StrPath, project: Project, migration: str) -> tuple[str, ...]:
    try:
        done = adopt_in(database, read_folder(project.migrations), at=migration)
    except DatabaseBusy as error:
        hint = f"{migration} is written, but not recorded: run the same command again."
        raise DatabaseRefused(f"{error} {hint}") from error
    if done.differences:  # somebody changed it meanwhile
        raise DatabaseRefused(
            f"{database}: differs from what {migration} leads to: {listed(done.differences)}. {migration} is written, "
            f"but not recorded. {_start_over(migration)}"
        )
    return done.notices


def _start_over(migration: str) -> str:
    return (
        f"If the database was changed by hand after {migration} was written for it, delete the files of {migration}, "
        f"run `waiaas-migrate record`, then run this command again."
    )


def _edits(project: Project, declared: Declared, live: Schema) -> tuple[SchemaEdit, ...]:
    """Return the edits that make schema.yaml declare ``live``; lists of values refer to its enums."""
    loaded = load_enums(declared_sources(project.schema, root=project.root), root=project.root)
    wanted = applied(declared.schema, diff(declared.schema, live))
    links = link_enums(wanted, loaded).links
    return schema_edits(project.schema, declared.schema, wanted, root=project.root, enums=links)
