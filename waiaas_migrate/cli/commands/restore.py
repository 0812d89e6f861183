"""The command ``restore``."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import note, print_json, say

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.backups.backup import Backup
    from waiaas_migrate.runner.backups.restore import Restored


@click.command()
@options.database
@click.argument("backup", required=False)
@click.option("--list", "list_only", is_flag=True, help="List the backups, oldest first, and change nothing.")
@options.as_json
@options.in_settings
@options.reports_interruption
def restore(_project: Project, database: str, backup: str | None, *, list_only: bool, as_json: bool) -> None:
    """Replace DATABASE with BACKUP, or with its newest backup.

    Checks the backup first. Refuses while a process has the database open. Keeps the replaced file beside the new one.

    \b
    Example:
      waiaas-migrate restore app.db
    """  # noqa: D301
    from waiaas_migrate.runner.backups.backup import backups_of
    from waiaas_migrate.runner.backups.restore import database_file
    from waiaas_migrate.runner.backups.restore import restore as run

    if list_only:
        _print_backups(database, backups_of(database_file(database)), as_json=as_json)
    else:
        run(database, backup, report=partial(_print_restored, as_json=as_json))


def _print_restored(result: Restored, *, as_json: bool) -> None:
    if as_json:
        row = {"database": result.database, "restored": result.backup, "kept": result.kept, "notices": result.notices}
        print_json(row)
        return
    say(f"restored {result.backup}")
    if result.kept is not None:
        note(f"kept the replaced file as {result.kept}")
    for notice in result.notices:
        note(f"Note: {notice}")


def _print_backups(database: str, backups: tuple[Backup, ...], *, as_json: bool) -> None:
    from waiaas_migrate.runner.backups.verified_copy import byte_count

    if as_json:
        rows = [{**asdict(backup), "made_at": backup.made_at.isoformat()} for backup in backups]
        print_json({"database": database, "backups": rows})
        return
    for backup in backups:
        say(f"{backup.made_at:%Y-%m-%d %H:%M:%S} UTC  {byte_count(backup.bytes):>10}  {backup.path}")
    if not backups:
        say(f"{database}: no backups.")
