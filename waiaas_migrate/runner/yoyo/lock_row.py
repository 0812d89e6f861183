"""The lock row of plain yoyo, which outlives a process that was killed: who holds it, and whether anybody does."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from waiaas_migrate.errors import DatabaseBusy
from waiaas_migrate.runner.liveness import may_be_running
from waiaas_migrate.runner.transaction import write_transaction
from waiaas_migrate.runner.yoyo.records import look_up_names
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_facts
from waiaas_migrate.sqlite.database.connection import busy_timeout, database_name, result_code

_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class YoyoLock:
    """The row: the process that wrote it, and when, in Unix seconds; None where that cannot be read."""

    pid: int
    since: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockState:
    """What is known once the write lock is held: the catalog, and whether plain yoyo was killed.

    ``yoyo_was_killed``: it left a lock row, and its process is gone.
    """

    facts: CatalogFacts
    yoyo_was_killed: bool = False


def read_lock(connection: sqlite3.Connection) -> YoyoLock | None:
    """The lock row of plain yoyo, if there is one (yoyo/backends/base.py)."""
    try:
        row = connection.execute("SELECT pid, ctime FROM main.yoyo_lock").fetchone()
    except sqlite3.OperationalError as error:
        if result_code(error) != sqlite3.SQLITE_ERROR:
            raise
        return None
    if row is None:
        return None
    return YoyoLock(pid=row[0] if isinstance(row[0], int) else 0, since=_seconds(row[1]))


def is_held(lock: YoyoLock) -> bool:
    """Whether the process that wrote the row may still be at work.

    It is not where it is gone, or is this one (which is at other things), or began after the row was written: its
    number was then given to another process.
    """
    return lock.pid != os.getpid() and may_be_running(lock.pid, lock.since)


class sole_transaction:  # noqa: N801 — a context manager, as write_transaction is
    """A write transaction beside which no plain yoyo is at work; a lock row that nobody holds is removed, and noted.

    Plain yoyo commits a migration and its record apart, and what stands between the two must not be seen: so a row
    that is held is waited for, as long as for a lock of SQLite's.

    Raises:
        DatabaseBusy: another connection writes, or plain yoyo is at work.
        DatabaseFileError: the database cannot be written.
    """

    def __init__(self, connection: sqlite3.Connection, notices: list[str]) -> None:
        self._connection, self._notices = connection, notices
        self._transaction = write_transaction(connection)

    def __enter__(self) -> LockState:
        look_up_names()
        deadline: float | None = None
        while (held := self._begin()) is None:
            if deadline is None:
                deadline = time.monotonic() + busy_timeout(self._connection)
            _wait(self._connection, deadline)
        return held

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._transaction.__exit__(kind, error, trace)

    def _begin(self) -> LockState | None:
        """What is known once the write lock is held; None, and it isn't any more, if plain yoyo is at work."""
        connection, transaction = self._connection, self._transaction
        transaction.__enter__()
        try:
            facts = read_facts(connection)
            lock = read_lock(connection) if facts.has_lock else None
            if lock is None or not is_held(lock):
                if lock is not None:
                    self._notices.append(remove_lock(connection, lock))
                return LockState(facts=facts, yoyo_was_killed=lock is not None)
        except BaseException as error:
            transaction.__exit__(type(error), error, None)
            raise
        transaction.__exit__(None, None, None)
        return None


def remove_lock(connection: sqlite3.Connection, lock: YoyoLock) -> str:
    """Remove the row within the open transaction, and say so."""
    connection.execute("DELETE FROM main.yoyo_lock")
    whose = "this process" if lock.pid == os.getpid() else f"process {lock.pid}, which is gone"
    return f"plain yoyo had left a lock row of {whose}; it was removed."


def _wait(connection: sqlite3.Connection, deadline: float) -> None:
    while (lock := read_lock(connection)) is not None and is_held(lock):
        if time.monotonic() > deadline:
            doing = f"waiting for plain yoyo in process {lock.pid} (if that is none, `yoyo break-lock` helps)"
            raise DatabaseBusy(database=database_name(connection), doing=doing)
        time.sleep(_PAUSE)


def _seconds(written: object) -> float | None:
    try:
        return datetime.fromisoformat(str(written)).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
