"""``generate``: the migration from what the migrations build to what schema.yaml declares."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from waiaas_migrate.authoring.branches import refuse_clashes, replay_folder
from waiaas_migrate.authoring.declared import Declared, declare
from waiaas_migrate.authoring.draft import Draft, changes_of, draft, has_whitespace, hazards_of
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.authoring.migration_facts import facts_of
from waiaas_migrate.authoring.migration_proof import prove
from waiaas_migrate.errors import MigrationsError, Problem, ProofError, SchemaFileError, UsageError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.facts import Facts, mark
from waiaas_migrate.files.migration_dir.manifest import (
    MANIFEST,
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
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.renames import hints, resolve
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.pragmas import Pragma
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.introspect import introspect

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What ``generate`` did: the new migration's id, its changes in words, its hazards, and the files.

    ``migration`` is None where none was needed, or where ``refused`` hazards stood against it. ``unrecorded`` are those
    that were written by hand since: what they make and schema.yaml does not have is among what was to be dropped.
    ``removed`` are files that an interrupted run had left.
    """

    migration: str | None = None
    changes: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    refused: tuple[Hazard, ...] = ()
    written: tuple[Path, ...] = ()
    unrecorded: tuple[str, ...] = ()
    removed: tuple[Path, ...] = ()


@collection_paused()
def generate(project: Project, *, name: str | None = None, allow: Collection[str] = ()) -> Generated:
    """Write the migration that schema.yaml calls for, proved in memory first; write nothing where none is needed.

    Args:
        project: where everything is.
        name: what the migration is called; made up from the changes where None.
        allow: codes of the hazards to allow, or ``all``.

    Raises:
        UsageError: where ``allow`` names no hazard.
        InputError: where a file cannot be used.
        ProofError: where the migration fails its proof.
    """
    allowed = allowed_codes(allow)
    removed = recover(project.migrations)
    done = _generate(project, name, allowed)
    return replace(done, removed=removed, hazards=placed(done.hazards, project.schema, root=project.root))


def _generate(project: Project, name: str | None, allowed: frozenset[Code]) -> Generated:
    renderer = Renderer(project.templates)
    seen = folder_state(project.migrations)
    migrations, recorded = _history(project)
    with closing(replay_folder(migrations, recorded)) as before:
        refuse_clashes(migrations, recorded)
        declared = declare(project, renderer, like=before)
        transition = transition_to_declared(project, before, declared, recorded, renderer)
        if not changes_of(transition):
            head = fingerprint(read_catalog(before))
            manifest = _manifest(project, head, declared, migrations, facts_of(migrations, recorded))
            return _record(project, manifest, recorded, seen)
        dangers, unrecorded = hazards_of(transition), _unrecorded(migrations, recorded)
        stopped = _stopped(transition, dangers, allowed, unrecorded)
        if stopped is not None:
            return stopped
        with _own_templates(project, renderer):
            drafted = draft(before, transition, dangers, migrations, renderer, name)
            stopped = _stopped(transition, drafted.hazards, allowed, unrecorded)
            if stopped is not None:
                return stopped
            head = prove(before, transition, drafted.migration)
        _refuse_unnamable(migrations, drafted.migration)
        facts = facts_of(migrations, recorded) | {drafted.migration.id: replace(drafted.facts, catalog=mark(head))}
        manifest = _manifest(project, head, declared, (*migrations, drafted.migration), facts)
    return replace(_write(project, drafted, manifest, seen), unrecorded=unrecorded)


@contextmanager
def _own_templates(project: Project, renderer: Renderer) -> Iterator[None]:
    """Let a proof that fails say where the project's own templates took part, and so may be at fault."""
    try:
        yield
    except ProofError as error:
        if not renderer.is_customized:
            raise
        said = f"The templates in {project.templates} took part: see first whether it passes without them."
        raise ProofError(f"{said} {error}") from None


def allowed_codes(allow: Collection[str]) -> frozenset[Code]:
    """The hazards that ``allow`` names; all of them for ``all``.

    Raises:
        UsageError: where a name is none.
    """
    codes: set[Code] = set()
    for name in allow:
        if name.lower() == ALL:
            return frozenset(Code)
        if name.upper() not in Code.__members__:
            close = difflib.get_close_matches(name.upper(), Code.__members__, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(Code)}, and all."
            raise UsageError(f"--allow {name}: there is no such hazard. {hint}")
        codes.add(Code[name.upper()])
    return frozenset(codes)


def transition_to_declared(
    project: Project, before: sqlite3.Connection, declared: Declared, recorded: Manifest | None, renderer: Renderer
) -> Transition:
    """The transition from what the migrations build to what is declared, hints followed.

    Raises:
        SchemaFileError: where a hint cannot be fulfilled.
    """
    start = introspect(before, declared.known)
    renames = resolve(start, declared.schema, recorded.hints if recorded is not None else ())
    if renames.impossible:
        problems = [Problem(file="", path=reduce(join, one.keys, ""), what=one.what) for one in renames.impossible]
        raise SchemaFileError(located(problems, project.schema, root=project.root))
    transition = make_transition(before, declared.schema, renames, renderer, project.options, declared.known)
    if transition.problems:
        raise SchemaFileError(located(transition.problems, project.schema, root=project.root))
    return transition


def _history(project: Project) -> tuple[tuple[MigrationFile, ...], Manifest | None]:
    migrations, _, recorded = read_recorded(project.migrations, missing_ok=True)
    if recorded is not None and (problems := history_problems(recorded, migrations)):
        raise MigrationsError(problems)
    return migrations, recorded


def _stopped(
    transition: Transition, dangers: Sequence[Hazard], allowed: Collection[Code], unrecorded: tuple[str, ...]
) -> Generated | None:
    """Return what to report if hazards that nobody allowed stop ``generate``; None if none do."""
    refused = tuple(hazard for hazard in dangers if hazard.stops_generate and hazard.code not in allowed)
    if not refused:
        return None
    return Generated(changes=_words(transition), hazards=tuple(dangers), refused=refused, unrecorded=unrecorded)


def _unrecorded(migrations: Sequence[MigrationFile], recorded: Manifest | None) -> tuple[str, ...]:
    listed = () if recorded is None else recorded.ids
    return tuple(migration.id for migration in migrations if migration.id not in listed) if listed else ()


def _words(transition: Transition) -> tuple[str, ...]:
    return tuple(describe(change) for change in changes_of(transition))


def _record(project: Project, manifest: Manifest, recorded: Manifest | None, seen: FolderState) -> Generated:
    """Write only the manifest, if it is out of date: no migration is needed."""
    text = manifest_text(manifest)
    if recorded is not None and manifest_text(recorded) == text:
        return Generated()
    return Generated(written=write_files(project.migrations, {MANIFEST: text}, seen=seen))


def _refuse_unnamable(migrations: Sequence[MigrationFile], new: MigrationFile) -> None:
    """Refuse migrations that sort after ``new`` and that a ``depends`` line can't name."""
    if later := [m for m in migrations if m.id > new.id and has_whitespace(m.id)]:
        what = f"sorts after {new.id} and has whitespace in its name, so the new migration cannot depend on it."
        fix = "If no database has run it, rename it, as in 0002_name.sql."
        raise MigrationsError([Problem(file=str(m.path), what=what, fix=fix) for m in later])


def _write(project: Project, drafted: Draft, manifest: Manifest, seen: FolderState) -> Generated:
    migration = drafted.migration
    files = {
        f"{migration.id}.rollback.sql": migration.rollback or "",
        f"{migration.id}.sql": migration.sql,
        MANIFEST: manifest_text(manifest),
    }
    return Generated(
        migration=migration.id,
        changes=tuple(describe(change) for change in drafted.changes),
        hazards=drafted.hazards,
        written=write_files(project.migrations, files, seen=seen),
    )


def _manifest(
    project: Project, head: str, declared: Declared, migrations: Sequence[MigrationFile], facts: Mapping[str, Facts]
) -> Manifest:
    return Manifest(
        migrations=chain(migrations, facts),
        pragmas=pragmas_of(declared.source),
        fingerprint=head,
        hints=hints(declared.schema),
        ignore_tables=project.ignore_tables,
    )


def pragmas_of(source: DeclaredSchema) -> tuple[Pragma, ...]:
    """The declared PRAGMAs, as the manifest keeps them."""
    return tuple(Pragma(name=name, value=value) for name, value in source.pragmas)
