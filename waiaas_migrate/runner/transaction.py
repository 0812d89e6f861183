"""Context managers for a run's transaction, and for the connection settings and PRAGMAs that migrations need."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from waiaas_migrate.errors import DatabaseRefused, UsageError
from waiaas_migrate.sqlite.database.connection import busy_timeout, database_name, main_file, plain_errors, result_code
from waiaas_migrate.sqlite.database.pragmas import SAFE_JOURNALS, UNSAFE_JOURNAL, pragma_problem

#: The longest pause, in seconds, between two attempts to begin a transaction. SQLite itself pauses for up to 0.1 s, so
#: a busy writer could take the lock first every time.
_PAUSE = 0.01
#: The ``doing`` of a DatabaseBusy that was raised by COMMIT.
COMMITTING = "committing"

#: PRAGMAs that a migration may set; they get their earlier values back afterwards.
_RESET = ("foreign_keys", "legacy_alter_table", "ignore_check_constraints", "recursive_triggers", "secure_delete")
#: PRAGMAs that are off while migrations run. Guards are CHECKs, so CHECKs must be enforced. A rename must update all
#: references to a table (https://www.sqlite.org/pragma.html#pragma_legacy_alter_table).
_OFF = ("foreign_keys", "ignore_check_constraints", "legacy_alter_table")


class standard_settings:  # noqa: N801 — a context manager; a generator takes three times as long, which a fleet notices
    """Make ``connection`` return plain rows and begin no transactions by itself; restore its settings at the end.

    Raises:
        UsageError: a transaction is open; running migrations would commit it or roll it back.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._before = connection.isolation_level, connection.row_factory, connection.text_factory

    def __enter__(self) -> None:
        connection = self._connection
        _refuse_transaction(connection)
        connection.isolation_level, connection.row_factory, connection.text_factory = None, None, str

    def __exit__(self, *exc_info: object) -> None:
        connection = self._connection
        connection.isolation_level, connection.row_factory, connection.text_factory = self._before


def _refuse_transaction(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        raise UsageError(
            f"{database_name(connection)}: a transaction is open on this connection. Commit it or roll it back first "
            f"(a connection made with autocommit=False always has one: set autocommit = True)."
        )


class migration_pragmas:  # noqa: N801 — a context manager, as standard_settings is
    """Turn off the PRAGMAs that disturb migrations; at the end, restore all PRAGMAs that migrations may change.

    Raises:
        DatabaseRefused: SQLite can't turn one of them off.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._before = {name: _read(self._connection, name) for name in _RESET}
        try:
            for name in _OFF:
                if self._before[name]:
                    _set(self._connection, name, 0)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exc_info: object) -> None:
        # A migration that failed may have left a transaction open, which executescript would commit.
        _end_transaction(self._connection)
        # executescript releases Python's global lock once per statement, and execute about six times.
        self._connection.executescript(";".join(_setting(name, value) for name, value in self._before.items()))


def _read(connection: sqlite3.Connection, pragma: str) -> int:
    row = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(row[0]) if row else 0


def _set(connection: sqlite3.Connection, pragma: str, value: int) -> None:
    connection.execute(_setting(pragma, value))
    if _read(connection, pragma) != value:
        raise DatabaseRefused(
            f"{database_name(connection)}: PRAGMA {pragma} could not be set to {value}, which migrations need. Use a "
            f"Python whose SQLite supports it."
        )


def _setting(pragma: str, value: int) -> str:
    # Only secure_delete has a third state, FAST, which can only be set by name.
    return f"PRAGMA {pragma} = {'FAST' if pragma == 'secure_delete' and value > 1 else value}"


class write_transaction:  # noqa: N801 — a context manager, as standard_settings is
    """Turn foreign keys off and BEGIN IMMEDIATE; at the end, COMMIT or, after an error, ROLLBACK; restore the PRAGMAs.

    Foreign keys are turned off before BEGIN, since the PRAGMA does nothing within a transaction. While they are on,
    DROP TABLE deletes the table's rows one by one, and rows of other tables by ON DELETE CASCADE
    (https://www.sqlite.org/foreignkeys.html#fk_schemacommands). BEGIN is IMMEDIATE, since a transaction that reads
    first may never be able to write, no matter how long it waits.

    Raises:
        DatabaseBusy: another connection is writing, or is reading when this one commits.
        DatabaseFileError: the database can't be written.
        UsageError: a transaction is open already, or the connection keeps no journal on disk.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pragmas = migration_pragmas(connection)

    def __enter__(self) -> object:
        _refuse_transaction(self._connection)  # executescript would commit it
        self._pragmas.__enter__()
        try:
            with plain_errors(self._connection, doing="beginning a transaction"):
                _begin(self._connection)
                _refuse_unsafe_journal(self._connection)
        except BaseException:
            _end_transaction(self._connection)  # Ctrl-C may come after BEGIN
            self._pragmas.__exit__()
            raise
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is not None:
                _roll_back(self._connection)
                return
            with plain_errors(self._connection, doing=COMMITTING):
                self._connection.commit()  # faster than execute, which releases Python's lock about six times
                if self._connection.in_transaction:  # an autocommit connection's commit() does nothing
                    self._connection.execute("COMMIT")
        except BaseException:
            _roll_back(self._connection)
            raise
        finally:
            self._pragmas.__exit__()


def _begin(connection: sqlite3.Connection) -> None:
    """BEGIN IMMEDIATE; if the database is busy, try again until the connection's busy timeout is over."""
    timeout = busy_timeout(connection)
    deadline = time.monotonic() + timeout
    reset = f"PRAGMA busy_timeout = {round(timeout * 1000)}"
    while True:
        try:
            connection.executescript(f"PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; {reset};")
        except sqlite3.Error as error:
            connection.execute(reset)
            if result_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(random.uniform(0, _PAUSE))  # noqa: S311 — keeps waiting processes from trying at the same times


def _refuse_unsafe_journal(connection: sqlite3.Connection) -> None:
    """Refuse a connection on which a rollback, or a crash, would corrupt the file.

    A database in memory may keep its journal in memory. With the VFS ``memdb``, such a database has a name but no file.
    """
    mode = connection.execute("PRAGMA main.journal_mode").fetchone()[0]
    if mode in SAFE_JOURNALS or (mode == "memory" and not os.path.exists(main_file(connection))):  # noqa: PTH110 — may be empty
        return
    raise UsageError(
        f"{database_name(connection)}: this connection has journal_mode {mode}. {UNSAFE_JOURNAL} Nothing was changed. "
        f"Set PRAGMA journal_mode = WAL or DELETE first."
    )


def _end_transaction(connection: sqlite3.Connection) -> None:
    # SQLite may have rolled back already, for example if the disk is full (https://www.sqlite.org/lang_transaction.html).
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _roll_back(connection: sqlite3.Connection) -> None:
    _end_transaction(connection)
    # A migration that edits the catalog may have failed while writable_schema was on. RESET turns it off, and makes
    # SQLite read the catalog again.
    connection.execute("PRAGMA writable_schema = RESET")


@contextmanager
def python_steps(connection: sqlite3.Connection, *, transactional: bool) -> Iterator[list[str]]:
    """Let Python steps use ``connection``; yield a list that receives the forbidden statements that they try to run.

    If ``transactional``, the steps can't end the transaction or turn its journal off; savepoints are allowed. SQLite
    asks an authorizer before it compiles a statement (https://www.sqlite.org/c3ref/set_authorizer.html), so this covers
    SQL, ``connection.commit()`` and ``with connection:`` alike. The caller's authorizer is lost, since it can't be read
    and restored. In any case, the row factory and the text factory are restored.
    """
    denied: list[str] = []

    def authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_TRANSACTION:
            denied.append(str(first))
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_PRAGMA and first == "journal_mode" and second and pragma_problem(first, second):
            denied.append(f"PRAGMA journal_mode = {second}")
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    before = connection.row_factory, connection.text_factory
    if transactional:
        connection.set_authorizer(authorize)
    try:
        yield denied
    finally:
        if transactional:
            connection.set_authorizer(None)
        connection.row_factory, connection.text_factory = before


def denial(verb: str) -> str:
    """Explain why a migration must not run ``verb``, such as COMMIT, and what to do instead."""
    if verb.startswith("PRAGMA"):
        return f"it sets {verb}. {UNSAFE_JOURNAL} Remove the PRAGMA"
    return (
        f"it tries to {verb}, but migrations run in one transaction of the runner's. "
        f"Remove BEGIN, COMMIT, ROLLBACK, `executescript` and `with connection:`, or mark the migration "
        f"`transactional: false` (in Python, `__transactional__ = False`)"
    )
