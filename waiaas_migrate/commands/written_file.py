"""Write the files that ``models``, ``enums`` and ``diagram`` generate, and find out whether they are up to date.

Each generated file names its command near the beginning, so a file that somebody wrote is never replaced by mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import eq
from pathlib import Path

from waiaas_migrate.errors import Problem, UsageError
from waiaas_migrate.files.text_file import read_text, write_text

#: Returns whether two texts of a file differ only in their layout.
IsSame = Callable[[str, str], bool]


def origin_sentence(command: str) -> str:
    """Return the sentence near the beginning of each file that ``command`` generates."""
    return f"Written by waiaas-migrate {command}."


def write_generated_file(path: Path, text: str, *, command: str, force: bool, is_same: IsSame = eq) -> bool:
    """Write ``text`` to ``path``, and return whether the file changed.

    A file that ``is_same`` calls up to date stays as it is, because a formatter may have changed its layout. ``force``
    replaces a file even if ``command`` did not write it.

    Raises:
        UsageError: ``command`` did not write ``path`` and ``force`` is false, or the file can't be written.
    """
    existing = _text_at(path)
    if existing is not None and is_same(existing, text):
        return False
    if existing is not None and origin_sentence(command) not in existing[:1000] and not force:
        raise UsageError(f"{path}: not written by `{command}`. Give another file, or pass --force to replace it.")
    try:
        write_text(path, text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}. Give another file.") from None
    return True


def staleness(path: Path, text: str, *, is_same: IsSame) -> str:
    """Return a sentence if ``path``, which should have ``text``, is missing or out of date, else an empty string."""
    existing = _text_at(path)
    if existing is None:
        return "the file is missing."
    return "" if is_same(existing, text) else "the file is out of date."


def _text_at(path: Path) -> str | None:
    if not path.is_file():
        return None
    text = read_text(path, str(path), missing="")
    if isinstance(text, Problem):
        raise UsageError(str(text))
    return text
