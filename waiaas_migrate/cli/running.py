"""What the commands that run migrations have in common: options, and what is told beside the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import get_args

import click

from waiaas_migrate.cli.output import note, print_failure
from waiaas_migrate.errors import INTERRUPTED
from waiaas_migrate.runner.apply import ApplyResult
from waiaas_migrate.runner.options import BackupWhen, RunOptions, Transaction
from waiaas_migrate.runner.rollback import RollbackResult
from waiaas_migrate.runner.watching.interruption import interruption_of


def safety_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give ``command`` the choices of what a run does lest anything be lost, as ``chosen``."""

    @click.option(
        "--no-verify", is_flag=True, help="Do not compare the resulting schema with what the migrations lead to."
    )
    @click.option(
        "--backup",
        type=click.Choice(get_args(BackupWhen)),
        metavar="WHEN",
        default="auto",
        help="Back up before changing a database: `always`, `never`, or where it could lose.  [default: auto]",
    )
    @wraps(command)
    def with_options(*args: object, no_verify: bool, backup: BackupWhen, **options: object) -> int:
        return command(*args, chosen=RunOptions(verify=not no_verify, backup=backup), **options)

    return with_options


def run_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give ``command`` the choices of how a run goes about it, as ``chosen``."""

    @safety_options
    @click.option(
        "--transaction",
        type=click.Choice(get_args(Transaction)),
        metavar="WHICH",
        default="all",
        help="Commit `all` pending migrations together, or `each` by itself.  [default: all]",
    )
    @wraps(command)
    def with_options(*args: object, chosen: RunOptions, transaction: Transaction, **options: object) -> int:
        return command(*args, chosen=replace(chosen, transaction=transaction), **options)

    return with_options


def note_run(result: ApplyResult | RollbackResult) -> None:
    """Tell where the backup is, and what else the user should know."""
    if result.backup is not None:
        note(f"backup {result.backup}")
    for notice in result.notices:
        note(f"Note: {notice}")


def print_interrupted(error: KeyboardInterrupt, *, as_json: bool) -> int:
    """Say that a run was stopped, and what stays of it; return the exit status."""
    note(str(error))
    if as_json:
        print_failure(interruption_of(error))
    return INTERRUPTED
