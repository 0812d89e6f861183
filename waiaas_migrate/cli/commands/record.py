"""The command ``record``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.commands.generate import redo_hint
from waiaas_migrate.cli.output import note, print_json, print_written, say

if TYPE_CHECKING:
    from waiaas_migrate.authoring.record import Recorded
    from waiaas_migrate.files.project import Project


@click.command()
@options.released
@options.as_json
@options.in_migrations
def record(project: Project, released: tuple[str, ...], *, as_json: bool) -> None:
    """Record migrations written, edited or deleted by hand.

    Replays the migrations in memory, then writes manifest.json. An edited or deleted migration must not be released. A
    migration is released if the main branch has it.

    \b
    Example:
      waiaas-migrate record
    """  # noqa: D301
    from waiaas_migrate.authoring.record import record as run

    result = run(project, released=released)
    if as_json:
        print_json(asdict(result))
    else:
        _print_recorded(result)


def _print_recorded(result: Recorded) -> None:
    print_written(result.written, result.removed)
    for notice in result.notices:
        note(f"Note: {notice}")
    changes = [
        *(f"recorded {migration}" for migration in result.added),
        *(f"recorded {migration} as it is now" for migration in result.edited),
        *(f"{migration} is no longer recorded" for migration in result.deleted),
    ]
    unchanged = (
        "manifest.json is up to date again." if result.written else "Nothing to record: manifest.json is up to date."
    )
    for line in changes or [unchanged]:
        say(line)
    if changed := (*result.edited, *result.deleted):
        note(redo_hint(*changed))
