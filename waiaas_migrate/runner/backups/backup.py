"""Make, list and prune backups: verified copies of a database, made beside it before a run that could lose data.

The run holds the write lock while a separate connection makes the copy. This connection sees the last committed state,
and no other process can commit before the run does. So the copy has the content from before the run. Other writers wait
until the copy and the run are finished.

The name of a backup, such as ``app.db.backup-20260101T000000Z-0003_x``, contains the time in UTC and the last migration
that the database had applied. A backup has a temporary name (``partial.py``) until it is complete and has passed
``PRAGMA quick_check``.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from waiaas_migrate.errors import DatabaseRefused, MigrateError
from waiaas_migrate.files.durable import sync
from waiaas_migrate.runner.backups.partial import (
    COMPANIONS,
    STAMP,
    beside,
    file_errors,
    partial_file,
    remove_abandoned,
    stamped_names,
    take_free_name,
)
from waiaas_migrate.runner.backups.verified_copy import PageListener, copy_and_check, open_file, open_immutable
from waiaas_migrate.sqlite.database.url import StrPath

#: How many backups of a database to keep.
KEPT = 3

_NAME = re.compile(r"(?P<file>.+)\.backup-(?P<stamp>[0-9]{8}T[0-9]{6}Z)(?:-(?P<head>[A-Za-z0-9._-]+))?\Z", re.DOTALL)
#: The names of partial files, and of files that ``restore`` replaced.
_ASIDE = re.compile(r".+\.(?:replaced-[0-9]{8}T[0-9]{6}Z.*|(?:backup|restore)-partial(?:-.+)?)\Z", re.DOTALL)
#: How many characters of a migration's id the name of a backup contains.
_HEAD_LENGTH = 80
#: Counters in the file header that differ between copies of the same content (https://www.sqlite.org/fileformat.html).
_COUNTERS = (slice(24, 28), slice(92, 100))
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup: its path, the time in its name, the last migration applied in it (``head``), and its size."""

    path: Path
    made_at: datetime
    head: str
    bytes: int


def is_backup(path: Path) -> bool:
    """Return whether ``path`` is named as a backup, as a partial file, or as a file that ``restore`` replaced."""
    return _NAME.match(path.name) is not None or _ASIDE.match(path.name) is not None


def backups_of(database: StrPath) -> tuple[Backup, ...]:
    """Return the backups beside ``database``, oldest first."""
    real = Path(os.path.realpath(database))
    found = []
    with suppress(FileNotFoundError, NotADirectoryError):
        found = [path for path in real.parent.iterdir() if path.name.startswith(f"{real.name}.backup-")]
    return tuple(backup for path in sorted(found) if (backup := _as_backup(path, real.name)) is not None)


def _as_backup(path: Path, name: str) -> Backup | None:
    """Return the file ``path`` as a backup; None if it isn't a backup of the database file ``name``."""
    match = _NAME.match(path.name)
    if match is None or match["file"] != name or path.name.endswith(COMPANIONS):
        return None
    try:
        made_at = datetime.strptime(match["stamp"], STAMP).replace(tzinfo=UTC)
        status = path.lstat()
    except (ValueError, OSError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Backup(path=path, made_at=made_at, head=match["head"] or "", bytes=status.st_size)


def back_up(database: Path, head: str, *, listener: PageListener | None = None) -> Backup:
    """Make and verify a backup of ``database``, whose last applied migration is ``head``.

    The caller must hold the write lock, and must not have written to the file yet. If the newest backup has the same
    content, for example because the previous run failed, return that backup. Otherwise repeated failures would push
    older backups out.

    Raises:
        DatabaseRefused: the disk has no room, or the copy did not pass its check and was removed.
        DatabaseFileError: the folder cannot be written, or the database cannot be read.
    """
    real = Path(os.path.realpath(database))
    with (
        file_errors(
            real,
            doing="making its backup",
            problem=f"no backup can be made in {real.parent}",
            fix="Give this user write permission for this folder, or make no backup (`apply --backup never`).",
        ),
        partial_file(real, "backup") as partial,
    ):
        remove_abandoned(real)
        _copy(real, partial, str(database), listener)
        path = _newest_if_equal(partial, real) or take_free_name(partial, _names(real, head))
        with suppress(OSError):  # some file systems cannot sync folders
            sync(real.parent)
    made = _as_backup(path, real.name)
    if made is None or not made.bytes:
        raise DatabaseRefused(f"{path}: the backup was removed while it was made. Nothing was changed; try again.")
    return made


def _copy(real: Path, partial: Path, name: str, listener: PageListener | None) -> None:
    """Copy the database to ``partial`` and check the copy, to find damage before the run writes anything."""
    fix = "Make room, or make no backup (`apply --backup never`)."
    with closing(open_file(real, "mode=rw")) as source:
        damage = copy_and_check(source, partial, name=name, check="quick_check", fix=fix, listener=listener)
    if damage:
        raise DatabaseRefused(
            f"{name}: its backup did not pass `PRAGMA quick_check`: {damage}. Nothing was changed. The database is "
            f"probably damaged: examine it with `PRAGMA integrity_check`, restore an earlier backup, or repair it with "
            f"`sqlite3 FILE .recover`."
        )


def _newest_if_equal(partial: Path, real: Path) -> Path | None:
    """Return the newest backup if it has the same content as ``partial``."""
    earlier = backups_of(real)
    with suppress(FileNotFoundError):  # another process may prune the backup meanwhile
        if earlier and _is_equal(partial, earlier[-1].path):
            return earlier[-1].path
    return None


def _is_equal(one: Path, other: Path) -> bool:
    """Return whether two copies have the same content, except for the counters in their headers."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        heads = [bytearray(file.read(_BLOCK)) for file in (left, right)]
        for counters in _COUNTERS:
            heads[0][counters] = heads[1][counters]
        is_equal = heads[0] == heads[1]
        while is_equal and (block := left.read(_BLOCK)):
            is_equal = block == right.read(_BLOCK)
    return is_equal


def prune(database: Path, read_head: Callable[[sqlite3.Connection], str]) -> None:
    """Remove all but the newest backups of ``database``; skip backups that can't be removed.

    ``read_head`` reads the last applied migration from a backup. If the backup's name doesn't end in this migration,
    somebody renamed the backup, for example to ``app.db.backup-…-keep``; it is neither removed nor counted.
    """
    for backup in [one for one in backups_of(database) if _has_original_name(one, read_head)][:-KEPT]:
        with suppress(OSError):
            backup.path.unlink()
            for ending in COMPANIONS:
                beside(backup.path, ending).unlink(missing_ok=True)


def _has_original_name(backup: Backup, read_head: Callable[[sqlite3.Connection], str]) -> bool:
    """Return whether ``backup`` has the name that :func:`back_up` gave it; False if its content can't be read."""
    try:
        with closing(open_immutable(backup.path)) as connection:
            return backup.head == _head_in_name(read_head(connection))
    except (sqlite3.Error, MigrateError):
        return False


def _names(database: Path, head: str) -> Iterator[Path]:
    """Yield names for a new backup that sort after the earlier backups, even if the clock was set back."""
    earlier = backups_of(database)
    safe = _head_in_name(head)
    return stamped_names(database, "backup", f"-{safe}" if safe else "", after=earlier[-1].made_at if earlier else None)


def _head_in_name(head: str) -> str:
    """Return the id of a migration in the form used in the names of backups."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", head)[:_HEAD_LENGTH]
    return f"{safe}_" if safe.endswith(COMPANIONS) else safe
