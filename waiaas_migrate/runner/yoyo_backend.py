"""A yoyo backend that applies migrations and records them in one transaction.

yoyo's own backend opens a connection for each migration, and records the migration afterwards in another transaction.
This backend uses one connection for everything. It serves migrations in Python that the runner runs, and the ``yoyo``
command for waiaas URLs. The runner begins the transaction; for the command, :meth:`MigrateBackend.lock` does.
"""

from __future__ import annotations

import logging
import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote

from yoyo import internalmigrations
from yoyo.backends.base import SavepointTransactionManager, TransactionManager
from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, PostApplyHookMigration, default_migration_table

from waiaas_migrate.errors import MigrationsError, Problem, ProjectError, UsageError
from waiaas_migrate.files.migration_dir.manifest import read_manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, migration_hash, read_migrations
from waiaas_migrate.files.project import find_project
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.migrating_lock import MigratingLock
from waiaas_migrate.runner.proof.foreign_key_check import ForeignKeyCheck
from waiaas_migrate.runner.proof.schema_proof import proof_of
from waiaas_migrate.runner.recovery import had_run, recorded_late
from waiaas_migrate.runner.transaction import python_steps
from waiaas_migrate.runner.watching.interruption import was_interrupted
from waiaas_migrate.runner.watching.monitor import Monitor
from waiaas_migrate.runner.yoyo.identity import delete_identity, write_identity
from waiaas_migrate.runner.yoyo.lock_row import sole_transaction
from waiaas_migrate.runner.yoyo.records import log_row
from waiaas_migrate.sqlite.database.catalog import read_facts
from waiaas_migrate.sqlite.database.connection import connect_file, main_file
from waiaas_migrate.sqlite.database.pragmas import Pragma, apply_layout_pragmas, apply_pragmas, wait_timeout
from waiaas_migrate.sqlite.database.url import MEMORY, Database

#: The busy timeout in milliseconds if the manifest declares none.
_WAIT = Pragma(name="busy_timeout", value=5000)
_logger = logging.getLogger("yoyo.migrations")


class Savepoint(SavepointTransactionManager):
    """A savepoint that is released at its end. yoyo's own class leaves it open."""

    def _do_commit(self) -> None:
        if self.backend.connection.in_transaction:
            self.backend.savepoint_release(self.id)

    def _do_rollback(self) -> None:
        if self.backend.connection.in_transaction:
            self.backend.savepoint_rollback(self.id)
            self.backend.savepoint_release(self.id)


class MigrateBackend(SQLiteBackend):
    """A yoyo backend for SQLite, on a connection of the runner or on a new connection to a path.

    A URL is ``waiaas:///relative/path.db`` or ``waiaas:////absolute/path.db``, with special characters percent-encoded.
    ``?migrations=FOLDER`` names the folder whose manifest declares the PRAGMAs.
    """

    def __init__(
        self,
        dburi: DatabaseURI,
        migration_table: str = default_migration_table,
        *,
        connection: sqlite3.Connection | None = None,
    ) -> None:
        self._shared_connection = connection
        self._foreign_key_check: ForeignKeyCheck | None = None
        self._folders: dict[Path, MigrationFolder | None] = {}
        #: Whether a migration ended the transaction because it runs outside transactions. Then other processes may have
        #: written meanwhile.
        self._was_unlocked = False
        #: Whether plain yoyo was killed, so that it may have run the first pending migration without recording it.
        self._yoyo_was_killed = False
        super().__init__(dburi, migration_table)  # type: ignore[no-untyped-call]  # yoyo's methods are not annotated

    @property
    def _in_transaction(self) -> bool:
        return bool(self.connection.in_transaction)

    @_in_transaction.setter
    def _in_transaction(self, value: bool) -> None:
        """Ignore the value that yoyo sets; the connection knows its own state."""

    @classmethod
    def on(cls, connection: sqlite3.Connection) -> MigrateBackend:
        """Return a backend on ``connection``, which must have the isolation level None."""
        uri = DatabaseURI(scheme="sqlite", username=None, password=None, hostname=None, port=None, database="", args={})
        return cls(uri, connection=connection)

    def connect(self, dburi: DatabaseURI) -> sqlite3.Connection:
        """Return the runner's connection, or a new one with the declared PRAGMAs set.

        Raises:
            UsageError: the URL is malformed.
            MigrateError: the file, a PRAGMA or the folder in the URL can't be used.
        """
        if self._shared_connection is not None:
            return self._shared_connection
        pragmas = _declared_pragmas(dburi.args.get("migrations"))
        connection = connect_file(_database(dburi), timeout=wait_timeout(pragmas))
        try:
            connection.isolation_level = None
            apply_layout_pragmas(connection, pragmas)
            apply_pragmas(connection, pragmas)
        except BaseException:
            connection.close()
            raise
        Monitor(connection).attach()
        return connection

    def init_database(self) -> None:
        """Do nothing: SQLite has transactional DDL and its own lock."""

    def copy(self) -> MigrateBackend:
        """Return a backend on the same connection; yoyo's own method opens a new connection."""
        return type(self)(self.uri, self.migration_table, connection=self.connection)

    def __enter__(self) -> Self:
        # yoyo's own method changes how the sqlite3 module converts dates. Here, execute() converts them.
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._shared_connection is None:
            self.connection.close()

    def begin(self) -> None:
        """Begin a transaction that has the write lock from the start."""
        self.connection.execute("BEGIN IMMEDIATE")

    def transaction(self, rollback_on_exit: bool = False) -> TransactionManager:  # noqa: FBT001, FBT002 — yoyo's own
        """Return a new transaction, or a savepoint if a transaction is open."""
        manager = Savepoint if self._in_transaction else TransactionManager
        return manager(self, rollback_on_exit=rollback_on_exit)  # type: ignore[no-untyped-call]

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:  # noqa: ARG002 — the connection's busy timeout is used
        """Run the ``with`` block in one transaction that has SQLite's write lock.

        Foreign keys are off meanwhile. New violations roll the transaction back. If a transaction is open, use it.
        """
        if self._in_transaction:
            yield
            return
        notices: list[str] = []
        self._foreign_key_check, self._was_unlocked = None, False
        with MigratingLock(main_file(self.connection)) as lock, sole_transaction(self.connection, notices) as state:
            self._yoyo_was_killed = state.yoyo_was_killed
            lock.announce()
            _warn(notices)
            yield
            self._finish_check("the run")

    def break_lock(self) -> None:
        """Remove the lock row of plain yoyo if it exists; this backend writes none."""
        if self.lock_table in self.list_tables():
            super().break_lock()  # type: ignore[no-untyped-call]

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> sqlite3.Cursor:
        """Execute one statement; bind dates as ISO 8601 text, as yoyo does."""
        values = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in (params or {}).items()}
        cursor: sqlite3.Cursor = self.connection.execute(sql, values)
        return cursor

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:  # noqa: FBT001, FBT002 — yoyo's own
        """Apply one migration and record it, in one transaction if the migration allows that."""
        with self.lock():
            # While the database was unlocked, another process may have applied the migration.
            if self._was_unlocked and mark and self.is_applied(migration):  # type: ignore[no-untyped-call]
                return
            is_hook = isinstance(migration, PostApplyHookMigration)
            if not is_hook and self._record_late(migration):
                return
            self._run(migration, "apply", force=force)
            self.log_migration(migration, "apply")  # type: ignore[no-untyped-call]
            if mark and not is_hook:
                self.mark_one(migration, log=False)  # type: ignore[no-untyped-call]
                self._write_identity(migration)

    def _record_late(self, migration: Migration) -> bool:
        """Record the migration if plain yoyo ran it before it was killed; return whether it ran.

        Raises:
            DatabaseRefused: the migration may have run, but may change rows, so nobody can verify that.
            MigrationsError: the folder can't be read, so nobody knows whether the migration has run.
        """
        if not self._yoyo_was_killed:
            return False
        self._yoyo_was_killed = False
        folder = self._folder(migration) or read_folder(Path(migration.path).parent)
        if not had_run(self.connection, folder, self._applied(folder), *folder.named([migration.id])):
            return False
        self.mark_one(migration)  # type: ignore[no-untyped-call]
        self._write_identity(migration)
        _warn([recorded_late(migration.id)])
        return True

    def rollback_one(self, migration: Migration, force: bool = False) -> None:  # noqa: FBT001, FBT002 — yoyo's own
        """Roll back one migration and delete its record, in one transaction if the migration allows that."""
        with self.lock():
            self._run(migration, "rollback", force=force)
            self.log_migration(migration, "rollback")  # type: ignore[no-untyped-call]
            self.unmark_one(migration, log=False)  # type: ignore[no-untyped-call]
            delete_identity(self.connection, migration.id)

    def _run(self, migration: Migration, direction: Literal["apply", "rollback"], *, force: bool) -> None:
        """Run the steps of ``migration``.

        If they must run outside transactions, commit the open transaction before them, and begin another after them.
        """
        _logger.info("%s %s", "Applying" if direction == "apply" else "Rolling back", migration.id)
        self.ensure_internal_schema_updated()
        migration.load()
        if self._foreign_key_check is None:
            self._foreign_key_check = ForeignKeyCheck(self.connection)
            self._foreign_key_check.begin()
        if (folder := self._folder(migration)) is not None:
            facts = folder.facts(*folder.named([migration.id]))
            effects = facts.forward if direction == "apply" else facts.rollback
            self._foreign_key_check.announce(effects.unenforceable)
            proof = proof_of(self.connection, folder, self._applied(folder), read_facts(self.connection))
            if proof is not None:
                proof.prepare([effects])
        if not migration.use_transactions:
            self._finish_check(migration.id)
            self.connection.execute("COMMIT")
            self._was_unlocked = True
        with python_steps(self.connection, transactional=migration.use_transactions):
            try:
                migration.process_steps(self, direction, force=force)
            except sqlite3.OperationalError as error:
                if was_interrupted(error):  # sqlite3 reports Ctrl-C as a database error
                    raise KeyboardInterrupt(f"Interrupted in {migration.id}.") from error
                raise
        if not migration.use_transactions:
            self.begin()

    def _folder(self, migration: Migration) -> MigrationFolder | None:
        """Return the folder of ``migration``, without the manifest if it doesn't match the files.

        Return None if the files can't be read, or if ``migration`` is a hook.
        """
        path = Path(migration.path).parent
        if path not in self._folders:
            self._folders[path] = None
            with suppress(MigrationsError):
                self._folders[path] = MigrationFolder(path=path, migrations=read_migrations(path))
                self._folders[path] = read_folder(path)
        folder = self._folders[path]
        return folder if folder is not None and migration.id in folder.ids else None

    def _applied(self, folder: MigrationFolder) -> list[MigrationFile]:
        hashes = set(self.get_applied_migration_hashes())
        return [file for file in folder.migrations if migration_hash(file.id) in hashes]

    def _finish_check(self, name: str) -> None:
        """Raise an error if there are new foreign key violations; ``name`` is their cause."""
        check, self._foreign_key_check = self._foreign_key_check, None
        _warn(check.finish(name) if check is not None else ())

    def ensure_internal_schema_updated(self) -> None:
        """Create or upgrade yoyo's tables, in the open transaction if there is one."""
        if self._internal_schema_updated:
            return
        if internalmigrations.needs_upgrading(self):
            with self.transaction():
                internalmigrations.upgrade(self)
        self._internal_schema_updated = True

    def _write_identity(self, migration: Migration) -> None:
        """Record the applied text of ``migration``; record nothing if the folder can't be read."""
        if (folder := self._folder(migration)) is not None:
            write_identity(self.connection, folder.named([migration.id])[0], folder)

    def get_applied_migration_hashes(self) -> list[str]:
        """Return the hashes of the applied migrations; none if yoyo's table doesn't exist."""
        if self.migration_table not in self.list_tables():
            return []
        hashes: list[str] = super().get_applied_migration_hashes()  # type: ignore[no-untyped-call]
        return hashes

    def get_log_data(self, migration: Migration | None = None, operation: str = "apply") -> dict[str, str]:
        """Return a row for yoyo's log, by column."""
        return log_row(migration.id if migration else "", operation)


def _declared_pragmas(migrations: str | None) -> tuple[Pragma, ...]:
    """Return the PRAGMAs of the manifest in the folder ``migrations``, with a busy timeout.

    Without ``migrations``, use the folder of the current project, because yoyo doesn't pass the folder to a backend.
    """
    if migrations is not None and not Path(migrations).is_dir():
        what = "no such folder."
        raise MigrationsError([Problem(file=migrations, what=what, fix="Correct ?migrations= in the database's URL.")])
    try:
        manifest = read_manifest(Path(migrations) if migrations is not None else find_project(Path.cwd()).migrations)
    except ProjectError:
        return (_WAIT,)
    declared = () if manifest is None else manifest.pragmas
    return declared if any(pragma.name.lower() == _WAIT.name for pragma in declared) else (_WAIT, *declared)


def _warn(notices: Iterable[str]) -> None:
    """Issue ``notices`` as warnings, because the ``yoyo`` command hides its log."""
    for notice in notices:
        warnings.warn(notice, stacklevel=3)


def _database(dburi: DatabaseURI) -> Database:
    """Return the database of a ``waiaas:`` URL; raise UsageError if it is malformed."""
    path = unquote(dburi.database or "")
    unknown = sorted(set(dburi.args) - {"migrations"})
    if dburi.hostname or not path or "\0" in path or unknown:
        raise UsageError(
            f"{dburi}: not the URL of a database. Write waiaas:///relative/path.db or waiaas:////absolute/path.db, "
            f"with ? # and % as %3F %23 and %25, optionally followed by ?migrations=FOLDER."
        )
    return Database(name=MEMORY, file=None) if path == MEMORY else Database(name=path, file=path)
