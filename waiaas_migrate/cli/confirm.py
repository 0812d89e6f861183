"""Ask the user before a rollback deletes data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli.output import warn

if TYPE_CHECKING:
    from waiaas_migrate.runner.losses import Loss


def confirm_losses(database: str, losses: Sequence[Loss], *, yes: bool) -> bool:
    """Show what a rollback would delete, and return whether the user agrees.

    Only the answers ``y`` and ``yes`` agree. ``yes`` agrees without asking. Without a terminal, the answer is no.
    """
    if yes or sys.stdin is None or not sys.stdin.isatty():  # None in a process without a console
        return yes
    lines = "\n".join(f"  {loss}" for loss in losses)
    warn(f"{database}: the rollback deletes\n{lines}\nRoll back?")
    click.echo("[y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
