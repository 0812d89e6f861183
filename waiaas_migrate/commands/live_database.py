"""Open a live database read-only, and compare its record of applied migrations with the migrations folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from waiaas_migrate.authoring.declared import build
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.errors import Problem
from waiaas_migrate.files.migration_dir.manifest import Manifest, check_manifest, read_manifest, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, migration_hash
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.mismatch import Mismatch, find_changed
from waiaas_migrate.runner.yoyo.applied import AppliedMigration, read_applied, read_records
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import open_read_only, plain_errors
from waiaas_migrate.sqlite.database.memory import schema_copy
from waiaas_migrate.sqlite.database.url import StrPath, database_path
from waiaas_migrate.sqlite.reading.introspect import introspect, read_project_catalog
from waiaas_migrate.sqlite.reading.ownership import OtherTools


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFolder:
    """The migrations folder of a project, compared with its manifest.

    Args:
        files: the migrations and post-apply hooks; ``files.manifest`` is None if the files differ from the manifest.
        problems: the differences between the files and the manifest. ``apply`` refuses a folder with problems.
        other_tools: recognizes the tables of a database that belong to other tools.
    """

    files: MigrationFolder
    problems: tuple[Problem, ...]
    other_tools: OtherTools


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """The applied and pending migrations of a database.

    Args:
        applied: migrations of the folder that the database has applied.
        pending: migrations of the folder that the database has not applied.
        unknown: applied migrations that are not in the folder.
        is_adopted: false if the database has tables but no record of migrations. ``apply`` refuses such a database.
        mismatch: applied migrations whose text has changed since they ran; None if there are none. ``apply`` refuses
            such a database.
    """

    applied: tuple[MigrationFile, ...]
    pending: tuple[MigrationFile, ...]
    unknown: tuple[AppliedMigration, ...]
    is_adopted: bool
    mismatch: Mismatch | None


def read_project_folder(project: Project) -> ProjectFolder:
    """Read the migrations folder of ``project``, and compare it with its manifest.

    Raises:
        MigrationsError: the folder or its manifest cannot be used.
    """
    migrations, hooks, manifest = read_recorded(project.migrations)
    recorded = {} if manifest is None else manifest.facts
    facts = [recorded.get(file.id) or derive_facts(file) for file in (*migrations, *hooks)]
    own_tables = (table for known in facts for table, _ in known.forward.tables or ())
    problems = () if manifest is None else check_manifest(manifest, migrations)
    files = MigrationFolder(
        path=project.migrations, migrations=migrations, post_apply=hooks, manifest=None if problems else manifest
    )
    other_tools = _ignored(project, manifest).with_declared(own_tables)
    return ProjectFolder(files=files, problems=problems, other_tools=other_tools)


def ignored_by(project: Project) -> OtherTools:
    """Return the patterns for tables of other tools, from pyproject.toml and the manifest of ``project``.

    Raises:
        MigrationsError: the manifest cannot be used.
    """
    return _ignored(project, read_manifest(project.migrations))


def _ignored(project: Project, manifest: Manifest | None) -> OtherTools:
    # A server may have the migrations folder, but no pyproject.toml.
    recorded = () if manifest is None else manifest.ignore
    return OtherTools(patterns=tuple(dict.fromkeys((*project.ignore, *recorded))))


@contextmanager
def live_connection(database: StrPath) -> Iterator[tuple[sqlite3.Connection, str]]:
    """Open ``database`` read-only in one transaction; yield the connection, and the database's name for messages.

    Raises:
        DatabaseFileError: the file is missing, not a database, or cannot be read.
    """
    place = database_path(database)
    connection = open_read_only(place)
    try:
        with plain_errors(place.name, doing="reading its schema"):
            connection.execute("BEGIN")
            yield connection, place.name
    finally:
        connection.close()


def copy_of_schema(
    connection: sqlite3.Connection, other_tools: OtherTools, renderer: Renderer, name: str
) -> sqlite3.Connection:
    """Return a database in memory with the schema of the database called ``name``, without tables of other tools.

    Raises:
        UnsupportedError: the database has something that cannot be read exactly.
    """
    try:
        return schema_copy(read_project_catalog(connection, other_tools))
    except sqlite3.Error:
        return build(introspect(connection, other_tools=other_tools), renderer, file=name)


def database_state(connection: sqlite3.Connection, folder: ProjectFolder) -> DatabaseState:
    """Return the migrations of ``folder`` that the database has applied, and those that are pending."""
    rows = read_applied(connection)
    applied = {row.hash for row in rows or ()}
    by_hash = {migration_hash(migration.id): migration for migration in folder.files.migrations}
    squashed = folder.files.squashed_hashes
    own_objects = folder.other_tools.exclude_from(read_catalog(connection)) if rows is None else ()
    return DatabaseState(
        applied=tuple(migration for key, migration in by_hash.items() if key in applied),
        pending=tuple(migration for key, migration in by_hash.items() if key not in applied),
        unknown=tuple(row for row in rows or () if row.hash not in by_hash and row.hash not in squashed),
        is_adopted=not any(row.kind == "table" for row in own_objects),
        mismatch=find_changed(connection, folder.files, read_records(connection)),
    )
