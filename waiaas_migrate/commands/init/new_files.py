"""Write the files of a new project, all or none; overwrite nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.text_file import display_name, write_text


def write_new_files(files: Mapping[Path, str], pyproject: tuple[Path, str]) -> tuple[Path, ...]:
    """Write ``files``, then replace pyproject.toml; return the files that were written.

    A file that already has the right text is left unchanged, so that an interrupted run can be repeated.

    Args:
        files: the texts by path; missing folders are created.
        pyproject: the path and the new text of pyproject.toml, the only file that may exist with another text.

    Raises:
        UsageError: a file exists with another text, or can't be written. Nothing was written.
    """
    missing = {path: text for path, text in files.items() if not _has_text(path, text)}
    if existing := [path for path in missing if path.exists() or path.is_symlink()]:
        names = ", ".join(display_name(path, Path.cwd()) for path in existing)
        raise UsageError(
            f"{names}: already {'exists' if len(existing) == 1 else 'exist'}, and init overwrites nothing. "
            f"Nothing was written. Move or delete {'it' if len(existing) == 1 else 'them'}, or use another folder."
        )
    created: list[Path] = []
    try:
        for path, text in missing.items():
            created += [folder for folder in reversed(path.parents) if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="") as file:
                created.append(path)
                file.write(text)
        write_text(*pyproject)
    except BaseException as error:
        for path in reversed(created):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if not isinstance(error, OSError):
            raise
        what = f"{error.filename or ''}: can't be written: {error.strerror or error}."
        raise UsageError(f"{what} Nothing was written. Check the folder's permissions and free space.") from None
    return (*missing, pyproject[0])


def _has_text(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False
