"""Roll back and apply again: ``apply --redo``."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

from waiaas_migrate.cli.confirm import confirm_losses
from waiaas_migrate.cli.output import FINDINGS, manual_changes_line, note, print_interrupted, print_json, print_run, say
from waiaas_migrate.cli.progress_line import progress_line
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.redo import RedoResult
from waiaas_migrate.runner.redo import redo as run


def redo(
    project: Project, databases: tuple[str, ...], run_options: RunOptions, *, dry_run: bool, yes: bool, as_json: bool
) -> int:
    """Roll back and apply, print both, and return the exit status.

    Raises:
        UsageError: several databases are given, or ``dry_run``.
    """
    if dry_run:
        raise UsageError("--dry-run and --redo contradict each other. Give only one of them.")
    if len(databases) != 1:
        raise UsageError("--redo takes one DATABASE.")
    (database,) = databases
    try:
        with progress_line() as listener:
            confirm = partial(confirm_losses, database, yes=yes)
            options = replace(run_options, listener=listener)
            result = run(database, project.migrations, options=options, confirm=confirm)
    except KeyboardInterrupt as error:
        return print_interrupted(error, as_json=as_json, database=database)
    if as_json:
        print_json({"database": database, **asdict(result)})
    else:
        _show(database, result)
    return FINDINGS if result.manual_changes else 0


def _show(database: str, result: RedoResult) -> None:
    print_run(result)
    for loss in result.losses:
        note(f"deleted {loss}")
    for migration in result.rolled_back:
        say(f"rolled back {migration}")
    for migration in result.applied:
        say(f"applied {migration}")
    if not result.rolled_back and not result.applied:
        state = manual_changes_line(result.manual_changes) if result.manual_changes else "up to date."
        say(f"{database}: {state}")
