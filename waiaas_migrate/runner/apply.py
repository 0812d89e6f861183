"""Apply pending migrations in batches; verify each batch before COMMIT, if it runs in a transaction."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.errors import ApplyError, DatabaseBusy, MigrateError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.migrating_lock import MigratingLock, retry_while_migrating
from waiaas_migrate.runner.mismatch import changes_at_head, find_pending, refuse_changed
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.preflight import refuse_temporary_objects, refuse_unrecorded_tables
from waiaas_migrate.runner.proof.foreign_key_check import ForeignKeyCheck
from waiaas_migrate.runner.recovery import had_run, recorded_late, with_advice
from waiaas_migrate.runner.run import Run, batch_name, report_interruption
from waiaas_migrate.runner.squashed import find_squashed_records, update_squashed
from waiaas_migrate.runner.transaction import COMMITTING, migration_pragmas, standard_settings
from waiaas_migrate.runner.watching.interruption import Interrupted
from waiaas_migrate.runner.yoyo.applied import read_pending, read_records
from waiaas_migrate.runner.yoyo.identity import update_old_rows
from waiaas_migrate.runner.yoyo.lock_row import LockState, sole_transaction
from waiaas_migrate.runner.yoyo.records import records_version
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_facts
from waiaas_migrate.sqlite.database.connection import connect_file, main_file, plain_errors
from waiaas_migrate.sqlite.database.pragmas import apply_layout_pragmas, apply_pragmas, wait_timeout
from waiaas_migrate.sqlite.database.url import Database, StrPath, database_path

#: A busy timeout in seconds, and a number of statements that finish well within this time if they read no rows. For
#: example, adding a column takes a few milliseconds in a database with a thousand tables.
_LONG_TIMEOUT, _FEW_STATEMENTS = 1.0, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """The migrations that a run applied, in order, its notices, and the path of its backup, if it made one.

    If none were pending, and the run verifies, ``manual_changes`` are the differences from the migrations' schema.
    """

    applied: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    backup: Path | None = None
    manual_changes: tuple[str, ...] = ()


def apply_to(
    database: StrPath,
    migrations: StrPath | MigrationFolder,
    *,
    options: RunOptions = RunOptions(),
    may_make: bool = True,
) -> ApplyResult:
    """Open ``database``, apply the pending migrations, set its PRAGMAs, and close it.

    Args:
        database: a path or URL.
        migrations: the migrations folder.
        options: how to run.
        may_make: whether to create a missing file.

    Raises:
        DatabaseFileError: the file can't be used.
        MigrationsError: the folder can't be used.
        DatabaseRefused: the database can't be migrated, or the disk has no room for its backup; ``committed`` lists the
            migrations that stay applied.
        Interrupted: Ctrl-C or ``options.stop`` ended the run.
    """
    folder = migrations if isinstance(migrations, MigrationFolder) else read_folder(migrations)
    target = database_path(database)
    if not may_make:
        target = replace(target, existed_before=True)
    return retry_while_migrating(target, lambda: _apply_to_file(target, folder, options))


def _apply_to_file(database: Database, folder: MigrationFolder, options: RunOptions) -> ApplyResult:
    if options.stop is not None and options.stop.is_set():  # set while this process waited for another run
        raise Interrupted(database.name)
    # The last connection to close moves the WAL into the database
    # (https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files).
    with (
        report_interruption(database) as interruption,
        closing(connect_file(database, timeout=wait_timeout(folder.pragmas), probe=False)) as connection,
    ):
        with plain_errors(database.name, doing="opening it"):
            apply_layout_pragmas(connection, folder.pragmas)
        with plain_errors(database.name, doing="applying migrations"):
            result = apply_pending(connection, folder, options, interruption)
            try:
                apply_pragmas(connection, folder.pragmas, database.name)
            except MigrateError as error:
                error.note_committed(result.applied, result.backup, database.name)
                raise
            with standard_settings(connection):
                manual_changes = () if result.applied or not options.verify else changes_at_head(connection, folder)
    if not folder.ids:
        return ApplyResult(notices=(f"There are no migrations in {folder.path}.",))
    return replace(result, manual_changes=manual_changes)


def apply_pending(
    connection: sqlite3.Connection,
    folder: MigrationFolder,
    options: RunOptions = RunOptions(),
    interruption: report_interruption | None = None,
) -> ApplyResult:
    """Apply the pending migrations of ``folder`` on ``connection``, and restore the connection's settings.

    Read the pending migrations without a lock first, so that nothing is locked or written if there are none. Read them
    again under the lock, since another process may have applied some. Before a migration that runs outside
    transactions, commit all earlier ones.

    If the connection was opened for this run, pass ``interruption``, which receives the ids of the migrations that will
    run. Ctrl-C can then end a running statement, too.

    Raises:
        ApplyError: a migration failed, added foreign key violations, or did not build the expected schema;
            ``committed`` names the migrations that stay applied.
        UnknownMigrationsError: the database is ahead of the folder.
        OtherMigrationsError: the database ran other migrations than those of the folder.
        DatabaseRefused: for example, tables are of unknown origin, or manual changes would be lost.
        UsageError: a transaction is open on the connection.
    """
    with standard_settings(connection):
        todo = folder.named(find_pending(connection, folder, verify=options.verify))
        if not todo and not find_squashed_records(connection, folder):
            return ApplyResult()
        refuse_temporary_objects(connection, folder.forward(todo))
        if len(todo) == len(folder.ids):  # otherwise the database has records of migrations
            refuse_unrecorded_tables(connection, folder)
        with (
            Upgrade(connection, folder, options, "apply", todo, interruption) as run,
            plain_errors(connection, doing="applying migrations"),
        ):
            while run.run_batch():
                pass
            run.run_late_hooks()
    return ApplyResult(applied=tuple(run.committed), notices=tuple(run.notices), backup=run.backup)


class Upgrade(Run):
    """A run that applies pending migrations in batches, each of which is committed separately.

    Each batch reads the pending migrations again under the lock, since another process may have applied some.
    """

    #: The migrations that are pending once the current batch is applied.
    _still_pending: tuple[str, ...] = ()

    def run_batch(self) -> bool:
        """Apply and commit the next batch; return whether any migrations are still pending."""
        try:
            lock = MigratingLock(main_file(self.connection))
            with lock, sole_transaction(self.connection, self.notices) as state:
                batch = self._next_batch(state, lock)
                if batch and batch[0].transactional:
                    self._run_in_transaction(batch, state.facts, lock)
        except DatabaseBusy as error:
            if error.doing == COMMITTING or not self._is_done():
                raise
            return False  # another connection applied the migrations
        except ApplyError as error:
            raise with_advice(error) from error.__cause__
        if batch and batch[0].transactional:
            self.note_commit(batch)
        elif batch:
            self._run_outside_transaction(batch[0])
        return bool(self._still_pending)

    def _is_done(self) -> bool:
        """Return whether no migrations are pending, and no records must be replaced after a squash."""
        is_pending = bool(read_pending(self.connection, self.folder.ids, self.folder.squashed_hashes))
        return not is_pending and not find_squashed_records(self.connection, self.folder)

    def _next_batch(self, state: LockState, _lock: MigratingLock) -> tuple[MigrationFile, ...]:
        """Return the next batch, under the write lock; first bring yoyo's tables and their records up to date."""
        records = read_records(self.connection)
        if not self.committed:
            refuse_changed(self.connection, self.folder, records)
            if find_squashed_records(self.connection, self.folder):
                self.steps.prepare_records()
                update_squashed(self.connection, self.folder)
                records = read_records(self.connection)
        names = read_pending(self.connection, self.folder.ids, applied=records.applied)
        if names and records.version != records_version():
            refuse_unrecorded_tables(self.connection, self.folder)
            self.steps.prepare_records()
        todo = self.folder.named(names)
        if todo and state.yoyo_was_killed and self._record_late(todo[0], names):
            todo = todo[1:]
        batch = todo[:1]
        if batch and batch[0].transactional and self.options.transaction == "all":
            batch = tuple(itertools.takewhile(lambda migration: migration.transactional, todo))
        self._still_pending = tuple(migration.id for migration in todo[len(batch) :])
        return batch

    def _record_late(self, first: MigrationFile, names: Sequence[str]) -> bool:
        """Record ``first`` if plain yoyo ran it before yoyo was killed; return whether it was recorded."""
        applied = self.folder.without(names)
        if not had_run(self.connection, self.folder, applied, first):
            return False
        self.steps.record(first, self.folder, "mark")
        self.notices.append(recorded_late(first.id))
        return True

    def _run_in_transaction(self, batch: Sequence[MigrationFile], facts: CatalogFacts, lock: MigratingLock) -> None:
        """Run ``batch``, and the hooks after the last batch; make other processes wait if this may take long."""
        todo = (*batch, *self.folder.named(self._still_pending))
        proof = self.prove(self.folder.without([migration.id for migration in todo]), todo, facts)
        check = ForeignKeyCheck(self.connection, self.effects(batch), facts)
        if check.reads_rows or not self._is_short(batch, facts):
            lock.announce()
        after = self.run_together(batch, check)
        self._finish(batch)
        # Verify the schema from before the hooks, since hooks may remove objects that earlier hooks made.
        self.verify(proof, batch, self._applied_after(batch), after)

    def _is_short(self, batch: Sequence[MigrationFile], facts: CatalogFacts) -> bool:
        """Return whether ``batch`` finishes before other connections time out, for any number of rows.

        Hooks, listeners and backups may take long. SQLite 3.53 and newer may read all rows of a STRICT table to add a
        column.
        """
        effects = self.effects(batch)
        may_wait = self.wants_backup or self.options.listener is not None or self.folder.post_apply
        if facts.may_have_strict_tables or may_wait or wait_timeout(self.folder.pragmas) < _LONG_TIMEOUT:
            return False
        if sum(len(migration.statements) for migration in batch) > _FEW_STATEMENTS:
            return False
        return all(one.is_constant and not one.may_change_rows and not one.may_lose for one in effects)

    def _applied_after(self, batch: Sequence[MigrationFile]) -> tuple[MigrationFile, ...]:
        """Return the applied migrations; read yoyo's tables only if ``batch`` may have changed them."""
        if any(one.may_change_rows for one in self.effects(batch)):
            return self.folder.without(read_pending(self.connection, self.folder.ids))
        return self.folder.without(self._still_pending)

    def _finish(self, batch: Sequence[MigrationFile]) -> None:
        """If no migrations are pending after ``batch``, update older records and run the transactional hooks."""
        if not self._still_pending:
            update_old_rows(self.connection, self.folder, batch)
        if self.folder.post_apply and not read_pending(self.connection, self.folder.ids):
            for hook in self.folder.post_apply:
                if hook.transactional:
                    self.steps.run(hook, "apply")
                    self.steps.log(hook)

    def _run_outside_transaction(self, migration: MigrationFile) -> None:
        """Run ``migration`` without a transaction and record it, unless another process has applied it meanwhile."""
        with MigratingLock(main_file(self.connection)) as lock:
            lock.take_or_wait(self.connection)
            with migration_pragmas(self.connection):
                names = read_pending(self.connection, self.folder.ids)
                if migration.id not in names:
                    return
                applied = self.folder.without(names)
                proof = self.prove(
                    applied, [migration, *self.folder.named(self._still_pending)], read_facts(self.connection)
                )
                check = ForeignKeyCheck(self.connection)
                check.begin()
                self.run_one(migration, check)
                with sole_transaction(self.connection, self.notices):
                    self.record(migration)
                    self._finish([migration])
        self.note_commit([migration])
        try:
            self.notices.extend(check.finish(batch_name([migration])))
            applied = self._applied_after([migration])
            self.verify(proof, [migration], applied, read_facts(self.connection))
        except ApplyError as error:
            raise error.with_changes(rolled_back=False) from error

    def run_late_hooks(self) -> None:
        """Run the hooks that can't run in a transaction, if this run applied any migration."""
        late = [hook for hook in self.folder.post_apply if not hook.transactional]
        for hook in late if self.committed else ():
            with MigratingLock(main_file(self.connection)) as lock:
                lock.take_or_wait(self.connection)
                with migration_pragmas(self.connection):
                    self.steps.run(hook, "apply")
            with sole_transaction(self.connection, self.notices):
                self.steps.log(hook)
