"""Print what ``apply`` would do: ``apply --dry-run``."""

from __future__ import annotations

from dataclasses import asdict

from waiaas_migrate.cli.outcomes import Report, print_each, print_one
from waiaas_migrate.cli.output import CHANGED_BY_HAND, FINDINGS, plural, say, up_to_date_line
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.backups.verified_copy import byte_count
from waiaas_migrate.runner.dry_run import Estimate, MigrationEstimate, TableEstimate, estimate, estimate_all
from waiaas_migrate.runner.fleet.fleet import Fleet
from waiaas_migrate.runner.fleet.patterns import expand, is_single, without_patterns
from waiaas_migrate.runner.options import RunOptions


def dry_run(
    project: Project, databases: tuple[str, ...], run_options: RunOptions, fleet: Fleet, *, as_json: bool
) -> int:
    """Print the pending migrations of ``databases`` and their cost; return the exit status."""
    report = Report(show=_show, line=_line, outcome=_outcome, row=_row)
    if is_single(databases):
        found = estimate(databases[0], project.migrations, options=run_options)
        return print_one(databases[0], found, report, as_json=as_json)
    may_make = without_patterns(databases)
    outcomes = estimate_all(expand(databases), project.migrations, options=run_options, fleet=fleet, may_make=may_make)
    return print_each(outcomes, report, as_json=as_json)


def _outcome(found: Estimate) -> tuple[str, int]:
    if found.manual_changes:
        return CHANGED_BY_HAND, FINDINGS
    return "to be migrated" if found.migrations else "up to date", 0


def _show(database: str, found: Estimate) -> None:
    for migration in found.migrations:
        _print_migration(migration)
    say(f"{database}: {_line(found)}")


def _print_migration(migration: MigrationEstimate) -> None:
    say(migration.id)
    if migration.tables is None:
        say("  may change any table: Python migrations are not analyzed")
    for table in migration.tables or ():
        say(f"  {table.table} [{table.cost}]{_size(table)}")
    for hazard in migration.hazards:
        say(f"  hazard {hazard}")


def _size(table: TableEstimate) -> str:
    if table.size is None:
        return ""
    about = "about " if table.size.is_estimate else ""
    return f": {plural(table.size.rows, 'row')}, {about}{byte_count(table.size.bytes)}"


def _line(found: Estimate) -> str:
    if not found.migrations:
        return up_to_date_line(found.manual_changes)
    backup = "A backup will be made first." if found.backup else "No backup will be made."
    size = f"Size {byte_count(found.bytes)}" if found.bytes else "New file"
    need = f"; needs up to {byte_count(found.bytes_to_write)} more" if found.bytes_to_write else ""
    space = f"{size}{need}; {byte_count(found.free)} free."
    if found.is_short_of_room:
        missing = byte_count(found.bytes_to_write - found.free)
        space += f" Free up to {missing} first: if the disk fills up, the run fails and changes nothing."
    return f"{len(found.migrations)} pending. {backup} {space}"


def _row(found: Estimate) -> dict[str, object]:
    migrations = [
        {
            "id": migration.id,
            "kind": migration.kind,
            "may_lose": migration.may_lose,
            "tables": None if migration.tables is None else [_table_row(table) for table in migration.tables],
            "hazards": [str(hazard) for hazard in migration.hazards],
        }
        for migration in found.migrations
    ]
    computed = {"bytes_to_write": found.bytes_to_write, "is_short_of_room": found.is_short_of_room}
    return {**asdict(found), "migrations": migrations, **computed}


def _table_row(table: TableEstimate) -> dict[str, object]:
    size = dict.fromkeys(("rows", "bytes", "is_estimate")) if table.size is None else asdict(table.size)
    return {"table": table.table, "cost": table.cost, **size}
