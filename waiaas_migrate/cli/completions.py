"""What shells complete: files, hazard codes, and the names of migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def add_completions(command: click.Command) -> None:
    """Complete the values of a command's arguments and options by their kinds, which their metavars name."""
    for parameter in command.params:
        kind = (parameter.metavar or parameter.name or "").strip("[].").upper()
        complete = _COMPLETIONS.get(kind)
        if complete is not None:
            # What the parameter of the same name does in a decorator.
            parameter._custom_shell_complete = complete  # noqa: SLF001


def _codes(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from waiaas_migrate.schema.hazards.hazard import STOPPING

    return _matching([*STOPPING, "all"], incomplete)


def _migrations(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from waiaas_migrate.cli.options import current_folder
    from waiaas_migrate.errors import MigrateError
    from waiaas_migrate.files.project import find_project

    try:
        folder = find_project(current_folder(), migrations=context.params.get("migrations")).migrations
    except MigrateError:
        return []
    files = [*folder.glob("[!_.]*.sql"), *folder.glob("[!_.]*.py")]
    return _matching((file.stem for file in files if not file.stem.endswith(".rollback")), incomplete)


def _matching(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in sorted(words) if word.startswith(incomplete)]


_COMPLETIONS: dict[str, Complete] = {
    **dict.fromkeys(("FILE", "DATABASE", "SOURCE", "BACKUP", "A", "B"), click.Path().shell_complete),
    "FOLDER": click.Path(file_okay=False).shell_complete,
    "CODE": _codes,
    **dict.fromkeys(("ID", "MIGRATION"), _migrations),
}
