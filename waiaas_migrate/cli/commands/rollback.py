"""The command ``rollback``."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.confirm import confirm_losses
from waiaas_migrate.cli.output import print_json, print_run, say
from waiaas_migrate.errors import UsageError

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.options import RunOptions


@click.command()
@options.database
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Roll back N migrations.  [default: 1]")
@click.option("--to", metavar="MIGRATION", help="Roll back to MIGRATION, which stays applied.")
@options.yes
@click.option(
    "--allow",
    metavar="CODE",
    multiple=True,
    help="Pass `DROP_TABLE` to roll back adopted migrations, too.  [repeatable]",
)
@options.run_options
@options.as_json
@options.in_migrations
@options.reports_interruption
def rollback(  # noqa: PLR0913 — one for each option
    project: Project,
    database: str,
    *,
    count: int | None,
    to: str | None,
    yes: bool,
    allow: tuple[str, ...],
    run_options: RunOptions,
    as_json: bool,
) -> int:
    """Roll back the last migrations of DATABASE, all or none.

    Rolling back deletes everything the migrations added, including data written since. If there is such data, the
    command lists it and asks. Without a terminal it needs --yes. A backup is made first; `restore` puts it back.

    \b
    Example:
      waiaas-migrate rollback app.db
      waiaas-migrate rollback app.db --to 0003_nickname --yes
    """  # noqa: D301
    from waiaas_migrate.cli.progress_line import progress_line
    from waiaas_migrate.runner.rollback import Extent, roll_back_in

    if count is not None and to is not None:
        raise UsageError("--count and --to contradict each other. Give only one of them.")
    extent = Extent(count=count or 1, to=to)
    with progress_line() as listener:
        confirm = partial(confirm_losses, database, yes=yes)
        watched = replace(run_options, listener=listener)
        result = roll_back_in(database, project.migrations, extent, options=watched, confirm=confirm, allow=allow)
    if as_json:
        print_json({"database": database, **asdict(result)})
    elif not print_run(result):
        say(f"{database}: nothing to roll back.")
    return 0
