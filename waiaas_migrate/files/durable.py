"""Write files and their names to the disk, so that a power cut does not undo them."""

from __future__ import annotations

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Write the content and attributes of ``path`` to the disk.

    Raises:
        OSError: the disk failed.
    """
    _sync(path, os.O_RDWR)


def sync_folder(folder: Path) -> None:
    """Write the names in ``folder`` to the disk; do nothing on Windows, which cannot.

    Raises:
        OSError: the disk failed, or the file system cannot sync folders.
    """
    if os.name != "nt":
        _sync(folder, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
