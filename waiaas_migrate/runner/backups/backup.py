"""Backups: a verified copy of a database beside it, made before a run that could lose something of it.

The copy is made by SQLite's online backup (https://www.sqlite.org/backup.html) over a connection of its own, while the
run that it precedes holds the write lock already: a reader sees what was last committed, and nobody else can commit
until the run has. So the copy holds exactly what the run began with, and no writer slips in between the two. Those who
want to write wait for the copy as they wait for the run.

A backup is called ``app.db.backup-20260101T000000Z-0003_x``, by the time in UTC and the last migration that the
database had run. Until it is whole and has passed ``PRAGMA quick_check`` it has another name (``partial.py``).
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from waiaas_migrate.errors import DatabaseFileError, DatabaseRefused, MigrateError
from waiaas_migrate.runner.backups.partial import (
    COMPANIONS,
    partial_file,
    remove_abandoned,
    sync_file,
    sync_folder,
    take_name,
)
from waiaas_migrate.sqlite.database.connection import plain_errors

#: How many backups of a database stay.
KEPT = 3

#: Told as a copy proceeds: the pages that are done, and how many there are.
Pages = Callable[[int, int], None]

_OWNER_ONLY = 0o600
_PAGES_IN_A_STEP = 2048
#: What else may need room while a copy is made: the journal of the run, of which nobody knows the size beforehand.
_MARGIN = 1 << 20
_INSTEAD = ", or do without a backup (`apply --backup never`)"
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<file>.+)\.backup-(?P<stamp>[0-9]{8}T[0-9]{6}Z)(?:-(?P<head>[A-Za-z0-9._-]+))?\Z", re.DOTALL)
#: What is put aside or half made, by this module or by restore.
_ASIDE = re.compile(r".+\.(?:replaced-[0-9]{8}T[0-9]{6}Z.*|(?:backup|restore)-partial(?:-.+)?)\Z", re.DOTALL)
_MOST_OF_A_HEAD = 80
#: In the header of a file (https://www.sqlite.org/fileformat.html): how often it was changed, and by which SQLite.
_COUNTERS = ((24, 28), (92, 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup: where it is, when it was made, and the last migration that the database had run by then."""

    path: Path
    made_at: datetime
    head: str
    bytes: int


def is_backup(path: Path) -> bool:
    """Whether ``path`` is named as a backup is, as one that is being made, or as what a restored one replaced."""
    return _NAME.match(path.name) is not None or _ASIDE.match(path.name) is not None


def backups_of(database: Path) -> tuple[Backup, ...]:
    """The backups beside ``database``, the oldest first."""
    real = Path(os.path.realpath(database))
    found = []
    with suppress(FileNotFoundError, NotADirectoryError):
        found = [path for path in real.parent.iterdir() if path.name.startswith(f"{real.name}.backup-")]
    listed = [_as_backup(path, real.name) for path in sorted(found)]
    return tuple(backup for backup in listed if backup is not None)


def _as_backup(path: Path, name: str) -> Backup | None:
    match = _NAME.match(path.name)
    if match is None or match["file"] != name or path.name.endswith(COMPANIONS):
        return None
    if path.is_symlink() or not path.is_file():
        return None
    try:
        made_at = datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
        size = path.stat().st_size
    except (ValueError, OSError):
        return None
    return Backup(path=path, made_at=made_at, head=match["head"] or "", bytes=size)


def back_up(database: Path, head: str, *, told: Pages | None = None) -> Backup:
    """Make a backup of ``database``, whose last migration is ``head``, and verify it.

    The caller holds the write lock, and has not written more than its cache holds. Where the newest backup holds the
    same already, as after a run that failed, that one is given: it shall not push older ones out.

    Raises:
        DatabaseRefused: there is no room for it, or it did not pass; nothing is left of it.
        DatabaseFileError: the folder cannot be written, or the database not be read.
    """
    real = Path(os.path.realpath(database))
    with (
        _folder_errors(real),
        plain_errors(str(database), doing="making its backup"),
        partial_file(real, "backup") as partial,
    ):
        remove_abandoned(real)
        with closing(_opened(real, "mode=rw")) as source:
            copy_database(source, partial, name=str(database), told=told, instead=_INSTEAD)
        _verify(partial, database)
        path = _same_backup(partial, real) or _take_next_name(partial, real, head)
        sync_folder(real.parent)
    made = _as_backup(path, real.name)
    if made is None or not made.bytes:
        raise DatabaseRefused(f"{path}: the backup was removed while it was made. Nothing was changed; try again.")
    return made


def _same_backup(partial: Path, real: Path) -> Path | None:
    """Return the newest backup if it holds the same as ``partial``."""
    earlier = backups_of(real)
    with suppress(FileNotFoundError):  # another process may remove it as too old
        if earlier and _same_content(partial, earlier[-1].path):
            return earlier[-1].path
    return None


def _take_next_name(partial: Path, real: Path, head: str) -> Path:
    """Rename ``partial`` to the next free name of a backup of ``real``."""
    while True:
        path = real.with_name(_name(real.name, head, backups_of(real)))
        try:
            take_name(partial, path)
        except FileExistsError:  # another process was quicker, and the next name is a second later
            if _as_backup(path, real.name) is None:
                raise
        else:
            return path


def prune(database: Path, head_of: Callable[[sqlite3.Connection], str]) -> tuple[Path, ...]:
    """Remove all but the last backups of ``database``, and return those removed; one that can't be removed stays.

    Only files named exactly as :func:`back_up` names them are removed: by the time, and by the last migration that the
    backup itself holds, which ``head_of`` reads. A backup that somebody renamed, for instance to
    ``app.db.backup-…-keep``, is neither removed nor counted.
    """
    removed = []
    for backup in [one for one in backups_of(database) if _has_own_name(one, head_of)][:-KEPT]:
        with suppress(OSError):
            backup.path.unlink()
            removed.append(backup.path)
            for ending in COMPANIONS:
                backup.path.with_name(backup.path.name + ending).unlink(missing_ok=True)
    return tuple(removed)


def _has_own_name(backup: Backup, head_of: Callable[[sqlite3.Connection], str]) -> bool:
    """Whether the name of ``backup`` is the one that it was given; False if it can't be read."""
    try:
        with closing(_opened(backup.path, "immutable=1&mode=ro")) as connection:
            return backup.head == _safe_head(head_of(connection))
    except (sqlite3.Error, MigrateError):
        return False


def _safe_head(head: str) -> str:
    """The id of a migration as it is written in the name of a backup."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", head)[:_MOST_OF_A_HEAD]
    return f"{safe}_" if safe.endswith(COMPANIONS) else safe


def _name(file: str, head: str, earlier: tuple[Backup, ...]) -> str:
    """A name behind those of ``earlier``, whatever the clock says: sorted by name they are sorted by time."""
    now = datetime.now(UTC).replace(microsecond=0)
    if earlier:
        with suppress(OverflowError):
            now = max(now, earlier[-1].made_at + timedelta(seconds=1))
    safe = _safe_head(head)
    return f"{file}.backup-{now.strftime(_STAMP)}" + (f"-{safe}" if safe else "")


def copy_database(
    source: sqlite3.Connection, target: Path, *, name: str, told: Pages | None = None, instead: str = ""
) -> None:
    """Copy what ``source`` last committed to the new file ``target``, for its owner alone, and write it to the disk.

    If this fails, the caller removes ``target``. ``name`` is what messages call the database, and ``instead`` what may
    be done where there is no room.

    Raises:
        DatabaseRefused: there is no room for it.
        sqlite3.Error: the source cannot be read, or the target not be written.
    """
    source.execute("BEGIN")
    pages = int(source.execute("PRAGMA page_count").fetchone()[0])
    require_room(target, pages * int(source.execute("PRAGMA page_size").fetchone()[0]), name, instead)
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY))
    with closing(_opened(target, "mode=rw")) as copy:
        # Nobody else knows of the file, and it is thrown away unless all goes well.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        source.backup(copy, pages=_PAGES_IN_A_STEP, progress=_teller(told), sleep=0)
    sync_file(target)


def _teller(told: Pages | None) -> Callable[[int, int, int], None]:
    """What sqlite3 calls after each step; without it, nobody could interrupt a copy."""

    def progress(_: int, remaining: int, total: int) -> None:
        if told is not None:
            told(total - remaining, total)

    return progress


def require_room(target: Path, size: int, name: str, instead: str) -> None:
    """Refuse where the disk has no room for ``size`` bytes more, and say what may be done instead of making some.

    Raises:
        DatabaseRefused: says how much is needed and how much there is.
    """
    free = shutil.disk_usage(target.parent).free
    if free < size + _MARGIN:
        raise DatabaseRefused(
            f"{name}: a copy of it takes up to {byte_count(size + _MARGIN)}, and the disk has {byte_count(free)} free. "
            f"Nothing was changed. Make room{instead}."
        )


def byte_count(size: int) -> str:
    """A number of bytes for people."""
    for unit, bytes_in in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_in:
            return f"{size / bytes_in:.1f} {unit}"
    return f"{size} bytes"


def _opened(path: Path, query: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(os.fsencode(path.absolute()))}?{query}", uri=True, isolation_level=None)


def _verify(copy: Path, database: Path) -> None:
    """Refuse a copy that is not sound.

    The pages are those of the database; were they damaged there, it shows here, before anything is written. That a row
    breaks a CHECK or a NOT NULL is no damage: rows may be older than the rule.
    """
    wrong = damage(copy, "quick_check")
    if wrong:
        raise DatabaseRefused(
            f"{database}: the copy that was made before migrating did not pass `PRAGMA quick_check`: {wrong}. Nothing "
            f"was changed. Most likely the database is damaged: look at it with `PRAGMA integrity_check`, restore an "
            f"earlier backup, or repair it with `sqlite3 FILE .recover`."
        )


def damage(path: Path, check: str) -> str:
    """What ``PRAGMA quick_check`` or ``integrity_check`` has against the file at ``path``; empty where it is sound.

    The file is read as immutable, so that none is made beside it.
    """
    try:
        with closing(_opened(path, "immutable=1&mode=ro")) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}")]
    except sqlite3.DatabaseError as error:
        # An application's own function or collation is not known here, which says nothing against the file.
        return "" if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_ERROR else str(error)
    rows = ("CHECK constraint failed in ", "NULL value in ")
    return "; ".join(line for line in found if line != "ok" and not line.startswith(rows))


def _same_content(one: Path, other: Path) -> bool:
    """Whether two copies hold the same, but for the counters in their headers."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        first = True
        while block := left.read(1 << 20):
            counterpart = right.read(1 << 20)
            if first:
                block, counterpart, first = _uncounted(block), _uncounted(counterpart), False
            if block != counterpart:
                return False
    return True


def _uncounted(head: bytes) -> bytes:
    plain = bytearray(head)
    for start, end in _COUNTERS:
        plain[start:end] = bytes(end - start)
    return bytes(plain)


@contextmanager
def _folder_errors(database: Path) -> Iterator[None]:
    """Say in this package's words what the system has against files in the database's folder."""
    try:
        yield
    except OSError as error:
        raise DatabaseFileError(
            f"{database}: no backup can be made in {database.parent}: {error.strerror or error}. Nothing was changed. "
            f"Give this user write permission there{_INSTEAD}."
        ) from error
