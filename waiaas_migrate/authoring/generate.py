"""``generate``: write the migration for the changes in schema.yaml."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from waiaas_migrate.authoring.amend import without_last
from waiaas_migrate.authoring.branches import refuse_clashes, replay_folder
from waiaas_migrate.authoring.declared import Declared, declare
from waiaas_migrate.authoring.draft import changes_of, draft, hazards_of
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.authoring.migration_facts import facts_of
from waiaas_migrate.authoring.migration_names import refuse_whitespace
from waiaas_migrate.authoring.migration_proof import prove
from waiaas_migrate.authoring.tried_pragmas import refuse_faulty_pragmas
from waiaas_migrate.authoring.yoyo_reading import refuse_misread
from waiaas_migrate.errors import MigrationsError, Problem, ProofError, SchemaFileError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.facts import mark
from waiaas_migrate.files.migration_dir.manifest import (
    MANIFEST,
    Entry,
    Manifest,
    chain,
    history_problems,
    manifest_text,
    read_recorded,
)
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.migration_dir.write_files import FolderState, folder_state, recover, write_files
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema
from waiaas_migrate.files.schema_file.locate import located, placed
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.files.yaml_text.yaml_reader import join
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.hazards.allowed import allowed_codes
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.renames import hints, resolve
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.pragmas import Pragma
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.introspect import introspect


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What ``generate`` did.

    Args:
        migration: the id of the new migration; None if none was needed, or if hazards stopped it.
        changes: its changes in words.
        hazards: its hazards.
        refused: the hazards that stopped it.
        written: the files that were written.
        unrecorded: new migrations written by hand, which are recorded if anything is ``written``.
        replaced: the last migration, which was replaced or, if there is no new one, deleted.
        removed: files of an interrupted run that were deleted.
    """

    migration: str | None = None
    changes: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    refused: tuple[Hazard, ...] = ()
    written: tuple[Path, ...] = ()
    unrecorded: tuple[str, ...] = ()
    replaced: str | None = None
    removed: tuple[Path, ...] = ()


@collection_paused()
def generate(
    project: Project,
    *,
    name: str | None = None,
    allow: Collection[str] = (),
    amend: bool = False,
    released: Collection[str] = (),
) -> Generated:
    """Write the migration for the changes in schema.yaml, proved in memory first; write nothing if none is needed.

    Args:
        project: where the files are.
        name: the name of the migration; derived from the changes if None.
        allow: codes of the hazards to allow, or ``all``.
        amend: replace the last migration; if schema.yaml is as it was before that, delete it.
        released: migrations that, with all before them, must not be replaced.

    Raises:
        UsageError: ``allow`` names an unknown hazard, or ``released`` an unknown migration.
        InputError: a file cannot be used, or the last migration can't be replaced.
        ProofError: the migration fails its proof.
    """
    allowed = allowed_codes(allow)
    removed = recover(project.migrations)
    seen = folder_state(project.migrations)
    migrations, recorded = read_history(project)
    writer = Writer(project=project, seen=seen, recorded=recorded)
    if amend:
        migrations, recorded, last = without_last(project, migrations, recorded, released)
        writer = replace(writer, last=last)
    done = generate_with(writer, migrations, recorded, name, allowed)
    hazards, refused = (placed(found, project.schema, root=project.root) for found in (done.hazards, done.refused))
    return replace(done, removed=removed, hazards=hazards, refused=refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes a migration in the place of ``last``, if that is given, and the manifest in the place of ``recorded``."""

    project: Project
    seen: FolderState
    recorded: Manifest | None
    last: MigrationFile | None = None

    @property
    def last_slug(self) -> str | None:
        """Return the name of the migration to replace, without its number."""
        return None if self.last is None else self.last.id.partition("_")[2]

    def is_last(self, new: MigrationFile) -> bool:
        """Return whether ``new`` is the migration to replace, under any name."""
        last = self.last
        return last is not None and [text.replace(new.id, last.id) for text in _files(new).values()] == [
            *_files(last).values()
        ]

    def write(self, done: Generated, manifest: Manifest, new: MigrationFile | None = None) -> Generated:
        """Write what differs from the files that are there."""
        files = {} if new is None else _files(new)
        old = {} if self.last is None else _files(self.last)
        if files == old:
            files = old = {}
        text = manifest_text(manifest)
        if not (files or old) and self.recorded is not None and manifest_text(self.recorded) == text:
            return done
        written = write_files(self.project.migrations, {**files, MANIFEST: text}, removed=tuple(old), seen=self.seen)
        return replace(done, written=written, replaced=self.last.id if self.last is not None and old else None)


def _files(migration: MigrationFile) -> dict[str, str]:
    rollback = {} if migration.rollback is None else {f"{migration.id}.rollback.sql": migration.rollback}
    return {**rollback, f"{migration.id}.sql": migration.sql}


def generate_with(
    writer: Writer,
    migrations: tuple[MigrationFile, ...],
    recorded: Manifest | None,
    name: str | None,
    allowed: frozenset[Code],
) -> Generated:
    """Have ``writer`` write what is missing after ``migrations``, of which ``recorded`` lists those that are known."""
    project, renderer = writer.project, Renderer(writer.project.templates)
    with closing(replay_folder(migrations, recorded)) as before:
        refuse_clashes(migrations, recorded)
        declared = declare(project, renderer, like=before)
        refuse_faulty_pragmas(project, pragmas_of(declared.source))
        transition = transition_to_declared(project, before, declared, recorded, renderer)
        facts = facts_of(migrations, recorded)
        done = Generated(
            changes=tuple(describe(change) for change in changes_of(transition)),
            unrecorded=_unrecorded(migrations, recorded),
        )
        if not done.changes:
            head = fingerprint(read_catalog(before))
            return writer.write(done, _manifest(project, declared, chain(migrations, facts), head))
        hazards = hazards_of(transition)
        if stopped := stopped_by(done, hazards, allowed):
            return stopped
        with custom_templates_mentioned(project, renderer):
            drafted = draft(before, transition, hazards, migrations, renderer, name)
            if name is None and writer.is_last(drafted.migration):
                # Without -m, a migration that stays the same keeps its name.
                drafted = draft(before, transition, hazards, migrations, renderer, writer.last_slug)
            if stopped := stopped_by(done, drafted.hazards, allowed):
                return stopped
            head = prove(before, transition, drafted.migration)
    new = drafted.migration
    refuse_whitespace(migrations, new.id)
    entries = chain((*migrations, new), facts | {new.id: replace(drafted.facts, catalog=mark(head))})
    done = replace(done, migration=new.id, hazards=drafted.hazards)
    return writer.write(done, _manifest(project, declared, entries, head), new)


def read_history(project: Project) -> tuple[tuple[MigrationFile, ...], Manifest | None]:
    """Return the migrations of ``project`` and their manifest, if there is one.

    Raises:
        MigrationsError: they differ in what is recorded.
    """
    migrations, _, recorded = read_recorded(project.migrations, missing_ok=True)
    if recorded is not None and (problems := history_problems(recorded, migrations)):
        raise MigrationsError(problems)
    refuse_misread(migrations, recorded)
    return migrations, recorded


def _unrecorded(migrations: Sequence[MigrationFile], recorded: Manifest | None) -> tuple[str, ...]:
    listed = () if recorded is None else recorded.ids
    return tuple(migration.id for migration in migrations if migration.id not in listed) if listed else ()


def transition_to_declared(
    project: Project, before: sqlite3.Connection, declared: Declared, recorded: Manifest | None, renderer: Renderer
) -> Transition:
    """Return the transition from what the migrations build to what is declared, with the hints followed.

    Raises:
        SchemaFileError: a hint cannot be followed.
    """
    start = introspect(before, declared.known)
    renames = resolve(start, declared.schema, recorded.hints if recorded is not None else ())
    problems = tuple(Problem(file="", path=reduce(join, one.keys, ""), what=one.what) for one in renames.impossible)
    if not problems:
        transition = make_transition(before, declared.schema, renames, renderer, project.options, declared.known)
        problems = transition.problems
    if problems:
        raise SchemaFileError(located(problems, project.schema, root=project.root))
    return transition


def _manifest(project: Project, declared: Declared, entries: tuple[Entry, ...], head: str) -> Manifest:
    return Manifest(
        migrations=entries,
        pragmas=pragmas_of(declared.source),
        fingerprint=head,
        hints=hints(declared.schema),
        ignore=project.ignore,
    )


def pragmas_of(source: DeclaredSchema) -> tuple[Pragma, ...]:
    """Return the declared PRAGMAs, as the manifest keeps them."""
    return tuple(Pragma(name=name, value=value) for name, value in source.pragmas)


def stopped_by(done: Generated, hazards: tuple[Hazard, ...], allowed: Collection[Code]) -> Generated | None:
    """Return what to report if hazards that aren't allowed stop ``generate``; None if none do."""
    refused = tuple(hazard for hazard in hazards if hazard.stops_generate and hazard.code not in allowed)
    return replace(done, hazards=hazards, refused=refused) if refused else None


@contextmanager
def custom_templates_mentioned(project: Project, renderer: Renderer) -> Iterator[None]:
    """Mention the project's own templates, which may be at fault, if a proof fails."""
    try:
        yield
    except ProofError as error:
        if not renderer.is_customized:
            raise
        said = f"Your templates in {project.templates} were used. Check first whether it passes without them."
        raise ProofError(f"{said} {error}") from None
