"""Compare a live database with the migrations folder, without changing either."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from waiaas_migrate.authoring.declared import build
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.errors import Problem
from waiaas_migrate.files.migration_dir.manifest import Manifest, check_manifest, read_manifest, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, migration_hash
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome, each
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.mismatch import Mismatch, changed
from waiaas_migrate.runner.yoyo.applied import Applied, read_applied, read_records
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import open_read_only, plain_errors
from waiaas_migrate.sqlite.database.memory import schema_copy
from waiaas_migrate.sqlite.database.url import StrPath, database_path
from waiaas_migrate.sqlite.reading.introspect import introspect, read_project_catalog
from waiaas_migrate.sqlite.reading.ownership import OtherTools

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The migrations folder of a project.

    Args:
        files: the migrations and post-apply hooks; without the manifest if they differ from it.
        problems: differences from the manifest, for which ``apply`` refuses the folder.
        others: which tables of a database belong to other tools.
    """

    files: MigrationFolder
    problems: tuple[Problem, ...]
    others: OtherTools


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """The migrations that a database has and hasn't applied.

    Args:
        applied: migrations of the folder that it has applied.
        pending: migrations of the folder that it has not.
        unknown: applied migrations that are not in the folder.
        is_adopted: false if it has tables but no record of migrations, so that ``apply`` refuses it.
        changed: applied migrations whose text isn't the one that it ran, so that ``apply`` refuses it.
    """

    applied: tuple[MigrationFile, ...]
    pending: tuple[MigrationFile, ...]
    unknown: tuple[Applied, ...]
    is_adopted: bool
    changed: Mismatch | None


def inspect_all(
    inspection: Callable[..., ResultT], project: Project, databases: Iterable[StrPath], fleet: Fleet
) -> Iterator[Outcome[ResultT]]:
    """Call ``inspection(database, folder=…)`` for each of ``databases``; the folder of ``project`` is read once.

    Raises:
        MigrationsError: the migrations folder cannot be used.
        UsageError: ``databases`` is one name.
    """
    return each(functools.partial(inspection, folder=read_folder(project)), databases, fleet)


def read_folder(project: Project) -> Folder:
    """Return the migrations folder of ``project``.

    Raises:
        MigrationsError: the folder or its manifest cannot be used.
    """
    migrations, hooks, manifest = read_recorded(project.migrations)
    recorded = {} if manifest is None else manifest.facts
    facts = [recorded.get(file.id) or derive_facts(file) for file in (*migrations, *hooks)]
    ours = (table for one in facts for table, _ in one.forward.tables or ())
    problems = () if manifest is None else check_manifest(manifest, migrations)
    files = MigrationFolder(
        path=project.migrations, migrations=migrations, post_apply=hooks, manifest=None if problems else manifest
    )
    return Folder(files=files, problems=problems, others=_ignored(project, manifest).except_for(ours))


def ignored_by(project: Project) -> OtherTools:
    """Return which tables belong to other tools, by the settings of ``project`` and of its manifest.

    Raises:
        MigrationsError: the manifest cannot be used.
    """
    return _ignored(project, read_manifest(project.migrations))


def _ignored(project: Project, manifest: Manifest | None) -> OtherTools:
    # A server may have the migrations but no pyproject.toml.
    recorded = () if manifest is None else manifest.ignore
    return OtherTools(patterns=tuple(dict.fromkeys((*project.ignore, *recorded))))


@contextmanager
def live_connection(database: StrPath) -> Iterator[tuple[sqlite3.Connection, str]]:
    """Open ``database`` read-only in one transaction; yield the connection and the name for messages.

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
    connection: sqlite3.Connection, others: OtherTools, renderer: Renderer, name: str
) -> sqlite3.Connection:
    """Return a database in memory with the schema of the database ``name``, but no tables of ``others``.

    Raises:
        UnsupportedError: the database has something that cannot be read exactly.
    """
    try:
        return schema_copy(read_project_catalog(connection, others))
    except sqlite3.Error:
        return build(introspect(connection, other_tools=others), renderer, file=name)


def database_state(connection: sqlite3.Connection, folder: Folder) -> DatabaseState:
    """Return which migrations of ``folder`` the database has applied."""
    rows = read_applied(connection)
    applied = {row.hash for row in rows or ()}
    known = {migration_hash(migration.id): migration for migration in folder.files.migrations}
    squashed = folder.files.squashed_hashes
    has_tables = rows is None and any(
        row.kind == "table" for row in folder.others.exclude_from(read_catalog(connection))
    )
    return DatabaseState(
        applied=tuple(migration for key, migration in known.items() if key in applied),
        pending=tuple(migration for key, migration in known.items() if key not in applied),
        unknown=tuple(row for row in rows or () if row.hash not in known and row.hash not in squashed),
        is_adopted=not has_tables,
        changed=changed(connection, folder.files, read_records(connection)),
    )
