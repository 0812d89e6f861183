"""``drift``: find changes to a live database that no migration made."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from waiaas_migrate.commands.findings import Finding, FindingCode, Subject, mismatch_findings, schema_findings
from waiaas_migrate.commands.live_database import (
    DatabaseState,
    Folder,
    database_state,
    inspect_all,
    live_connection,
    read_folder,
)
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.changes import object_of
from waiaas_migrate.schema.describe import describe_made
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.reading.introspect import introspect

_BY_HAND = "manual change: {}."
_FIX_BY_HAND = "Undo it (`drift --fix` prints the SQL), or make it a migration (`drift --as-migration NAME`)."
_UNKNOWN = "made by an unknown migration or by hand: {}."
_FIX_UNKNOWN = "Compare with the version of the application that has the unknown migrations."
_CHANGED = "made by the migrations that it ran or by hand: {}."
_FIX_CHANGED = "Resolve the migration finding first, then run `drift` again."
_NOT_ADOPTED = "not made by any recorded migration: {}."
_FIX_NOT_ADOPTED = "Run `waiaas-migrate adopt`, which compares the database with the migrations."
_HOOKS = "differs from what the post-apply hooks make: {}."
_FIX_HOOKS = (
    "Hooks run only when `apply` has pending migrations. If they changed since, run them by hand or wait for the next "
    "migration. Otherwise undo the manual change."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The differences between a database and the schema that its migrations build.

    Objects of post-apply hooks are compared only at head: hooks run after the last pending migration.

    Args:
        database: its name.
        findings: the differences.
        pending: migrations that it has not applied.
        is_adopted: false if it has tables but no record of migrations; then everything in it is a finding.
    """

    database: str
    findings: tuple[Finding, ...]
    pending: tuple[str, ...]
    is_adopted: bool = True


def drift(project: Project, database: StrPath, *, column_order: bool = False) -> Drift:
    """Compare ``database`` with the schema that its applied migrations build in memory; nothing is written.

    Raises:
        DatabaseFileError: the database cannot be read.
        MigrationsError: the migrations folder cannot be used.
        UnsupportedError: the database has something that cannot be read exactly.
    """
    return _drift(database, folder=read_folder(project), column_order=column_order)


def drift_of_all(
    project: Project,
    databases: Iterable[StrPath],
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
    *,
    column_order: bool = False,
) -> Iterator[Outcome[Drift]]:
    """Yield the drift of each of ``databases``; replay each history once.

    Raises:
        MigrationsError: the migrations folder cannot be used.
        UsageError: ``databases`` is one name.
    """
    return inspect_all(functools.partial(_drift, column_order=column_order), project, databases, fleet)


def _drift(database: StrPath, *, folder: Folder, column_order: bool) -> Drift:
    with live_connection(database) as (connection, name):
        found = database_state(connection, folder)
        schemas = read_schemas(connection, folder, found)
    unknown = tuple(
        Finding(
            code=FindingCode.UNKNOWN_MIGRATION,
            subject=Subject.MIGRATION,
            where=row.id,
            what="the database has applied this migration, which is not in the folder.",
            fix="Use the version of the application that has it. If only databases of your own ran it, run "
            "`waiaas-migrate apply --redo` on them.",
        )
        for row in found.unknown
    )
    changes = diff(schemas.expected, schemas.live, column_order=column_order)
    by_hand = [change for change in changes if object_of(change) not in schemas.hooked]
    of_hooks = [] if found.pending else [change for change in changes if object_of(change) in schemas.hooked]
    code, sentence, fix = _reason(found)
    hook = FindingCode.HOOK_CHANGE
    return Drift(
        database=name,
        findings=(
            *mismatch_findings(found.changed),
            *unknown,
            *schema_findings(by_hand, code=code, sentence=sentence, fix=fix, words=describe_made),
            *schema_findings(of_hooks, code=hook, sentence=_HOOKS, fix=_FIX_HOOKS, words=describe_made),
        ),
        pending=tuple(migration.id for migration in found.pending),
        is_adopted=found.is_adopted,
    )


def _reason(found: DatabaseState) -> tuple[FindingCode, str, str]:
    """Return the code, the wording and the fix for the differences of a database."""
    if not found.is_adopted:
        return FindingCode.NOT_ADOPTED, _NOT_ADOPTED, _FIX_NOT_ADOPTED
    if found.unknown:
        return FindingCode.UNKNOWN_CHANGE, _UNKNOWN, _FIX_UNKNOWN
    if found.changed:
        return FindingCode.UNKNOWN_CHANGE, _CHANGED, _FIX_CHANGED
    return FindingCode.MANUAL_CHANGE, _BY_HAND, _FIX_BY_HAND


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """The schema of a database, and the schemas to compare it with.

    Args:
        live: the schema of the database.
        made: the schema that its applied migrations make.
        expected: ``made`` with the post-apply hooks, if no migration is pending.
        hooked: the objects that the hooks make or change.
    """

    live: Schema
    made: Schema
    expected: Schema
    hooked: frozenset[tuple[str, str]]


def read_schemas(connection: sqlite3.Connection, folder: Folder, found: DatabaseState) -> Schemas:
    """Return the schema of the database ``found``, and those to compare it with."""
    made, hooks = _built(found.applied), folder.files.post_apply if found.is_adopted else ()
    return Schemas(
        live=introspect(connection, other_tools=folder.others.except_for(made.names)),
        made=made,
        expected=made if found.pending else _built((*found.applied, *hooks)),
        hooked=_hooked(folder.files.migrations, hooks) if hooks else frozenset(),
    )


@functools.lru_cache(maxsize=16)
def _hooked(migrations: tuple[MigrationFile, ...], hooks: tuple[MigrationFile, ...]) -> frozenset[tuple[str, str]]:
    return frozenset(map(object_of, diff(_built(migrations), _built((*migrations, *hooks)))))


@functools.lru_cache(maxsize=16)
def _built(migrations: tuple[MigrationFile, ...]) -> Schema:
    """Return the schema that ``migrations`` build; cached, since most databases of a fleet share it."""
    with closing(replay(migrations)) as connection:
        return introspect(connection)
