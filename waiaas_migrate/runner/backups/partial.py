"""Name backups and other files beside a database. Each is written under a partial name, then renamed.

The name of a partial file, such as ``app.db.backup-partial-4711-1f2e3d4c``, contains the id of the process that writes
it. So two runs never write to the same file, and a later run can remove the partial files of a killed process. The
files aren't locked, since some network file systems (CIFS) refuse writes to a file that is locked through another
descriptor.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from waiaas_migrate.errors import DatabaseFileError
from waiaas_migrate.runner.liveness import may_be_running
from waiaas_migrate.sqlite.database.connection import plain_errors

#: The files that SQLite keeps beside a database.
COMPANIONS = ("-wal", "-shm", "-journal")
#: The format of a time (UTC) in a file name.
STAMP = "%Y%m%dT%H%M%SZ"

_PARTIAL = r"\.(?:backup|restore)-partial-(?P<pid>[0-9]+)-[0-9a-f]{8}(?:-wal|-shm|-journal)?"


class partial_file:  # noqa: N801 — a context manager; with a generator, Ctrl-C could leave the file more often
    """Provide the path of a new partial file beside ``database``; at the end, remove the file unless it was renamed."""

    def __init__(self, database: Path, kind: Literal["backup", "restore"]) -> None:
        self.path = beside(database, f".{kind}-partial-{os.getpid()}-{secrets.token_hex(4)}")

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *exc_info: object) -> None:
        with suppress(OSError):
            self.path.unlink()


def remove_abandoned(database: Path) -> None:
    """Remove the partial files that killed processes left beside ``database``."""
    with suppress(OSError):
        for path in database.parent.iterdir():
            match = re.fullmatch(re.escape(database.name) + _PARTIAL, path.name)
            with suppress(FileNotFoundError):
                if match is not None and not may_be_running(int(match["pid"]), path.stat().st_mtime):
                    path.unlink()


def beside(path: Path, ending: str) -> Path:
    """Return ``path`` with ``ending`` added to the name."""
    return path.with_name(path.name + ending)


def stamped_names(
    database: Path, kind: Literal["backup", "replaced"], ending: str = "", *, after: datetime | None = None
) -> Iterator[Path]:
    """Yield names beside ``database`` that contain a time in UTC, each a second later than the one before.

    Start with the current time, or one second after ``after`` if that is later.
    """
    at = datetime.now(UTC)
    if after is not None:
        with suppress(OverflowError):
            at = max(at, after + timedelta(seconds=1))
    while True:
        yield beside(database, f".{kind}-{at.strftime(STAMP)}{ending}")
        at += timedelta(seconds=1)


def take_name(partial: Path, name: Path) -> None:
    """Rename ``partial`` to ``name``, without replacing a file.

    Raises:
        FileExistsError: a file of this name exists.
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


def take_free_name(partial: Path, names: Iterable[Path]) -> Path:
    """Rename ``partial`` to the first of ``names`` that no file has, and return this name."""
    for name in names:
        with suppress(FileExistsError):
            take_name(partial, name)
            return name
    raise FileExistsError


@contextmanager
def file_errors(database: str | Path, *, doing: str, problem: str, fix: str) -> Iterator[None]:
    """Raise errors of SQLite as errors of this package, and an OSError as one with ``problem`` and ``fix``."""
    try:
        with plain_errors(str(database), doing=doing):
            yield
    except OSError as error:
        reason = error.strerror or error
        raise DatabaseFileError(f"{database}: {problem}: {reason}. Nothing was changed. {fix}") from error
