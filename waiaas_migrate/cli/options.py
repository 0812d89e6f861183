"""Arguments and options that several commands share.

Most imports run only when a command runs, so that ``--help`` is fast.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection
from contextlib import nullcontext
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from waiaas_migrate.cli.formats.printing import OutputFormat
from waiaas_migrate.cli.output import data_only, print_failure, warn
from waiaas_migrate.errors import INTERRUPTED, UsageError, failure_of

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project
    from waiaas_migrate.runner.options import BackupWhen, Transaction

#: The environment variable that names the default database, or a pattern for several.
DATABASE_VARIABLE = "WAIAAS_MIGRATE_DATABASE"

#: A command returns its exit status; None means 0.
Command = Callable[..., int | None]

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
column_order = click.option("--column-order", is_flag=True, help="Report differences in column order, too.")
database = click.argument("database", required=False)
released = click.option(
    "--released", metavar="ID", multiple=True, help="Treat migration ID and all before it as released.  [repeatable]"
)
yes = click.option("--yes", is_flag=True, help="Delete data without asking.")
databases = click.argument("databases", nargs=-1, metavar="[DATABASE...]")
transaction = click.option(
    "--transaction",
    type=click.Choice(["all", "each"]),
    metavar="WHICH",
    default="all",
    help="Commit `all` pending migrations together, or `each` by itself.  [default: all]",
)


def fleet_options(command: Command) -> Command:
    """Add ``--jobs`` and ``--stop-on-failure``, and pass them to ``command`` as ``fleet``."""

    @click.option(
        "--jobs",
        metavar="N",
        type=click.IntRange(min=1),
        help="Process N databases in parallel.  [default: 2 per CPU, from 4 to 32]",
    )
    @click.option("--stop-on-failure", is_flag=True, help="Stop at the first failure.")
    @wraps(command)
    def with_fleet(*args: object, jobs: int | None, stop_on_failure: bool, **options: object) -> int | None:
        from waiaas_migrate.runner.fleet.fleet import Fleet

        return command(*args, fleet=Fleet(jobs=jobs, stop_on_failure=stop_on_failure), **options)

    return with_fleet


def run_options(command: Command) -> Command:
    """Add ``--no-verify`` and ``--backup``, and pass them to ``command`` as ``run_options``.

    If the command has ``--transaction``, ``run_options`` includes it.
    """

    @click.option("--no-verify", is_flag=True, help="Skip the comparison with the schema that the migrations build.")
    @click.option(
        "--backup",
        type=click.Choice(["auto", "always", "never"]),
        metavar="WHEN",
        default="auto",
        help="Back up first: `always`, `never`, or before data loss or rebuilds (`auto`).  [default: auto]",
    )
    @wraps(command)
    def with_options(
        *args: object, no_verify: bool, backup: BackupWhen, transaction: Transaction = "all", **options: object
    ) -> int | None:
        from waiaas_migrate.runner.options import RunOptions

        chosen = RunOptions(verify=not no_verify, backup=backup, transaction=transaction)
        return command(*args, run_options=chosen, **options)

    return with_options


def finding_format(command: Command) -> Command:
    """Add ``--format`` and ``--json``, and pass them to ``command`` as ``output_format``."""

    @click.option(
        "--format",
        "output_format",
        type=click.Choice(get_args(OutputFormat)),
        metavar="FORMAT",
        default="text",
        help="Print `text`, `json`, workflow annotations (`github`), `sarif` or `junit`.  [default: text]",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, like --format json.")
    @wraps(command)
    def with_format(*args: object, output_format: OutputFormat, as_json: bool, **options: object) -> int | None:
        output_format = "json" if as_json else output_format
        with data_only() if output_format != "text" else nullcontext():
            return command(*args, output_format=output_format, **options)

    return with_format


def reports_interruption(command: Command) -> Command:
    """Make ``command`` report after Ctrl-C which changes remain, or how to find out."""

    @wraps(command)
    def interruptible(project: Project, *, as_json: bool, **options: Any) -> int | None:  # noqa: ANN401 — click's values
        try:
            return command(project, as_json=as_json, **options)
        except KeyboardInterrupt as error:
            if not str(error):  # Ctrl-C came before or after the run, during which the runner adds a message
                database = options["databases"][0] if "databases" in options else options["database"]
                hint = f"Run `waiaas-migrate status {shlex.quote(database)}` to see what was applied."
                error = KeyboardInterrupt(f"Interrupted. {hint}")
            warn(str(error))
            if as_json:
                print_failure(failure_of(error))
            return INTERRUPTED

    return interruptible


def in_project(command: Command, *, hidden: Collection[str] = ()) -> Command:
    """Pass the project to ``command``, and fill in the default database; add options for the project's paths.

    The project is the one that the current folder belongs to, with the paths that ``--schema``, ``--migrations`` and
    ``--templates`` name. The command seldom or never uses the options in ``hidden``, and its help doesn't list
    them. It accepts them so that scripts can pass the same options to all commands.
    """

    @click.option("--schema", metavar="FILE", hidden="schema" in hidden, help="Schema file.  [default: schema.yaml]")
    @click.option(
        "--migrations",
        metavar="FOLDER",
        hidden="migrations" in hidden,
        help="Migrations folder.  [default: migrations]",
    )
    @click.option(
        "--templates", metavar="FOLDER", hidden="templates" in hidden, help="Your own templates.  [default: templates]"
    )
    @wraps(command)
    def with_project(
        *args: object, schema: str | None, migrations: str | None, templates: str | None, **options: object
    ) -> int | None:
        from waiaas_migrate.files.project import find_project
        from waiaas_migrate.sqlite.database.setup import using_setup

        project = find_project(current_folder(), schema=schema, migrations=migrations, templates=templates)
        # A project needs no templates, but a folder that the command line names must exist.
        if templates is not None and not project.templates.is_dir():
            raise UsageError(f"--templates {project.templates}: no such folder. Check the path.")
        _fill_in_database(options, project)
        with data_only() if options.get("as_json") else nullcontext(), using_setup(project.setup):
            return command(project, *args, **options)

    return with_project


#: For a command that needs mainly the migrations, or only the settings, of the project.
in_migrations = partial(in_project, hidden=("schema", "templates"))
in_settings = partial(in_project, hidden=("schema", "templates", "migrations"))


def _fill_in_database(options: dict[str, Any], project: Project) -> None:
    """Add the default database to ``options`` if the command takes a database and none was given."""
    if options.get("database", "") is None:
        options["database"] = default_database(project)
    elif options.get("databases") == ():
        options["databases"] = (default_database(project),)


def default_database(project: Project) -> str:
    """Return the database that the environment variable, or else pyproject.toml, names.

    If pyproject.toml names a file in the project's folder, return its path relative to the current folder.

    Raises:
        UsageError: neither of them names a database.
    """
    if named := os.environ.get(DATABASE_VARIABLE):
        return named
    if project.database is None:
        how = f"as an argument, or set {DATABASE_VARIABLE}"
        raise UsageError(f'Missing DATABASE. Pass it {how} or `database = "app.db"` in [tool.waiaas-migrate].')
    is_below = project.database.is_relative_to(project.root)
    return os.path.relpath(project.database) if is_below else str(project.database)


def current_folder() -> Path:
    """Return the current folder.

    Raises:
        UsageError: the folder was deleted.
    """
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("The current folder no longer exists. Change to another folder.") from None
