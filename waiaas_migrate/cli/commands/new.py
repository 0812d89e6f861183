"""The command ``new``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import note, print_json, print_written

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project


@click.command()
@click.option("-m", "--name", metavar="NAME", required=True, help="Name of the migration, such as “trim names”.")
@click.option("--python", is_flag=True, help="Write a Python migration instead of SQL.")
@options.as_json
@options.in_migrations
def new(project: Project, name: str, *, python: bool, as_json: bool) -> None:
    """Write an empty migration to complete by hand.

    The new migration gets the next number, and depends on the last migration. An SQL migration gets a rollback file,
    too. Complete the files, then run `record`.

    \b
    Example:
      waiaas-migrate new -m "trim names"
    """  # noqa: D301
    from waiaas_migrate.authoring.new_migration import new as run

    result = run(project, name=name, python=python)
    if as_json:
        print_json(asdict(result))
    else:
        print_written(result.written, result.removed)
        note("Complete it, then run `waiaas-migrate record`.")
