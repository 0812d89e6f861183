"""The command ``status``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.outcomes import Report, print_each, print_one
from waiaas_migrate.cli.output import CHANGED_BY_HAND, FINDINGS, Color, say, up_to_date_line

if TYPE_CHECKING:
    from waiaas_migrate.commands.status import State, Status
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.fleet.fleet import Fleet

_COLORS: dict[State, Color | None] = {"applied": None, "pending": "yellow", "unknown": "red", "changed": "red"}
_UNKNOWN_FIX = (
    "Use the version of the application that has it. If only databases of your own ran it, run "
    "`waiaas-migrate apply --redo` on them."
)


@click.command()
@options.databases
@options.fleet_options
@options.as_json
@options.in_migrations
def status(project: Project, databases: tuple[str, ...], *, fleet: Fleet, as_json: bool) -> int:
    """Show the applied and pending migrations of each DATABASE.

    Writes nothing. Exits with 1 if migrations are pending, unknown to this project, or changed after the database ran
    them; if the schema was changed by hand; or if the folder differs from its manifest. For several databases
    or a quoted pattern, prints one line each.

    \b
    Example:
      waiaas-migrate status app.db
      waiaas-migrate status "tenants/*.db" --json
    """  # noqa: D301
    from waiaas_migrate.commands import status as library
    from waiaas_migrate.runner.fleet.patterns import expand, is_single

    report = Report(show=_show, line=_line, outcome=_outcome, row=_row)
    if is_single(databases):
        return print_one(databases[0], library.status(project, databases[0]), report, as_json=as_json)
    return print_each(library.status_of_all(project, expand(databases), fleet), report, as_json=as_json)


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
        "mismatch": None if result.mismatch is None else asdict(result.mismatch),
        "manual_changes": result.manual_changes,
    }


def _line(result: Status) -> str:
    sentences = [_migration_states(result)]
    if result.manual_changes and result.mismatch is None:
        sentences.append(up_to_date_line(result.manual_changes))
    if not result.is_adopted:
        sentences.append("It has tables but no record of migrations. Run `adopt`: until then, `apply` refuses it.")
    if result.problems:
        sentences.append("The folder differs from its manifest, so `apply` refuses it. Run `check` for details.")
    return " ".join(filter(None, sentences))


def _migration_states(result: Status) -> str:
    """Return whether the migrations are up to date, or else how many are not; empty if only the schema was changed."""
    if result.mismatch is not None:
        return f"{result.mismatch.what} {result.mismatch.fix}"
    if not result.migrations:
        return "up to date: the folder has no migrations."
    if result.is_at_head:
        return "" if result.manual_changes else "up to date."
    words: dict[State, str] = {"changed": "changed", "pending": "pending", "unknown": "unknown to this project"}
    counts = {words[state]: len(result.ids(state)) for state in words}
    line = ", ".join(f"{count} {word}" for word, count in counts.items() if count) + "."
    return f"{line} {_UNKNOWN_FIX}" if result.ids("unknown") else line


def _outcome(result: Status) -> tuple[str, int]:
    if not result.is_at_head:
        return "not at head" if result.mismatch is None else "refused", FINDINGS
    if result.manual_changes:
        return CHANGED_BY_HAND, FINDINGS
    return ("not as recorded", FINDINGS) if result.problems else ("up to date", 0)
