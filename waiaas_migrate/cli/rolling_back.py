"""``rollback``: take the last migrations back."""

from __future__ import annotations

from dataclasses import replace

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import path_or_none, print_json, say
from waiaas_migrate.cli.running import note_run, print_interrupted, safety_options
from waiaas_migrate.cli.terminal import shown_progress
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.rollback import Extent
from waiaas_migrate.runner.watching.interruption import Interrupted


@click.command(short_help="Take the last migrations of DATABASE back.")
@options.database
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="How many.  [default: 1]")
@click.option("--to", metavar="MIGRATION", help="Instead: all that came after this one, which stays.")
@safety_options
@options.as_json
@options.in_migrations
def rollback(
    project: Project, database: str, *, count: int | None, to: str | None, chosen: RunOptions, as_json: bool
) -> int:
    """Take the last migration of DATABASE back, or the last N, all or none.

    What a migration brought goes, with what was written there since. So there is a backup first, which `restore`
    puts back.

    \b
    Example:
      waiaas-migrate rollback app.db
      waiaas-migrate rollback app.db --to 0003_nickname
    """  # noqa: D301
    from waiaas_migrate.runner.rollback import roll_back_in

    if count is not None and to is not None:
        raise UsageError("--count and --to say each how far back. Give one of them.")
    extent = Extent(count=count or 1, to=to)
    try:
        with shown_progress() as listener:
            result = roll_back_in(database, project.migrations, extent, options=replace(chosen, listener=listener))
    except Interrupted as error:
        return print_interrupted(error, as_json=as_json)
    if as_json:
        done = {"rolled_back": result.rolled_back, "notices": result.notices}
        print_json({"database": database, **done, "backup": path_or_none(result.backup)})
        return 0
    note_run(result)
    for migration in result.rolled_back:
        say(f"rolled back {migration}")
    if not result.rolled_back:
        say(f"{database}: nothing to roll back.", good=True)
    return 0
