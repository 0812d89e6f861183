"""The command ``status``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.outcomes import Report, report_on
from waiaas_migrate.cli.output import FINDINGS, Color, say

if TYPE_CHECKING:
    from waiaas_migrate.commands.status import State, Status
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.fleet.fleet import Fleet

_COLORS: dict[State, Color | None] = {"applied": None, "pending": "yellow", "unknown": "red"}


@click.command()
@options.databases
@options.fleet_options
@options.as_json
@options.in_migrations
def status(project: Project, databases: tuple[str, ...], *, fleet: Fleet, as_json: bool) -> int:
    """Show the applied and pending migrations of each DATABASE.

    Writes nothing. Exits with 1 if migrations are pending, unknown to this project, or not as the manifest records
    them. Several databases, or a quoted pattern, get one line each.

    \b
    Example:
      waiaas-migrate status app.db
      waiaas-migrate status "tenants/*.db" --json
    """  # noqa: D301
    from waiaas_migrate.commands import status as library

    return report_on(
        databases,
        Report(show=_show, line=_line, word=_word, row=_row, status=_exit_status),
        one=lambda database: library.status(project, database),
        each=lambda names: library.status_of_all(project, names, fleet),
        as_json=as_json,
    )


def _show(database: str, result: Status) -> None:
    for migration, state in result.migrations:
        say(f"{' ' * (len('applied') - len(state))} {migration}", label=state, color=_COLORS[state])
    say(f"{database}: {_line(result)}")


def _row(result: Status) -> dict[str, object]:
    return {
        "migrations": [{"id": migration, "state": state} for migration, state in result.migrations],
        "at_head": result.is_at_head,
        "unrecorded_tables": not result.is_adopted,
        "problems": [asdict(problem) for problem in result.problems],
    }


def _line(result: Status) -> str:
    if not result.migrations:
        line = "up to date: the folder has no migrations."
    elif result.is_at_head:
        line = "up to date."
    else:
        pending, unknown = len(result.ids("pending")), len(result.ids("unknown"))
        parts = [f"{pending} pending"] if pending else []
        parts += [f"{unknown} unknown to this project"] if unknown else []
        line = f"{', '.join(parts)}."
    if not result.is_adopted:
        line += " It has tables but no record of migrations, so `apply` refuses it."
    if result.problems:
        line += " The folder differs from its manifest, so `apply` refuses it. Run `check` for details."
    return line


def _word(result: Status) -> str:
    if not result.is_at_head:
        return "not at head"
    return "not as recorded" if result.problems else "up to date"


def _exit_status(result: Status) -> int:
    return 0 if result.is_at_head and not result.problems else FINDINGS
