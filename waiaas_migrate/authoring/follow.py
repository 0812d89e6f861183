"""The migration that takes over schema changes which one database already has."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.authoring.branches import replay_folder
from waiaas_migrate.authoring.declared import Declared
from waiaas_migrate.authoring.draft import Draft, changes_of, draft, hazards_of
from waiaas_migrate.authoring.generate import (
    Generated,
    custom_templates_mentioned,
    read_history,
    stopped_by,
    transition_to_declared,
)
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.authoring.migration_facts import facts_of
from waiaas_migrate.authoring.migration_names import refuse_whitespace
from waiaas_migrate.authoring.migration_proof import prove
from waiaas_migrate.files.migration_dir.facts import mark
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, chain, manifest_text
from waiaas_migrate.files.migration_dir.write_files import FolderState, write_files
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.renames import Renames, hints


def write_following(
    project: Project,
    live: Schema,
    declared: Declared,
    seen: FolderState,
    *,
    name: str,
    allowed: Collection[Code],
) -> Generated:
    """Write the migration that leads from the schema of the migrations to ``live``, proved in memory first.

    If schema.yaml, which is ``declared``, has the change already, its hints are followed: a column that was renamed by
    hand is renamed by the migration, too. ``seen`` is the state of the folder for which ``live`` was read.

    Raises:
        InputError: a file cannot be used.
        ProofError: the migration fails its proof.
    """
    renderer = Renderer(project.templates)
    migrations, recorded = read_history(project)
    source = None if diff(declared.schema, live) else declared
    with closing(replay_folder(migrations, recorded)) as before:
        if source is not None:
            transition = transition_to_declared(project, before, source, recorded, renderer)
        else:
            transition = make_transition(before, live, Renames(), renderer, project.options)
        done = Generated(changes=tuple(describe(change) for change in changes_of(transition)))
        hazards = hazards_of(transition)
        if not done.changes:
            return done
        if stopped := stopped_by(done, hazards, allowed):
            return stopped
        with custom_templates_mentioned(project, renderer):
            drafted = draft(before, transition, hazards, migrations, renderer, name)
            if stopped := stopped_by(done, drafted.hazards, allowed):
                return stopped
            head = prove(before, transition, drafted.migration)
    written = _write(project, drafted, head, source, seen)
    return replace(done, migration=drafted.migration.id, hazards=drafted.hazards, written=written)


def _write(project: Project, drafted: Draft, head: str, source: Declared | None, seen: FolderState) -> tuple[Path, ...]:
    """Write the migration and the manifest; the hints of ``source`` have been followed."""
    new = drafted.migration
    migrations, recorded = read_history(project)
    refuse_whitespace(migrations, new.id)
    facts = facts_of(migrations, recorded) | {new.id: replace(drafted.facts, catalog=mark(head))}
    manifest = replace(
        recorded or Manifest(migrations=(), ignore=project.ignore),
        migrations=chain((*migrations, new), facts),
        fingerprint=head,
    )
    if source is not None:
        manifest = replace(manifest, hints=hints(source.schema))
    files = {f"{new.id}.rollback.sql": new.rollback or "", f"{new.id}.sql": new.sql, MANIFEST: manifest_text(manifest)}
    return write_files(project.migrations, files, seen=seen)
