"""Ask the user before a rollback deletes data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli.output import warn
from waiaas_migrate.errors import DatabaseRefused

if TYPE_CHECKING:
    from waiaas_migrate.runner.losses import Loss


def confirm_losses(database: str, losses: Sequence[Loss], *, yes: bool) -> bool:
    """Return whether a rollback may delete the data in ``losses``; ask the user.

    With ``yes``, return true without asking. Without a terminal, return false, because nobody can answer.

    Raises:
        DatabaseRefused: the user gave any answer but ``y`` or ``yes``.
    """
    if yes or sys.stdin is None or not sys.stdin.isatty():  # None in a process without a console
        return yes
    lines = "\n".join(f"  {loss}" for loss in losses)
    warn(f"{database}: the rollback deletes\n{lines}\nRoll back?")
    click.echo("[y/N] ", err=True, nl=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise DatabaseRefused(f"{database}: nothing was changed.")
    return True
