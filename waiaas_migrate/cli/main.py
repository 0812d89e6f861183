"""The command group, and how its errors become exit statuses.

Exit status: 0 nothing to report, 1 findings, 2 wrong use or broken input, 3 the database refused.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module

import click

from waiaas_migrate import __version__
from waiaas_migrate.cli.output import print_failure
from waiaas_migrate.cli.streams import SteadyStreams, safe
from waiaas_migrate.errors import INTERRUPTED, Failure, MigrateError, failure_of

#: Where each command is.
_HOMES = {
    "apply": "applying",
    "check": "authoring",
    "diff": "authoring",
    "drift": "databases",
    "generate": "authoring",
    "inspect": "authoring",
    "restore": "restoring",
    "rollback": "rolling_back",
    "status": "databases",
}


class _Commands(Mapping[str, click.Command]):
    """The commands by name, each imported when it is asked for: most of a short command's time is imports."""

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = getattr(import_module(f"waiaas_migrate.cli.{_HOMES[name]}"), name)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


@click.group(
    commands=_Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="waiaas-migrate")
def group() -> None:
    """Migrations for SQLite out of a declared schema.

    \b
    Edit schema.yaml, then:
      waiaas-migrate generate -m "add nickname"   write the migration
      waiaas-migrate check                        in CI: does everything agree?
      waiaas-migrate apply app.db                 bring a database up to date
      waiaas-migrate drift app.db                 has somebody changed it by hand?

    Exit status: 0 nothing to report, 1 findings, 2 wrong use or broken input, 3 the database refused.
    """  # noqa: D301  click's own mark for lines that are not to be wrapped


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, as the shell would.

    Args:
        argv: the arguments behind the program's name; those of this process where None.

    Returns:
        The exit status.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    as_json = "--json" in arguments
    # None: where there is a terminal. https://no-color.org
    color = False if os.environ.get("NO_COLOR") else None
    try:
        result = group.main(args=arguments, prog_name="waiaas-migrate", standalone_mode=False, color=color)
    except click.exceptions.Abort as error:
        # click makes it of a KeyboardInterrupt, which may say what was going on.
        click.echo(said := safe(str(error.__cause__ or "")) or "Interrupted.", err=True)
        failure = Failure(kind="Interrupted", message=said, exit_code=INTERRUPTED)
    except click.ClickException as error:
        error.show()
        failure = Failure(kind="UsageError", message=error.format_message(), exit_code=error.exit_code)
    except (MigrateError, OSError, sqlite3.Error) as error:
        failure = _interruption(error) or _failure(error)
        _complain(failure.message, color=color)
    else:
        return result if isinstance(result, int) else 0
    if as_json:
        with suppress(OSError):  # it may be stdout itself that failed
            print_failure(failure)
    return failure.exit_code


def _interruption(error: MigrateError | OSError | sqlite3.Error) -> Failure | None:
    """Return ``error`` as data if Ctrl-C ended a query, which sqlite3 reports as an error of its own."""
    from waiaas_migrate.runner.watching.interruption import was_interrupted

    if isinstance(error, sqlite3.Error) and was_interrupted(error):
        return Failure(kind="Interrupted", message="Interrupted.", exit_code=INTERRUPTED)
    return None


def _failure(error: MigrateError | OSError | sqlite3.Error) -> Failure:
    match error:
        case MigrateError():
            return failure_of(error)
        case OSError():
            # Neither a file of the project's nor a database: those say more. A full disk behind stdout, for one.
            said = f"{error.strerror or error}."
        case _:
            # What nothing above has put in better words.
            said = f"SQLite says: {str(error).rstrip('.')}. Check the database and the arguments."
    return Failure(kind=type(error).__name__, message=said, exit_code=MigrateError.exit_code)


def _complain(message: str, *, color: bool | None) -> None:
    message = safe(message)
    click.secho("Error:", fg="red", err=True, nl=False, color=color)
    click.echo(f" {message}" if len(message.splitlines()) == 1 else f"\n{message}", err=True)


def run() -> None:
    """Run the console script: a result that could not be written is an error, but ends no work."""
    streams = SteadyStreams()
    status = main()
    if (lost := streams.failure()) is not None:
        _complain(f"{lost.strerror or lost}. The work is done, but not all of the output was written.", color=None)
        status = MigrateError.exit_code
    sys.exit(status)
