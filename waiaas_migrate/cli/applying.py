"""``apply``: on one database or many, and what it would do to them."""

from __future__ import annotations

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.many import Report, jobs, print_outcomes, stop_on_failure
from waiaas_migrate.cli.output import path_or_none, print_json, say
from waiaas_migrate.cli.running import note_run, print_interrupted, run_options
from waiaas_migrate.cli.terminal import shown_progress
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.apply import ApplyResult
from waiaas_migrate.runner.backups.backup import byte_count
from waiaas_migrate.runner.dry_run import Estimate, MigrationEstimate, TableEstimate
from waiaas_migrate.runner.fleet.fleet import Fleet
from waiaas_migrate.runner.fleet.patterns import expand, is_single, without_patterns
from waiaas_migrate.runner.run import RunOptions, Watch
from waiaas_migrate.runner.watching.progress import Interrupted


@click.command()
@options.databases
@click.option("--dry-run", is_flag=True, help="Show the tables to be changed and what that costs here; write nothing.")
@run_options
@jobs
@stop_on_failure
@options.as_json
@options.in_migrations
def apply(
    project: Project,
    databases: tuple[str, ...],
    *,
    dry_run: bool,
    chosen: RunOptions,
    as_json: bool,
    **many: int | None,
) -> int:
    """Apply the pending migrations to each DATABASE, all or none.

    DATABASE is a path or a sqlite:/// URL; a new file is made readable and writable by its owner alone. Several
    databases, or a pattern in quotes, give one line each, and one that fails does not stop the others.

    \b
    Example:
      waiaas-migrate apply app.db
      waiaas-migrate apply "tenants/*.db" --jobs 8
    """  # noqa: D301
    fleet = Fleet(jobs=many["jobs"], stop_on_failure=bool(many["stop_on_failure"]))
    if dry_run:
        return _dry_run(project, databases, chosen, fleet, as_json=as_json)
    if not is_single(databases):
        from waiaas_migrate.runner.fleet.fleet import apply_to_all

        outcomes = apply_to_all(
            expand(databases), project.migrations, options=chosen, fleet=fleet, may_make=without_patterns(databases)
        )
        return print_outcomes(outcomes, _RUN, as_json=as_json)
    try:
        return _apply(project, databases[0], chosen, as_json=as_json)
    except Interrupted as error:
        return print_interrupted(error, as_json=as_json)
    except KeyboardInterrupt as error:  # before or after the run
        words = f"Interrupted. `waiaas-migrate status {databases[0]}` says what was applied."
        return print_interrupted(KeyboardInterrupt(str(error) or words), as_json=as_json)


def _apply(project: Project, database: str, run_options: RunOptions, *, as_json: bool) -> int:
    from waiaas_migrate.runner.run import apply_to

    with shown_progress() as tell:
        result = apply_to(database, project.migrations, options=run_options, watch=Watch(tell=tell))
    if as_json:
        print_json({"database": database, **_run_row(result)})
        return 0
    note_run(result)
    for migration in result.applied:
        say(f"applied {migration}")
    if not result.applied:
        say(f"{database}: nothing to apply; it is up to date.", good=True)
    return 0


def _run_row(result: ApplyResult) -> dict[str, object]:
    return {"applied": result.applied, "notices": result.notices, "backup": path_or_none(result.backup)}


def _run_line(result: ApplyResult) -> str:
    if not result.applied:
        return " ".join(["up to date.", *result.notices])
    backup = "" if result.backup is None else f" (backup {result.backup.name})"
    return " ".join([f"applied {', '.join(result.applied)}{backup}.", *result.notices])


_RUN: Report[ApplyResult] = Report(
    word=lambda result: "migrated" if result.applied else "up to date",
    line=_run_line,
    row=_run_row,
    status=lambda _: 0,
)


# --- --dry-run --------------------------------------------------------------------------------------------------------


def _dry_run(
    project: Project, databases: tuple[str, ...], run_options: RunOptions, fleet: Fleet, *, as_json: bool
) -> int:
    from waiaas_migrate.runner.dry_run import estimate, estimate_all

    if not is_single(databases):
        outcomes = estimate_all(
            expand(databases),
            project.migrations,
            backup=run_options.backup,
            verify=run_options.verify,
            fleet=fleet,
            may_make=without_patterns(databases),
        )
        return print_outcomes(outcomes, _ESTIMATE, as_json=as_json)
    found = estimate(databases[0], project.migrations, backup=run_options.backup, verify=run_options.verify)
    if as_json:
        print_json({"database": found.database, **_estimate_row(found)})
        return 0
    for migration in found.migrations:
        say(migration.id)
        for line in _migration_lines(migration):
            say(f"  {line}")
    say(f"{found.database}: {_estimate_line(found)}")
    return 0


def _migration_lines(migration: MigrationEstimate) -> list[str]:
    hazards = [f"hazard {hazard}" for hazard in migration.hazards]
    if migration.tables is None:
        return ["may change any table: nobody knows what it does", *hazards]
    return [*(_table_line(table) for table in migration.tables), *hazards]


def _table_line(table: TableEstimate) -> str:
    size = table.size
    if size is None:
        return f"{table.table} [{table.cost}]"
    about = "about " if size.is_estimate else ""
    return f"{table.table} [{table.cost}]: {size.rows:,} {_plural('row', size.rows)}, {about}{byte_count(size.bytes)}"


def _estimate_line(found: Estimate) -> str:
    if not found.migrations:
        return "nothing to apply; it is up to date."
    backup = "a backup would be made first" if found.backup else "no backup would be made"
    short = ""
    if found.is_short_of_room:
        missing = byte_count(found.bytes_to_write - found.free)
        short = f" Room may be short by {missing}: make some before, or the run may fail, and change nothing."
    size = f"the file has {byte_count(found.bytes)}" if found.bytes else "the file is new"
    more = f", up to {byte_count(found.bytes_to_write)} more may be needed" if found.bytes_to_write else ""
    room = f"{size}{more}, {byte_count(found.free)} are free"
    return f"{len(found.migrations)} pending; {room}; {backup}.{short}"


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def _estimate_row(found: Estimate) -> dict[str, object]:
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


_ESTIMATE: Report[Estimate] = Report(
    word=lambda found: "to be migrated" if found.migrations else "up to date",
    line=_estimate_line,
    row=_estimate_row,
    status=lambda _: 0,
)
