"""The command ``inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import note
from waiaas_migrate.cli.output_file import output, output_path, write_document

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project


@click.command()
@options.database
@output
@click.option(
    "--enums",
    is_flag=True,
    help="Link lists of values in CHECKs to the enums that schema.yaml names.",
)
@click.option(
    "--enums-module",
    metavar="MODULE",
    multiple=True,
    help="Link the lists to the enums of MODULE instead, such as `app.enums` or `src/enums.ts`.  [repeatable]",
)
@options.in_migrations
def inspect(project: Project, database: str, output: str | None, enums_module: tuple[str, ...], *, enums: bool) -> None:
    """Write the schema of DATABASE as a schema.yaml.

    Opens the database read-only and changes nothing in it. Reports lists that differ from an enum by one value.

    \b
    Example:
      waiaas-migrate inspect app.db -o schema.yaml --enums-module app.enums
    """  # noqa: D301
    from waiaas_migrate.commands.inspect import inspect as run
    from waiaas_migrate.commands.inspect import sources_of
    from waiaas_migrate.commands.live_database import ignored_by
    from waiaas_migrate.files.schema_file.locate import declared_names

    path = output_path(output)
    others = ignored_by(project).with_declared(declared_names(project.schema))
    sources = sources_of(project) if enums and not enums_module else enums_module
    result = run(database, enums=sources, root=project.root, others=others)
    for remark in result.remarks:
        note(remark)
    write_document(path, result.text)
