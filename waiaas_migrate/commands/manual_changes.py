"""Read the manual changes of one database, to take them over or to undo them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from waiaas_migrate.commands.drift import read_schemas
from waiaas_migrate.commands.live_database import Folder, database_state, live_connection, read_folder
from waiaas_migrate.errors import DatabaseRefused, OtherMigrationsError
from waiaas_migrate.files.project import Project
from waiaas_migrate.schema.applied import schema_after
from waiaas_migrate.schema.changes import object_of
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.url import StrPath


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualChanges:
    """What was changed by hand in a database.

    Args:
        connection: the database, in a read transaction.
        name: its name.
        folder: the migrations.
        expected: the schema that its migrations, and the post-apply hooks, make.
        pending: the migrations that it has not applied.
        live: the schema of the migrations with the manual changes; objects of hooks are left out.
    """

    connection: sqlite3.Connection
    name: str
    folder: Folder
    expected: Schema
    pending: tuple[str, ...]
    live: Schema


@contextmanager
def manual_changes(project: Project, database: StrPath) -> Iterator[ManualChanges]:
    """Open ``database`` for reading and compare it with the migrations that it has applied.

    Raises:
        DatabaseRefused: it has no record of migrations, or ran others than those in the folder.
    """
    folder = read_folder(project)
    with live_connection(database) as (connection, name):
        found = database_state(connection, folder)
        if not found.is_adopted:
            raise DatabaseRefused(f"{name}: has no record of migrations. Nothing was changed. Run `adopt` first.")
        if (other := found.changed) is not None:
            raise OtherMigrationsError(database=name, migrations=other.migrations, what=other.what, fix=other.fix)
        if found.unknown:
            names = ", ".join(row.id for row in found.unknown)
            raise DatabaseRefused(
                f"{name}: has applied {names}, which is not in the migrations folder. "
                f"Nothing was changed. Use the version of the application that has it."
            )
        schemas = read_schemas(connection, folder, found)
        changes = diff(schemas.made, schemas.live)
        by_hand = [change for change in changes if object_of(change) not in schemas.hooked]
        yield ManualChanges(
            connection=connection,
            name=name,
            folder=folder,
            expected=schemas.expected,
            pending=tuple(migration.id for migration in found.pending),
            live=schema_after(schemas.made, by_hand),
        )
