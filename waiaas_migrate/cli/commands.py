"""The commands. Each is one library call and a printer; what takes long to import is imported when it runs."""

from __future__ import annotations

from pathlib import Path

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import hazard_row, note, print_findings, print_json, say
from waiaas_migrate.files.project import Project

FINDINGS = 1


@click.command()
@click.option("-m", "--name", metavar="NAME", help="What the migration is called, such as “add nickname”.")
@click.option(
    "--allow", metavar="CODE", multiple=True, help="Allow a destructive hazard by its code, or `all`.  [repeatable]"
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
    from waiaas_migrate.generate.generate import generate as run

    result = run(project, name=name, allow=allow)
    written = [str(path) for path in result.written]
    if as_json:
        print_json(
            {
                "migration": result.migration,
                "changes": result.changes,
                "hazards": [hazard_row(hazard) for hazard in result.hazards],
                "refused": [hazard.code for hazard in result.refused],
                "written": written,
            }
        )
        return FINDINGS if result.refused else 0
    for change in result.changes:
        say(change)
    for hazard in result.hazards:
        say(str(hazard), good=False)
    for path in written:
        note(f"wrote {_short(path)}")
    if result.refused:
        note("Nothing was written.")
        return FINDINGS
    if not result.changes:
        say("Nothing to generate: the migrations build what schema.yaml declares.", good=True)
    return 0


@click.command()
@options.column_order
@options.as_json
@options.in_project
def check(project: Project, *, column_order: bool, as_json: bool) -> int:
    """Check that schema.yaml, the enums and the migrations agree.

    For CI: needs no database, writes nothing, and exits with 1 where something differs.
    """
    from waiaas_migrate.checks.check import check as run

    findings = run(project, column_order=column_order)
    print_findings(findings, as_json=as_json)
    if not findings and not as_json:
        say("schema.yaml, the enums and the migrations agree.", good=True)
    return FINDINGS if findings else 0


@click.command()
@options.database
@click.option("--no-verify", is_flag=True, help="Do not compare the resulting schema with the recorded one.")
@options.as_json
@options.in_project
def apply(project: Project, database: str, *, no_verify: bool, as_json: bool) -> int:
    """Apply the pending migrations to DATABASE, all or none.

    DATABASE is a path or a sqlite:/// URL; a new file is made readable and writable by its owner alone.

    \b
    Example:
      waiaas-migrate apply app.db
    """  # noqa: D301
    from waiaas_migrate.runner.run import apply_to

    result = apply_to(database, project.migrations, verify=not no_verify)
    if as_json:
        print_json({"database": database, "applied": result.applied, "notices": result.notices})
        return 0
    for notice in result.notices:
        note(f"Note: {notice}")
    for migration in result.applied:
        say(f"applied {migration}")
    if not result.applied:
        say(f"{database}: nothing to apply; it is up to date.", good=True)
    return 0


@click.command()
@options.database
@options.as_json
@options.in_project
def status(project: Project, database: str, *, as_json: bool) -> int:
    """Show which migrations DATABASE has run, and which are pending.

    Nothing is written. Exits with 1 where migrations are pending, or unknown to this project.
    """
    from waiaas_migrate.checks.status import status as run

    result = run(project, database)
    if as_json:
        rows = [{"id": migration, "state": state} for migration, state in result.migrations]
        print_json({"database": result.database, "migrations": rows, "at_head": result.is_at_head})
    else:
        for migration, state in result.migrations:
            say(f"{state:8} {migration}", good=None if state == "applied" else False)
        say(f"{result.database}: " + _summary(result.is_at_head, result.ids("pending"), result.ids("unknown")))
    return 0 if result.is_at_head else FINDINGS


def _summary(at_head: bool, pending: tuple[str, ...], unknown: tuple[str, ...]) -> str:
    if at_head:
        return "up to date."
    parts = [f"{len(pending)} pending"] if pending else []
    parts += [f"{len(unknown)} unknown to this project"] if unknown else []
    return ", ".join(parts) + "."


@click.command()
@options.database
@options.column_order
@options.as_json
@options.in_project
def drift(project: Project, database: str, *, column_order: bool, as_json: bool) -> int:
    """Compare DATABASE with what its migrations made.

    Nothing is written. Exits with 1 where something was changed by other means.
    """
    from waiaas_migrate.checks.drift import drift as run

    result = run(project, database, column_order=column_order)
    print_findings(result.findings, as_json=as_json, database=result.database, pending=result.pending)
    if not as_json:
        if result.pending:
            note(f"{len(result.pending)} pending; compared with the migrations that were run.")
        if not result.findings:
            say(f"{result.database}: no drift.", good=True)
    return FINDINGS if result.findings else 0


@click.command()
@options.database
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of printing.")
@click.option("--enums", metavar="MODULE", multiple=True, help="Refer to the enums of MODULE where lists are equal.")
def inspect(database: str, output: str | None, enums: tuple[str, ...]) -> int:
    """Read DATABASE and write it as a schema.yaml.

    The database is opened read-only and is not changed.

    \b
    Example:
      waiaas-migrate inspect app.db -o schema.yaml
    """  # noqa: D301
    from waiaas_migrate.checks.inspect import inspect as run
    from waiaas_migrate.files.writing import write_files

    text = run(database, enums=enums)
    if output is None:
        click.echo(text, nl=False)
        return 0
    path = Path(output)
    write_files(path.parent, {path.name: text})
    note(f"wrote {output}")
    return 0


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
    from waiaas_migrate.checks.compare import compare

    result = compare(project, first, second, sql=sql, column_order=column_order)
    if as_json:
        rows = [hazard_row(hazard) for hazard in result.hazards]
        print_json({"changes": result.changes, "hazards": rows, "sql": result.sql})
    elif sql:
        click.echo(result.sql or "", nl=False)
    else:
        for change in result.changes:
            say(change)
        for hazard in result.hazards:
            note(str(hazard))
        if not result.changes:
            say("No difference.", good=True)
    return FINDINGS if result.changes else 0


def _short(path: str) -> str:
    """``path`` from the current folder, where it lies below it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


ALL = (generate, check, apply, status, drift, diff, inspect)
