"""``restore``: put a backup back, or list those there are."""

from __future__ import annotations

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import note, path_or_none, print_json, say
from waiaas_migrate.runner.backups.backup import Backup, byte_count


@click.command()
@options.database
@click.argument("backup", required=False)
@click.option("--list", "only_list", is_flag=True, help="List the backups there are, the oldest first; change nothing.")
@options.as_json
def restore(database: str, backup: str | None, *, only_list: bool, as_json: bool) -> int:
    """Put BACKUP, or the newest backup, in the place of DATABASE.

    It is checked first, and refused while a process has the database open. The file that it replaces is kept beside it.

    \b
    Example:
      waiaas-migrate restore app.db
    """  # noqa: D301
    from waiaas_migrate.runner.backups.backup import backups_of
    from waiaas_migrate.runner.backups.restore import database_file
    from waiaas_migrate.runner.backups.restore import restore as run

    if only_list:
        return _print_list(database, backups_of(database_file(database)), as_json=as_json)
    done = run(database, backup)
    if as_json:
        print_json({"database": str(done.database), "restored": str(done.backup), "kept": path_or_none(done.kept)})
        return 0
    say(f"restored {done.backup}")
    if done.kept is not None:
        note(f"what it replaced is kept as {done.kept}")
    return 0


def _print_list(database: str, backups: tuple[Backup, ...], *, as_json: bool) -> int:
    if as_json:
        rows = [
            {"path": str(one.path), "made_at": one.made_at.isoformat(), "head": one.head, "bytes": one.bytes}
            for one in backups
        ]
        print_json({"database": database, "backups": rows})
        return 0
    for one in backups:
        say(f"{one.made_at:%Y-%m-%d %H:%M:%S} UTC  {byte_count(one.bytes):>10}  {one.path}")
    if not backups:
        say(f"{database}: no backups.")
    return 0
