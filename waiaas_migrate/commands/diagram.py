"""``diagram``: draw the schema as a page, a picture, or text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.commands.live_database import ignored_by, live_connection
from waiaas_migrate.commands.migration_steps import migration_steps
from waiaas_migrate.drawing.cards import picture_of
from waiaas_migrate.drawing.dot import dot
from waiaas_migrate.drawing.history import history_of
from waiaas_migrate.drawing.markdown import markdown
from waiaas_migrate.drawing.mermaid import mermaid
from waiaas_migrate.drawing.page import page
from waiaas_migrate.drawing.svg import svg
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.locate import declared_names
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.model import Schema
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

    Args:
        project: the project.
        database: a path or a URL; None for schema.yaml.
        form: the format of the diagram.

    Raises:
        InputError: schema.yaml or the migrations cannot be used.
        DatabaseFileError: the database cannot be read.
        UsageError: the format needs a layout, and igraph is not installed.
    """
    title, schema = _title_and_schema(project, database)
    match form:
        case "html":
            steps = () if database is not None else migration_steps(project, schema)
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
    form = _ENDINGS.get(path.suffix.lower())
    if form is None:
        raise UsageError(
            f"--output {path}: no format has this ending. Add `--format`, or use one of {', '.join(_ENDINGS)}."
        )
    return form


def _title_and_schema(project: Project, database: str | None) -> tuple[str, Schema]:
    """Return the title of the diagram, and the schema of ``database`` or, if it is None, of schema.yaml."""
    if database is None:
        return project.schema.name, declare(project, Renderer(project.templates)).schema
    other_tools = ignored_by(project).except_for(declared_names(project.schema))
    with live_connection(database) as (connection, name):
        return Path(name).name, introspect(connection, other_tools=other_tools)
