"""Commands about a database: bring it up to date, and see where it stands."""

from __future__ import annotations

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import FINDINGS, note, print_findings, print_json, say
from waiaas_migrate.files.project import Project


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


COMMANDS = (apply, status, drift)
