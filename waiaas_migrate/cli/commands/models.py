"""The command ``models``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import note, print_document
from waiaas_migrate.errors import UsageError

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
@click.option("--force", is_flag=True, help="Replace a file that this command did not write.")
@options.in_project
def models(project: Project, output: str | None, style: Literal["declarative", "core"] | None, *, force: bool) -> int:
    """Write the tables of schema.yaml as typed SQLAlchemy classes.

    Enums are imported from the modules that schema.yaml names. If pyproject.toml sets `models`, `check` reports a file
    that is out of date.

    \b
    Example:
      waiaas-migrate models -o app/tables.py
    """  # noqa: D301
    from waiaas_migrate.commands.models import models as run
    from waiaas_migrate.commands.models import write_models
    from waiaas_migrate.files.text_file import display_name

    path = project.models if output is None else None if output == "-" else Path(output)
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"--output {path}: the folder {path.parent} does not exist. Create it, or correct the path.")
    if path is not None and path.is_dir():
        raise UsageError(f"--output {path}: is a folder. Give the path of a file.")
    text = run(project, style=style)
    if path is None:
        print_document(text)
        return 0
    name = display_name(path, options.current_folder())
    note(f"wrote {name}" if write_models(path, text, force=force) else f"{name} is up to date")
    return 0
