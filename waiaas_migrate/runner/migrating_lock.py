"""Lock the file ``NAME-migrating`` beside a database while migrations run on it.

A process gives up waiting for SQLite's write lock after the busy timeout, but waits for migrations until they end.
SQLite's write lock doesn't show whether its owner runs migrations; this lock does. It also keeps two migrations outside
transactions from running at the same time.

It is a flock(2) lock, so it ends with its process. It isn't a lock on the database file, since closing that file would
drop SQLite's own locks (https://www.sqlite.org/howtocorrupt.html, "Posix advisory locks canceled by a separate thread
doing close()"). Only users who may write the database can open the lock file, so nobody else can keep a run waiting.
The process that releases the lock deletes the file. If a killed process left the file, the next run uses it again.

A process that takes the lock writes its id into the file. If another program locks the empty file, such as ``flock(1)``
around a command, nobody takes that for migrations and waits forever.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar

from waiaas_migrate.errors import DatabaseBusy
from waiaas_migrate.files.file_lock import HAS_LOCKS, is_same_file, lock_file, unlock_file
from waiaas_migrate.runner.transaction import COMMITTING
from waiaas_migrate.sqlite.database.connection import busy_timeout, database_name, main_file
from waiaas_migrate.sqlite.database.url import Database

ResultT = TypeVar("ResultT")

LOCK_SUFFIX = "-migrating"

_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
#: How often ``announce`` tries, the seconds between its attempts, and the seconds between attempts of ``take_or_wait``.
_ATTEMPTS, _PAUSE, _LONG_PAUSE = 20, 0.001, 0.02

#: The locks that this process holds: path and thread, by descriptor.
_held: dict[int, tuple[str, int]] = {}


class MigratingLock:
    """The lock of one database, a context manager that releases it at the end.

    Enter the context before the transaction, so that the lock ends after the transaction. ``database`` is the path of
    the database file, with links resolved; it is empty for a database in memory.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._path = database + LOCK_SUFFIX
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def take(self) -> bool:
        """Take the lock; return False if another process or thread has it.

        If no lock can be taken here, for example on a database in memory, return True, so that the run goes on.
        """
        if not self._database or not HAS_LOCKS:
            return True
        with suppress(OSError):  # this user may lack the permission to create or open the file
            while True:
                descriptor = self._open()
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    os.close(descriptor)
                    return True
                is_locked = lock_file(descriptor)
                if is_locked and is_same_file(descriptor, self._path):
                    self._descriptor = descriptor
                    _held[descriptor] = self._path, threading.get_ident()
                    with suppress(OSError):  # the disk may be full
                        os.ftruncate(descriptor, 0)
                        os.write(descriptor, b"%d\n" % os.getpid())
                    return True
                os.close(descriptor)
                if not is_locked:
                    return False
        return True

    def announce(self) -> None:
        """Take the lock, so that other processes wait until the migrations end; give up after a few attempts.

        If the lock stays taken, the holder is a waiting process that checks it, or a migration outside transactions,
        for which other processes already wait.
        """
        for _ in range(_ATTEMPTS):
            if self.take():
                return
            time.sleep(_PAUSE)

    def take_or_wait(self, connection: sqlite3.Connection) -> None:
        """Take the lock, waiting up to the busy timeout of ``connection``.

        Raises:
            DatabaseBusy: another process or thread still has the lock.
        """
        deadline = time.monotonic() + busy_timeout(connection)
        while not self.take():
            if time.monotonic() >= deadline:
                doing = "waiting for migrations that another process runs outside a transaction"
                raise DatabaseBusy(database=database_name(connection), doing=doing)
            time.sleep(_LONG_PAUSE)

    def release(self) -> None:
        """Delete and unlock the file; closing it isn't enough, since a forked child may still have it open."""
        descriptor = self._descriptor
        if descriptor not in _held:
            return
        del _held[descriptor]
        with suppress(OSError):
            if is_same_file(descriptor, self._path):
                os.unlink(self._path)  # noqa: PTH108 — faster, and a fleet does it for each database
        with suppress(OSError):
            unlock_file(descriptor)
        os.close(descriptor)

    def is_taken_elsewhere(self) -> bool:
        """Return whether another process or thread runs migrations."""
        is_taken_here = (self._path, threading.get_ident()) in _held.values()
        if is_taken_here or not self._database or not HAS_LOCKS:
            return False
        try:
            descriptor = os.open(self._path, _FLAGS)
        except OSError:
            return False
        try:
            return not lock_file(descriptor, shared=True) and os.fstat(descriptor).st_size > 0
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        """Open the file; if it is missing, create it for the users who may write the database."""
        while True:
            try:
                descriptor = os.open(self._path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                with suppress(FileNotFoundError):  # another process deleted the file just now
                    return os.open(self._path, _FLAGS)
            else:
                with suppress(OSError):
                    self._share(descriptor)
                return descriptor

    def _share(self, descriptor: int) -> None:
        """Let exactly the users who may write the database read and write a new file."""
        database, new_file = os.stat(self._database), os.fstat(descriptor)  # noqa: PTH116 — faster, as in release
        if (database.st_uid, database.st_gid) != (new_file.st_uid, new_file.st_gid):
            with suppress(OSError):
                os.fchown(descriptor, database.st_uid if os.geteuid() == 0 else -1, database.st_gid)
        writers = database.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        if os.fstat(descriptor).st_gid != database.st_gid:
            writers &= ~stat.S_IWGRP
        os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR | writers | writers << 1)


def retry_while_migrating(database: Database | sqlite3.Connection, work: Callable[[], ResultT]) -> ResultT:
    """Return ``work()``; repeat it as long as migrations keep ``database`` busy.

    Migrations may take any length of time, so the busy timeout starts when they end.

    Raises:
        DatabaseBusy: another connection holds a lock and no migrations run, or ``work`` had begun to commit.
    """
    was_migrating = False
    while True:
        try:
            return work()
        except DatabaseBusy as error:
            file = (database.file or "") if isinstance(database, Database) else main_file(database)
            is_migrating = MigratingLock(os.path.realpath(file) if file else "").is_taken_elsewhere()
            # If migrations ran at the last attempt, they may have ended during this one, so try once more.
            if error.committed or error.doing == COMMITTING or not (is_migrating or was_migrating):
                raise
            was_migrating = is_migrating


def _close_in_child() -> None:
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
