"""The command ``rebase``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.commands.generate import planned_row, print_hazards, redo_hint, warn_refused
from waiaas_migrate.cli.output import FINDINGS, note, print_json, print_written, say

if TYPE_CHECKING:
    from waiaas_migrate.authoring.rebase import Rebased
    from waiaas_migrate.files.project import Project


@click.command()
@click.option("--onto", metavar="BRANCH", help="The branch to build on.  [default: the main branch]")
@click.option("--allow", metavar="CODE", multiple=True, help="Accept a hazard by its code, or `all`.  [repeatable]")
@options.as_json
@options.in_project
def rebase(project: Project, onto: str | None, allow: tuple[str, ...], *, as_json: bool) -> int:
    """Put your branch's migrations after the main branch's.

    Run it after `git merge`, before or after the merge is committed. First resolve conflicts in schema.yaml and in
    the application's code. Conflicts in the migrations folder need no work: the command reads both sides from git.

    The main branch's migrations stay as they are. Yours get new numbers. A generated migration that no longer works
    is replaced by one that makes the remaining changes in schema.yaml. Hand-written migrations keep their statements.

    \b
    Example:
      waiaas-migrate rebase
      git add migrations
      git commit
    """  # noqa: D301
    from waiaas_migrate.authoring.rebase import rebase as run

    result = run(project, onto=onto, allow=allow)
    if as_json:
        print_json({**planned_row(result), "renumbered": dict(result.renumbered)})
    else:
        _print_rebased(result)
    return FINDINGS if result.refused else 0


def _print_rebased(result: Rebased) -> None:
    for change in result.changes:
        say(change)
    print_hazards(result)
    print_written(result.written, result.removed)
    if result.refused:
        warn_refused(result)
        return
    if not result.written:
        say("Nothing to rebase: the manifest lists the migrations of both branches.")
        return
    for old, new in result.renumbered:
        say(f"renumbered {old} to {new}" if old != new else f"kept {old}")
    for old in result.replaced:
        say(f"replaced {old} by {result.migration}" if result.migration else f"deleted {old}, which is not needed now")
    if old_names := [*(old for old, _ in result.renumbered), *result.replaced]:
        note(redo_hint(*sorted(old_names)))
