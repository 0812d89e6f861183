"""``drift --as-migration``: turn the manual changes of a database into a migration for all databases."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, replace

from waiaas_migrate.authoring.declared import Declared, declare
from waiaas_migrate.authoring.generate import Planned, Request, plan_to_live, read_history
from waiaas_migrate.authoring.migration_names import slug_of, slugify
from waiaas_migrate.commands.drift import manual_changes
from waiaas_migrate.errors import DatabaseBusy, DatabaseRefused
from waiaas_migrate.files.enum_sources.load_enums import load_enums
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_history
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.enum_links import link_enums
from waiaas_migrate.files.schema_file.load_schema import declared_sources
from waiaas_migrate.files.schema_file.schema_edits import SchemaEdit, schema_edits
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.runner.adopt import adopt_in
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.proof.differences import listed
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.changes import schema_after
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.allowed import allowed_codes
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.reading.introspect import introspect


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver(Planned):
    """The migration that was written for manual changes, and recorded in ``database`` as applied.

    Args:
        database: the database that has the manual changes.
        edits: the edits that make schema.yaml declare the changes; the user makes them.
        notices: sentences for the user about the adoption.
    """

    database: str
    edits: tuple[SchemaEdit, ...] = ()
    notices: tuple[str, ...] = ()


@collection_paused()
def take_over(project: Project, database: StrPath, *, name: str, allow: Collection[str] = ()) -> TakenOver:
    """Write the migration for the manual changes of ``database``, and record it there as applied.

    The files are written before the migration is recorded. If recording fails, or the process is killed in between,
    call this function again: it finds the files and records the migration. The database must have applied all other
    migrations. ``allow`` lists codes of hazards to allow, or ``all``.

    Raises:
        UsageError: ``allow`` names an unknown hazard, or ``name`` can't be used.
        InputError: a file cannot be used.
        DatabaseRefused: migrations are pending, or the migration can't be recorded.
    """
    allowed, slug = allowed_codes(allow), slugify(name, "--as-migration")
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    with manual_changes(project, database) as manual, closing(replay(manual.folder.files.migrations)) as connection:
        head = introspect(connection)
        declared = declare(project, Renderer(project.templates), like=connection)
    migration = next(iter(manual.pending), "")
    has_same_name = len(manual.pending) == 1 and slug_of(migration) == slug
    # An earlier call may have written the migration without recording it.
    is_written = has_same_name and not diff(head, manual.changed)
    if manual.pending and not is_written:
        raise DatabaseRefused(
            f"{manual.name}: has not applied {', '.join(manual.pending)}. Nothing was changed. "
            f"Run `waiaas-migrate apply` first.{f' {_start_over_hint(migration)}' if has_same_name else ''}"
        )
    result = TakenOver(database=manual.name, removed=removed)
    if not is_written:
        migrations, recorded = read_history(project)
        request = Request(project=project, migrations=migrations, recorded=recorded, name=name, allowed=allowed)
        plan = plan_to_live(request, manual.changed, declared)
        planned = plan.result
        result = replace(result, changes=planned.changes, hazards=planned.hazards, refused=planned.refused)
        if plan.manifest is None or plan.new is None:
            return result
        files = write_history(project.migrations, plan.manifest, old={}, new=plan.new.files, seen=seen)
        result, migration = replace(result, written=files), plan.new.id
    edits = _edits(project, declared, manual.changed)
    return replace(result, migration=migration, edits=edits, notices=_record(database, project, migration))


def _record(database: StrPath, project: Project, migration: str) -> tuple[str, ...]:
    """Record ``migration`` in ``database`` as applied, and return sentences for the user."""
    try:
        adoption = adopt_in(database, read_folder(project.migrations), at=migration)
    except DatabaseBusy as error:
        hint = f"{migration} is written, but not recorded: run the same command again."
        raise DatabaseRefused(f"{error} {hint}") from error
    if adoption.differences:  # somebody has changed the database since the migration was planned
        raise DatabaseRefused(
            f"{database}: differs from the schema that {migration} makes: {listed(adoption.differences)}. {migration} "
            f"is written, but not recorded. {_start_over_hint(migration)}"
        )
    return adoption.notices


def _start_over_hint(migration: str) -> str:
    return (
        f"If the database was changed by hand after {migration} was written for it, delete the files of {migration}, "
        f"run `waiaas-migrate record`, then run this command again."
    )


def _edits(project: Project, declared: Declared, changed: Schema) -> tuple[SchemaEdit, ...]:
    """Return the edits that make schema.yaml declare ``changed``; lists of an enum's values become references to it."""
    loaded = load_enums(declared_sources(project.schema, root=project.root), root=project.root)
    wanted = schema_after(declared.schema, diff(declared.schema, changed))
    enums = link_enums(wanted, loaded).links
    return schema_edits(project.schema, declared.schema, wanted, root=project.root, enums=enums)
