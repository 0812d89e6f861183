"""Commands about the schema and its migrations, which need no database to be changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import (
    FINDINGS,
    finding_rows,
    hazard_row,
    note,
    print_document,
    print_findings,
    print_json,
    say,
)
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.project import Project, find_project
from waiaas_migrate.sqlite.database.setup import using_setup

if TYPE_CHECKING:
    # Generating takes SQLite's grammar and templates, which not every command here needs.
    from waiaas_migrate.authoring.generate import Generated


@click.command()
@click.option("-m", "--name", metavar="NAME", help="What the migration is called, such as “add nickname”.")
@click.option(
    "--allow",
    metavar="CODE",
    multiple=True,
    help="Allow a hazard that stops generate by its code, or `all`.  [repeatable]",
)
@options.as_json
@options.in_project
def generate(project: Project, name: str | None, allow: tuple[str, ...], *, as_json: bool) -> int:
    """Write the migration that schema.yaml calls for.

    What the migrations build now is compared with what schema.yaml declares; the migration between them is proved in
    memory, forward and back, before it is written. Where nothing differs, nothing is written; where something would be
    lost, neither, unless it is allowed by name.

    \b
    Example:
      waiaas-migrate generate -m "add nickname"
    """  # noqa: D301
    from waiaas_migrate.authoring.generate import generate as run

    result = run(project, name=name, allow=allow)
    if as_json:
        print_json(
            {
                "migration": result.migration,
                "changes": result.changes,
                "hazards": [hazard_row(hazard) for hazard in result.hazards],
                "refused": [hazard.code for hazard in result.refused],
                "unrecorded": result.unrecorded,
                "written": [str(path) for path in result.written],
                "removed": [str(path) for path in result.removed],
            }
        )
    else:
        _print_generated(result)
    return FINDINGS if result.refused else 0


def _print_generated(result: Generated) -> None:
    for path in result.removed:
        note(f"deleted {_short(str(path))}, which an interrupted run had left")
    for change in result.changes:
        say(change)
    for hazard in result.hazards:
        is_allowed = hazard.stops_generate and hazard not in result.refused
        say(f"{hazard.code} {hazard.where}: {hazard.what} Allowed." if is_allowed else str(hazard), good=False)
    for path in result.written:
        note(f"wrote {_short(str(path))}")
    if result.changes and result.unrecorded:
        note(f"Not recorded before: {', '.join(result.unrecorded)}. What it makes has to stand in schema.yaml, too.")
    if result.refused:
        note("Nothing was written.")
    elif not result.changes:
        first = "No migration is needed" if result.written else "Nothing to generate"
        say(f"{first}: the migrations build what schema.yaml declares.", good=True)


@click.command()
@options.column_order
@options.as_json
@options.in_project
def check(project: Project, *, column_order: bool, as_json: bool) -> int:
    """Check that schema.yaml, the enums and the migrations agree.

    For CI: needs no database, writes nothing, and exits with 1 where something differs.

    \b
    Example:
      waiaas-migrate check
    """  # noqa: D301
    from waiaas_migrate.commands.check import check as run

    findings = run(project, column_order=column_order)
    if as_json:
        print_json({"findings": finding_rows(findings)})
    else:
        print_findings(findings)
        if not findings:
            say("schema.yaml, the enums and the migrations agree.", good=True)
    return FINDINGS if findings else 0


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--sql", is_flag=True, help="Print the SQL of the migration from A to B.")
@options.column_order
@options.as_json
@options.in_project
def diff(project: Project, first: str, second: str, *, sql: bool, column_order: bool, as_json: bool) -> int:
    """Show what makes A into B.

    A and B are each a schema.yaml, a migrations folder or a database. Nothing is written. Exits with 1 where they
    differ.

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
            note(str(hazard))
        if not result.changes:
            say("No difference.", good=True)
    return FINDINGS if result.changes else 0


@click.command()
@options.database
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of printing.")
@click.option(
    "--enums",
    metavar="MODULE",
    multiple=True,
    help="Refer to the enums of MODULE where lists are equal.  [repeatable]",
)
def inspect(database: str, output: str | None, enums: tuple[str, ...]) -> int:
    """Read DATABASE and write it as a schema.yaml.

    The database is opened read-only and is not changed.

    \b
    Example:
      waiaas-migrate inspect app.db -o schema.yaml
    """  # noqa: D301
    from waiaas_migrate.commands.inspect import inspect as run
    from waiaas_migrate.commands.live_database import ignored_by
    from waiaas_migrate.files.schema_file.locate import declared_names
    from waiaas_migrate.files.text_file import write_text

    path = None if output is None else Path(output)
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {path.parent}. Make it, or correct the path.")
    if path is not None and path.is_dir():
        raise UsageError(f"--output {output}: is a folder. Give the path of a file.")
    project = find_project(options.here())
    others = ignored_by(project).except_for(declared_names(project.schema))
    with using_setup(project.setup):
        text = run(database, enums=enums, others=others)
    if path is None:
        print_document(text)
        return 0
    try:
        write_text(path, text)
    except OSError as error:
        fix = "Name another file, or print it instead: leave out --output."
        raise UsageError(f"--output {output}: cannot be written: {error.strerror or error}. {fix}") from None
    note(f"wrote {output}")
    return 0


def _short(path: str) -> str:
    """``path`` from the current folder, where it lies below it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
