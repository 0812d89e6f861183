"""What an application calls: open a database at head, and close it again.

Opening a database that is at head reads the manifest and the list of applied migrations, and nothing else: it takes no
lock, writes nothing, and imports neither yoyo nor what reads the migrations.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from waiaas_migrate.errors import MigrateError, MigrationsError, Problem, UsageError
from waiaas_migrate.files.bundled import bundled
from waiaas_migrate.runner.migrating_lock import retry_while_migrating
from waiaas_migrate.runner.transaction import standard_settings
from waiaas_migrate.runner.yoyo.applied import has_run_exactly, pending
from waiaas_migrate.runner.yoyo.head import Head, read_head
from waiaas_migrate.sqlite.database.connection import (
    DEFAULT_TIMEOUT,
    apply_layout_pragmas,
    apply_pragmas,
    connect_file,
    plain_errors,
)
from waiaas_migrate.sqlite.database.pragmas import Pragma
from waiaas_migrate.sqlite.database.setup import Setup, using_setup
from waiaas_migrate.sqlite.database.url import Database, database_path
from waiaas_migrate.sqlite.database.version import require_sqlite

if TYPE_CHECKING:
    from waiaas_migrate.runner.run import When

#: Milliseconds that closing waits for others, who may be about to end.
_CLOSING_MS = 100

StrPath = str | os.PathLike[str]


def connect(path: StrPath, *, migrations: StrPath | None = None, setup: Setup | None = None) -> sqlite3.Connection:
    """Open the database at ``path`` and set its PRAGMAs; no migration is run.

    ``path`` is a path, ``:memory:``, a ``file:`` URI or a ``sqlite:///`` URL; a new file is its owner's alone.
    ``migrations`` is the folder whose manifest declares the PRAGMAs; without one, the WAIaaS schema's.
    ``setup`` is called with the connection first, to register collations and functions, or load extensions.

    Raises:
        DatabaseFileError: the file cannot be used.
        PragmaError: a PRAGMA did not take.
        MigrationsError: the manifest cannot be used.
    """
    _, head = _head(migrations)
    pragmas = _pragmas(head)
    connection = connect_file(path, timeout=_patience(head))
    try:
        if setup is not None:
            setup(connection)
        _prepare(connection, pragmas)
    except BaseException:
        connection.close()
        raise
    return connection


def open_database(
    path: StrPath, *, migrations: StrPath | None = None, backup: When = "auto", setup: Setup | None = None
) -> sqlite3.Connection:
    """Open the database at ``path``, apply what is pending, and set its PRAGMAs; arguments as for :func:`connect`.

    ``backup`` says when a verified copy is made beside the file before anything is applied: ``auto`` where a step could
    lose something or builds a table anew, ``always`` or ``never``. A database without tables needs none.
    ``setup`` is called with the connection before anything else, and with every other connection that migrating needs,
    such as to empty databases in memory; what it raises reaches the caller.

    Raises:
        DatabaseFileError: the file cannot be used, or its backup not be written.
        DatabaseRefused: there is no room for the backup, or the database is damaged; nothing was applied.
        ApplyError: a migration failed; the database is as it was.
        UnknownMigrationsError: the database is ahead of the migrations.
        PragmaError: a PRAGMA did not take.
        MigrationsError: the migrations folder cannot be used.
    """
    _refuse_other_words(backup)
    folder, head = _head(migrations)
    place = database_path(path)
    return retry_while_migrating(place, lambda: _open(place, folder, head, backup, setup))


def _open(place: Database, folder: str, head: Head | None, backup: When, setup: Setup | None) -> sqlite3.Connection:
    pragmas = _pragmas(head)
    connection = connect_file(place, timeout=_patience(head), probe=False)
    try:
        if setup is not None:
            setup(connection)
        with standard_settings(connection), plain_errors(connection, doing="opening it"):
            apply_layout_pragmas(connection, pragmas)
            is_at_head = head is not None and has_run_exactly(connection, head.hashes)
        with using_setup(setup):
            applied = () if is_at_head else _push(connection, folder, head, backup, pragmas=pragmas, is_plain=True)
        try:
            _prepare(connection, pragmas)
        except MigrateError as error:
            error.after(applied)
            raise
    except BaseException:
        connection.close()
        raise
    return connection


def push_schema(connection: sqlite3.Connection, *, migrations: StrPath | None = None, backup: When = "auto") -> None:
    """Apply what is pending to the database behind ``connection``; its PRAGMAs and settings stay as they are.

    ``backup`` is that of :func:`open_database`; a database in memory has none.

    An authorizer that was set on the connection is gone if a migration was run.

    Raises:
        UsageError: a transaction is open on the connection.
        ApplyError: a migration failed; the database is as it was.
        UnknownMigrationsError: the database is ahead of the migrations.
        MigrationsError: the migrations folder cannot be used.
    """
    _refuse_other_words(backup)
    require_sqlite()
    folder, head = _head(migrations)
    with plain_errors(connection, doing="applying migrations"):
        if head is not None and not connection.in_transaction and has_run_exactly(connection, head.hashes):
            return
    retry_while_migrating(connection, lambda: _push(connection, folder, head, backup))


def close_database(connection: sqlite3.Connection) -> None:
    """Move what the WAL holds into the database, and close; harmless on a connection that is closed.

    What was not committed is rolled back. Where another connection still reads or writes, the WAL stays with it, whose
    closing moves it (https://www.sqlite.org/pragma.html#pragma_wal_checkpoint): to wait for that would be in vain.
    """
    try:
        is_open = connection.in_transaction
    except sqlite3.ProgrammingError:
        return
    try:
        if is_open:
            connection.rollback()
        with suppress(sqlite3.OperationalError):
            connection.execute(f"PRAGMA busy_timeout = {_CLOSING_MS}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def _head(migrations: StrPath | None) -> tuple[str, Head | None]:
    """The migrations folder, and the head that its manifest records, if it has one."""
    folder = os.fspath(bundled("migrations") if migrations is None else migrations)
    head = read_head(folder)
    if head is None and not os.path.isdir(folder):  # noqa: PTH112 — where there is a manifest, there is a folder
        what = "there is no such folder of migrations."
        raise MigrationsError([Problem(file=folder, what=what, fix="Check the path.")])
    return folder, head


def _pragmas(head: Head | None) -> tuple[Pragma, ...]:
    return () if head is None else head.pragmas


def _patience(head: Head | None) -> float:
    return DEFAULT_TIMEOUT if head is None else head.timeout


def _refuse_other_words(backup: str) -> None:
    if backup not in ("auto", "always", "never"):
        raise UsageError(f"backup={backup!r}: there is no such choice. Use 'auto', 'always' or 'never'.")


def _prepare(connection: sqlite3.Connection, pragmas: Sequence[Pragma]) -> None:
    with standard_settings(connection), plain_errors(connection, doing="setting its PRAGMAs"):
        apply_pragmas(connection, pragmas)


def _push(
    connection: sqlite3.Connection,
    folder: str,
    head: Head | None,
    backup: When,
    *,
    pragmas: Sequence[Pragma] = (),
    is_plain: bool = False,
) -> tuple[str, ...]:
    """Apply what is pending, and say what; ``pragmas`` are set before, where nothing is there yet that they change.

    A new file is filled faster with the journal and the cache that it is to have. One that may yet be refused keeps
    its journal until it is not.
    """
    with plain_errors(connection, doing="applying migrations"):
        if head is not None:
            with standard_settings(connection):
                if not pending(connection, head.ids):
                    return ()
        from waiaas_migrate.runner.folder import read_folder
        from waiaas_migrate.runner.run import RunOptions, run_pending

        migrations = read_folder(folder)
        if pragmas and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            apply_pragmas(connection, pragmas)
        return run_pending(connection, migrations, options=RunOptions(backup=backup), is_plain=is_plain).applied
