"""Commands about databases: bring them up to date, and see where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.many import Report, jobs, print_outcomes, stop_on_failure
from waiaas_migrate.cli.output import FINDINGS, finding_rows, note, print_findings, print_json, problem_row, say
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.fleet.fleet import Fleet
from waiaas_migrate.runner.fleet.patterns import expand, is_single

if TYPE_CHECKING:
    # Reading a schema takes SQLite's grammar, which applying does without.
    from waiaas_migrate.commands.drift import Drift
    from waiaas_migrate.commands.status import Status


@click.command(short_help="Show what each DATABASE has run, and what is pending.")
@options.databases
@jobs
@stop_on_failure
@options.as_json
@options.in_migrations
def status(
    project: Project, databases: tuple[str, ...], *, jobs: int | None, stop_on_failure: bool, as_json: bool
) -> int:
    """Show which migrations each DATABASE has run, and which are pending.

    Nothing is written. Exits with 1 where migrations are pending, or unknown to this project, or are not as recorded.
    Several databases, or a pattern in quotes, give one line each.

    \b
    Example:
      waiaas-migrate status app.db
      waiaas-migrate status "tenants/*.db" --json
    """  # noqa: D301
    from waiaas_migrate.commands.status import status as run
    from waiaas_migrate.commands.status import status_of_all

    if not is_single(databases):
        fleet = Fleet(jobs=jobs, stop_on_failure=stop_on_failure)
        return print_outcomes(status_of_all(project, expand(databases), fleet), _STATUS, as_json=as_json)
    result = run(project, databases[0])
    if as_json:
        print_json({"database": result.database, **_status_row(result)})
    else:
        for migration, state in result.migrations:
            say(f"{state:8} {migration}", good=None if state == "applied" else False)
        say(f"{result.database}: {_status_line(result)}")
    return _status_exit(result)


def _status_row(result: Status) -> dict[str, object]:
    return {
        "migrations": [{"id": migration, "state": state} for migration, state in result.migrations],
        "at_head": result.is_at_head,
        "unrecorded_tables": not result.is_adopted,
        "problems": [problem_row(problem) for problem in result.problems],
    }


def _status_line(result: Status) -> str:
    refused = " The folder is not as recorded: `apply` refuses it, and `check` says why." if result.problems else ""
    return f"{_standing_line(result)}{refused}"


def _standing_line(result: Status) -> str:
    if not result.migrations:
        return "up to date: there are no migrations in the folder."
    if result.is_at_head:
        return "up to date."
    pending, unknown = result.ids("pending"), result.ids("unknown")
    parts = [f"{len(pending)} pending"] if pending else []
    parts += [f"{len(unknown)} unknown to this project"] if unknown else []
    said = ", ".join(parts) + "."
    return said if result.is_adopted else f"{said} It holds tables but no record of migrations: `apply` refuses it."


def _status_word(result: Status) -> str:
    if not result.is_at_head:
        return "not at head"
    return "not as recorded" if result.problems else "up to date"


def _status_exit(result: Status) -> int:
    return 0 if result.is_at_head and not result.problems else FINDINGS


_STATUS: Report[Status] = Report(
    word=_status_word,
    line=_status_line,
    row=_status_row,
    status=_status_exit,
)


@click.command()
@options.databases
@options.column_order
@jobs
@stop_on_failure
@options.as_json
@options.in_migrations
def drift(
    project: Project,
    databases: tuple[str, ...],
    *,
    column_order: bool,
    as_json: bool,
    **many: int | None,
) -> int:
    """Compare each DATABASE with what its migrations made.

    Nothing is written. Exits with 1 where something was changed by other means. Several databases, or a pattern in
    quotes, give one line each.

    \b
    Example:
      waiaas-migrate drift app.db
      waiaas-migrate drift "tenants/*.db" --json
    """  # noqa: D301
    from waiaas_migrate.commands.drift import drift as run
    from waiaas_migrate.commands.drift import drift_of_all

    if not is_single(databases):
        fleet = Fleet(jobs=many["jobs"], stop_on_failure=bool(many["stop_on_failure"]))
        outcomes = drift_of_all(project, expand(databases), fleet, column_order=column_order)
        return print_outcomes(outcomes, _DRIFT, as_json=as_json)
    result = run(project, databases[0], column_order=column_order)
    if as_json:
        print_json({"database": result.database, **_drift_row(result)})
    else:
        print_findings(result.findings)
        if not result.is_adopted:
            note(_UNRECORDED)
        elif result.pending:
            note(f"{len(result.pending)} pending; compared with the migrations that were run.")
        if not result.findings:
            say(f"{result.database}: no drift.", good=True)
    return _drift_exit(result)


_UNRECORDED = (
    "There is no record of migrations, so that all of it is told. If it is what the first of them make, note those as "
    "applied with `yoyo mark`, and ask again."
)


def _drift_row(result: Drift) -> dict[str, object]:
    return {
        "pending": result.pending,
        "unrecorded_tables": not result.is_adopted,
        "findings": finding_rows(result.findings),
    }


def _drift_line(result: Drift) -> str:
    pending = f", {len(result.pending)} pending" if result.pending else ""
    said = " ".join(str(finding) for finding in result.findings) or f"no drift{pending}."
    return said if result.is_adopted else f"{said} {_UNRECORDED}"


def _drift_exit(result: Drift) -> int:
    return FINDINGS if result.findings else 0


_DRIFT: Report[Drift] = Report(
    word=lambda result: "with drift" if result.findings else "without drift",
    line=_drift_line,
    row=_drift_row,
    status=_drift_exit,
)
