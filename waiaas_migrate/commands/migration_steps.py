"""What each migration changes: the schemas before and after it, read from one replay."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace

from waiaas_migrate.authoring.draft import changes_of
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.drawing.history import Step
from waiaas_migrate.files.migration_dir.manifest import read_manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, read_migrations
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.changes import Change
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Column, Index, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import resolve
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.memory import copy, memory
from waiaas_migrate.sqlite.reading.introspect import introspect


def migration_steps(project: Project, schema: Schema) -> tuple[Step, ...]:
    """Return a step for each migration of ``project``, and one for what ``schema`` has that no migration makes.

    Raises:
        MigrationsError: the migrations cannot be used, or one fails on an empty database.
        UnsupportedError: a migration makes something that cannot be read exactly.
    """
    migrations = read_migrations(project.migrations, missing_ok=True)
    if not migrations:
        return ()
    manifest = read_manifest(project.migrations)
    reader = _Reader(project, () if manifest is None else manifest.hints)
    with reader, closing(replay(migrations, note=reader.note)) as connection:
        if schema != reader.schema:
            changes = _changes(project, connection, reader.schema, schema)
            if changes:
                name = f"{project.schema.name}, without a migration"
                reader.steps.append(Step(name=name, before=reader.schema, after=schema, changes=changes))
    return tuple(reader.steps)


class _Reader:
    """Reads the schema after each migration; a statement that stays is read once."""

    def __init__(self, project: Project, hints: Collection[str]) -> None:
        self.steps: list[Step] = []
        self.schema = Schema()
        self._project = project
        self._hints = hints
        self._known: dict[str, Table | Index] = {}
        self._before = memory()

    def __enter__(self) -> None:
        """Keep the database before the last migration open."""

    def __exit__(self, *exc_info: object) -> None:
        self._before.close()

    def note(self, migration: MigrationFile, connection: sqlite3.Connection) -> None:
        """Add the step of ``migration``, which has just run on ``connection``."""
        old, new = self.schema, introspect(connection, self._known)
        renamed = _with_recorded_hints(old, new, self._hints)
        changes = _changes(self._project, self._before, old, renamed)
        self.steps.append(Step(name=migration.id, before=old, after=new, changes=changes))
        self.schema = new
        self._known = _texts(connection, new)
        self._before.close()
        self._before = copy(connection)


def _changes(project: Project, before: sqlite3.Connection, old: Schema, new: Schema) -> tuple[Change, ...]:
    """Return the changes from ``old``, the schema in ``before``, to ``new``, following the rename hints of ``new``."""
    renames = resolve(old, new)
    if not renames.tables and not renames.columns:
        return diff(old, new)
    return changes_of(make_transition(before, new, renames, Renderer(project.templates), project.options))


def _texts(connection: sqlite3.Connection, schema: Schema) -> dict[str, Table | Index]:
    """Return what each statement in ``connection`` means, by its text."""
    tables = schema.by_name()
    indexes = {fold(index.name): index for table in schema.tables for index in table.indexes}
    found: dict[str, Table | Index] = {}
    for row in read_catalog(connection):
        meaning = (tables if row.kind == "table" else indexes if row.kind == "index" else {}).get(fold(row.name))
        if meaning is not None:
            found[row.sql] = meaning
    return found


def _with_recorded_hints(old: Schema, new: Schema, hints: Collection[str]) -> Schema:
    """Return ``new`` with the rename hints that its migration followed: the old name is gone, and the new one is new.

    ``hints`` are those that the manifest records, of all migrations.
    """
    pairs = [tuple(hint.split(" < ")) for hint in hints]
    sources = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    before, after = old.by_name(), new.by_name()
    tables = []
    for table in new.tables:
        source = sources.get(fold(table.name), "")
        if fold(table.name) in before or source not in before or source in after:
            source = ""
        previous = before.get(source or fold(table.name))
        renamed = replace(table, renamed_from=previous.name) if source and previous else table
        tables.append(_with_column_hints(renamed, previous, sources))
    return replace(new, tables=tuple(tables))


def _with_column_hints(table: Table, previous: Table | None, sources: dict[str, str]) -> Table:
    before = _column_names(previous.columns if previous else ())
    after = _column_names(table.columns)
    columns = []
    for column in table.columns:
        source = sources.get(fold(f"{table.name}.{column.name}"), "")
        if source in before and source not in after and fold(column.name) not in before:
            column = replace(column, hints=replace(column.hints, renamed_from=before[source]))  # noqa: PLW2901
        columns.append(column)
    return replace(table, columns=tuple(columns))


def _column_names(columns: Sequence[Column]) -> dict[str, str]:
    return {fold(column.name): column.name for column in columns}
