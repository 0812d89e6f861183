"""Open a database from an application, applying pending migrations first, and close it.

If no migrations are pending, opening a database reads only the manifest and the list of applied migrations. It takes no
lock, writes nothing, and imports neither yoyo nor the modules that read migrations.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Unpack

from waiaas_migrate.errors import MigrateError, MigrationsError, Problem, UsageError
from waiaas_migrate.runner.migrating_lock import retry_while_migrating
from waiaas_migrate.runner.transaction import standard_settings
from waiaas_migrate.runner.yoyo.head import Head, is_at_head, read_head
from waiaas_migrate.sqlite.database.connection import (
    DEFAULT_TIMEOUT,
    connect_file,
    database_name,
    database_of,
    plain_errors,
    require_sqlite,
)
from waiaas_migrate.sqlite.database.pragmas import Pragma, apply_layout_pragmas, apply_pragmas
from waiaas_migrate.sqlite.database.setup import Setup, using_setup
from waiaas_migrate.sqlite.database.url import Database, StrPath, database_path

if TYPE_CHECKING:
    from waiaas_migrate.runner.apply import ApplyResult
    from waiaas_migrate.runner.options import BackupWhen
    from waiaas_migrate.sqlite.database.connect_options import ConnectOptions

#: How many seconds :func:`close_database` waits for other connections to finish, so that it can move the whole WAL.
_CLOSE_TIMEOUT = 0.1
#: The head of a folder without a manifest. No database is ever at this head, so the migrations themselves are read.
_UNKNOWN_HEAD = Head(
    hashes=frozenset(), last="", manifest_hash=None, fingerprint=None, pragmas=(), timeout=DEFAULT_TIMEOUT
)


def connect(
    path: StrPath, *, migrations: StrPath, setup: Setup | None = None, **connect_options: Unpack[ConnectOptions]
) -> sqlite3.Connection:
    """Open the database at ``path`` and set its PRAGMAs; run no migrations.

    Args:
        path: a path, ``:memory:``, a ``file:`` URI or a ``sqlite:///`` URL; a new file gets mode 0600.
        migrations: the folder whose manifest declares the PRAGMAs.
        setup: called with the connection first, to register collations and functions, or load extensions.
        connect_options: arguments of :func:`sqlite3.connect`: ``check_same_thread``, ``isolation_level``,
            ``autocommit``, ``factory``, ``detect_types`` and ``cached_statements``.

    Raises:
        DatabaseFileError: the file can't be used.
        PragmaError: a PRAGMA did not take effect.
        MigrationsError: the manifest can't be used.
        UsageError: one of ``connect_options`` is unknown.
    """
    return connect_to(database_path(path), migrations=migrations, setup=setup, options=connect_options)


def connect_to(
    database: Database,
    *,
    migrations: StrPath,
    setup: Setup | None,
    options: ConnectOptions,
    migrated: sqlite3.Connection | None = None,
) -> sqlite3.Connection:
    """Open ``database`` as :func:`connect` does.

    A second connection to a database in memory may open a separate, empty database. In that case, copy the content of
    ``migrated``, the connection on which the migrations ran.
    """
    _refuse_unknown_options(options)
    _, head = _read_head(migrations)
    # With autocommit=False a transaction is always open, and most PRAGMAs do nothing within one.
    options_at_first = {name: value for name, value in options.items() if name != "autocommit"}
    connection = connect_file(database, timeout=head.timeout, options=options_at_first)
    try:
        if setup is not None:
            setup(connection)
        _set_pragmas(connection, head.pragmas)
        if migrated and database.file is None and _schema_version(connection) != _schema_version(migrated):
            migrated.backup(connection)
        if sys.version_info >= (3, 12) and "autocommit" in options:
            connection.autocommit = options["autocommit"]
    except BaseException:
        connection.close()
        raise
    return connection


def open_database(
    path: StrPath,
    *,
    migrations: StrPath,
    backup: BackupWhen = "auto",
    setup: Setup | None = None,
    **connect_options: Unpack[ConnectOptions],
) -> sqlite3.Connection:
    """Open the database at ``path``, apply pending migrations, and set its PRAGMAs.

    Args:
        path: as for :func:`connect`.
        migrations: the migrations folder.
        backup: when to back up an existing database before anything is applied. ``auto``: if a migration could lose
            data or rebuilds a table. A database without tables is never backed up.
        setup: called with the connection first, and with every other connection that migrations need, such as those to
            scratch databases in memory. Its exceptions reach the caller.
        connect_options: as for :func:`connect`. Migrations run on a separate connection without these options.

    Log notices of the run, such as existing foreign key violations, as warnings of the logger ``waiaas_migrate``.

    Raises:
        DatabaseFileError: the file can't be used, or its backup can't be written.
        DatabaseRefused: for example, there is no room for the backup, or the database is damaged.
        ApplyError: a migration failed; ``committed`` lists the migrations that stay applied.
        UnknownMigrationsError: the database is ahead of the migrations.
        OtherMigrationsError: the database ran other migrations of the same names.
        PragmaError: a PRAGMA did not take effect.
        MigrationsError: the migrations folder can't be used.
        UsageError: ``backup`` or one of ``connect_options`` is unknown.
    """
    _refuse_unknown_backup(backup)
    _refuse_unknown_options(connect_options)
    folder, head = _read_head(migrations)
    database = database_path(path)
    connection = retry_while_migrating(database, lambda: _open(database, folder, head, backup, setup))
    if not connect_options:
        return connection
    with closing(connection):  # the application gets another connection, with its options
        return connect_to(database, migrations=folder, setup=setup, options=connect_options, migrated=connection)


def _schema_version(connection: sqlite3.Connection) -> int:
    # A cursor that is made this way ignores the row factory of the connection.
    version: int = sqlite3.Cursor(connection).execute("PRAGMA schema_version").fetchone()[0]
    return version


def _open(database: Database, folder: str, head: Head, backup: BackupWhen, setup: Setup | None) -> sqlite3.Connection:
    pragmas = head.pragmas
    connection = connect_file(database, timeout=head.timeout, probe=False)
    try:
        if setup is not None:
            setup(connection)
        with standard_settings(connection), plain_errors(connection, doing="opening it"):
            apply_layout_pragmas(connection, pragmas)
            is_current = is_at_head(connection, head)
        with using_setup(setup):
            result = None if is_current else _push(connection, folder, backup, database)
        try:
            _set_pragmas(connection, pragmas)
        except MigrateError as error:
            if result is not None:
                error.note_committed(result.applied, result.backup, database.name)
            raise
    except BaseException:
        connection.close()
        raise
    return connection


def push_schema(connection: sqlite3.Connection, *, migrations: StrPath, backup: BackupWhen = "auto") -> None:
    """Apply pending migrations on ``connection``; its PRAGMAs and settings stay as they are.

    ``backup`` and notices are as for :func:`open_database`; a database in memory is never backed up. If a Python
    migration ran, the connection has no authorizer afterwards.

    Raises:
        UsageError: a transaction is open on the connection, or ``backup`` is unknown.
        ApplyError: a migration failed; ``committed`` lists the migrations that stay applied.
        UnknownMigrationsError: the database is ahead of the migrations.
        OtherMigrationsError: the database ran other migrations of the same names.
        MigrationsError: the migrations folder can't be used.
    """
    _refuse_unknown_backup(backup)
    require_sqlite()
    folder, head = _read_head(migrations)
    with plain_errors(connection, doing="applying migrations"):
        if not connection.in_transaction and is_at_head(connection, head):
            return
    retry_while_migrating(database_of(connection), lambda: _push(connection, folder, backup))


def close_database(connection: sqlite3.Connection) -> None:
    """Move the WAL into the database, and close the connection; do nothing if the connection is closed.

    Uncommitted changes are rolled back. If another connection is reading or writing, the WAL stays until the last
    connection closes (https://www.sqlite.org/pragma.html#pragma_wal_checkpoint).
    """
    try:
        in_transaction = connection.in_transaction
    except sqlite3.ProgrammingError:
        return
    try:
        if in_transaction:  # connection.rollback() may do nothing, or begin a new transaction, depending on autocommit
            connection.execute("ROLLBACK")
        with suppress(sqlite3.OperationalError):
            connection.execute(f"PRAGMA busy_timeout = {round(_CLOSE_TIMEOUT * 1000)}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def _read_head(migrations: StrPath) -> tuple[str, Head]:
    """Return the path of the migrations folder, and the head that the folder's manifest records."""
    folder = os.fspath(migrations)
    head = read_head(folder)
    if head is None and not os.path.isdir(folder):  # noqa: PTH112 — it is a string
        raise MigrationsError([Problem(file=folder, what="no such folder.", fix="Check the path.")])
    return folder, head or _UNKNOWN_HEAD


def _refuse_unknown_backup(backup: str) -> None:
    if backup not in ("auto", "always", "never"):
        raise UsageError(f"backup={backup!r}: unknown value. Use 'auto', 'always' or 'never'.")


def _refuse_unknown_options(options: ConnectOptions) -> None:
    if options:
        from waiaas_migrate.sqlite.database.connect_options import check_options

        check_options({**options})


def _set_pragmas(connection: sqlite3.Connection, pragmas: Sequence[Pragma]) -> None:
    with standard_settings(connection), plain_errors(connection, doing="setting its PRAGMAs"):
        apply_pragmas(connection, pragmas)


def _push(
    connection: sqlite3.Connection, folder: str, backup: BackupWhen, opened: Database | None = None
) -> ApplyResult:
    """Apply pending migrations.

    If ``connection`` was opened for this run, ``opened`` is its database. In that case, set the PRAGMAs of a new file
    first: filling the file is faster with its final journal and cache. An existing file keeps its journal until all
    checks have passed.
    """
    with plain_errors(connection, doing="applying migrations"):
        import logging  # imported only if migrations are pending, so that opening a database is fast

        from waiaas_migrate.runner.apply import apply_pending
        from waiaas_migrate.runner.folder import read_folder
        from waiaas_migrate.runner.options import RunOptions
        from waiaas_migrate.runner.run import report_interruption

        migrations, options = read_folder(folder), RunOptions(backup=backup)
        if opened is None:
            result = apply_pending(connection, migrations, options)
        else:
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
                apply_pragmas(connection, migrations.pragmas)
            with report_interruption(opened) as interruption:
                result = apply_pending(connection, migrations, options, interruption)
    for notice in result.notices:
        logging.getLogger("waiaas_migrate").warning("%s: %s", database_name(connection), notice)
    return result
