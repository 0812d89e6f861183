"""Let shells complete file names, hazard codes, and the names of migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

#: A function that click calls for completions; its last argument is the beginning of the word.
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def add_completions(command: click.Command) -> None:
    """Let shells complete the values of the command's arguments and options.

    The metavar of a parameter, such as FILE, names the kind of its values.
    """
    for parameter in command.params:
        kind = (parameter.metavar or parameter.name or "").strip("[].").upper()
        if kind in _COMPLETERS:
            # click sets this attribute only from a decorator's argument `shell_complete`.
            parameter._custom_shell_complete = _COMPLETERS[kind]  # noqa: SLF001


def _complete_hazard_codes(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from waiaas_migrate.schema.hazards.hazard import STOPPING

    return _matching([*STOPPING, "all"], incomplete)


def _complete_migrations(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
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


_COMPLETERS: dict[str, Completer] = {
    **dict.fromkeys(("FILE", "DATABASE", "SOURCE", "BACKUP", "A", "B"), click.Path().shell_complete),
    "FOLDER": click.Path(file_okay=False).shell_complete,
    "CODE": _complete_hazard_codes,
    **dict.fromkeys(("ID", "MIGRATION"), _complete_migrations),
}
