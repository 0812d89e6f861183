"""The command ``adopt``."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.outcomes import Report, print_each, print_one
from waiaas_migrate.cli.output import FINDINGS, note, plural, print_findings, say

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.adopt import Adoption
    from waiaas_migrate.runner.fleet.fleet import Fleet


@click.command()
@options.databases
@click.option("--at", metavar="MIGRATION", help="The last migration to record.  [default: last recorded, else last]")
@click.option("--dry-run", is_flag=True, help="Show what would be recorded; write nothing.")
@options.fleet_options
@options.as_json
@options.in_migrations
@options.reports_interruption
def adopt(
    project: Project, databases: tuple[str, ...], *, at: str | None, dry_run: bool, fleet: Fleet, as_json: bool
) -> int:
    """Start using migrations in each existing DATABASE.

    Proves that the schema is equivalent to what the migrations build, rewords definitions like the migrations, and
    records the migrations as applied, all in one transaction. Rows stay as they are, so no backup is made. If
    something differs, shows it, changes nothing, and exits with 1. For several databases or a quoted pattern,
    prints one line each.

    \b
    Example:
      waiaas-migrate adopt app.db
      waiaas-migrate adopt "tenants/*.db" --at 0007_orders
    """  # noqa: D301
    from waiaas_migrate.commands import adopt as library
    from waiaas_migrate.runner.fleet.patterns import expand, is_single

    report = Report(
        show=functools.partial(_show, dry_run=dry_run),
        line=functools.partial(_line, dry_run=dry_run),
        outcome=functools.partial(_outcome, dry_run=dry_run),
        row=_row,
    )
    if is_single(databases):
        result = library.adopt(project, databases[0], at=at, dry_run=dry_run)
        return print_one(databases[0], result, report, as_json=as_json)
    outcomes = library.adopt_all(project, expand(databases), fleet, at=at, dry_run=dry_run)
    return print_each(outcomes, report, as_json=as_json)


def _show(database: str, result: Adoption, *, dry_run: bool) -> None:
    from waiaas_migrate.commands.adopt import findings_of

    if result.differences:
        say(f"{database}: differs from the migrations up to {result.at}. Nothing was changed.")
        print_findings(findings_of(result))
        return
    for notice in result.notices:
        note(f"Note: {notice}")
    for migration in result.recorded:
        say(f"{'would record' if dry_run else 'recorded'} {migration}")
    say(f"{database}: {_summary(result, dry_run=dry_run)}")


def _line(result: Adoption, *, dry_run: bool) -> str:
    from waiaas_migrate.commands.adopt import hint_at_equal_migration

    if result.differences:
        count = plural(len(result.differences), "difference")
        details = " ".join(f"{difference.where}: {difference}." for difference in result.differences)
        return f"{count} from {result.at}: {details} {hint_at_equal_migration(result)}".rstrip()
    notices = [f"Note: {notice}" for notice in result.notices]
    return " ".join([_summary(result, dry_run=dry_run), *notices])


def _summary(result: Adoption, *, dry_run: bool) -> str:
    """Return a sentence about the adoption, and another one if migrations are pending."""
    pending = f" {len(result.pending)} pending: run `waiaas-migrate apply`." if result.pending else ""
    if result.changes_nothing:
        return f"already adopted up to {result.at}.{pending}"
    verb = "would be adopted" if dry_run else "adopted"
    count = len(result.reworded)
    get = "would get" if dry_run else "got"
    reworded = f"; {plural(count, 'definition')} {get} the migrations' wording" if count else ""
    return f"{verb} up to {result.at}{reworded}.{pending}"


def _row(result: Adoption) -> dict[str, object]:
    from waiaas_migrate.commands.adopt import findings_of

    return {
        "at": result.at,
        "recorded": result.recorded,
        "completed": result.completed,
        "reworded": result.reworded,
        "pending": result.pending,
        "findings": [asdict(finding) for finding in findings_of(result)],
        "equal_to": result.equal_to,
        "notices": result.notices,
    }


def _outcome(result: Adoption, *, dry_run: bool) -> tuple[str, int]:
    if result.differences:
        return "different", FINDINGS
    if result.changes_nothing:
        return "already adopted", 0
    return "to be adopted" if dry_run else "adopted", 0
