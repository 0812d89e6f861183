"""``diagram``: draw the schema as a page, a picture, or text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.authoring.draft import changes_of
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.commands.live_database import ignored_by, live_connection
from waiaas_migrate.diagram.cards import picture_of
from waiaas_migrate.diagram.dot import dot
from waiaas_migrate.diagram.history import Step, history_of
from waiaas_migrate.diagram.markdown import markdown
from waiaas_migrate.diagram.mermaid import mermaid
from waiaas_migrate.diagram.page import page
from waiaas_migrate.diagram.svg import svg
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.manifest import read_manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, read_migrations
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.locate import declared_names
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.changes import Change
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import resolve
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.memory import copy, memory
from waiaas_migrate.sqlite.reading.introspect import Known, introspect

#: What a diagram can be written as.
Format = Literal["html", "svg", "mermaid", "dot", "markdown"]
FORMATS: tuple[Format, ...] = get_args(Format)
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
#: Every file that ``diagram`` writes says so near its beginning.
MADE_BY = "Written by `waiaas-migrate diagram`."


@collection_paused()
def diagram(project: Project, database: str | None = None, *, form: Format = "html") -> str:
    """Return the text of a diagram of ``database``, or of the project's schema.yaml.

    The page about a schema.yaml has its history, too: what each migration changed.

    Args:
        project: the project.
        database: a path or a URL; None for schema.yaml.
        form: what to write the diagram as.

    Raises:
        InputError: schema.yaml or the migrations cannot be used.
        DatabaseFileError: the database cannot be read.
        UsageError: the format needs a layout, and igraph is not installed.
    """
    title, schema = _schema(project, database)
    match form:
        case "html":
            steps = () if database is not None else _steps(project, schema)
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
    """Return the format that the ending of ``path`` stands for.

    Raises:
        UsageError: it stands for none.
    """
    found = _ENDINGS.get(path.suffix.lower())
    if found is None:
        raise UsageError(
            f"--output {path}: no format has this ending. Add `--format`, or use one of {', '.join(_ENDINGS)}."
        )
    return found


def is_ours(text: str) -> bool:
    """Return whether ``text`` is that of a file that ``diagram`` wrote."""
    return MADE_BY in text[:1000]


def _schema(project: Project, database: str | None) -> tuple[str, Schema]:
    """Return the title of the diagram, and the schema."""
    if database is None:
        return project.schema.name, declare(project, Renderer(project.templates)).schema
    others = ignored_by(project).except_for(declared_names(project.schema))
    with live_connection(database) as (connection, name):
        return Path(name).name, introspect(connection, others=others)


def _steps(project: Project, schema: Schema) -> Iterator[Step]:
    """Yield a step for each migration, and one for what no migration has made yet."""
    migrations = read_migrations(project.migrations, missing_ok=True)
    manifest = read_manifest(project.migrations) if migrations else None
    hints = () if manifest is None else manifest.hints
    steps: list[Step] = []
    known: dict[str, object] = {}
    before = memory()

    def note(migration: MigrationFile, connection: sqlite3.Connection) -> None:
        nonlocal before
        old = steps[-1].after if steps else Schema()
        ...

    with closing(replay(migrations, note=note)):
        yield from steps
