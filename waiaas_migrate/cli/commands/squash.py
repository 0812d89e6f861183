"""The command ``squash``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import note, plural, print_json, print_written, say

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project


@click.command()
@click.option("--to", metavar="ID", help="The last migration to replace.  [default: the last of the folder]")
@options.as_json
@options.in_migrations
def squash(project: Project, to: str | None, *, as_json: bool) -> None:
    """Replace the first migrations with a single equivalent one.

    The new migration builds the same schema and inserts the same rows. The old files are deleted. A database that has
    run all old migrations continues as before. A database that has run only some of them must first apply the others,
    from a checkout of the code before the squash.

    \b
    Example:
      waiaas-migrate squash --to 0020_add_nickname
    """  # noqa: D301
    from waiaas_migrate.authoring.squash import squash as run

    result = run(project, to=to)
    if as_json:
        print_json({**asdict(result), "rows": dict(result.rows)})
        return
    say(f"Squashed {plural(len(result.replaced), 'migration')} into {result.migration}.")
    for table, rows in result.rows:
        note(f"inserts {plural(rows, 'row')} into {table}, as the old migrations did")
    print_written(result.written, result.removed)
    note(f"deleted {plural(len(result.deleted), 'file')}")
