"""``generate``: the migration from what the migrations build to what schema.yaml declares."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.errors import MigrationsError, Problem, SchemaFileError
from waiaas_migrate.files.manifest import MANIFEST, Manifest, chain, history_problems, manifest_text, read_manifest
from waiaas_migrate.files.migration_dir import MigrationFile, new_migration, read_migrations
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.render import Renderer
from waiaas_migrate.files.schema_file import DeclaredSchema
from waiaas_migrate.files.writing import write_files
from waiaas_migrate.generate.declared import Declared, declare
from waiaas_migrate.generate.naming import next_id
from waiaas_migrate.generate.proof import MigrationText, prove, run_file
from waiaas_migrate.generate.replay import replay
from waiaas_migrate.generate.transition import make_transition
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.hints import way_back
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.renames import Renames, hints, resolve
from waiaas_migrate.sqlite.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.connection import Pragma
from waiaas_migrate.sqlite.introspect import introspect
from waiaas_migrate.sqlite.memory import copy
from waiaas_migrate.sqlite.plan import plan
from waiaas_migrate.sqlite.transition import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What ``generate`` did: the new migration's id (None where none was needed), its changes in words, the files."""

    migration: str | None
    changes: tuple[str, ...]
    written: tuple[Path, ...]


def generate(project: Project, *, name: str | None = None) -> Generated:
    """Write the migration that schema.yaml calls for, proved in memory first; write nothing where none is needed.

    Args:
        project: where everything is.
        name: what the migration is called; made up from the changes where None.

    Raises:
        InputError: where a file cannot be used.
        UnsupportedError: where a change cannot be generated.
        ProofError: where the migration fails its proof.
    """
    renderer = Renderer(project.templates)
    migrations = read_migrations(project.migrations, missing_ok=True)
    recorded = read_manifest(project.migrations)
    if recorded is not None and (problems := history_problems(recorded, migrations)):
        raise MigrationsError(problems)
    declared = declare(project, renderer)
    before = replay(migrations)
    forward = make_transition(
        before,
        declared.schema,
        _renames(project, introspect(before), declared, recorded),
        renderer,
        catalog_edits=project.catalog_edits,
    )
    changes = (*forward.renames.tables, *forward.renames.columns, *forward.changes)
    files: dict[str, str] = {}
    text = None
    if changes:
        text = _text(renderer, migrations, name, before, forward)
        prove(before, forward.start, declared.schema, text)
        files = {f"{text.id}.rollback.sql": text.backward, f"{text.id}.sql": text.forward}
        migrations = (*migrations, _as_file(project, migrations, text))
        before = replay(migrations)
    manifest = _manifest(before, declared, migrations)
    if recorded is None or manifest_text(recorded) != manifest_text(manifest):
        files[MANIFEST] = manifest_text(manifest)
    return Generated(
        migration=None if text is None else text.id,
        changes=tuple(describe(change) for change in changes),
        written=write_files(project.migrations, files) if files else (),
    )


def _renames(project: Project, old: Schema, declared: Declared, recorded: Manifest | None) -> Renames:
    renames = resolve(old, declared.schema, recorded.hints if recorded is not None else ())
    if renames.impossible:
        raise SchemaFileError([Problem(file=str(project.schema), what=problem) for problem in renames.impossible])
    return renames


def _text(
    renderer: Renderer,
    migrations: Sequence[MigrationFile],
    name: str | None,
    before: sqlite3.Connection,
    forward: Transition,
) -> MigrationText:
    changes = (*forward.renames.tables, *forward.renames.columns, *forward.changes)
    migration = next_id((file.id for file in migrations), name, changes)
    text = renderer.migration(migration, heads(migrations), plan(forward).steps)
    with closing(copy(before)) as after:
        run_file(after, text, f"{migration}.sql")
        backward = make_transition(
            after,
            way_back(forward.start, forward.new, forward.renames),
            forward.renames.reversed(),
            renderer,
            catalog_edits=forward.catalog_edits,
        )
    back = renderer.migration(f"{migration}, rolled back", (), plan(backward).steps)
    return MigrationText(id=migration, forward=text, backward=back)


def heads(migrations: Sequence[MigrationFile]) -> tuple[str, ...]:
    """The ids that no other migration depends on; a new one depends on these."""
    depended_on = {name for migration in migrations for name in migration.depends}
    return tuple(migration.id for migration in migrations if migration.id not in depended_on)


def _as_file(project: Project, migrations: Sequence[MigrationFile], text: MigrationText) -> MigrationFile:
    path = project.migrations / f"{text.id}.sql"
    return new_migration(path, depends=heads(migrations), sql=text.forward, rollback=text.backward)


def _manifest(head: sqlite3.Connection, declared: Declared, migrations: Sequence[MigrationFile]) -> Manifest:
    return Manifest(
        migrations=chain(migrations),
        pragmas=pragmas_of(declared.source),
        fingerprint=fingerprint(read_catalog(head)),
        hints=hints(declared.schema),
    )


def pragmas_of(source: DeclaredSchema) -> tuple[Pragma, ...]:
    """The declared PRAGMAs, as the manifest keeps them."""
    return tuple(Pragma(name=name, value=value) for name, value in source.pragmas)
