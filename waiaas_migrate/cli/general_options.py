"""Options and completions that every command has."""

from __future__ import annotations

import os

import click

from waiaas_migrate.cli.output import Verbosity, set_verbosity

#: The environment variable that shells set when they ask for completions.
COMPLETING = "_WAIAAS_MIGRATE_COMPLETE"


def with_general_options(command: click.Command) -> click.Command:
    """Add the general options and completions to a command, and return it.

    Only the help of ``waiaas-migrate`` itself lists these options.
    """
    if not any(parameter.name == "quiet" for parameter in command.params):
        command.params += verbosity_options(hidden=True)
        if COMPLETING in os.environ:
            from waiaas_migrate.cli.completions import add_completions

            add_completions(command)
    return command


def verbosity_options(*, hidden: bool) -> list[click.Parameter]:
    """Return the options ``--quiet`` and ``--verbose``."""
    helps: dict[Verbosity, str] = {
        "quiet": "Print only results, questions and errors.",
        "verbose": "Name each migration and statement that runs.",
    }

    def choose(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            set_verbosity("quiet" if parameter.name == "quiet" else "verbose")

    return [
        click.Option(
            [f"-{name[0]}", f"--{name}"], is_flag=True, expose_value=False, callback=choose, help=text, hidden=hidden
        )
        for name, text in helps.items()
    ]
