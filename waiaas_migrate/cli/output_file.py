"""Write a command's document to the file that ``--output`` names, or print it."""

from __future__ import annotations

from collections.abc import Callable
from operator import eq
from pathlib import Path

import click

from waiaas_migrate.cli.output import note, print_document, shortened_path
from waiaas_migrate.errors import UsageError

output = click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
force = click.option("--force", is_flag=True, help="Replace a file that this command did not write.")


def output_path(output: str | None, *, setting: Path | None = None) -> Path | None:
    """Return the path that ``--output``, or else ``setting``, names; None for stdout.

    ``-`` is stdout. Commands call this first, so that they report a wrong path before they do any work.

    Raises:
        UsageError: the path is a folder, or its folder doesn't exist.
    """
    path = setting if output is None else Path(output)
    if path is None or output == "-":
        return None
    shown = shortened_path(path.absolute()) if output is None else f"--output {output}"
    if not path.parent.is_dir():
        raise UsageError(
            f"{shown}: the folder {shortened_path(path.parent.absolute())} does not exist. Create it, or correct the "
            f"path."
        )
    if path.is_dir():
        raise UsageError(f"{shown}: is a folder. Give the path of a file.")
    return path


def write_generated(
    path: Path | None, text: str, *, command: str, force: bool, is_same: Callable[[str, str], bool] = eq
) -> None:
    """Write the ``text`` that ``command`` generated to ``path``; print it if ``path`` is None.

    ``is_same`` compares the old text of the file with ``text``. If it returns true, the file stays as it is.

    Raises:
        UsageError: ``command`` did not write the old file and ``force`` is false, or the file can't be written.
    """
    from waiaas_migrate.commands.written_file import write_generated_file

    if path is None:
        print_document(text)
        return
    shown = shortened_path(path.absolute())
    has_changed = write_generated_file(path, text, command=command, force=force, is_same=is_same)
    note(f"wrote {shown}" if has_changed else f"{shown} is up to date")


def write_document(path: Path | None, text: str) -> None:
    """Write all of ``text`` to ``path``, or nothing; print it if ``path`` is None.

    Raises:
        UsageError: the file can't be written.
    """
    from waiaas_migrate.files.text_file import write_text

    if path is None:
        print_document(text)
        return
    try:
        write_text(path, text)
    except OSError as error:
        fix = "Give another file, or leave out --output to print it."
        raise UsageError(f"--output {path}: cannot be written: {error.strerror or error}. {fix}") from None
    note(f"wrote {path}")
