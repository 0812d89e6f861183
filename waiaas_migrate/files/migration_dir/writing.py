"""Writing several files so that all are there or none is."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from waiaas_migrate.errors import MigrationsError, Problem


def write_files(folder: Path, files: Mapping[str, str]) -> tuple[Path, ...]:
    """Write ``files`` (name to text, UTF-8) into ``folder``, made if it is missing; the last name replaces last.

    Every text is on the disk under a temporary name before the first takes its own, so that a full disk changes
    nothing. Put the file that makes the others count, such as a manifest, last.

    Raises:
        MigrationsError: where the folder cannot be written to.
    """
    waiting: list[tuple[str, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        waiting.extend((_write_aside(folder, text), folder / name) for name, text in files.items())
        for written, path in waiting:
            Path(written).replace(path)
    except OSError as error:
        for written, _ in waiting:
            with contextlib.suppress(OSError):
                Path(written).unlink(missing_ok=True)
        what = f"cannot be written to: {error.strerror}."
        raise MigrationsError(
            [Problem(file=str(folder), what=what, fix="Check the path, its rights and the disk.")]
        ) from None
    return tuple(path for _, path in waiting)


def _write_aside(folder: Path, text: str) -> str:
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".waiaas-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return name


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
