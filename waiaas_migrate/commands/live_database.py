"""Reading a live database beside the migrations folder, without changing it."""

from __future__ import annotations

import functools
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.errors import Problem
from waiaas_migrate.files.migration_dir.manifest import check_manifest, read_manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, migration_hash, read_with_post_apply
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.yoyo.applied import Applied, read_applied
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import open_read_only, plain_errors
from waiaas_migrate.sqlite.database.url import database_path
from waiaas_migrate.sqlite.reading.ownership import OtherTools


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a database stands: the folder's migrations it has run and has yet to run, and those nobody here knows."""

    applied: tuple[MigrationFile, ...]
    pending: tuple[MigrationFile, ...]
    unknown: tuple[Applied, ...]


def new_run() -> int:
    """A number for one run over any number of databases, which no other has."""
    return time.monotonic_ns()


@functools.lru_cache(maxsize=1)
def _files_of(project: Project, run: int) -> tuple[tuple[MigrationFile, ...], tuple[MigrationFile, ...]]:  # noqa: ARG001 — another run reads it anew
    return read_with_post_apply(project.migrations)


def folder_of(project: Project, run: int) -> tuple[MigrationFile, ...]:
    """The migrations of ``project``, read once for each run by each process that takes part in it.

    Raises:
        MigrationsError: where the folder cannot be used.
    """
    return _files_of(project, run)[0]


def hooks_of(project: Project, run: int) -> tuple[MigrationFile, ...]:
    """The hooks that follow them, read with them.

    Raises:
        MigrationsError: where the folder cannot be used.
    """
    return _files_of(project, run)[1]


@functools.lru_cache(maxsize=1)
def problems_of(project: Project, run: int) -> tuple[Problem, ...]:
    """How the folder of ``project`` is not as its manifest says, for which applying refuses it; asked as above.

    Raises:
        MigrationsError: where the folder, or its manifest, cannot be used.
    """
    manifest = read_manifest(project.migrations)
    return () if manifest is None else check_manifest(manifest, folder_of(project, run))


@functools.lru_cache(maxsize=1)
def others_of(project: Project, run: int) -> OtherTools:
    """Return what belongs to other tools in a database that the migrations of ``project`` made; asked as above.

    Raises:
        MigrationsError: where the folder, or its manifest, cannot be used.
    """
    manifest = read_manifest(project.migrations)
    recorded = {} if manifest is None else manifest.facts
    files = (*folder_of(project, run), *hooks_of(project, run))
    facts = [recorded.get(file.id) or derive_facts(file) for file in files]
    return ignored_by(project).except_for(name for one in facts for name, _ in one.forward.tables or ())


def ignored_by(project: Project) -> OtherTools:
    """Return what belongs to other tools by the settings of ``project``, or by those that its manifest recorded.

    A server may have the migrations and no pyproject.toml.

    Raises:
        MigrationsError: the manifest is not what ``generate`` writes.
    """
    manifest = read_manifest(project.migrations)
    recorded = () if manifest is None else manifest.ignore_tables
    return OtherTools(patterns=tuple(dict.fromkeys((*project.ignore_tables, *recorded))))


@contextmanager
def reading(database: str) -> Iterator[tuple[sqlite3.Connection, str]]:
    """A read-only connection to what a DATABASE argument means, and its name for messages.

    All that is read there is of one moment, whatever is applied meanwhile.

    Raises:
        DatabaseFileError: where it is missing, no database, or cannot be read.
    """
    place = database_path(database)
    connection = open_read_only(place)
    try:
        with plain_errors(place.name, doing="reading its schema"):
            connection.execute("BEGIN")
            yield connection, place.name
    finally:
        connection.close()


def standing(connection: sqlite3.Connection, migrations: tuple[MigrationFile, ...]) -> Standing:
    """Where the database behind ``connection`` stands among ``migrations``."""
    rows = read_applied(connection) or ()
    hashes = {row.hash for row in rows}
    known = {migration_hash(migration.id) for migration in migrations}
    return Standing(
        applied=tuple(migration for migration in migrations if migration_hash(migration.id) in hashes),
        pending=tuple(migration for migration in migrations if migration_hash(migration.id) not in hashes),
        unknown=tuple(row for row in rows if row.hash not in known),
    )


def has_unrecorded_tables(connection: sqlite3.Connection, others: OtherTools) -> bool:
    """Return whether there are tables of ours and no record of migrations: nobody knows which were run."""
    ours = others.without(read_catalog(connection))
    return read_applied(connection) is None and any(row.kind == "table" for row in ours)
