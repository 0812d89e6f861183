"""Find the changes that each migration makes, for the history in ``diagram``.

The migrations are replayed once, and the schemas before and after each of them are compared.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from waiaas_migrate.commands.migration_renames import follow_renames, with_rename_hints
from waiaas_migrate.drawing.history import Step
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, read_migrations
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.changes import Change
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Index, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.memory import copy_database, open_memory
from waiaas_migrate.sqlite.reading.introspect import introspect


def migration_steps(project: Project, schema: Schema) -> tuple[Step, ...]:
    """Return a step for each migration of ``project``, and one for the changes to ``schema`` that no migration makes.

    Raises:
        MigrationsError: the migrations cannot be used, or one fails on an empty database.
        UnsupportedError: a migration makes something that cannot be read exactly.
    """
    migrations = read_migrations(project.migrations, missing_ok=True)
    if not migrations:
        return ()
    recorder = _StepRecorder(project)
    with closing(recorder), closing(replay(migrations, note=recorder.add)) as connection:
        changes = _changes(project, connection, recorder.schema, schema)
        if changes:
            name = f"{project.schema.name}, without a migration"
            recorder.steps.append(Step(name=name, after=schema, changes=changes))
    return tuple(recorder.steps)


class _StepRecorder:
    """Records the step of each migration during a replay. Parses a CREATE statement only when it is new."""

    def __init__(self, project: Project) -> None:
        self.steps: list[Step] = []
        self.schema = Schema()
        self._project = project
        self._known: dict[str, Table | Index] = {}
        self._before = open_memory()

    def close(self) -> None:
        """Close the copy of the replayed database."""
        self._before.close()

    def add(self, migration: MigrationFile, connection: sqlite3.Connection) -> None:
        """Add the step of ``migration``, which has just run on ``connection``."""
        old, new = self.schema, introspect(connection, self._known)
        with closing(self._before):
            hinted = with_rename_hints(old, new, migration.statements)
            changes = _changes(self._project, self._before, old, hinted)
        self.steps.append(Step(name=migration.id, after=new, changes=changes))
        self.schema = new
        self._known = _parsed_statements(connection, new)
        self._before = copy_database(connection)


def _changes(project: Project, before: sqlite3.Connection, old: Schema, new: Schema) -> tuple[Change, ...]:
    """Return the changes from ``old``, the schema in ``before``, to ``new``, following the rename hints of ``new``."""
    renames, renamed = follow_renames(project, before, old, new)
    return (*renames.tables, *renames.columns, *diff(renamed, new))


def _parsed_statements(connection: sqlite3.Connection, schema: Schema) -> dict[str, Table | Index]:
    """Return the table or index of ``schema`` that each CREATE statement in ``connection`` declares."""
    objects: dict[tuple[str, str], Table | Index] = {("table", name): table for name, table in schema.by_name().items()}
    objects |= {("index", fold(index.name)): index for table in schema.tables for index in table.indexes}
    rows = read_catalog(connection)
    return {row.sql: objects[key] for row in rows if (key := (row.kind, fold(row.name))) in objects}
