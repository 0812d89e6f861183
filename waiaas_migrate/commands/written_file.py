"""Write files that commands make from schema.yaml, and report outdated ones."""

from __future__ import annotations

from collections.abc import Callable
from operator import eq
from pathlib import Path

from waiaas_migrate.errors import Problem, UsageError
from waiaas_migrate.files.text_file import read_text, write_text

_BEGINNING = 1000
#: Returns whether two texts of a file differ only in their layout.
IsSame = Callable[[str, str], bool]


def mark(command: str) -> str:
    """Return the sentence near the beginning of each file that ``command`` writes."""
    return f"Written by waiaas-migrate {command}."


def write_made(path: Path, text: str, *, command: str, force: bool, is_same: IsSame = eq) -> bool:
    """Write ``text`` to ``path``, and return whether that changed anything.

    A file that differs only in its layout is left as a formatter made it.

    Args:
        path: the file.
        text: its text.
        command: the command; the beginning of a file says that it wrote it.
        force: whether a file of another origin is replaced.
        is_same: compares the file with ``text``.

    Raises:
        UsageError: ``path`` is a file of another origin and ``force`` is false, or it can't be written.
    """
    found = _text_at(path)
    if found is not None and is_same(found, text):
        return False
    if found is not None and mark(command) not in found[:_BEGINNING] and not force:
        raise UsageError(f"{path}: not written by `{command}`. Give another file, or pass --force to replace it.")
    try:
        write_text(path, text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}. Give another file.") from None
    return True


def staleness(path: Path, text: str, *, is_same: IsSame) -> str:
    """Return what is wrong with a file that should have ``text``; an empty string if it is up to date."""
    found = _text_at(path)
    if found is None:
        return "the file is missing."
    return "" if is_same(found, text) else "the file is out of date."


def _text_at(path: Path) -> str | None:
    """Return the text of a regular file; None if the file is missing.

    Raises:
        UsageError: it can't be read.
    """
    if not path.is_file():
        return None
    found = read_text(path, str(path), missing="")
    if isinstance(found, Problem):
        raise UsageError(str(found))
    return found
