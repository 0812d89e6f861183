"""A yoyo backend on which the runner stands, and which the ``yoyo`` command finds under the scheme ``waiaas``.

yoyo opens a connection for each migration, and records it in a transaction of its own afterwards. This backend keeps to
one connection, so that migrations and their records share one transaction: that which the runner has begun, or that
which :meth:`MigrateBackend.lock` begins for the command.
"""

from __future__ import annotations

import logging
import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote

from yoyo import internalmigrations
from yoyo.backends.base import SavepointTransactionManager, TransactionManager
from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, PostApplyHookMigration, default_migration_table

from waiaas_migrate.errors import MigrationsError, UsageError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, migration_hash, read_migrations
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.migrating_lock import MigratingLock
from waiaas_migrate.runner.proof.foreign_key_check import ForeignKeyCheck
from waiaas_migrate.runner.proof.schema_proof import proof_of
from waiaas_migrate.runner.recovery import had_run, recorded_late
from waiaas_migrate.runner.transaction import transaction_guard
from waiaas_migrate.runner.watching.interruption import was_interrupted
from waiaas_migrate.runner.watching.monitor import Monitor
from waiaas_migrate.runner.yoyo.command_pragmas import declared_pragmas
from waiaas_migrate.runner.yoyo.lock_row import sole_transaction
from waiaas_migrate.runner.yoyo.records import log_row
from waiaas_migrate.sqlite.database.catalog import read_facts
from waiaas_migrate.sqlite.database.connection import (
    apply_layout_pragmas,
    apply_pragmas,
    connect_file,
    main_file,
    wait_timeout,
)
from waiaas_migrate.sqlite.database.url import MEMORY, Database
from waiaas_migrate.sqlite.planning.effects import WORST_CASE, Effects
from waiaas_migrate.sqlite.reading.ownership import OtherTools

_logger = logging.getLogger("yoyo.migrations")


class Savepoint(SavepointTransactionManager):
    """A savepoint that is released when it is done, since SQLite keeps those of DDL; yoyo leaves them all open."""

    def _do_commit(self) -> None:
        if self.backend.connection.in_transaction:
            self.backend.savepoint_release(self.id)

    def _do_rollback(self) -> None:
        if self.backend.connection.in_transaction:
            self.backend.savepoint_rollback(self.id)
            self.backend.savepoint_release(self.id)


class MigrateBackend(SQLiteBackend):
    """yoyo's backend for SQLite, on a given connection or on a path of any characters.

    A URL is ``waiaas:///relative/path.db`` or ``waiaas:////absolute/path.db``, with what is special in URLs
    percent-encoded; ``?migrations=FOLDER`` names the folder whose manifest declares the PRAGMAs.
    """

    def __init__(
        self,
        dburi: DatabaseURI,
        migration_table: str = default_migration_table,
        *,
        connection: sqlite3.Connection | None = None,
    ) -> None:
        self._given = connection
        self._check: ForeignKeyCheck | None = None
        self._folders: dict[Path, MigrationFolder | None] = {}
        self._has_split = False
        self._yoyo_was_killed = False
        super().__init__(dburi, migration_table)  # type: ignore[no-untyped-call]  # yoyo's methods are not annotated

    @property
    def _in_transaction(self) -> bool:
        """Whether yoyo shall use savepoints: the connection knows, whoever began its transaction."""
        return bool(self.connection.in_transaction)

    @_in_transaction.setter
    def _in_transaction(self, value: bool) -> None:
        """Do nothing: the count that yoyo keeps is needless."""

    @classmethod
    def on(cls, connection: sqlite3.Connection) -> MigrateBackend:
        """A backend on ``connection``, whose isolation level is None."""
        uri = DatabaseURI(scheme="sqlite", username=None, password=None, hostname=None, port=None, database="", args={})
        return cls(uri, connection=connection)

    # --- connections --------------------------------------------------------------------------------------------------

    def connect(self, dburi: DatabaseURI) -> sqlite3.Connection:
        """The given connection, or a new one to the path that ``dburi`` names, its PRAGMAs set.

        Raises:
            UsageError: the URL means nothing.
            DatabaseFileError: the file cannot be used.
        """
        if self._given is not None:
            return self._given
        pragmas = declared_pragmas(dburi.args.get("migrations"))
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
        """Do nothing: SQLite has transactional DDL, and its own lock."""

    def copy(self) -> MigrateBackend:
        """A backend on the same connection, in the same transaction, where yoyo's own opens another connection."""
        return type(self)(self.uri, self.migration_table, connection=self.connection)

    def __enter__(self) -> Self:
        # yoyo swaps the module's converters for the time; dates are bound as text here, and need none.
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._given is None:
            self.connection.close()

    # --- transactions -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a transaction that may write from the start."""
        self.connection.execute("BEGIN IMMEDIATE")

    def transaction(self, rollback_on_exit: bool = False) -> TransactionManager:  # noqa: FBT001, FBT002 — yoyo's own
        """A transaction, or within one a savepoint."""
        manager = Savepoint if self._in_transaction else TransactionManager
        return manager(self, rollback_on_exit=rollback_on_exit)  # type: ignore[no-untyped-call]

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:  # noqa: ARG002 — the busy timeout of the connection counts
        """Hold SQLite's write lock: the one transaction of what a command does, committed at its end.

        Foreign keys are off meanwhile; at the end they hold wherever they held before, or all is rolled back.
        """
        if self._in_transaction:
            yield
            return
        notices: list[str] = []
        self._check, self._has_split = None, False
        with MigratingLock(main_file(self.connection)) as lock, sole_transaction(self.connection, notices) as held:
            self._yoyo_was_killed = held.yoyo_was_killed
            lock.announce()
            _note(notices)
            yield
            self._finish_check("the run")

    def break_lock(self) -> None:
        """Remove the lock row that plain yoyo may have left; there is none of this backend's."""
        if self.lock_table in self.list_tables():
            super().break_lock()  # type: ignore[no-untyped-call]

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> sqlite3.Cursor:
        """Execute one statement. Dates are written in ISO 8601, as yoyo's adapter does."""
        plain = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in (params or {}).items()}
        cursor: sqlite3.Cursor = self.connection.execute(sql, plain)
        return cursor

    # --- running ------------------------------------------------------------------------------------------------------

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:  # noqa: FBT001, FBT002 — yoyo's own
        """Apply a single migration, and record it in the same transaction."""
        with self.lock():
            if self._has_split and mark and self.is_applied(migration):  # type: ignore[no-untyped-call]
                return
            if self._recorded_late(migration):
                return
            self._run(migration, "apply", force=force)
            self.log_migration(migration, "apply")  # type: ignore[no-untyped-call]
            if mark and not isinstance(migration, PostApplyHookMigration):
                self.mark_one(migration, log=False)  # type: ignore[no-untyped-call]

    def _recorded_late(self, migration: Migration) -> bool:
        """Record ``migration`` if plain yoyo ran it before it was killed; return whether it did.

        Raises:
            DatabaseRefused: it may have run, and it may change rows.
        """
        if not self._yoyo_was_killed or isinstance(migration, PostApplyHookMigration):
            return False
        self._yoyo_was_killed = False  # only the first pending migration can have run
        files = read_migrations(Path(migration.path).parent)
        done = set(self.get_applied_migration_hashes())
        applied = [file for file in files if migration_hash(file.id) in done]
        recorded = self._recorded(migration)
        effects = WORST_CASE if recorded is None else recorded[0].facts(recorded[1]).forward
        others = OtherTools() if recorded is None else recorded[0].others
        if not had_run(
            self.connection, applied, next(file for file in files if file.id == migration.id), effects, others
        ):
            return False
        self.ensure_internal_schema_updated()
        self.mark_one(migration)  # type: ignore[no-untyped-call]
        _note([recorded_late(migration.id)])
        return True

    def rollback_one(self, migration: Migration, force: bool = False) -> None:  # noqa: FBT001, FBT002 — yoyo's own
        """Roll back a single migration, and strike it from the books in the same transaction."""
        with self.lock():
            self._run(migration, "rollback", force=force)
            self.log_migration(migration, "rollback")  # type: ignore[no-untyped-call]
            self.unmark_one(migration, log=False)  # type: ignore[no-untyped-call]

    def _run(self, migration: Migration, direction: Literal["apply", "rollback"], *, force: bool) -> None:
        """Run the steps; what runs outside transactions splits the run, and what came before it is committed."""
        _logger.info("%s %s", "Applying" if direction == "apply" else "Rolling back", migration.id)
        self.ensure_internal_schema_updated()
        migration.load()
        if self._check is None:
            self._check = ForeignKeyCheck(self.connection)
        recorded = self._recorded(migration)
        if recorded is not None:
            folder, file = recorded
            effects = folder.facts(file).forward if direction == "apply" else folder.facts(file).rollback
            self._check.announce(effects.unenforceable)
            self._prepare(folder, effects)
        if migration.use_transactions:
            with transaction_guard(self.connection), _interruptible(migration):
                migration.process_steps(self, direction, force=force)
            return
        self._finish_check(migration.id)
        self.connection.execute("COMMIT")
        self._has_split = True
        with _interruptible(migration):
            migration.process_steps(self, direction, force=force)
        self.begin()

    def _recorded(self, migration: Migration) -> tuple[MigrationFolder, MigrationFile] | None:
        """The migration with its folder, if a manifest records it and the files are as recorded."""
        path = Path(migration.path).parent
        if path not in self._folders:
            try:
                self._folders[path] = read_folder(path)
            except MigrationsError:
                self._folders[path] = None
        folder = self._folders[path]
        if folder is None or folder.manifest is None or migration.id not in folder.ids:
            return None
        return folder, folder.named([migration.id])[0]

    def _prepare(self, folder: MigrationFolder, effects: Effects) -> None:
        """Refuse, and reword, what the runner does before it runs a migration.

        Raises:
            DatabaseRefused: manual changes would be lost.
        """
        hashes = set(self.get_applied_migration_hashes())
        applied = [file for file in folder.migrations if migration_hash(file.id) in hashes]
        proof = proof_of(self.connection, folder, applied, read_facts(self.connection))
        if proof is not None:
            proof.prepare([effects])

    def _finish_check(self, name: str) -> None:
        check, self._check = self._check, None
        _note(check.finish(name) if check is not None else ())

    # --- books --------------------------------------------------------------------------------------------------------

    def ensure_internal_schema_updated(self) -> None:
        """Make or upgrade the books, within the transaction where there is one; SQLite's lock is lock enough."""
        if self._internal_schema_updated:
            return
        if internalmigrations.needs_upgrading(self):
            with self.transaction():
                internalmigrations.upgrade(self)
        self._internal_schema_updated = True

    def get_applied_migration_hashes(self) -> list[str]:
        """The applied migrations; none, and nothing is written, where there are no books yet."""
        if self.migration_table not in self.list_tables():
            return []
        hashes: list[str] = super().get_applied_migration_hashes()  # type: ignore[no-untyped-call]
        return hashes

    def get_log_data(self, migration: Migration | None = None, operation: str = "apply") -> dict[str, str]:
        """Return a row of yoyo's log, by column."""
        return log_row(migration.id if migration else "", operation)


@contextmanager
def _interruptible(migration: Migration) -> Iterator[None]:
    """Raise KeyboardInterrupt if Ctrl-C ended a statement, which sqlite3 reports as an error of the database."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if was_interrupted(error):
            raise KeyboardInterrupt(f"Interrupted in {migration.id}.") from error
        raise


def _note(notices: Iterable[str]) -> None:
    """Tell of what the user should know, as yoyo does: its log is silent unless asked to speak."""
    for notice in notices:
        warnings.warn(notice, stacklevel=3)


def _database(dburi: DatabaseURI) -> Database:
    path = unquote(dburi.database or "")
    unknown = sorted(set(dburi.args) - {"migrations"})
    if dburi.hostname or not path or "\0" in path or unknown:
        raise UsageError(
            f"{dburi} is no URL of a database. Write waiaas:///relative/path.db or waiaas:////absolute/path.db, with "
            f"? # and % as %3F %23 and %25; ?migrations=FOLDER may follow."
        )
    return Database(name=MEMORY, file=None) if path == MEMORY else Database(name=path, file=path)
