"""``drift``: find manual changes: differences between a live database and the schema that its migrations make."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from waiaas_migrate.commands.findings import Finding, FindingCode, Subject, schema_findings
from waiaas_migrate.commands.live_database import (
    DatabaseState,
    ProjectFolder,
    database_state,
    live_connection,
    read_project_folder,
)
from waiaas_migrate.errors import DatabaseRefused, OtherMigrationsError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome, each
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.changes import object_of, schema_after
from waiaas_migrate.schema.describe import describe_made
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.reading.introspect import introspect

_FIX_MIGRATION = (
    "Use the version of the application that has it. If only databases of your own ran it, run "
    "`waiaas-migrate apply --redo` on them."
)
_HOOKS = "differs from what the post-apply hooks make: {}."
_FIX_HOOKS = (
    "Hooks run only when `apply` has pending migrations. If they changed since, run them by hand or wait for the next "
    "migration. Otherwise undo the manual change."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The differences between a database and the schema that its migrations build.

    Objects of post-apply hooks are compared only if no migration is pending, because hooks run after the last one.

    Args:
        database: the name of the database.
        findings: the differences.
        pending: migrations that the database has not applied.
        is_adopted: false if the database has tables but no record of migrations; then each object in it is a finding.
    """

    database: str
    findings: tuple[Finding, ...]
    pending: tuple[str, ...]
    is_adopted: bool = True


def drift(project: Project, database: StrPath, *, column_order: bool = False) -> Drift:
    """Compare ``database`` with the schema that its applied migrations build in memory; write nothing.

    Raises:
        DatabaseFileError: the database cannot be read.
        MigrationsError: the migrations folder cannot be used.
        UnsupportedError: the database has something that cannot be read exactly.
    """
    return _drift(database, folder=read_project_folder(project), column_order=column_order)


def drift_of_all(
    project: Project,
    databases: Iterable[StrPath],
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
    *,
    column_order: bool = False,
) -> Iterator[Outcome[Drift]]:
    """Yield the drift of each of ``databases``, in their order.

    Raises:
        MigrationsError: the migrations folder cannot be used.
        UsageError: ``databases`` is a single name instead of several.
    """
    folder = read_project_folder(project)
    return each(functools.partial(_drift, folder=folder, column_order=column_order), databases, fleet)


def _drift(database: StrPath, *, folder: ProjectFolder, column_order: bool) -> Drift:
    with live_connection(database) as (connection, name):
        state = database_state(connection, folder)
        live = _live_schema(connection, folder, state)
    hooks = folder.files.post_apply if state.is_adopted else ()
    changes = diff(_expected_schema(state, hooks), live, column_order=column_order)
    hook_objects = _hook_objects(folder.files.migrations, hooks)
    manual = [change for change in changes if object_of(change) not in hook_objects]
    of_hooks = [] if state.pending else [change for change in changes if object_of(change) in hook_objects]
    code, sentence, fix = _explanation(state)
    hook = FindingCode.HOOK_CHANGE
    return Drift(
        database=name,
        findings=(
            *_migration_findings(state),
            *schema_findings(manual, code=code, sentence=sentence, fix=fix, describe_change=describe_made),
            *schema_findings(of_hooks, code=hook, sentence=_HOOKS, fix=_FIX_HOOKS, describe_change=describe_made),
        ),
        pending=tuple(migration.id for migration in state.pending),
        is_adopted=state.is_adopted,
    )


def _migration_findings(state: DatabaseState) -> Iterator[Finding]:
    """Yield a finding for each migration that the database ran, but that the folder lacks or has with another text."""
    subject = Subject.MIGRATION
    if (mismatch := state.mismatch) is not None:
        where, what = ", ".join(mismatch.migrations), f"the database {mismatch.what}"
        yield Finding(code=FindingCode.OTHER_MIGRATION, subject=subject, where=where, what=what, fix=mismatch.fix)
    what = "the database has applied this migration, which is not in the folder."
    for row in state.unknown:
        yield Finding(code=FindingCode.UNKNOWN_MIGRATION, subject=subject, where=row.id, what=what, fix=_FIX_MIGRATION)


def _explanation(state: DatabaseState) -> tuple[FindingCode, str, str]:
    """Return the code, the sentence and the fix of the findings for a database in ``state``."""
    if not state.is_adopted:
        fix = "Run `waiaas-migrate adopt`, which compares the database with the migrations."
        return FindingCode.NOT_ADOPTED, "not made by any recorded migration: {}.", fix
    if state.unknown:
        fix = "Compare with the version of the application that has the unknown migrations."
        return FindingCode.UNKNOWN_CHANGE, "made by an unknown migration or by hand: {}.", fix
    if state.mismatch:
        fix = "Resolve the migration finding first, then run `drift` again."
        return FindingCode.UNKNOWN_CHANGE, "made by the migrations that the database ran, or by hand: {}.", fix
    fix = "Undo it (`drift --fix` prints the SQL), or make it a migration (`drift --as-migration NAME`)."
    return FindingCode.MANUAL_CHANGE, "manual change: {}.", fix


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualChanges:
    """A database in a read transaction, and its schema without and with the manual changes.

    ``expected`` is the schema that the applied migrations make and, if none is pending, the post-apply hooks.
    ``changed`` is the schema that the applied migrations make, plus the manual changes, but without objects of hooks.
    ``pending`` are the ids of migrations that the database has not applied.
    """

    connection: sqlite3.Connection
    name: str
    folder: ProjectFolder
    expected: Schema
    pending: tuple[str, ...]
    changed: Schema


@contextmanager
def manual_changes(project: Project, database: StrPath) -> Iterator[ManualChanges]:
    """Open ``database`` for reading, and compare it with the migrations that it has applied.

    Raises:
        DatabaseRefused: the database has no record of migrations, or ran other migrations than those in the folder.
    """
    folder = read_project_folder(project)
    with live_connection(database) as (connection, name):
        state = database_state(connection, folder)
        if not state.is_adopted:
            raise DatabaseRefused(f"{name}: has no record of migrations. Nothing was changed. Run `adopt` first.")
        if (mismatch := state.mismatch) is not None:
            raise OtherMigrationsError(
                database=name, migrations=mismatch.migrations, what=mismatch.what, fix=mismatch.fix
            )
        if state.unknown:
            names = ", ".join(row.id for row in state.unknown)
            raise DatabaseRefused(
                f"{name}: has applied {names}, which is not in the migrations folder. "
                f"Nothing was changed. Use the version of the application that has it."
            )
        hooks, migrated = folder.files.post_apply, _schema_after(state.applied)
        changes = diff(migrated, _live_schema(connection, folder, state))
        hook_objects = _hook_objects(folder.files.migrations, hooks)
        manual = [change for change in changes if object_of(change) not in hook_objects]
        yield ManualChanges(
            connection=connection,
            name=name,
            folder=folder,
            expected=_expected_schema(state, hooks),
            pending=tuple(migration.id for migration in state.pending),
            changed=schema_after(migrated, manual),
        )


def _live_schema(connection: sqlite3.Connection, folder: ProjectFolder, state: DatabaseState) -> Schema:
    """Return the schema of the database, without the tables of other tools."""
    return introspect(connection, other_tools=folder.other_tools.with_declared(_schema_after(state.applied).names))


def _expected_schema(state: DatabaseState, hooks: tuple[MigrationFile, ...]) -> Schema:
    """Return the schema that the applied migrations make and, unless a migration is pending, the ``hooks``."""
    return _schema_after(state.applied if state.pending else (*state.applied, *hooks))


@functools.lru_cache(maxsize=16)
def _hook_objects(
    migrations: tuple[MigrationFile, ...], hooks: tuple[MigrationFile, ...]
) -> frozenset[tuple[str, str]]:
    """Return the kind and the name of each object that ``hooks`` make or change after ``migrations``."""
    if not hooks:
        return frozenset()
    return frozenset(map(object_of, diff(_schema_after(migrations), _schema_after((*migrations, *hooks)))))


@functools.lru_cache(maxsize=16)
def _schema_after(migrations: tuple[MigrationFile, ...]) -> Schema:
    """Return the schema that ``migrations`` build. Cached, because databases of a fleet share them."""
    with closing(replay(migrations)) as connection:
        return introspect(connection)
