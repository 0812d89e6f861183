"""The command ``drift``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.outcomes import Report, report_on
from waiaas_migrate.cli.output import FINDINGS, note, plural, print_findings, say

if TYPE_CHECKING:
    from waiaas_migrate.commands.drift import Drift
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.fleet.fleet import Fleet

_NOT_ADOPTED = (
    "It has no record of migrations, so everything in it is reported. Run `waiaas-migrate adopt`: it compares the "
    "database with the migrations."
)


@click.command()
@options.databases
@options.column_order
@options.fleet_options
@options.as_json
@options.in_migrations
def drift(project: Project, databases: tuple[str, ...], *, column_order: bool, fleet: Fleet, as_json: bool) -> int:
    """Find changes to each DATABASE that no migration made.

    Writes nothing. Exits with 1 if there are any. Several databases, or a quoted pattern, get one line each.

    \b
    Example:
      waiaas-migrate drift app.db
      waiaas-migrate drift "tenants/*.db" --json
    """  # noqa: D301
    from waiaas_migrate.commands import drift as library

    return report_on(
        databases,
        Report(
            show=_show,
            line=_line,
            word=lambda found: "with drift" if found.findings else "without drift",
            row=_row,
            status=lambda found: FINDINGS if found.findings else 0,
        ),
        one=lambda database: library.drift(project, database, column_order=column_order),
        each=lambda names: library.drift_of_all(project, names, fleet, column_order=column_order),
        as_json=as_json,
    )


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
    return line if result.is_adopted else f"{line} {_NOT_ADOPTED}"
