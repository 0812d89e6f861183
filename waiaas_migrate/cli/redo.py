"""Roll back and apply again: ``apply --redo``."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

from waiaas_migrate.cli.confirm import confirm_losses
from waiaas_migrate.cli.output import FINDINGS, print_json, print_run, say, up_to_date_line
from waiaas_migrate.cli.progress_line import progress_line
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.options import RunOptions
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
    with progress_line() as listener:
        confirm = partial(confirm_losses, database, yes=yes)
        options = replace(run_options, listener=listener)
        result = run(database, project.migrations, options=options, confirm=confirm)
    if as_json:
        print_json({"database": database, **asdict(result)})
    elif not print_run(result):
        say(f"{database}: {up_to_date_line(result.manual_changes)}")
    return FINDINGS if result.manual_changes else 0
