"""Find the manual changes of one database, for ``drift --as-migration`` and ``drift --fix``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from waiaas_migrate.commands.drift import read_schemas
from waiaas_migrate.commands.live_database import ProjectFolder, database_state, live_connection, read_project_folder
from waiaas_migrate.errors import DatabaseRefused, OtherMigrationsError
from waiaas_migrate.files.project import Project
from waiaas_migrate.schema.applied import schema_after
from waiaas_migrate.schema.changes import object_of
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.url import StrPath


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualChanges:
    """A database that has manual changes, and the schema with and without them.

    Args:
        connection: the database, in a read transaction.
        name: the name of the database.
        folder: the migrations.
        expected: the schema that the applied migrations and the post-apply hooks make.
        pending: the ids of migrations that the database has not applied.
        changed: the schema that the applied migrations make, plus the manual changes; without objects of hooks.
    """

    connection: sqlite3.Connection
    name: str
    folder: ProjectFolder
    expected: Schema
    pending: tuple[str, ...]
    changed: Schema


@contextmanager
def manual_changes(project: Project, database: StrPath) -> Iterator[ManualChanges]:
    """Open ``database`` for reading and compare it with the migrations that it has applied.

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
        schemas = read_schemas(connection, folder, state)
        changes = diff(schemas.migrated, schemas.live)
        manual = [change for change in changes if object_of(change) not in schemas.hook_objects]
        yield ManualChanges(
            connection=connection,
            name=name,
            folder=folder,
            expected=schemas.expected,
            pending=tuple(migration.id for migration in state.pending),
            changed=schema_after(schemas.migrated, manual),
        )
