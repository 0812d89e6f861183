"""Run commands, print their errors, and return exit statuses."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from typing import get_args

import click

from waiaas_migrate import __version__
from waiaas_migrate.cli.formats.printing import OutputFormat, print_failure_as
from waiaas_migrate.cli.general_options import verbosity_options, with_general_options
from waiaas_migrate.cli.output import print_error, set_verbosity
from waiaas_migrate.cli.streams import SteadyStreams, safe
from waiaas_migrate.errors import INTERRUPTED, Failure, MigrateError, failure_of

_NAMES = tuple(
    """
    adopt apply check completion diagram diff drift enums generate init inspect json-schema lint models
    new rebase record restore rollback squash status
    """.split()
)


class _Commands(Mapping[str, click.Command]):
    """The commands by name. Each is imported when it is used, because imports are slow."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in _NAMES:
            raise KeyError(name)
        module = name.replace("-", "_")
        command: click.Command = getattr(import_module(f"waiaas_migrate.cli.commands.{module}"), module)
        return with_general_options(command)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


def _print_versions(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    import platform
    import sqlite3
    from importlib.metadata import version

    yoyo, python = version("yoyo-migrations"), platform.python_version()
    parts = f"SQLite {sqlite3.sqlite_version}, yoyo {yoyo}, Python {python}"
    click.echo(f"waiaas-migrate, version {__version__} ({parts})")
    context.exit()


@click.group(
    commands=_Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the versions and exit.",
)
def group() -> None:
    """Schema migrations for SQLite, generated from schema.yaml.

    \b
    Run `waiaas-migrate init` once. Then edit schema.yaml, and:
      waiaas-migrate generate -m "add nickname"   write the migration
      waiaas-migrate check                        in CI: does everything agree?
      waiaas-migrate apply app.db                 bring a database up to date
      waiaas-migrate drift app.db                 find changes made by hand

    Exit status: 0 nothing to report, 1 findings, 2 wrong arguments or broken input,
    3 the database or its rows don't allow the change.

    Color is used only on a terminal; set NO_COLOR to turn it off.
    """  # noqa: D301  \b is click's mark for lines that it must not wrap


group.params += verbosity_options(hidden=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command in this process, as a shell would, and return its exit status.

    Args:
        argv: the arguments after the program's name; None takes them from ``sys.argv``.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    set_verbosity("normal")
    try:
        status: int | None = group.main(args=arguments, prog_name="waiaas-migrate", standalone_mode=False)
    except click.exceptions.Abort as error:
        # click turns a KeyboardInterrupt, which may have a message, into an Abort.
        click.echo(message := safe(str(error.__cause__ or "")) or "Interrupted.", err=True)
        failure = Failure(kind="Interrupted", message=message, exit_code=INTERRUPTED)
    except click.ClickException as error:
        error.show()
        failure = Failure(kind="UsageError", message=error.format_message(), exit_code=error.exit_code)
    except Exception as error:
        expected = _expected_failure(error)
        if expected is None:
            raise
        failure = expected
        print_error(failure.message)
    else:
        return status or 0
    if (output_format := _requested_format(arguments)) != "text":
        with suppress(OSError):  # stdout itself may have failed
            print_failure_as(failure, output_format, command=next((name for name in arguments if name in _NAMES), ""))
    return failure.exit_code


def _requested_format(arguments: Sequence[str]) -> OutputFormat:
    """Return the output format that ``arguments`` name, even if click could not parse them."""
    formats: tuple[OutputFormat, ...] = get_args(OutputFormat)
    named = (one for one in formats if f"--format={one}" in arguments or ("--format", one) in pairwise(arguments))
    return "json" if "--json" in arguments else next(named, "text")


def _expected_failure(error: Exception) -> Failure | None:
    """Return ``error`` as data, or None if it is a bug, which needs a traceback."""
    import sqlite3

    from waiaas_migrate.runner.watching.interruption import was_interrupted

    match error:
        case MigrateError():
            return failure_of(error)
        case OSError():
            # Errors of reading and writing files are raised as MigrateErrors. So this may be a full disk under stdout.
            message = f"{error.strerror or error}."
        case sqlite3.Error() if was_interrupted(error):  # Ctrl-C ended a query
            return Failure(kind="Interrupted", message="Interrupted.", exit_code=INTERRUPTED)
        case sqlite3.Error():
            message = f"SQLite reports: {str(error).rstrip('.')}. Check the database and the arguments."
        case _:
            return None
    return Failure(kind=type(error).__name__, message=message, exit_code=MigrateError.exit_code)


def run() -> None:
    """Run the console script, and exit with its status.

    If output can't be written, the command still completes its work, and the exit status is 2.
    """
    streams = SteadyStreams()
    status = main()
    if (lost := streams.failure()) is not None:
        print_error(f"{lost.strerror or lost}. The work is done, but not all of the output was written.")
        status = MigrateError.exit_code
    sys.exit(status)
