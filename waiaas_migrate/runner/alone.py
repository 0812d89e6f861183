"""What SQLite's write lock cannot tell: that migrations run outside transactions, and that it is migrations that run.

Both are told by a lock on the database's folder (flock(2)), since it ends with the process, leaves nothing behind, and
is none of those that SQLite keeps on the file: to open and close that would drop them
(https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Self, TypeVar

from waiaas_migrate.errors import DatabaseBusy
from waiaas_migrate.runner.transaction import COMMITTING
from waiaas_migrate.sqlite.connection import main_file
from waiaas_migrate.sqlite.effects import Effects
from waiaas_migrate.sqlite.place import Database

try:
    import fcntl
except ImportError:  # Windows has none; two processes may then run the same migration at once
    fcntl = None  # type: ignore[assignment]

ResultT = TypeVar("ResultT")

_ATTEMPTS, _PAUSE = 20, 0.001

#: Milliseconds that are long beside a run of so many statements that look at no row; a column takes a few of them where
#: there are a thousand tables.
_LONG, _FEW = 1000, 100


@contextmanager
def alone(connection: sqlite3.Connection) -> Iterator[None]:
    """Be the only one to run migrations outside transactions in the folder of this database; others wait."""
    with _folder(_folder_of(connection)) as descriptor:
        if descriptor is not None:
            with suppress(OSError):  # not every file system has such locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


class at_work:  # noqa: N801 — a context manager; a generator takes thrice as long, which a fleet notices
    """Let those who wait for the write lock know that it is migrations that hold it, which end.

    To be entered before the transaction, so as to be left behind it; they are told by :meth:`begin`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._folder: ExitStack | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._folder is not None:
            self._folder.close()

    def begin(self) -> None:
        """Tell, from here on."""
        self._folder = ExitStack()
        descriptor = self._folder.enter_context(_folder(_folder_of(self._connection)))
        for _ in range(_ATTEMPTS):
            if descriptor is None or _locked(descriptor, fcntl.LOCK_SH):
                break
            time.sleep(_PAUSE)  # somebody asks, which is soon over; or is alone, and then known to be at work


def is_soon_over(effects: Iterable[Effects], statements: int, patience: int | None) -> bool:
    """Whether so many ``statements`` of these ``effects`` end well before anybody gives up waiting.

    ``patience`` is the busy timeout that is declared for all, in milliseconds, if it is known.
    """
    if patience is None or patience < _LONG or statements > _FEW:
        return False
    return all(one.is_constant and not one.may_change_rows and not one.may_lose for one in effects)


def while_others_work(database: Database | sqlite3.Connection, work: Callable[[], ResultT]) -> ResultT:
    """Do ``work``, again where ``database`` was busy for too long and it is migrations that run there.

    How long those take nobody can say beforehand, and so the busy timeout counts from their end.

    Raises:
        DatabaseBusy: another connection holds a lock, and no migrations run.
    """
    was_at_work = False
    while True:
        try:
            return work()
        except DatabaseBusy as error:
            is_at_work = _is_at_work(database)
            # Those that ran a moment ago may have ended just now.
            if error.committed or error.doing == COMMITTING or not (is_at_work or was_at_work):
                raise
            was_at_work = is_at_work


def _is_at_work(database: Database | sqlite3.Connection) -> bool:
    """Whether migrations run on a database in the folder of ``database``: on that one, as far as can be told."""
    file = (database.file or "") if isinstance(database, Database) else main_file(database)
    with _folder(os.path.dirname(os.path.realpath(file)) if file else "") as descriptor:  # noqa: PTH120 — as below
        return descriptor is not None and not _locked(descriptor, fcntl.LOCK_EX)


def _folder_of(connection: sqlite3.Connection) -> str:
    """The folder of a connection's file, which SQLite names with links followed; empty for a database in memory."""
    return os.path.dirname(main_file(connection))  # noqa: PTH120 — a fleet asks for it once for each database


@contextmanager
def _folder(path: str) -> Iterator[int | None]:
    """The folder at ``path``, open to be locked; None where there is none, or no such locks."""
    descriptor = None
    if path and fcntl is not None:
        with suppress(OSError):  # one that this user may not list
            descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    """Lock it, if nobody is in the way."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # not every file system has such locks
        return True
    return True
