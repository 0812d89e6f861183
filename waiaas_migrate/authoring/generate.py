"""``generate``: write the migration for the changes in schema.yaml.

This module also plans the migrations of ``rebase`` and ``drift --as-migration``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from waiaas_migrate.authoring.declared import Declared, declare
from waiaas_migrate.authoring.draft import changes_of, draft, hazards_of
from waiaas_migrate.authoring.faulty_pragmas import refuse_faulty_pragmas
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.authoring.migration_conflicts import refuse_conflicts, replay_folder
from waiaas_migrate.authoring.migration_facts import facts_of
from waiaas_migrate.authoring.migration_names import refuse_whitespace, slug_of
from waiaas_migrate.authoring.migration_proof import prove
from waiaas_migrate.authoring.released import reasons_released
from waiaas_migrate.authoring.yoyo_reading import refuse_misread
from waiaas_migrate.errors import MigrationsError, Problem, ProofError, SchemaFileError, UsageError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.facts import Facts, short_fingerprint
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, chain, history_problems, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_history
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema
from waiaas_migrate.files.schema_file.locate import locate_hazards, locate_problems
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.files.yaml_text.yaml_reader import append_key
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.allowed import allowed_codes
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import Renames, hints, resolve
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.pragmas import Pragma
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.introspect import introspect


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The result of a command that writes a migration if one is needed.

    Args:
        migration: the id of the new migration; None if none was needed, or if hazards stopped the command.
        changes: the changes that the migration makes, in words.
        hazards: the hazards of these changes.
        refused: the hazards that stopped the command.
        written: the files that were written.
        removed: files of an interrupted run that were deleted.
    """

    migration: str | None = None
    changes: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    refused: tuple[Hazard, ...] = ()
    written: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated(Planned):
    """The result of ``generate``.

    Args:
        unrecorded: the ids of new hand-written migrations, which are recorded if anything is ``written``.
        replaced: the id of the migration that was replaced, or deleted because schema.yaml no longer needs it.
    """

    unrecorded: tuple[str, ...] = ()
    replaced: str | None = None


@collection_paused()
def generate(
    project: Project,
    *,
    name: str | None = None,
    allow: Collection[str] = (),
    amend: bool = False,
    released: Collection[str] = (),
) -> Generated:
    """Write the migration for the changes in schema.yaml, if it needs one, and update the manifest.

    The migration is proved in memory first. If hazards stop the command, nothing is written.

    Args:
        project: where the files are.
        name: the name of the migration; derived from the changes if None.
        allow: codes of the hazards to allow, or ``all``.
        amend: replace the last migration, or delete it if schema.yaml no longer needs it.
        released: ids of released migrations. They and the migrations before them must not be replaced.

    Raises:
        UsageError: ``allow`` or ``released`` has an unknown name, ``name`` is unusable, or there is nothing to amend.
        InputError: a file cannot be used, or the last migration can't be replaced.
        ProofError: the migration fails its proof.
    """
    allowed = allowed_codes(allow)
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    migrations, recorded = read_history(project)
    base, last = recorded, None
    if amend:
        migrations, base, last = _without_last(project, migrations, recorded, released)
    request = Request(project=project, migrations=migrations, recorded=base, name=name, allowed=allowed, last=last)
    plan = plan_to_declared(request)
    result = replace(plan.result, removed=removed)
    old, new = ({} if migration is None else migration.files for migration in (last, plan.new))
    if plan.manifest is None or (old == new and plan.manifest == recorded):
        return result
    written = write_history(project.migrations, plan.manifest, old=old, new=new, seen=seen)
    return replace(result, written=written, replaced=last.id if last is not None and old != new else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The migration to plan.

    Args:
        project: where the files are.
        migrations: the existing migrations, which the new one follows.
        recorded: the manifest, which doesn't list new hand-written migrations; None if there is no manifest.
        name: the name of the new migration; derived from its changes if None.
        allowed: the hazards to allow.
        last: the migration to replace. If only the derived name would change, the new migration keeps the old name.
    """

    project: Project
    migrations: tuple[MigrationFile, ...]
    recorded: Manifest | None
    name: str | None
    allowed: frozenset[Code]
    last: MigrationFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The result to return, the manifest (None if hazards stop the command), and the new migration if one is needed."""

    result: Generated
    manifest: Manifest | None = None
    new: MigrationFile | None = None


def plan_to_declared(request: Request) -> Plan:
    """Plan the migration that leads from the existing migrations to the declared schema."""
    project, renderer = request.project, Renderer(request.project.templates)
    with closing(replay_folder(request.migrations, request.recorded)) as before:
        refuse_conflicts(request.migrations, request.recorded)
        declared = declare(project, renderer, like=before)
        pragmas = pragmas_of(declared.source)
        refuse_faulty_pragmas(project, pragmas)
        transition = transition_to_declared(project, before, declared, request.recorded, renderer)
        manifest = Manifest(pragmas=pragmas, hints=hints(declared.schema), ignore=project.ignore)
        return plan_transition(request, before, transition, renderer, manifest)


def plan_to_live(request: Request, live: Schema, declared: Declared) -> Plan:
    """Plan the migration that leads from the existing migrations to ``live``, the schema of a database.

    If schema.yaml already declares the schema of the database, follow the hints in schema.yaml. So if a column was
    renamed by hand, the migration renames it, too.

    Raises:
        InputError: a file cannot be used.
        ProofError: the migration fails its proof.
    """
    project, recorded, renderer = request.project, request.recorded, Renderer(request.project.templates)
    manifest = recorded or Manifest(ignore=project.ignore)
    with closing(replay_folder(request.migrations, recorded)) as before:
        if diff(declared.schema, live):
            transition = make_transition(before, live, Renames(), renderer, project.options)
        else:
            transition = transition_to_declared(project, before, declared, recorded, renderer)
            manifest = replace(manifest, hints=hints(declared.schema))
        return plan_transition(request, before, transition, renderer, manifest)


def plan_transition(
    request: Request, before: sqlite3.Connection, transition: Transition, renderer: Renderer, manifest: Manifest
) -> Plan:
    """Plan the migration that makes ``transition``.

    ``before`` is the database in memory that the existing migrations build. ``manifest`` is the new manifest, still
    without migrations and fingerprint.
    """
    project, migrations = request.project, request.migrations
    facts = facts_of(migrations, request.recorded)
    listed = () if request.recorded is None else request.recorded.ids
    result = Generated(
        changes=tuple(describe(change) for change in changes_of(transition)),
        unrecorded=tuple(migration.id for migration in migrations if listed and migration.id not in listed),
    )
    if not result.changes:
        head = fingerprint(read_catalog(before))
        return Plan(result=result, manifest=replace(manifest, migrations=chain(migrations, facts), fingerprint=head))
    result = replace(result, hazards=locate_hazards(hazards_of(transition), project.schema, root=project.root))
    if refused := _refused(result.hazards, request.allowed):
        return Plan(result=replace(result, refused=refused))
    with _custom_templates_mentioned(project, renderer):
        drafted = draft(before, transition, result.hazards, migrations, renderer, request.name)
        if request.name is None and request.last is not None and _differ_only_in_id(drafted.migration, request.last):
            drafted = draft(before, transition, result.hazards, migrations, renderer, slug_of(request.last.id))
        result = replace(result, hazards=drafted.hazards)
        if refused := _refused(result.hazards, request.allowed):
            return Plan(result=replace(result, refused=refused))
        head = prove(before, transition, drafted.migration)
    new = drafted.migration
    refuse_whitespace(migrations, new.id)
    entries = chain((*migrations, new), facts | {new.id: replace(drafted.facts, catalog=short_fingerprint(head))})
    manifest = replace(manifest, migrations=entries, fingerprint=head)
    return Plan(result=replace(result, migration=new.id), manifest=manifest, new=new)


def _differ_only_in_id(new: MigrationFile, last: MigrationFile) -> bool:
    """Return whether the files of two migrations are the same, except that each contains its own id."""
    return [text.replace(new.id, last.id) for text in new.files.values()] == [*last.files.values()]


def read_history(project: Project) -> tuple[tuple[MigrationFile, ...], Manifest | None]:
    """Return the project's migrations and its manifest; the manifest is None if there is no such file.

    Raises:
        MigrationsError: the folder is faulty, a recorded migration was edited or deleted, or yoyo misreads a new one.
    """
    migrations, _, recorded = read_recorded(project.migrations, missing_ok=True)
    if recorded is not None and (problems := history_problems(recorded, migrations)):
        raise MigrationsError(problems)
    refuse_misread(migrations, recorded)
    return migrations, recorded


def transition_to_declared(
    project: Project, before: sqlite3.Connection, declared: Declared, recorded: Manifest | None, renderer: Renderer
) -> Transition:
    """Return the transition from the schema of ``before`` to the declared schema, with its renames and backfills.

    The manifest ``recorded`` lists the rename hints that earlier migrations have followed.

    Raises:
        SchemaFileError: a rename or a backfill can't be done.
    """
    start = introspect(before, declared.known)
    renames = resolve(start, declared.schema, recorded.hints if recorded is not None else ())
    problems = tuple(
        Problem(file="", path=reduce(append_key, hint.keys, ""), what=hint.problem) for hint in renames.impossible
    )
    if not problems:
        transition = make_transition(before, declared.schema, renames, renderer, project.options, declared.known)
        problems = transition.problems
    if problems:
        raise SchemaFileError(locate_problems(problems, project.schema, root=project.root))
    return transition


def pragmas_of(source: DeclaredSchema) -> tuple[Pragma, ...]:
    """Return the PRAGMAs of schema.yaml in the form in which the manifest records them."""
    return tuple(Pragma(name=name, value=value) for name, value in source.pragmas)


def _refused(hazards: tuple[Hazard, ...], allowed: Collection[Code]) -> tuple[Hazard, ...]:
    return tuple(hazard for hazard in hazards if hazard.stops_generate and hazard.code not in allowed)


@contextmanager
def _custom_templates_mentioned(project: Project, renderer: Renderer) -> Iterator[None]:
    """If a proof fails inside the block, mention the project's own templates, which may be at fault."""
    try:
        yield
    except ProofError as error:
        if not renderer.is_customized:
            raise
        advice = f"Your templates in {project.templates} were used. First check whether the proof passes without them."
        raise ProofError(f"{advice} {error}") from None


def _without_last(
    project: Project, migrations: Sequence[MigrationFile], recorded: Manifest | None, released: Collection[str]
) -> tuple[tuple[MigrationFile, ...], Manifest, MigrationFile]:
    """Return the migrations and the manifest without the last migration, and the last migration, for ``--amend``."""
    if not migrations:
        raise UsageError("--amend: there is no migration yet. Run `waiaas-migrate generate`.")
    last = migrations[-1]
    entry = None if recorded is None or recorded.ids[-1:] != (last.id,) else recorded.migrations[-1]
    if recorded is None or entry is None or len(recorded.ids) != len(migrations):
        what = f"does not list all migrations, or does not list {last.id} last."
        raise _cannot_amend(project.migrations / MANIFEST, what, "Run `waiaas-migrate record`, then run this again.")
    if reason := reasons_released(project, recorded.ids, released).get(last.id):
        fix = "Write a new migration: run `waiaas-migrate generate`."
        raise _cannot_amend(last.path, f"is released: {reason}.", fix)
    if last.kind == "python" or entry.facts.by_hand:
        fix = "Edit or delete its files, then run `waiaas-migrate record`."
        raise _cannot_amend(last.path, "was written or edited by hand, and --amend would discard that.", fix)
    before = replace(recorded, migrations=recorded.migrations[:-1], hints=_hints_before(recorded.hints, entry.facts))
    return tuple(migrations[:-1]), before, last


def _cannot_amend(path: Path, what: str, fix: str) -> MigrationsError:
    return MigrationsError([Problem(file=str(path), what=what, fix=fix)])


def _hints_before(hints: tuple[str, ...], last: Facts) -> tuple[str, ...]:
    """Return ``hints`` without the hints for swaps of names that the migration with the facts ``last`` made.

    The schema has the same names before and after a swap, so only the manifest shows that a swap was done. For each
    swap, the manifest records a hazard with the name of the table.
    """
    swapped = [fold(hazard.where) for hazard in last.forward.hazards if hazard.code == Code.SWAP_NAMES]
    undone = {hint for hint in hints for table in swapped if hint.startswith(f"{table}.")}
    pairs = {new: old for new, _, old in (hint.partition(" < ") for hint in hints)}
    for name in swapped:
        while name in pairs:
            old = pairs.pop(name)
            undone.add(f"{name} < {old}")
            name = old  # noqa: PLW2901 — follows the cycle
    return tuple(hint for hint in hints if hint not in undone)
