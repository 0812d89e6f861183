"""Files that are still being written beside a database.

Each has a name of its own, ``app.db.backup-partial-4711-1f2e3d4c``, which says which process writes it. So two runs
never write to one file, and a later run removes what a killed process left. No lock is used: some network file systems
(CIFS) refuse writes to a file that is locked through another descriptor.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Literal

from waiaas_migrate.runner.liveness import may_be_running

#: What SQLite keeps beside a database.
COMPANIONS = ("-wal", "-shm", "-journal")

#: Earlier versions used one name without a process for all.
_ENDING = re.compile(r"\.(?:backup|restore)-partial(?:-(?P<pid>[0-9]+)-[0-9a-f]{8})?(?:-wal|-shm|-journal)?\Z")

#: The partial files that this process is writing.
_being_written: set[str] = set()


class partial_file:  # noqa: N801 — a context manager; a generator has more places where Ctrl-C would leave the file
    """Give a new name beside ``database``; a file that has it when the block ends is removed."""

    def __init__(self, database: Path, kind: Literal["backup", "restore"]) -> None:
        self.path = database.with_name(f"{database.name}.{kind}-partial-{os.getpid()}-{secrets.token_hex(4)}")

    def __enter__(self) -> Path:
        _being_written.add(self.path.name)
        return self.path

    def __exit__(self, *exc_info: object) -> None:
        with suppress(OSError):
            self.path.unlink()
        _being_written.discard(self.path.name)


def remove_abandoned(database: Path) -> None:
    """Remove the partial files of ``database`` that no process is writing any more."""
    with suppress(OSError):
        for path in database.parent.iterdir():
            if path.name.startswith(f"{database.name}.") and _is_abandoned(path, path.name[len(database.name) :]):
                path.unlink(missing_ok=True)


def _is_abandoned(path: Path, ending: str) -> bool:
    match = _ENDING.match(ending)
    if match is None:
        return False
    pid = int(match["pid"] or 0)
    if pid == os.getpid():
        return not path.name.startswith(tuple(_being_written))
    try:
        return not may_be_running(pid, path.stat().st_mtime)
    except FileNotFoundError:
        return False


def take_name(partial: Path, name: Path) -> None:
    """Rename ``partial`` to ``name``, without replacing a file.

    Raises:
        FileExistsError: there is a file of that name.
        OSError: the folder can't be written.
    """
    try:
        os.link(partial, name)
    except FileExistsError:
        raise
    except OSError as error:  # some file systems have no hard links
        if os.path.lexists(name):
            raise FileExistsError from error
        partial.rename(name)
    else:
        with suppress(OSError):  # the next run removes it
            partial.unlink()


def sync_file(path: Path) -> None:
    """Write the content of ``path`` and its attributes to the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Write the names in ``folder`` to the disk, if the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
