"""The command ``completion``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from waiaas_migrate.cli.general_options import COMPLETING
from waiaas_migrate.cli.output import note, print_document
from waiaas_migrate.errors import UsageError

_NAME = "waiaas-migrate"
_HINTS = {
    "bash": "New shells complete it if the package bash-completion is installed.",
    "zsh": "If new shells don't complete it, add `fpath+=(~/.zfunc); autoload -Uz compinit; compinit` to ~/.zshrc.",
    "fish": "New shells complete it.",
}


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--install", is_flag=True, help="Write the script where the shell finds it, instead of printing it.")
def completion(shell: str, *, install: bool) -> None:
    """Print a completion script for a shell.

    SHELL is bash, zsh or fish. The script completes commands, options, files, hazard codes for --allow, and the names
    of migrations.

    \b
    Example:
      waiaas-migrate completion bash --install
    """  # noqa: D301
    from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

    from waiaas_migrate.cli.main import group

    kinds: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    text = kinds[shell](group, {}, _NAME, COMPLETING).source()
    path = _paths()[shell]
    if not install:
        print_document(text)
        note(f"To install it, run `waiaas-migrate completion {shell} --install`.")
        return
    from waiaas_migrate.files.text_file import write_text

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}. Leave out --install.") from None
    note(f"wrote {path}")
    note(_HINTS[shell])


def _paths() -> dict[str, Path]:
    """Return the file in which each shell looks for the completions of ``waiaas-migrate``."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    bash = Path(os.environ.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion")
    return {
        "bash": bash / "completions" / _NAME,
        "zsh": home / ".zfunc" / f"_{_NAME}",
        "fish": config / "fish" / "completions" / f"{_NAME}.fish",
    }
