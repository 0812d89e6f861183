"""Respect the lock row of plain yoyo, and remove it if yoyo was killed."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from waiaas_migrate.errors import DatabaseBusy
from waiaas_migrate.runner.liveness import may_be_running
from waiaas_migrate.runner.transaction import write_transaction
from waiaas_migrate.runner.yoyo.applied import refuse_impostors
from waiaas_migrate.runner.yoyo.records import hostname, username
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_facts
from waiaas_migrate.sqlite.database.connection import busy_timeout, database_name, result_code


@dataclass(frozen=True, slots=True, kw_only=True)
class LockState:
    """The state of a database when the write lock was taken.

    ``yoyo_was_killed``: a lock row was removed, because its process no longer works on the database.
    """

    facts: CatalogFacts
    yoyo_was_killed: bool = False


class sole_transaction(write_transaction):  # noqa: N801 — as write_transaction is
    """A write transaction that first waits for plain yoyo and removes its stale lock row.

    Plain yoyo commits a migration and its record separately, and a run must not see the state between the two commits.
    So while yoyo's process is running, wait up to the busy timeout, as for a lock of SQLite.

    Raises:
        DatabaseBusy: another connection is writing, or plain yoyo is running.
        DatabaseFileError: the database can't be written.
        DatabaseRefused: another object has the name of a table that records migrations.
    """

    def __init__(self, connection: sqlite3.Connection, notices: list[str]) -> None:
        super().__init__(connection)
        self._notices = notices

    def __enter__(self) -> LockState:
        # Look up and cache the names for yoyo's log before taking the write lock.
        username()
        hostname()
        deadline: float | None = None
        while (state := self._begin()) is None:
            if deadline is None:
                deadline = time.monotonic() + busy_timeout(self._connection)
            self._wait(deadline)
        return state

    def _begin(self) -> LockState | None:
        """Begin the transaction; if plain yoyo is running, end it and return None."""
        super().__enter__()
        try:
            facts = read_facts(self._connection)
            refuse_impostors(self._connection, facts)
            lock = _read_lock(self._connection) if facts.has_lock_table else None
            if lock is None:
                return LockState(facts=facts)
            if not _may_be_running_yoyo(*lock):
                self._connection.execute("DELETE FROM main.yoyo_lock")
                owner = "this process" if lock[0] == os.getpid() else f"process {lock[0]}, which is gone"
                self._notices.append(f"plain yoyo had left a lock row of {owner}; it was removed.")
                return LockState(facts=facts, yoyo_was_killed=True)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        self.__exit__(None, None, None)
        return None

    def _wait(self, deadline: float) -> None:
        """Wait until plain yoyo is done, without holding the write lock."""
        while (lock := _read_lock(self._connection)) is not None and _may_be_running_yoyo(*lock):
            if time.monotonic() > deadline:
                doing = f"waiting for plain yoyo in process {lock[0]} (if there is no such yoyo, run `yoyo break-lock`)"
                raise DatabaseBusy(database=database_name(self._connection), doing=doing)
            time.sleep(0.05)


def _read_lock(connection: sqlite3.Connection) -> tuple[int, float | None] | None:
    """Return the process ID in the lock row, and the Unix time of the row; None without a row or table.

    Return 0 for an unreadable process ID, and None for an unreadable time. yoyo/backends/base.py writes the row.
    """
    try:
        row = connection.execute("SELECT pid, ctime FROM main.yoyo_lock").fetchone()
    except sqlite3.OperationalError as error:
        if result_code(error) != sqlite3.SQLITE_ERROR:
            raise
        return None
    if row is None:
        return None
    try:
        since = datetime.fromisoformat(str(row[1])).replace(tzinfo=UTC).timestamp()
    except ValueError:
        since = None
    return row[0] if isinstance(row[0], int) else 0, since


def _may_be_running_yoyo(pid: int, since: float | None) -> bool:
    """Return whether the process that wrote the lock row may still be running yoyo; this process isn't."""
    return pid != os.getpid() and may_be_running(pid, since)
