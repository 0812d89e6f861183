"""Restore a backup: replace the database by a copy of the backup.

The backup is copied beside the database, checked, and renamed to the database's name in one step
(https://man7.org/linux/man-pages/man2/rename.2.html). Before that, the replaced file gets a second name, so a database
exists at every instant. If the file system has no hard links, the replaced file is copied instead.

Before the rename, the old database's WAL is merged into its file. Otherwise SQLite would apply the WAL to the restored
file (https://www.sqlite.org/howtocorrupt.html#unlinking_or_renaming_a_database_file_while_in_use).
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.errors import DatabaseBusy, DatabaseFileError, Picklable, UsageError
from waiaas_migrate.files.durable import sync
from waiaas_migrate.runner.backups.backup import backups_of
from waiaas_migrate.runner.backups.partial import file_errors, partial_file, remove_abandoned
from waiaas_migrate.runner.backups.swap import Swap
from waiaas_migrate.runner.backups.verified_copy import copy_and_check
from waiaas_migrate.sqlite.database.connection import open_read_only, plain_error, plain_errors, result_code
from waiaas_migrate.sqlite.database.url import StrPath, database_path

#: Seconds to wait for another connection's lock before refusing to replace the database.
_LOCK_TIMEOUT = 1.0
_PROCESSES = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The database, the restored backup, the path of the replaced file if there was one, and notices for the user."""

    database: Path
    backup: Path
    kept: Path | None
    notices: tuple[str, ...] = ()

    def __str__(self) -> str:
        kept = f" The replaced file is kept as {self.kept}." if self.kept is not None else ""
        return f"{self.backup} was restored to {self.database}.{kept}"


class RestoreInterrupted(Picklable, KeyboardInterrupt):
    """Ctrl-C was pressed during a restore. ``restored`` is set if Ctrl-C came too late to stop the restore."""

    def __init__(self, database: Path, restored: Restored | None) -> None:
        self.restored = restored
        unchanged = f"Interrupted; nothing was restored, and {database} is unchanged."
        super().__init__(unchanged if restored is None else f"Interrupted, but too late: {restored}")


def restore(
    database: StrPath, backup: StrPath | None = None, *, report: Callable[[Restored], None] | None = None
) -> Restored:
    """Replace ``database`` by ``backup``, or by its newest backup; keep the replaced file beside it.

    ``backup`` is a path, or the name of a file beside the database. ``report`` is called at the end. If ``report``
    fails or is interrupted, the error still says which backup was restored.

    Raises:
        UsageError: the database has no file.
        DatabaseFileError: the backup is missing or damaged, or the folder cannot be written.
        DatabaseBusy: a process has the database open.
        DatabaseRefused: the disk has no room, or another process created or replaced the file, too.
        RestoreInterrupted: Ctrl-C was pressed; the error says whether the backup was restored.
    """
    target = database_file(database)
    source = _find_backup(target, None if backup is None else os.fspath(backup))
    with partial_file(target, "restore") as arriving:
        swap = Swap(target, arriving)
        try:
            with file_errors(
                target, doing="restoring it", problem="cannot be replaced", fix="Check the permissions of the folder."
            ):
                remove_abandoned(target)
                _copy_checked(source, arriving)
                _put_in_place(swap)
                with suppress(OSError):  # some file systems cannot sync folders
                    sync(target.parent)
            done = Restored(database=target, backup=source, kept=swap.kept, notices=swap.notices)
            if report is not None:
                report(done)
        except (KeyboardInterrupt, Exception) as error:
            done = Restored(database=target, backup=source, kept=swap.kept, notices=swap.notices)
            _raise_with_outcome(error, done, is_in_place=swap.is_done())
            raise
    return done


def _raise_with_outcome(error: BaseException, done: Restored, *, is_in_place: bool) -> None:
    """Raise an error that says what was restored; return if nothing was, unless Ctrl-C was pressed."""
    if isinstance(error, KeyboardInterrupt):
        raise RestoreInterrupted(done.database, done if is_in_place else None) from error
    if is_in_place:
        reason = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise DatabaseFileError(f"{done} But something failed afterwards: {reason}") from error


def database_file(database: StrPath) -> Path:
    """Return the file of a DATABASE argument, with links resolved.

    Raises:
        UsageError: the database is in memory.
    """
    target = database_path(database)
    if target.path is None:
        raise UsageError(f"{target.name}: a database in memory has no backups. Give the path of a file.")
    return Path(os.path.realpath(target.path))


def _find_backup(target: Path, backup: str | None) -> Path:
    if backup is None:
        found = backups_of(target)
        if not found:
            raise DatabaseFileError(f"{target}: no backup found beside it. Give the path of one.")
        return found[-1].path
    path = Path(backup)
    if not path.exists() and path.name == backup:
        path = target.with_name(backup)
    if not path.is_file():
        raise DatabaseFileError(f"{backup}: backup not found. List the backups with `restore DATABASE --list`.")
    if target.exists() and path.samefile(target):
        raise DatabaseFileError(f"{backup}: is the database itself. Name one of its backups.")
    if not path.stat().st_size:
        raise DatabaseFileError(f"{backup}: is empty, and was not restored. Choose another backup.")
    return path


def _copy_checked(source: Path, arriving: Path) -> None:
    with closing(open_read_only(source)) as connection, plain_errors(str(source), doing="reading it"):
        damage = copy_and_check(
            connection, arriving, name=str(source), check="integrity_check", fix="Make room, then try again."
        )
    if damage:
        raise DatabaseFileError(f"{source}: is damaged, and was not restored: {damage}. Choose another backup.")


def _put_in_place(swap: Swap) -> None:
    """Lock the database, if it exists, and replace it."""
    target = swap.target
    if not os.path.lexists(target):
        swap.run()
        return
    _refuse_file_of_another_user(target)
    _refuse_open(target, ignore=None)
    with _exclusive_connection(target, swap) as is_locked:
        _refuse_open(target, ignore=os.getpid())
        if is_locked:
            swap.remove_second_names()
        swap.run()


def _refuse_file_of_another_user(target: Path) -> None:
    """Refuse a file that this user may not rename; otherwise it would get a second name that can't be removed.

    In a folder with the sticky bit, only the owner of the file or of the folder may rename a file (rename(2)).
    """
    folder = target.parent.stat()
    owners = (0, target.stat().st_uid, folder.st_uid)
    if folder.st_mode & stat.S_ISVTX and hasattr(os, "geteuid") and os.geteuid() not in owners:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


@contextmanager
def _exclusive_connection(target: Path, swap: Swap) -> Iterator[bool]:
    """Merge the WAL of ``target`` and lock the file; yield whether it is locked; False if it is empty or unreadable.

    A connection can leave WAL mode only if no other connection is open. In other modes, it gets an exclusive lock only
    if no other connection reads or writes (https://www.sqlite.org/pragma.html#pragma_journal_mode). If the file is not
    replaced, its journal mode is restored.
    """
    status_before = target.stat()
    if status_before.st_size == 0:  # leave an empty file empty
        yield False
        return
    with closing(sqlite3.connect(str(target.absolute()), timeout=_LOCK_TIMEOUT, isolation_level=None)) as connection:
        mode, is_locked = "", True
        try:
            try:
                mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
                _lock(connection, target, status_before)
            except sqlite3.Error as error:
                if result_code(error) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                    raise plain_error(error, str(target), doing="replacing it") or error from error
                # Close the connection now. After the restore, closing it would remove the WAL of the restored file.
                connection.close()
                is_locked = False
            yield is_locked
        except BaseException:
            if is_locked and mode == "wal" and not swap.is_done():
                with suppress(sqlite3.Error):
                    connection.rollback()
                    connection.execute("PRAGMA journal_mode = WAL")
            raise


def _lock(connection: sqlite3.Connection, target: Path, status_before: os.stat_result) -> None:
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    connection.execute("BEGIN EXCLUSIVE")
    is_exclusive = connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    # Another restore may have replaced the file while this one waited for its lock.
    if not is_exclusive or not os.path.samestat(target.stat(), status_before):
        raise DatabaseBusy(database=str(target), doing="replacing it")


def _refuse_open(target: Path, *, ignore: int | None) -> None:
    """Refuse a file that a process other than ``ignore`` has open, even if that process holds no lock.

    Processes are found in ``/proc``. If the system has no ``/proc``, or hides the processes of other users there, only
    their locks are noticed.
    """
    status = target.stat()
    folders: list[Path] = []
    with suppress(OSError):
        folders = [path for path in _PROCESSES.iterdir() if path.name.isdecimal() and path.name != str(ignore)]
    for folder in folders:
        with suppress(OSError):
            for descriptor in (folder / "fd").iterdir():
                with suppress(OSError):
                    if os.path.samestat(descriptor.stat(), status):
                        raise DatabaseBusy(database=str(target), doing="replacing it", process=int(folder.name))
