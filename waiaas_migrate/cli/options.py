"""Options and arguments that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from waiaas_migrate.cli.output import json_alone
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.project import Project, find_project
from waiaas_migrate.sqlite.database.setup import using_setup

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
column_order = click.option(
    "--column-order", is_flag=True, help="Let another order of a table's columns be a difference too."
)
database = click.argument("database")
databases = click.argument("databases", nargs=-1, required=True, metavar="DATABASE...")


def in_project(command: Callable[..., int]) -> Callable[..., int]:
    """Give ``command`` the project that it is run in, with the paths that the command line names."""
    return _in_project(command, hidden=False)


def in_migrations(command: Callable[..., int]) -> Callable[..., int]:
    """Give ``command`` the project that it is run in, of which it reads the migrations alone.

    The other paths are taken all the same, and not shown: scripts give every command the same ones.
    """
    return _in_project(command, hidden=True)


def _in_project(command: Callable[..., int], *, hidden: bool) -> Callable[..., int]:
    """``hidden``: whether the options stay hidden of what the command does not read."""

    @click.option("--schema", metavar="FILE", hidden=hidden, help="The declared schema.  [default: schema.yaml]")
    @click.option("--migrations", metavar="FOLDER", help="The migrations folder.  [default: migrations]")
    @click.option("--templates", metavar="FOLDER", hidden=hidden, help="Templates of your own.  [default: templates]")
    @wraps(command)
    def with_project(
        *args: object, schema: str | None, migrations: str | None, templates: str | None, **options: object
    ) -> int:
        project = find_project(here(), schema=schema, migrations=migrations, templates=templates)
        if templates is not None:
            _require_folder(project)
        with json_alone() if options.get("as_json") else nullcontext(), using_setup(project.setup):
            return command(project, *args, **options)

    return with_project


def here() -> Path:
    """Return the current folder."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("The current folder is gone. Change to one that exists.") from None


def _require_folder(project: Project) -> None:
    """A project need not have templates of its own, but those that were asked for must be there.

    Raises:
        UsageError: The folder is missing.
    """
    if not project.templates.is_dir():
        raise UsageError(f"--templates {project.templates}: there is no such folder. Check the path.")
