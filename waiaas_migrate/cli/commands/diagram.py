"""The command ``diagram``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output_file import force, output, output_path, write_generated
from waiaas_migrate.errors import UsageError

if TYPE_CHECKING:
    from waiaas_migrate.commands.diagram import Format
    from waiaas_migrate.files.project import Project


@click.command()
# Not named `database`: a default database would replace a missing DATABASE, which means schema.yaml here.
@click.argument("source", metavar="[DATABASE]", required=False)
@output
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    type=click.Choice(["html", "svg", "mermaid", "dot", "markdown"]),
    help="Write `html`, `svg`, `mermaid`, `dot` or `markdown`.  [default: by the extension of FILE]",
)
@force
@options.in_project
def diagram(project: Project, source: str | None, output: str | None, form: Format | None, *, force: bool) -> None:
    """Draw the schema of schema.yaml, or of DATABASE.

    `html` is one self-contained page with search and a view of what each migration changed. `svg` is a
    picture, `mermaid` and `dot` are for other tools, and `markdown` documents the tables.

    \b
    Example:
      waiaas-migrate diagram -o schema.html
    """  # noqa: D301
    from waiaas_migrate.commands.diagram import diagram as run
    from waiaas_migrate.commands.diagram import format_of

    path = output_path(output)
    if path is None and form is None:
        raise UsageError("No format was given. Add `-o schema.html` or `--format`.")
    chosen = form or format_of(path or Path())
    write_generated(path, run(project, source, form=chosen), command="diagram", force=force)
