"""The command ``diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import FINDINGS, hazard_row, print_document, print_json, say, warn

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--sql", is_flag=True, help="Print the migration from A to B as SQL.")
@options.column_order
@options.as_json
@options.in_project
def diff(project: Project, first: str, second: str, *, sql: bool, column_order: bool, as_json: bool) -> int:
    """Show the changes that turn A into B.

    A and B are each a schema.yaml, a migrations folder, or a database. Writes nothing. Exits with 1 if they differ.

    \b
    Example:
      waiaas-migrate diff app.db schema.yaml --sql
    """  # noqa: D301
    from waiaas_migrate.commands.diff import compare

    result = compare(project, first, second, sql=sql, column_order=column_order)
    if as_json:
        rows = [hazard_row(hazard) for hazard in result.hazards]
        print_json({"changes": result.changes, "hazards": rows, "sql": result.sql})
    elif sql:
        print_document(result.sql or "")
    else:
        for change in result.changes:
            say(change)
        for hazard in result.hazards:
            warn(str(hazard))
        if not result.changes:
            say("No differences.")
    return FINDINGS if result.changes else 0
