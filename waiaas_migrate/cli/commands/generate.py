"""The command ``generate``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import FINDINGS, Color, hazard_row, note, plural, print_json, print_written, say, warn
from waiaas_migrate.errors import UsageError

if TYPE_CHECKING:
    from waiaas_migrate.authoring.generate import Generated, Planned
    from waiaas_migrate.files.project import Project


@click.command()
@click.option("-m", "--name", metavar="NAME", help="Name of the migration, such as “add nickname”.")
@click.option("--allow", metavar="CODE", multiple=True, help="Accept a hazard by its code, or `all`.  [repeatable]")
@click.option("--amend", is_flag=True, help="Replace the last migration, if it is not released.")
@options.released
@options.as_json
@options.in_project
def generate(
    project: Project,
    name: str | None,
    allow: tuple[str, ...],
    *,
    amend: bool,
    released: tuple[str, ...],
    as_json: bool,
) -> int:
    """Write a migration for the changes in schema.yaml.

    Compares schema.yaml with the schema that the migrations build. Tests the new migration in memory, forward and
    back, before writing it. Writes no migration if the schemas agree, or if --allow doesn't accept a hazard such as
    data loss.

    --amend writes the last migration again, with the same number. If schema.yaml is as it was before that migration,
    --amend deletes the migration's files. A migration is released if the main branch has it.

    \b
    Example:
      waiaas-migrate generate -m "add nickname"
      waiaas-migrate generate --amend -m "add nickname"
    """  # noqa: D301  \b is click's mark for lines that it must not wrap
    from waiaas_migrate.authoring.generate import generate as run

    if released and not amend:
        raise UsageError("--released only affects --amend. Add --amend, or leave it out.")
    result = run(project, name=name, allow=allow, amend=amend, released=released)
    if as_json:
        print_json(planned_row(result))
    else:
        _print_generated(result, amend=amend)
    return FINDINGS if result.refused else 0


def _print_generated(result: Generated, *, amend: bool) -> None:
    for change in result.changes:
        say(change)
    print_hazards(result)
    print_written(result.written, result.removed)
    if result.unrecorded and any(change.startswith("drop ") for change in result.changes):
        note(f"Found new migrations: {', '.join(result.unrecorded)}. schema.yaml must declare what they create.")
    if result.refused:
        warn_refused(result)
    elif result.replaced:
        say(f"{'replaced' if result.migration else 'deleted'} {result.replaced}")
        note(redo_hint(result.replaced))
    elif amend:
        say("Nothing to amend: the last migration makes the schema in schema.yaml.")
    elif not result.changes:
        first = "No migration is needed" if result.written else "Nothing to generate"
        say(f"{first}: the migrations build the schema in schema.yaml.")
    for migration in result.unrecorded if result.written else ():
        say(f"recorded {migration}")


def redo_hint(*migrations: str) -> str:
    """Return how to update a database on which the old ``migrations`` ran."""
    return f"If a database has run the old {', '.join(migrations)}, run `waiaas-migrate apply --redo DATABASE`."


def planned_row(result: Planned) -> dict[str, object]:
    """Return the result as a JSON object."""
    hazards = [hazard_row(hazard) for hazard in result.hazards]
    return {**asdict(result), "hazards": hazards, "refused": [hazard.code for hazard in result.refused]}


def warn_refused(result: Planned) -> None:
    """Print that hazards stopped the command."""
    warn(f"Nothing was written: --allow is needed for {plural(len(result.refused), 'hazard')}.")


def print_hazards(result: Planned) -> None:
    """Print each hazard and, unless it was allowed, its fix below it."""
    printed = set[str]()
    for hazard in result.hazards:
        is_allowed = hazard.stops_generate and hazard not in result.refused
        place = f"{hazard.place}, {hazard.where}" if hazard.place else hazard.where
        color: Color = "red" if hazard.stops_generate and not is_allowed else "yellow"
        say(f"{place}: {hazard.what}{' Allowed.' if is_allowed else ''}", label=hazard.code, color=color)
        if not is_allowed and hazard.fix not in printed:
            printed.add(hazard.fix)
            say(f"  {hazard.fix}")
