"""What SQLite's write lock can't say: that migrations run outside transactions, and that it is migrations that run.

:class:`~waiaas_migrate.runner.lock_file.LockFile` says both.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

from waiaas_migrate.errors import DatabaseBusy
from waiaas_migrate.runner.lock_file import LockFile
from waiaas_migrate.runner.transaction import COMMITTING
from waiaas_migrate.sqlite.database.connection import database_name, main_file
from waiaas_migrate.sqlite.database.url import Database
from waiaas_migrate.sqlite.planning.effects import Effects

ResultT = TypeVar("ResultT")

_ATTEMPTS, _PAUSE, _LONG_PAUSE = 20, 0.001, 0.02

#: Milliseconds that are long beside a run of so many statements that look at no row; a column takes a few of them where
#: there are a thousand tables.
_LONG, _FEW = 1000, 100


@contextmanager
def alone(connection: sqlite3.Connection) -> Iterator[None]:
    """Be the only one to run migrations outside transactions on this database.

    Raises:
        DatabaseBusy: another process or thread still runs some when the connection's busy timeout is over.
    """
    lock = LockFile(main_file(connection))
    deadline = time.monotonic() + connection.execute("PRAGMA busy_timeout").fetchone()[0] / 1000
    while not lock.take():
        if time.monotonic() >= deadline:
            doing = "waiting for migrations that another process runs outside a transaction"
            raise DatabaseBusy(database=database_name(connection), doing=doing)
        time.sleep(_LONG_PAUSE)
    try:
        yield
    finally:
        lock.release()


class at_work:  # noqa: N801 — a context manager; a generator takes thrice as long, which a fleet notices
    """Let those who wait for the write lock know that it is held by migrations, which end.

    Enter it before the transaction, so that it ends after that; :meth:`begin` tells them.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock: LockFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._lock is not None:
            self._lock.release()

    def begin(self) -> None:
        """Tell, from here on."""
        self._lock = LockFile(main_file(self._connection))
        for _ in range(_ATTEMPTS):
            if self._lock.take():
                break
            time.sleep(_PAUSE)  # somebody asks, or has just ended; or is alone, and then known to be at work


def is_soon_over(effects: Iterable[Effects], statements: int, patience: int | None) -> bool:
    """Whether so many ``statements`` of these ``effects`` end well before anybody gives up waiting.

    ``patience`` is the busy timeout that is declared for all, in milliseconds, if it is known.
    """
    if patience is None or patience < _LONG or statements > _FEW:
        return False
    return all(one.is_constant and not one.may_change_rows and not one.may_lose for one in effects)


def while_others_work(database: Database | sqlite3.Connection, work: Callable[[], ResultT]) -> ResultT:
    """Do ``work``, again if ``database`` was busy for too long because migrations run on it.

    Nobody can say beforehand how long those take, so the busy timeout counts from their end.

    Raises:
        DatabaseBusy: another connection holds a lock, and no migrations run.
    """
    was_at_work = False
    while True:
        try:
            return work()
        except DatabaseBusy as error:
            is_at_work = LockFile(_file_of(database)).is_taken_elsewhere()
            # Those that ran a moment ago may have ended just now.
            if error.committed or error.doing == COMMITTING or not (is_at_work or was_at_work):
                raise
            was_at_work = is_at_work


def _file_of(database: Database | sqlite3.Connection) -> str:
    """Return the path of the database's file, with links followed; empty if it is in memory."""
    file = (database.file or "") if isinstance(database, Database) else main_file(database)
    return os.path.realpath(file) if file else ""
