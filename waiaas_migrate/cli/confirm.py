"""Ask before data is deleted."""

from __future__ import annotations

import sys

import click

from waiaas_migrate.cli.output import note


def confirm(question: str) -> bool:
    """Ask a question on the terminal; return true only for ``y`` or ``yes``, and false without a terminal.

    An empty answer and the end of the input mean no.
    """
    if sys.stdin is None or not sys.stdin.isatty():  # None in a process without a console
        return False
    note(question)
    click.echo("[y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
