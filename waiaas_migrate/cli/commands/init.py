"""The command ``init``."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import data_only, note, print_json, print_written, say

if TYPE_CHECKING:
    from waiaas_migrate.commands.init.init import Initialized


@click.command()
@click.option("--from", "source", metavar="DATABASE", help="Take the schema from DATABASE, and adopt it.")
@click.option("--from-models", metavar="NAME", help="Start from SQLAlchemy models, such as `app.tables:Base`.")
@options.as_json
def init(source: str | None, from_models: str | None, *, as_json: bool) -> None:
    """Start a project in the current folder.

    Writes schema.yaml and its JSON Schema for editors, a module for enums, the settings in pyproject.toml, a CI
    workflow and a pre-commit hook. Overwrites nothing: settings are added to an existing pyproject.toml, and an
    existing workflow or .pre-commit-config.yaml stays as it is.

    --from also writes the first migration and records it in DATABASE as applied.

    \b
    Example:
      waiaas-migrate init
      waiaas-migrate init --from app.db
      waiaas-migrate init --from-models app.tables:Base
    """  # noqa: D301
    from waiaas_migrate.commands.init.init import init as run

    with data_only() if as_json else nullcontext():
        result = run(options.current_folder(), database=source, models=from_models)
        if as_json:
            print_json(asdict(result))
        else:
            _print_initialized(result)


def _print_initialized(result: Initialized) -> None:
    print_written(result.written)
    if result.adopted is not None:
        note(f"adopted the database at {result.adopted}")
    for notice in result.notices:
        note(f"Note: {notice}")
    width = max(map(len, result.next))
    say("\n".join(["Next:", *(f"  {command:<{width}}  {purpose}" for command, purpose in result.next.items())]))
