"""Ask before data is deleted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli.output import warn

if TYPE_CHECKING:
    from waiaas_migrate.runner.losses import Loss


def confirm_losses(database: str, losses: Sequence[Loss], *, yes: bool) -> bool:
    """Return whether the user wants a rollback to delete this; nobody is asked without a terminal."""
    if yes:
        return True
    lines = "\n".join(f"  {loss}" for loss in losses)
    return confirm(f"{database}: the rollback deletes\n{lines}\nRoll back?")


def confirm(question: str) -> bool:
    """Ask a question on the terminal; return true only for ``y`` or ``yes``, and false without a terminal.

    An empty answer and the end of the input mean no.
    """
    if sys.stdin is None or not sys.stdin.isatty():  # None in a process without a console
        return False
    warn(question)
    click.echo("[y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
