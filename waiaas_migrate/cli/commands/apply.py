"""The command ``apply``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import print_interrupted, print_json, print_run, say

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.apply import ApplyResult
    from waiaas_migrate.runner.fleet.fleet import Fleet
    from waiaas_migrate.runner.options import RunOptions


@click.command()
@options.databases
@click.option("--dry-run", is_flag=True, help="Show what would run and what it would cost; write nothing.")
@options.run_options
@options.transaction
@options.fleet_options
@options.as_json
@options.in_migrations
def apply(
    project: Project,
    databases: tuple[str, ...],
    *,
    dry_run: bool,
    run_options: RunOptions,
    fleet: Fleet,
    as_json: bool,
) -> int:
    """Apply pending migrations to each DATABASE, all or none.

    DATABASE is a path or a sqlite:/// URL. New database files get mode 0600. Give several databases, or a pattern in
    quotes, to get one line for each; if one fails, the others still run.

    \b
    Example:
      waiaas-migrate apply app.db
      waiaas-migrate apply "tenants/*.db" --jobs 8
    """  # noqa: D301
    if dry_run:
        from waiaas_migrate.cli.dry_run import dry_run as estimate

        return estimate(project, databases, run_options, fleet, as_json=as_json)

    from waiaas_migrate.runner.fleet.patterns import is_single

    if is_single(databases):
        return _apply(project, databases[0], run_options, as_json=as_json)
    return _apply_to_all(project, databases, run_options, fleet, as_json=as_json)


def _apply(project: Project, database: str, run_options: RunOptions, *, as_json: bool) -> int:
    from waiaas_migrate.cli.progress_line import progress_line
    from waiaas_migrate.runner.apply import apply_to
    from waiaas_migrate.runner.watching.interruption import Interrupted

    try:
        with progress_line() as listener:
            result = apply_to(database, project.migrations, options=replace(run_options, listener=listener))
        _print(database, result, as_json=as_json)
    except Interrupted as error:
        return print_interrupted(error, as_json=as_json)
    except KeyboardInterrupt as error:  # before or after the run
        message = str(error) or f"Interrupted. Run `waiaas-migrate status {database}` to see what was applied."
        return print_interrupted(KeyboardInterrupt(message), as_json=as_json)
    return 0


def _print(database: str, result: ApplyResult, *, as_json: bool) -> None:
    if as_json:
        print_json({"database": database, **_row(result)})
        return
    print_run(result)
    for migration in result.applied:
        say(f"applied {migration}")
    if not result.applied:
        say(f"{database}: up to date.")


def _apply_to_all(
    project: Project, databases: tuple[str, ...], run_options: RunOptions, fleet: Fleet, *, as_json: bool
) -> int:
    from waiaas_migrate.cli.outcomes import Report, print_outcomes
    from waiaas_migrate.runner.fleet.fleet import apply_to_all
    from waiaas_migrate.runner.fleet.patterns import expand, without_patterns

    outcomes = apply_to_all(
        expand(databases), project.migrations, options=run_options, fleet=fleet, may_make=without_patterns(databases)
    )
    report = Report(
        word=lambda result: "migrated" if result.applied else "up to date", line=_line, row=_row, status=lambda _: 0
    )
    return print_outcomes(outcomes, report, as_json=as_json)


def _row(result: ApplyResult) -> dict[str, object]:
    backup = None if result.backup is None else str(result.backup)
    return {"applied": result.applied, "notices": result.notices, "backup": backup}


def _line(result: ApplyResult) -> str:
    if not result.applied:
        return " ".join(["up to date.", *result.notices])
    backup = "" if result.backup is None else f" (backup {result.backup.name})"
    return " ".join([f"applied {', '.join(result.applied)}{backup}.", *result.notices])
