"""Write a command's document to the file of ``--output``, or print it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from waiaas_migrate.cli.output import note, print_document
from waiaas_migrate.errors import UsageError

output = click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")


def output_path(output: str | None) -> Path | None:
    """Return the path of ``--output``, before the work begins; None for stdout.

    Raises:
        UsageError: it can't be the path of a file.
    """
    path = None if output is None else Path(output)
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"--output {output}: the folder {path.parent} does not exist. Create it, or correct the path.")
    if path is not None and path.is_dir():
        raise UsageError(f"--output {output}: is a folder. Give the path of a file.")
    return path


def refuse_other_file(path: Path | None, is_ours: Callable[[str], bool]) -> None:
    """Refuse to replace a file that the command didn't write; ``is_ours`` decides by how the file begins.

    Raises:
        UsageError: names the file.
    """
    if path is None or not path.is_file():
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            beginning = file.read(1000)
    except OSError:  # writing it will fail, too, with a better message
        return
    if beginning and not is_ours(beginning):
        fix = "Give another file, or add --force."
        raise UsageError(f"--output {path}: exists, and this command didn't write it. {fix}")


def write_document(path: Path | None, text: str) -> None:
    """Write ``text`` to ``path``, all of it or nothing; print it if ``path`` is None.

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
