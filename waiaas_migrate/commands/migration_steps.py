"""Find what each migration changes: replay them once, and compare the schema after each with the one before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace

from waiaas_migrate.authoring.draft import changes_of
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.drawing.history import Step
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
from waiaas_migrate.sqlite.database.memory import copy_database, open_memory
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.rename import rename_in

#: Old names by new ones, both folded: of tables (under an empty name), and of the columns of each table.
_Renamed = Mapping[tuple[str, str], str]


def migration_steps(project: Project, schema: Schema) -> tuple[Step, ...]:
    """Return a step for each migration of ``project``, and one for what ``schema`` has that no migration makes.

    Raises:
        MigrationsError: the migrations cannot be used, or one fails on an empty database.
        UnsupportedError: a migration makes something that cannot be read exactly.
    """
    migrations = read_migrations(project.migrations, missing_ok=True)
    if not migrations:
        return ()
    reader = _Reader(project)
    with closing(reader), closing(replay(migrations, note=reader.note)) as connection:
        changes = _changes(project, connection, reader.schema, schema)
        if changes:
            name = f"{project.schema.name}, without a migration"
            reader.steps.append(Step(name=name, after=schema, changes=changes))
    return tuple(reader.steps)


class _Reader:
    """Reads the schema after each migration; reads an unchanged statement only once."""

    def __init__(self, project: Project) -> None:
        self.steps: list[Step] = []
        self.schema = Schema()
        self._project = project
        self._known: dict[str, Table | Index] = {}
        self._before = open_memory()

    def close(self) -> None:
        """Close the database before the last migration."""
        self._before.close()

    def note(self, migration: MigrationFile, connection: sqlite3.Connection) -> None:
        """Add the step of ``migration``, which has just run on ``connection``."""
        old, new = self.schema, introspect(connection, self._known)
        with closing(self._before):
            hinted = _with_renames(old, new, dict(_renames_in(migration.statements)))
            changes = _changes(self._project, self._before, old, hinted)
        self.steps.append(Step(name=migration.id, after=new, changes=changes))
        self.schema = new
        self._known = _texts(connection, new)
        self._before = copy_database(connection)


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
        meaning = (indexes if row.kind == "index" else tables).get(fold(row.name))
        if meaning is not None and row.kind in ("table", "index"):
            found[row.sql] = meaning
    return found


def _renames_in(statements: Iterable[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the renames of tables and columns in SQL."""
    for one in filter(None, map(rename_in, statements)):
        yield ((one.table, one.new), one.column) if one.column else (("", one.new), one.table)


def _with_renames(old: Schema, new: Schema, renamed: _Renamed) -> Schema:
    """Return ``new`` with hints for the renames that led to it: the old name is gone, and the new one wasn't there."""
    before, after = old.by_name(), new.by_name()
    tables = []
    for table in new.tables:
        source = renamed.get(("", fold(table.name)), "")
        if source in after or fold(table.name) in before:
            source = ""
        previous = before.get(source or fold(table.name))
        if source and previous is not None:
            table = replace(table, renamed_from=previous.name)  # noqa: PLW2901
        tables.append(table if previous is None else _with_renamed_columns(table, previous, renamed))
    return replace(new, tables=tuple(tables))


def _with_renamed_columns(table: Table, previous: Table, renamed: _Renamed) -> Table:
    before = {fold(column.name): column.name for column in previous.columns}
    after = {fold(column.name) for column in table.columns}

    def hinted(column: Column) -> Column:
        name = fold(column.name)
        source = renamed.get((fold(table.name), name)) or renamed.get((fold(previous.name), name), "")
        if source not in before or source in after or name in before:
            return column
        return replace(column, hints=replace(column.hints, renamed_from=before[source]))

    return replace(table, columns=tuple(map(hinted, table.columns)))
