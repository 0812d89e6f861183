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
@click.option("--list", "only_list", is_flag=True, help="List the backups, oldest first, and change nothing.")
@options.as_json
@options.in_settings
@options.reports_interruption
def restore(_project: Project, database: str, backup: str | None, *, only_list: bool, as_json: bool) -> None:
    """Replace DATABASE with BACKUP, or with its newest backup.

    Checks the backup first. Refuses while a process has the database open. Keeps the replaced file beside the new one.

    \b
    Example:
      waiaas-migrate restore app.db
    """  # noqa: D301
    from waiaas_migrate.runner.backups.backup import backups_of
    from waiaas_migrate.runner.backups.restore import database_file
    from waiaas_migrate.runner.backups.restore import restore as run

    if only_list:
        _print_list(database, backups_of(database_file(database)), as_json=as_json)
    else:
        run(database, backup, report=partial(_report, as_json=as_json))


def _report(done: Restored, *, as_json: bool) -> None:
    if as_json:
        print_json({"database": done.database, "restored": done.backup, "kept": done.kept, "notices": done.notices})
        return
    say(f"restored {done.backup}")
    if done.kept is not None:
        note(f"kept the replaced file as {done.kept}")
    for notice in done.notices:
        note(f"Note: {notice}")


def _print_list(database: str, backups: tuple[Backup, ...], *, as_json: bool) -> None:
    from waiaas_migrate.runner.backups.verified_copy import byte_count

    if as_json:
        rows = [{**asdict(one), "made_at": one.made_at.isoformat()} for one in backups]
        print_json({"database": database, "backups": rows})
        return
    for one in backups:
        say(f"{one.made_at:%Y-%m-%d %H:%M:%S} UTC  {byte_count(one.bytes):>10}  {one.path}")
    if not backups:
        say(f"{database}: no backups.")
