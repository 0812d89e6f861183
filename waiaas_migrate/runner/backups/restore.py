"""Putting a backup back in the place of its database.

The backup is copied beside the database and checked, and the copy takes the database's name in one step
(https://man7.org/linux/man-pages/man2/rename.2.html); the file it replaces stays under another. Before that the WAL is
moved into the file that it belongs to: left behind, it would be replayed into the file that comes
(https://www.sqlite.org/howtocorrupt.html#unlinking_or_renaming_a_database_file_while_in_use).
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from waiaas_migrate.errors import DatabaseBusy, DatabaseFileError, UsageError
from waiaas_migrate.runner.backups.backup import Pages, backups_of, copy_database, damage, sync_folder
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
    if not path.stat().st_size:
        raise DatabaseFileError(f"{backup}: is empty, and was not put back. Choose another backup.")
    return path


def _copy_checked(source: Path, arriving: Path, told: Pages | None) -> None:
    """The backup's content under a passing name, on the disk and sound."""
    with closing(open_read_only(source)) as connection, plain_errors(str(source), doing="reading it"):
        copy_database(connection, arriving, name=str(source), told=told)
    wrong = damage(arriving, "integrity_check")
    if wrong:
        raise DatabaseFileError(f"{source}: is damaged, and was not put back: {wrong}. Choose another backup.")


def _swap(target: Path, arriving: Path) -> Path | None:
    kept = target.with_name(_kept_name(target))
    if not os.path.lexists(target):
        with _set_aside(target, kept):
            arriving.rename(target)
        return None
    _refuse_anothers(target, target.stat())
    _refuse_open(target, but=None)
    with _exclusive(target):
        _refuse_open(target, but=os.getpid())
        status = target.stat()
        arriving.chmod(status.st_mode & 0o777)
        with suppress(OSError):
            os.chown(arriving, status.st_uid, status.st_gid)
        with _set_aside(target, kept):
            arriving.replace(target)
    return kept


def _refuse_anothers(target: Path, status: os.stat_result) -> None:
    """Refuse a file that may not be renamed, before it is given another name that could not be taken away again.

    In a folder with the sticky bit only the owner of a file or of the folder may (unlink(2)).
    """
    folder = target.parent.stat()
    owners = (0, status.st_uid, folder.st_uid)
    if folder.st_mode & stat.S_ISVTX and hasattr(os, "geteuid") and os.geteuid() not in owners:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def _kept_name(target: Path) -> str:
    """A name for the file that goes, which no file has yet."""
    name = f"{target.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    taken = {path.name for path in target.parent.iterdir()}
    return next(f"{name}{end}" for end in ["", *(f"-{n}" for n in range(2, 10_000))] if f"{name}{end}" not in taken)


@contextmanager
def _set_aside(target: Path, kept: Path) -> Iterator[None]:
    """Keep the file, if there is one, under another name, and what belongs to it; all comes back if the swap fails."""
    companions = [(_beside(target, ending), _beside(kept, ending)) for ending in ("-wal", "-journal")]
    with ExitStack() as back:
        if target.exists():
            _keep(target, kept)
            back.callback(_take_back, target, kept)
        for old, new in companions:
            # A WAL or a journal that could not be merged goes with its file.
            if old.exists():
                old.rename(new)
                back.callback(new.rename, old)
        yield
        back.pop_all()
    with suppress(OSError):  # it only says what is in the WAL
        _beside(target, "-shm").unlink()


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _keep(target: Path, kept: Path) -> None:
    """Give the file a second name, so that at no instant there is none of the first."""
    try:
        kept.hardlink_to(target)
    except OSError:  # not every file system has hard links
        target.rename(kept)


def _take_back(target: Path, kept: Path) -> None:
    """Undo that."""
    if target.exists():
        kept.unlink()
    else:
        kept.rename(target)


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
                        raise DatabaseBusy(database=str(target), doing="replacing it", process=process)


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
