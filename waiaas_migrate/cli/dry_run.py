"""Print what ``apply`` would do: ``apply --dry-run``."""

from __future__ import annotations

from waiaas_migrate.cli.outcomes import Report, print_outcomes
from waiaas_migrate.cli.output import plural, print_json, say
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.backups.verified_copy import byte_count
from waiaas_migrate.runner.dry_run import Estimate, MigrationEstimate, TableEstimate, estimate, estimate_all
from waiaas_migrate.runner.fleet.fleet import Fleet
from waiaas_migrate.runner.fleet.patterns import expand, is_single, without_patterns
from waiaas_migrate.runner.options import RunOptions


def dry_run(
    project: Project, databases: tuple[str, ...], run_options: RunOptions, fleet: Fleet, *, as_json: bool
) -> int:
    """Print the pending migrations of ``databases``, the tables they change, and the cost; return the exit status."""
    if not is_single(databases):
        outcomes = estimate_all(
            expand(databases),
            project.migrations,
            options=run_options,
            fleet=fleet,
            may_make=without_patterns(databases),
        )
        report = Report(
            word=lambda found: "to be migrated" if found.migrations else "up to date",
            line=_line,
            row=_row,
            status=lambda _: 0,
        )
        return print_outcomes(outcomes, report, as_json=as_json)
    found = estimate(databases[0], project.migrations, options=run_options)
    if as_json:
        print_json({"database": found.database, **_row(found)})
        return 0
    for migration in found.migrations:
        _print_migration(migration)
    say(f"{found.database}: {_line(found)}")
    return 0


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
        return "up to date."
    backup = "A backup will be made first." if found.backup else "No backup will be made."
    size = f"Size {byte_count(found.bytes)}" if found.bytes else "New file"
    need = f"; needs up to {byte_count(found.bytes_to_write)} more" if found.bytes_to_write else ""
    room = f"{size}{need}; {byte_count(found.free)} free."
    if found.is_short_of_room:
        missing = byte_count(found.bytes_to_write - found.free)
        room += f" Free up to {missing} first: if the disk fills up, the run fails and changes nothing."
    return f"{len(found.migrations)} pending. {backup} {room}"


def _row(found: Estimate) -> dict[str, object]:
    return {
        "migrations": [
            {
                "id": one.id,
                "kind": one.kind,
                "may_lose": one.may_lose,
                "tables": None if one.tables is None else [_table_row(table) for table in one.tables],
                "hazards": [str(hazard) for hazard in one.hazards],
            }
            for one in found.migrations
        ],
        "bytes": found.bytes,
        "bytes_to_write": found.bytes_to_write,
        "free": found.free,
        "is_short_of_room": found.is_short_of_room,
        "backup": found.backup,
    }


def _table_row(table: TableEstimate) -> dict[str, object]:
    size = table.size
    return {
        "table": table.table,
        "cost": table.cost,
        "rows": None if size is None else size.rows,
        "bytes": None if size is None else size.bytes,
        "is_estimate": None if size is None else size.is_estimate,
    }
