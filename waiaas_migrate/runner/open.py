"""What an application calls: open a database at head, and close it again.

Opening a database that is at head reads the manifest and the list of applied migrations, and nothing else: it takes no
lock, writes nothing, and imports neither yoyo nor what reads the migrations.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.bundled import bundled
from waiaas_migrate.files.manifest import Manifest
from waiaas_migrate.runner.bookkeeping import has_run_exactly, pending
from waiaas_migrate.runner.head import Head, read_head
from waiaas_migrate.runner.transaction import plain_session
from waiaas_migrate.sqlite.connection import Pragma, apply_pragmas, connect_file, plain_errors, shape_file

StrPath = str | os.PathLike[str]


def connect(path: StrPath, *, migrations: StrPath | None = None) -> sqlite3.Connection:
    """Open the database at ``path`` and set its PRAGMAs; no migration is run.

    ``path`` is a path, ``:memory:``, a ``file:`` URI or a ``sqlite:///`` URL; a new file is its owner's alone.
    ``migrations`` is the folder whose manifest declares the PRAGMAs; without one, the WAIaaS schema's.

    Raises:
        DatabaseFileError: the file cannot be used.
        PragmaError: a PRAGMA did not take.
        MigrationsError: the manifest cannot be used.
    """
    head = read_head(_folder(migrations))
    connection = connect_file(path)
    try:
        _prepare(connection, head.manifest if head is not None else Manifest())
    except BaseException:
        connection.close()
        raise
    return connection


def open_database(path: StrPath, *, migrations: StrPath | None = None) -> sqlite3.Connection:
    """Open the database at ``path``, apply what is pending, and set its PRAGMAs; arguments as for :func:`connect`.

    Raises:
        DatabaseFileError: the file cannot be used.
        ApplyError: a migration failed; the database is as it was.
        UnknownMigrationsError: the database is ahead of the migrations.
        PragmaError: a PRAGMA did not take.
        MigrationsError: the migrations folder cannot be used.
    """
    folder = _folder(migrations)
    head = read_head(folder)
    connection = connect_file(path)
    try:
        manifest = head.manifest if head is not None else Manifest()
        shape_file(connection, manifest.pragmas)
        _push(connection, folder, head, pragmas=manifest.pragmas)
        _prepare(connection, manifest)
    except BaseException:
        connection.close()
        raise
    return connection


def push_schema(connection: sqlite3.Connection, *, migrations: StrPath | None = None) -> None:
    """Apply what is pending to the database behind ``connection``; its PRAGMAs and settings stay as they are.

    An authorizer that was set on the connection is gone if a migration was run.

    Raises:
        UsageError: a transaction is open on the connection.
        ApplyError: a migration failed; the database is as it was.
        UnknownMigrationsError: the database is ahead of the migrations.
        MigrationsError: the migrations folder cannot be used.
    """
    folder = _folder(migrations)
    _push(connection, folder, read_head(folder))


def close_database(connection: sqlite3.Connection) -> None:
    """Move what the WAL holds into the database, and close; harmless on a connection that is closed.

    What was not committed is rolled back. Where another connection still reads, the WAL stays with it
    (https://www.sqlite.org/pragma.html#pragma_wal_checkpoint).
    """
    try:
        is_open = connection.in_transaction
    except sqlite3.ProgrammingError:
        return
    try:
        if is_open:
            connection.rollback()
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def _folder(migrations: StrPath | None) -> Path:
    folder = bundled("migrations") if migrations is None else Path(migrations)
    if not folder.is_dir():
        what = "there is no such folder of migrations."
        raise MigrationsError([Problem(file=str(folder), what=what, fix="Check the path.")])
    return folder


def _prepare(connection: sqlite3.Connection, manifest: Manifest) -> None:
    with plain_errors(connection, doing="setting its PRAGMAs"):
        apply_pragmas(connection, manifest.pragmas)


def _push(connection: sqlite3.Connection, folder: Path, head: Head | None, *, pragmas: Sequence[Pragma] = ()) -> None:
    """Apply what is pending; ``pragmas`` are set before where there is nothing yet that they could change.

    A new file is filled faster with the journal and the cache that it is to have. One that may yet be refused keeps
    its journal until it is not.
    """
    with plain_errors(connection, doing="applying migrations"):
        if head is not None:
            if not connection.in_transaction and has_run_exactly(connection, head.hashes):
                return
            with plain_session(connection):
                if not pending(connection, head.manifest.ids):
                    return
        from waiaas_migrate.runner.apply import apply_pending
        from waiaas_migrate.runner.folder import read_folder

        migrations = read_folder(folder)
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            apply_pragmas(connection, pragmas)
        apply_pending(connection, migrations)
