"""The one transaction in which migrations run, and the connection's settings around it."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from waiaas_migrate.errors import DatabaseRefused, UsageError
from waiaas_migrate.sqlite.database.connection import database_name, main_file, plain_errors, result_code
from waiaas_migrate.sqlite.database.pragmas import SAFE_JOURNALS, UNSAFE_JOURNAL, pragma_problem

#: Seconds between two attempts to begin. SQLite itself pauses for up to a tenth of a second, and a busy writer may then
#: always be quicker.
_PAUSE = 0.005
#: What a run does that met a lock at its very end, when waiting does not help.
COMMITTING = "committing"


class NotNeeded(Exception):
    """While this connection waited, another one did what was to be done."""


#: PRAGMAs that a migration may switch for its own ends, and which are the caller's again afterwards.
_SWITCHES = ("foreign_keys", "legacy_alter_table", "ignore_check_constraints", "recursive_triggers", "secure_delete")


class standard_settings:  # noqa: N801 — a context manager; a generator takes thrice as long, which a fleet notices
    """Have ``connection`` give plain rows and begin no transactions of its own; the caller's settings come back.

    Raises:
        UsageError: a transaction is open, which migrations could only commit or lose.
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
    """The PRAGMAs that a migration may switch, as they were before, and set to what migrations count on.

    Foreign keys are off. CHECKs are enforced, since guards are CHECKs. A rename updates what names a table
    (https://www.sqlite.org/pragma.html#pragma_legacy_alter_table).
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._before = {switch: _read_switch(connection, switch) for switch in _SWITCHES}
        try:
            for switch in ("foreign_keys", "ignore_check_constraints", "legacy_alter_table"):
                if self._before[switch]:
                    _set_switch(connection, switch, 0)
        except BaseException:
            self.restore()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Set them to what they were."""
        for switch, value in self._before.items():
            if _read_switch(self._connection, switch) != value:
                _set_switch(self._connection, switch, value)


class write_transaction:  # noqa: N801 — a context manager, as standard_settings is
    """Foreign keys off, BEGIN IMMEDIATE, COMMIT; on any exception ROLLBACK. The switches come back in either case.

    Foreign keys are switched before BEGIN since the PRAGMA does nothing within a transaction, and off since DROP TABLE
    deletes, and cascades, while they are on (https://www.sqlite.org/foreignkeys.html#fk_schemacommands). IMMEDIATE,
    since a transaction that begins with reading may not be able to write later, however long it waits. While another
    connection writes, ``needed`` is asked from time to time whether waiting still makes sense.

    ``patience`` is the connection's busy timeout in milliseconds, if it is known.

    Raises:
        NotNeeded: it does not.
        DatabaseBusy: another connection writes, or reads while this one wants to commit.
        DatabaseFileError: the database cannot be written.
        UsageError: a transaction is open already, or the connection keeps no journal on disk.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        needed: Callable[[], bool] | None = None,
        *,
        patience: int | None = None,
    ) -> None:
        self._connection, self._needed, self._patience = connection, needed, patience

    def __enter__(self) -> None:
        _refuse_transaction(self._connection)  # which executescript would commit
        self._switches = migration_pragmas(self._connection)
        try:
            with plain_errors(self._connection, doing="beginning a transaction"):
                _begin(self._connection, self._needed, self._patience)
                _refuse_unsafe_journal(self._connection)
        except BaseException:
            # Ctrl-C may come when it has begun already.
            _end(self._connection)
            self._switches.restore()
            raise

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._commit()
            else:
                _roll_back(self._connection)
        finally:
            self._switches.restore()

    def _commit(self) -> None:
        try:
            with plain_errors(self._connection, doing=COMMITTING):
                self._connection.commit()  # lets go of Python's lock once, where execute does so half a dozen times
                if self._connection.in_transaction:  # an autocommit connection's commit() does nothing
                    self._connection.execute("COMMIT")
        except BaseException:
            _roll_back(self._connection)
            raise


def _begin(connection: sqlite3.Connection, needed: Callable[[], bool] | None, patience: int | None) -> None:
    """BEGIN IMMEDIATE, tried for as long as the connection's busy timeout says."""
    if patience is None:
        patience = int(connection.execute("PRAGMA busy_timeout").fetchone()[0])
    deadline = time.monotonic() + patience / 1000
    while True:
        try:
            # Python lets go of its lock, and must get it back, once for each statement of a script, and otherwise
            # half a dozen times.
            connection.executescript(f"PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; PRAGMA busy_timeout = {patience};")
        except sqlite3.Error as error:
            connection.execute(f"PRAGMA busy_timeout = {patience}")
            if result_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        else:
            return
        if needed is not None and not needed():
            raise NotNeeded
        time.sleep(random.uniform(0, 2 * _PAUSE))  # noqa: S311 — chance keeps those that wait from going in step


def _refuse_unsafe_journal(connection: sqlite3.Connection) -> None:
    """Refuse a connection on which a rollback, or a crash, would corrupt the file.

    A database in memory has its journal there too, and needs no other; those of the VFS ``memdb`` have names.
    """
    mode = connection.execute("PRAGMA main.journal_mode").fetchone()[0]
    if mode in SAFE_JOURNALS or (mode == "memory" and not os.path.exists(main_file(connection))):  # noqa: PTH110 — may be empty
        return
    raise UsageError(
        f"{database_name(connection)}: this connection has journal_mode {mode}. {UNSAFE_JOURNAL} Nothing was changed. "
        f"Set PRAGMA journal_mode = WAL or DELETE first."
    )


def _end(connection: sqlite3.Connection) -> None:
    # After a full disk, among others, SQLite has rolled back already (https://www.sqlite.org/lang_transaction.html).
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _roll_back(connection: sqlite3.Connection) -> None:
    _end(connection)
    # A migration that edits the catalog may have failed half-way; RESET also reads the catalog anew.
    connection.execute("PRAGMA writable_schema = RESET")


def _read_switch(connection: sqlite3.Connection, switch: str) -> int:
    row = connection.execute(f"PRAGMA {switch}").fetchone()
    return int(row[0]) if row else 0


def _set_switch(connection: sqlite3.Connection, switch: str, value: int) -> None:
    # Of all switches, secure_delete alone has a third state, which can be set by its name only.
    word = "FAST" if switch == "secure_delete" and value > 1 else value
    connection.execute(f"PRAGMA {switch} = {word}")
    if _read_switch(connection, switch) != value:
        raise DatabaseRefused(
            f"{database_name(connection)}: PRAGMA {switch} could not be set to {value}; migrations do not run without. "
            f"Use a Python whose SQLite supports it."
        )


@contextmanager
def transaction_guard(connection: sqlite3.Connection) -> Iterator[list[str]]:
    """Let nobody end the transaction on ``connection`` or take its journal away; give what was tried.

    SQLite asks an authorizer before it compiles a statement (https://www.sqlite.org/c3ref/set_authorizer.html), and
    so this holds for SQL, for ``connection.commit()`` and for ``with connection:`` alike. An authorizer of the
    caller's own cannot be read back, and is gone afterwards. Savepoints are free.
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

    connection.set_authorizer(authorize)
    try:
        yield denied
    finally:
        connection.set_authorizer(None)


@contextmanager
def python_steps(connection: sqlite3.Connection, *, transactional: bool) -> Iterator[list[str]]:
    """Run steps in Python, with :func:`transaction_guard` if ``transactional``; reset row and text factory after."""
    before = connection.row_factory, connection.text_factory
    try:
        if transactional:
            with transaction_guard(connection) as denied:
                yield denied
        else:
            yield []
    finally:
        connection.row_factory, connection.text_factory = before


def denial(verb: str) -> str:
    """Say why a migration may not ``verb``, and what to do."""
    if verb.startswith("PRAGMA"):
        return f"it sets {verb}. {UNSAFE_JOURNAL} Take the PRAGMA out"
    return (
        f"it tries to {verb}, but migrations run in one transaction of the runner's. "
        f"Take BEGIN, COMMIT, ROLLBACK, `executescript` and `with connection:` out of it, or mark it "
        f"`transactional: false` (in Python, `__transactional__ = False`)"
    )
