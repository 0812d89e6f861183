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
    """Return whether the user wants a rollback to delete this.

    Any answer but ``y`` and ``yes`` means no. Without a terminal, nobody is asked, and the answer is no.
    """
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():  # None in a process without a console
        return False
    lines = "\n".join(f"  {loss}" for loss in losses)
    warn(f"{database}: the rollback deletes\n{lines}\nRoll back?")
    click.echo("[y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
