"""The command ``apply``."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.outcomes import Report, print_each, print_one
from waiaas_migrate.cli.output import CHANGED_BY_HAND, FINDINGS, print_json, print_run, say, up_to_date_line
from waiaas_migrate.errors import UsageError

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.apply import ApplyResult
    from waiaas_migrate.runner.fleet.fleet import Fleet
    from waiaas_migrate.runner.options import RunOptions
    from waiaas_migrate.runner.redo import RedoResult


@click.command()
@options.databases
@click.option("--dry-run", is_flag=True, help="Show what would run and what it would cost; write nothing.")
@click.option(
    "--redo", is_flag=True, help="First roll back migrations that were changed, renamed or deleted since they ran."
)
@options.yes
@options.run_options
@options.transaction
@options.fleet_options
@options.as_json
@options.in_migrations
@options.reports_interruption
def apply(  # noqa: PLR0913 — one for each option
    project: Project,
    databases: tuple[str, ...],
    *,
    dry_run: bool,
    redo: bool,
    yes: bool,
    run_options: RunOptions,
    fleet: Fleet,
    as_json: bool,
) -> int:
    """Apply pending migrations to each DATABASE, all or none.

    DATABASE is a path or a sqlite:/// URL. New database files get mode 0600. For several databases or a quoted
    pattern, prints one line each; if one fails, the others still run.

    --redo updates a database of your own if a migration was changed, renamed or deleted after the database ran it. It
    first rolls back that migration and all later ones, with the rollbacks stored in the database. If a rollback deletes
    data, --redo asks first, like `rollback`. It takes one DATABASE.

    \b
    Example:
      waiaas-migrate apply app.db
      waiaas-migrate apply "tenants/*.db" --jobs 8
    """  # noqa: D301
    if redo:
        return _redo(project, databases, run_options, dry_run=dry_run, yes=yes, as_json=as_json)
    if yes:
        raise UsageError("--yes only affects --redo. Add --redo, or leave it out.")
    if dry_run:
        from waiaas_migrate.cli.dry_run import dry_run as estimate

        return estimate(project, databases, run_options, fleet, as_json=as_json)
    return _apply(project, databases, run_options, fleet, as_json=as_json)


def _apply(
    project: Project, databases: tuple[str, ...], run_options: RunOptions, fleet: Fleet, *, as_json: bool
) -> int:
    from waiaas_migrate.cli.progress_line import progress_line
    from waiaas_migrate.runner.apply import apply_to
    from waiaas_migrate.runner.fleet.fleet import apply_to_all
    from waiaas_migrate.runner.fleet.patterns import expand, is_single, without_patterns

    report = Report(show=_show, line=_line, outcome=_outcome, row=asdict)
    if is_single(databases):
        with progress_line() as listener:
            result = apply_to(databases[0], project.migrations, options=replace(run_options, listener=listener))
        return print_one(databases[0], result, report, as_json=as_json)
    names, may_make = expand(databases), without_patterns(databases)
    outcomes = apply_to_all(names, project.migrations, options=run_options, fleet=fleet, may_make=may_make)
    return print_each(outcomes, report, as_json=as_json)


def _redo(
    project: Project, databases: tuple[str, ...], run_options: RunOptions, *, dry_run: bool, yes: bool, as_json: bool
) -> int:
    from waiaas_migrate.cli.confirm import confirm_losses
    from waiaas_migrate.cli.progress_line import progress_line
    from waiaas_migrate.runner.redo import redo

    if dry_run:
        raise UsageError("--dry-run and --redo contradict each other. Give only one of them.")
    if len(databases) != 1:
        raise UsageError("--redo takes one DATABASE.")
    (database,) = databases
    with progress_line() as listener:
        confirm = partial(confirm_losses, database, yes=yes)
        options = replace(run_options, listener=listener)
        result = redo(database, project.migrations, options=options, confirm=confirm)
    if as_json:
        print_json({"database": database, **asdict(result)})
    else:
        _show(database, result)
    return FINDINGS if result.manual_changes else 0


def _show(database: str, result: ApplyResult | RedoResult) -> None:
    if not print_run(result):
        say(f"{database}: {up_to_date_line(result.manual_changes)}")


def _outcome(result: ApplyResult) -> tuple[str, int]:
    if result.manual_changes:
        return CHANGED_BY_HAND, FINDINGS
    return "migrated" if result.applied else "up to date", 0


def _line(result: ApplyResult) -> str:
    notices = [f"Note: {notice}" for notice in result.notices]
    if not result.applied:
        return " ".join([up_to_date_line(result.manual_changes), *notices])
    backup = "" if result.backup is None else f" (backup {result.backup.name})"
    return " ".join([f"applied {', '.join(result.applied)}{backup}.", *notices])
