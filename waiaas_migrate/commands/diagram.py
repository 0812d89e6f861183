"""``diagram``: draw the schema as a page, a picture, or text."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.commands.live_database import ignored_by, live_connection
from waiaas_migrate.commands.migration_renames import follow_renames, with_rename_hints
from waiaas_migrate.drawing.cards import picture_of
from waiaas_migrate.drawing.dot import dot
from waiaas_migrate.drawing.history import Step, history_of
from waiaas_migrate.drawing.markdown import markdown
from waiaas_migrate.drawing.mermaid import mermaid
from waiaas_migrate.drawing.page import page
from waiaas_migrate.drawing.svg import svg
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, read_migrations
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.locate import declared_names
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.changes import Change
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Index, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.memory import copy_database, open_memory
from waiaas_migrate.sqlite.reading.introspect import introspect

#: The formats of a diagram.
Format = Literal["html", "svg", "mermaid", "dot", "markdown"]
_ENDINGS: dict[str, Format] = {
    ".html": "html",
    ".htm": "html",
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".md": "markdown",
    ".markdown": "markdown",
}


@collection_paused()
def diagram(project: Project, database: str | None = None, *, form: Format = "html") -> str:
    """Return the text of a diagram of ``database``, or of the project's schema.yaml.

    The HTML page for schema.yaml also shows what each migration changed.

    Raises:
        InputError: schema.yaml or the migrations cannot be used.
        DatabaseFileError: the database cannot be read.
        UnsupportedError: a migration or the database has something that cannot be read exactly.
        UsageError: the format needs a layout, and igraph is not installed.
    """
    if database is None:
        title, schema = project.schema.name, declare(project, Renderer(project.templates)).schema
    else:
        other_tools = ignored_by(project).with_declared(declared_names(project.schema))
        with live_connection(database) as (connection, name):
            title, schema = Path(name).name, introspect(connection, other_tools=other_tools)
    match form:
        case "html":
            steps = () if database is not None else _migration_steps(project, schema)
            return page(history_of(schema, steps), title=title)
        case "svg":
            return svg(picture_of(schema), title=title)
        case "mermaid":
            return mermaid(picture_of(schema))
        case "dot":
            return dot(picture_of(schema))
        case "markdown":
            return markdown(picture_of(schema), title=title)


def format_of(path: Path) -> Format:
    """Return the format that belongs to the ending of ``path``.

    Raises:
        UsageError: no format has this ending.
    """
    if form := _ENDINGS.get(path.suffix.lower()):
        return form
    endings = ", ".join(_ENDINGS)
    raise UsageError(f"--output {path}: no format has this ending. Add `--format`, or use one of {endings}.")


def _migration_steps(project: Project, schema: Schema) -> tuple[Step, ...]:
    """Return a step for each migration of ``project``, and one for changes in ``schema`` that no migration makes."""
    migrations = read_migrations(project.migrations, missing_ok=True)
    if not migrations:
        return ()
    recorder = _StepRecorder(project)
    with closing(recorder), closing(replay(migrations, note=recorder.add)) as connection:
        if changes := _changes(project, connection, recorder.schema, schema):
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
