"""Putting a backup back in the place of its database.

The backup is copied beside the database and checked, and the copy takes the database's name in one step
(https://man7.org/linux/man-pages/man2/rename.2.html); the file it replaces stays under another. Before that the WAL is
moved into the file that it belongs to: left behind, it would be replayed into the file that comes
(https://www.sqlite.org/howtocorrupt.html#unlinking_or_renaming_a_database_file_while_in_use).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from waiaas_migrate.errors import DatabaseBusy, DatabaseFileError, UsageError
from waiaas_migrate.runner.backup import Pages, backups_of, copy_database, damage, sync_folder
from waiaas_migrate.sqlite.connection import open_read_only, plain_error, plain_errors, result_code
from waiaas_migrate.sqlite.place import database_path

#: Seconds to wait for another connection's lock: what is being used now is refused.
_PATIENCE = 1.0
_PROCESSES = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done: the backup that is in place now, and where the file that it replaced is kept, if there was one."""

    database: Path
    backup: Path
    kept: Path | None


def restore(database: str, backup: str | None = None, *, told: Pages | None = None) -> Restored:
    """Put ``backup``, or the newest one, in the place of ``database``; what was there is kept beside it.

    ``backup`` is a path, or the name of a file beside the database.

    Raises:
        UsageError: the database has no file.
        DatabaseFileError: there is no such backup, it is damaged, or the folder cannot be written.
        DatabaseBusy: a process has the database open.
        DatabaseRefused: there is no room.
    """
    target = database_file(database)
    source = _chosen(target, backup)
    arriving = target.with_name(f"{target.name}.restore-partial")
    try:
        with _plain(target):
            _copy_checked(source, arriving, told)
            kept = _swap(target, arriving)
            sync_folder(target.parent)
    finally:
        with suppress(OSError):
            arriving.unlink()
    return Restored(database=target, backup=source, kept=kept)


def database_file(database: str) -> Path:
    """The file that a DATABASE argument means, links followed.

    Raises:
        UsageError: it is one in memory.
    """
    place = database_path(database)
    if place.path is None:
        raise UsageError(f"{place.name}: a database in memory has no backups. Give the path of a file.")
    return Path(os.path.realpath(place.path))


def _chosen(target: Path, backup: str | None) -> Path:
    if backup is None:
        found = backups_of(target)
        if not found:
            raise DatabaseFileError(f"{target}: has no backup beside it. Name a file that holds one.")
        return found[-1].path
    path = Path(backup)
    if not path.exists() and path.name == backup:
        path = target.with_name(backup)
    if not path.is_file():
        raise DatabaseFileError(f"{backup}: there is no such backup. `restore DATABASE --list` shows those there are.")
    if target.exists() and path.samefile(target):
        raise DatabaseFileError(f"{backup}: is the database itself. Name one of its backups.")
    return path


def _copy_checked(source: Path, arriving: Path, told: Pages | None) -> None:
    """The backup's content under a passing name, on the disk and sound."""
    with closing(open_read_only(source)) as connection, plain_errors(str(source), doing="reading it"):
        copy_database(connection, arriving, name=str(source), told=told)
    wrong = damage(arriving, "integrity_check")
    if wrong:
        raise DatabaseFileError(f"{source}: is damaged, and was not put back: {wrong}. Choose another backup.")


def _swap(target: Path, arriving: Path) -> Path | None:
    if not os.path.lexists(target):
        _set_aside_companions(target, target.with_name(_kept_name(target)))
        arriving.rename(target)
        return None
    _refuse_open(target, but=None)
    kept = target.with_name(_kept_name(target))
    with _exclusive(target):
        _refuse_open(target, but=os.getpid())
        status = target.stat()
        arriving.chmod(status.st_mode & 0o777)
        with suppress(OSError):
            os.chown(arriving, status.st_uid, status.st_gid)
        _keep(target, kept)
        _set_aside_companions(target, kept)
        arriving.replace(target)
    return kept


def _kept_name(target: Path) -> str:
    """A name for the file that goes, which no file has yet."""
    name = f"{target.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    taken = {path.name for path in target.parent.iterdir()}
    return next(f"{name}{end}" for end in ["", *(f"-{n}" for n in range(2, 10_000))] if f"{name}{end}" not in taken)


def _keep(target: Path, kept: Path) -> None:
    """Give the file a second name, so that at no instant there is none of the first."""
    try:
        kept.hardlink_to(target)
    except OSError:  # not every file system has hard links
        target.rename(kept)


def _set_aside_companions(target: Path, kept: Path) -> None:
    """Let a WAL or a journal that could not be merged go with its file; the ``-shm`` file only says what is in them."""
    for ending in ("-wal", "-journal"):
        companion = target.with_name(target.name + ending)
        if companion.exists():
            companion.rename(kept.with_name(kept.name + ending))
    target.with_name(f"{target.name}-shm").unlink(missing_ok=True)


@contextmanager
def _exclusive(target: Path) -> Iterator[None]:
    """The only connection to the database, its WAL merged; a file that SQLite cannot read has nothing to be locked.

    Leaving the WAL mode takes that no other connection is open; in the other modes an exclusive lock takes that none
    reads or writes (https://www.sqlite.org/pragma.html#pragma_journal_mode).
    """
    if target.stat().st_size == 0:  # locking it would make a database of it
        yield
        return
    with closing(sqlite3.connect(str(target.absolute()), timeout=_PATIENCE, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
            if connection.execute("PRAGMA journal_mode").fetchone() != ("delete",):
                raise DatabaseBusy(database=str(target), doing="replacing it")
        except sqlite3.Error as error:
            if result_code(error) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise plain_error(error, str(target), doing="replacing it") or error from error
            # Closed now: closed later, it would remove the WAL of the file that comes.
            connection.close()
        yield


def _refuse_open(target: Path, *, but: int | None) -> None:
    """Refuse a file that a process has open; one that does nothing with it right now holds no lock.

    Where the system has no ``/proc``, or does not show another user's processes, only their locks are seen.
    """
    status = target.stat()
    for process in _processes():
        if process == but:
            continue
        with suppress(OSError):
            for descriptor in (_PROCESSES / str(process) / "fd").iterdir():
                with suppress(OSError):
                    found = descriptor.stat()
                    if (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino):
                        raise DatabaseBusy(database=f"{target} (open in process {process})", doing="replacing it")


def _processes() -> list[int]:
    with suppress(OSError):
        return [int(path.name) for path in _PROCESSES.iterdir() if path.name.isdecimal()]
    return []


@contextmanager
def _plain(target: Path) -> Iterator[None]:
    """Say in this package's words what SQLite and the system have against it."""
    try:
        with plain_errors(str(target), doing="restoring it"):
            yield
    except OSError as error:
        raise DatabaseFileError(
            f"{target}: cannot be replaced: {error.strerror or error}. Nothing was changed; check the folder's rights."
        ) from error
