"""The command ``models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output_file import force, output_path, write_generated

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project


@click.command()
@click.option(
    "-o", "--output", metavar="FILE", help="Write to FILE; `-` is stdout.  [default: the project's `models`, or stdout]"
)
@click.option(
    "--style",
    type=click.Choice(["declarative", "core"]),
    metavar="STYLE",
    help="Write classes (`declarative`), or Table objects (`core`).  [default: declarative]",
)
@force
@options.in_project
def models(project: Project, output: str | None, style: Literal["declarative", "core"] | None, *, force: bool) -> None:
    """Write the tables of schema.yaml as typed SQLAlchemy classes.

    Enums are imported from the modules that schema.yaml names. If pyproject.toml sets `models`, `check` reports a file
    that is out of date.

    \b
    Example:
      waiaas-migrate models -o app/tables.py
    """  # noqa: D301
    from waiaas_migrate.commands.models import is_same_code
    from waiaas_migrate.commands.models import models as run

    path = output_path(output, setting=project.models)
    text = run(project, style=style)
    write_generated(path, text, command="models", force=force, is_same=is_same_code)
