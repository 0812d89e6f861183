"""The command ``drift``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.commands.generate import planned_row, print_hazards, warn_refused
from waiaas_migrate.cli.outcomes import Report, print_each, print_one
from waiaas_migrate.cli.output import (
    FINDINGS,
    hazard_row,
    note,
    plural,
    print_document,
    print_findings,
    print_json,
    print_written,
    say,
)
from waiaas_migrate.errors import UsageError

if TYPE_CHECKING:
    from waiaas_migrate.commands.drift import Drift
    from waiaas_migrate.commands.take_over import TakenOver
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.fleet.fleet import Fleet

_NOT_ADOPTED = "has no record of migrations, so everything in it is reported."


@click.command()
@options.databases
@options.column_order
@click.option("--as-migration", metavar="NAME", help="Write a migration that makes the changes in other databases.")
@click.option("--allow", metavar="CODE", multiple=True, help="Accept a hazard with --as-migration.  [repeatable]")
@click.option("--fix", is_flag=True, help="Print the SQL that would undo the changes.")
@options.fleet_options
@options.as_json
@options.in_project
def drift(  # noqa: PLR0913 — one for each option
    project: Project,
    databases: tuple[str, ...],
    *,
    column_order: bool,
    as_migration: str | None,
    allow: tuple[str, ...],
    fix: bool,
    fleet: Fleet,
    as_json: bool,
) -> int:
    """Find changes to each DATABASE that no migration made.

    Exits with 1 if there are any. For several databases or a quoted pattern, prints one line each.

    Writes nothing, with one exception: --as-migration writes a migration for the changes, records it as applied on
    the DATABASE that has them, and prints the lines that schema.yaml must declare. --fix prints SQL and runs none.

    \b
    Example:
      waiaas-migrate drift "tenants/*.db" --json
      waiaas-migrate drift app.db --as-migration hotfix
    """  # noqa: D301
    from waiaas_migrate.commands import drift as library
    from waiaas_migrate.runner.fleet.patterns import expand, is_single

    if as_migration is not None:
        if fix:
            raise UsageError("--as-migration and --fix contradict each other. Give only one of them.")
        return _take_over(project, _only(databases), as_migration, allow, as_json=as_json)
    if fix:
        return _print_fix(project, _only(databases), as_json=as_json)
    report = Report(show=_show, line=_line, outcome=_outcome, row=_row)
    if is_single(databases):
        result = library.drift(project, databases[0], column_order=column_order)
        return print_one(databases[0], result, report, as_json=as_json)
    outcomes = library.drift_of_all(project, expand(databases), fleet, column_order=column_order)
    return print_each(outcomes, report, as_json=as_json)


def _only(databases: tuple[str, ...]) -> str:
    """Return the only database.

    Raises:
        UsageError: there are several, or a pattern.
    """
    from waiaas_migrate.runner.fleet.patterns import is_single

    if not is_single(databases):
        raise UsageError("--as-migration and --fix take one DATABASE. Name the one with the manual change.")
    return databases[0]


def _print_fix(project: Project, database: str, *, as_json: bool) -> int:
    from waiaas_migrate.commands.undo_changes import undo_changes

    result = undo_changes(project, database)
    if as_json:
        print_json({**asdict(result), "hazards": [hazard_row(hazard) for hazard in result.hazards]})
    elif result.sql:
        print_document(result.sql)
    else:
        note(f"{result.database}: no drift.")
    return FINDINGS if result.sql else 0


def _take_over(project: Project, database: str, name: str, allow: tuple[str, ...], *, as_json: bool) -> int:
    from waiaas_migrate.commands.take_over import take_over

    result = take_over(project, database, name=name, allow=allow)
    if as_json:
        print_json(planned_row(result))
    else:
        _print_taken_over(result)
    return FINDINGS if result.refused else 0


def _print_taken_over(result: TakenOver) -> None:
    for change in result.changes:
        note(change)
    print_hazards(result)
    print_written(result.written, result.removed)
    for notice in result.notices:
        note(f"Note: {notice}")
    if result.refused:
        warn_refused(result)
    elif result.migration is None:
        say(f"{result.database}: no drift.")
    else:
        note(f"recorded {result.migration} as applied to {result.database}")
    for edit in result.edits:
        print_document(f"{edit}\n")


def _outcome(result: Drift) -> tuple[str, int]:
    return ("with drift", FINDINGS) if result.findings else ("without drift", 0)


def _show(database: str, result: Drift) -> None:
    if not result.findings:
        say(f"{database}: no drift.")
    print_findings(result.findings)
    if not result.is_adopted:
        note(f"{database}: {_NOT_ADOPTED}")
    elif result.pending:
        note(f"{len(result.pending)} pending. Compared with the schema that the applied migrations build.")


def _row(result: Drift) -> dict[str, object]:
    return {
        "pending": result.pending,
        "unrecorded_tables": not result.is_adopted,
        "findings": [asdict(finding) for finding in result.findings],
    }


def _line(result: Drift) -> str:
    if not result.findings:
        return f"no drift, {len(result.pending)} pending." if result.pending else "no drift."
    findings = " ".join(f"{finding.where}: {finding.what}" for finding in result.findings)
    line = f"{plural(len(result.findings), 'finding')}: {findings}"
    return line if result.is_adopted else f"{line} It {_NOT_ADOPTED}"
