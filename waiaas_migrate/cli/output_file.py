"""The file that ``--output`` names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from waiaas_migrate.cli.output import note, print_document
from waiaas_migrate.errors import UsageError


def output_path(output: str | None) -> Path | None:
    """Return ``output`` as a path that can be a file's; None for stdout.

    Raises:
        UsageError: it is a folder, or its folder doesn't exist.
    """
    if output is None:
        return None
    path = Path(output)
    if not path.parent.is_dir():
        raise UsageError(f"--output {output}: the folder {path.parent} does not exist. Create it, or correct the path.")
    if path.is_dir():
        raise UsageError(f"--output {output}: is a folder. Give the path of a file.")
    return path


def refuse_other_file(path: Path | None, is_ours: Callable[[str], bool], *, force: bool) -> None:
    """Refuse to replace a file that the command didn't write, unless ``force``.

    Raises:
        UsageError: names the file.
    """
    if path is None or force or not path.is_file():
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            beginning = file.read(1000)
    except OSError:
        beginning = ""
    if beginning and not is_ours(beginning):
        raise UsageError(
            f"--output {path}: exists, and this command didn't write it. Give another file, or add --force."
        )


def write_output(path: Path | None, text: str) -> None:
    """Write ``text`` to ``path``, or print it.

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
