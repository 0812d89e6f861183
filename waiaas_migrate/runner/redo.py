"""``apply --redo``: roll back migrations that were changed or deleted, then apply the current ones.

The rollback and the first batch share a transaction. A changed or deleted migration is rolled back with the rollback
that the database stored when it ran the migration, and an unchanged migration with the rollback in the folder.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial

from waiaas_migrate.errors import ApplyError, MigrateError, UnsupportedError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, is_post_apply, rollback_only
from waiaas_migrate.runner.apply import ApplyResult, Upgrade, apply_to
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.losses import Loss
from waiaas_migrate.runner.migrating_lock import MigratingLock, retry_while_migrating
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.preflight import refuse_temporary_objects
from waiaas_migrate.runner.proof.foreign_key_check import ForeignKeyCheck
from waiaas_migrate.runner.rollback import Confirm, ConfirmedRollback, UnconfirmedLossError, confirm_rollback
from waiaas_migrate.runner.run import report_interruption, wants_backup
from waiaas_migrate.runner.transaction import standard_settings
from waiaas_migrate.runner.yoyo.applied import cached_hash, read_applied
from waiaas_migrate.runner.yoyo.identity import read_identities
from waiaas_migrate.runner.yoyo.lock_row import LockState
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_facts
from waiaas_migrate.sqlite.database.connection import connect_file, database_name, plain_errors
from waiaas_migrate.sqlite.database.pragmas import apply_pragmas, wait_timeout
from waiaas_migrate.sqlite.database.url import Database, StrPath, database_path
from waiaas_migrate.sqlite.planning.effects import WORST_CASE, Effects


@dataclass(frozen=True, slots=True, kw_only=True)
class RedoResult(ApplyResult):
    """The result of a run that first rolled migrations back, which may have deleted data."""

    rolled_back: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()


def redo(
    database: StrPath, migrations: StrPath, *, options: RunOptions = RunOptions(), confirm: Confirm = lambda _: False
) -> RedoResult:
    """Roll back migrations that changed since ``database`` ran them, and apply the current ones.

    Migrations applied after the first changed one are rolled back, too. Rollbacks delete what the migrations added,
    including data written since. So a backup is made first, and nothing is deleted unless ``confirm`` returns true.

    Args:
        database: a path or URL.
        migrations: the migrations folder.
        options: how to run. For the backup, ``auto`` means ``always`` if anything is rolled back.
        confirm: called with the losses, if there are any; returns whether to roll back anyway.

    Raises:
        DatabaseFileError: the file is missing, or can't be used.
        MigrationsError: the folder can't be used.
        UnsupportedError: one of the migrations has no rollback, or runs outside transactions.
        DatabaseRefused: ``confirm`` returned false, or a migration was adopted or failed; ``committed`` lists the
            migrations that stay applied.
        Interrupted: Ctrl-C or ``options.stop`` ended the run.
    """
    folder = read_folder(migrations)
    target = database_path(database)

    def run() -> RedoResult:
        confirmed = confirm_rollback(target, folder, partial(_find_migrations, folder=folder), confirm)
        if not confirmed.todo:
            return RedoResult(**asdict(apply_to(database, folder, options=options, may_make=False)))
        try:
            return _redo_file(target, folder, options, confirmed)
        except UnconfirmedLossError:
            return run()  # ask again

    return retry_while_migrating(target, run)


def _find_migrations(connection: sqlite3.Connection, folder: MigrationFolder) -> list[MigrationFile]:
    """Return the migrations to roll back, last first: the first that was changed or deleted, and all after it."""
    ran = [
        row
        for row in read_applied(connection) or ()
        if not is_post_apply(row.id) and row.hash not in folder.squashed_hashes
    ]
    identities = read_identities(connection)
    files = {cached_hash(migration.id): migration for migration in folder.migrations}
    unchanged = {
        key: file
        for key, file in files.items()
        if key not in identities or folder.has_text_hash(key, identities[key].text_hash)
    }
    first = next((number for number, row in enumerate(ran) if row.hash not in unchanged), len(ran))
    found: list[MigrationFile] = []
    for row in reversed(ran[first:]):
        stored_rollback = identities[row.hash].rollback if row.hash in identities else None
        if row.hash in unchanged:
            found.append(unchanged[row.hash])
        elif stored_rollback is not None:
            found.append(rollback_only(folder.path / f"{row.id}.sql", stored_rollback))
        else:
            raise UnsupportedError(
                f"{database_name(connection)}: ran a {row.id} that the folder no longer has, and did not keep its "
                f"rollback: a database keeps only the SQL rollbacks of the last migrations. Nothing was changed. "
                f"Restore a backup from before {row.id}, or delete the database if it has no data."
            )
    return found


def _redo_file(
    database: Database, folder: MigrationFolder, options: RunOptions, confirmed: ConfirmedRollback
) -> RedoResult:
    with (
        report_interruption(database) as interruption,
        closing(connect_file(database, timeout=wait_timeout(folder.pragmas))) as connection,
        plain_errors(database.name, doing="applying migrations"),
        standard_settings(connection),
    ):
        run = _RedoRun(connection, folder, options, confirmed, interruption)
        refuse_temporary_objects(connection, [*folder.rollback(confirmed.todo), *folder.forward(run.todo)])
        with run:
            while run.run_batch():
                pass
            run.run_late_hooks()
            apply_pragmas(connection, folder.pragmas, database.name)
    return RedoResult(
        rolled_back=tuple(migration.id for migration in confirmed.todo),
        applied=tuple(run.committed),
        losses=run.losses,
        notices=tuple(run.notices),
        backup=run.backup,
    )


class _RedoRun(Upgrade):
    """A run that also rolls back the ``confirmed`` migrations, in the transaction of the first batch."""

    losses: tuple[Loss, ...] = ()

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: MigrationFolder,
        options: RunOptions,
        confirmed: ConfirmedRollback,
        interruption: report_interruption,
    ) -> None:
        rolled_back = {migration.id for migration in confirmed.todo}
        applied = {row.hash for row in read_applied(connection) or ()}
        self.todo = [one for one in folder.migrations if one.id in rolled_back or cached_hash(one.id) not in applied]
        super().__init__(connection, folder, options, "apply", self.todo, interruption)
        # After an interruption, the record of an id that is rolled back and applied again doesn't show whether this run
        # committed.
        interruption.todo = [migration.id for migration in self.todo if migration.id not in rolled_back]
        #: The rollback to do in the first transaction; None once this transaction is committed.
        self._confirmed: ConfirmedRollback | None = confirmed
        self._deletes_data = True
        self.wants_backup = wants_backup(connection, [WORST_CASE], options.backup)

    def _is_done(self) -> bool:
        return self._confirmed is None and super()._is_done()

    def effects(self, migrations: Sequence[MigrationFile]) -> list[Effects]:
        """Return the effects of ``migrations``; for a rollback, assume the worst: the manifest may have changed."""
        return super().effects(migrations) if self.direction == "apply" else [WORST_CASE] * len(migrations)

    def _next_batch(self, state: LockState, lock: MigratingLock) -> tuple[MigrationFile, ...]:
        if self._confirmed is None:
            return super()._next_batch(state, lock)
        lock.announce()
        to_undo = _find_migrations(self.connection, self.folder)
        self.losses = self._confirmed.losses_now(self.connection, to_undo)
        self._roll_back(to_undo, state.facts)
        batch = super()._next_batch(state, lock)
        if not (batch and batch[0].transactional):  # otherwise the batch is verified together with the rollback
            self._verify(to_undo)
        return batch

    def _roll_back(self, to_undo: Sequence[MigrationFile], facts: CatalogFacts) -> None:
        self.direction = "rollback"
        try:
            self.run_together(to_undo, ForeignKeyCheck(self.connection, facts=facts))
        except ApplyError as error:
            raise error.with_changes(was_rolling_back=True) from error
        finally:
            self.direction = "apply"

    def _verify(self, rolled_back: Sequence[MigrationFile]) -> None:
        """Report differences from the remaining migrations as notices, since they may be manual changes."""
        applied, facts = self.folder.without([one.id for one in self.todo]), read_facts(self.connection)
        self.verify(self.prove(applied, (), facts), rolled_back, applied, facts)

    def _run_in_transaction(self, batch: Sequence[MigrationFile], facts: CatalogFacts, lock: MigratingLock) -> None:
        super()._run_in_transaction(batch, facts if self._confirmed is None else read_facts(self.connection), lock)

    def _run_outside_transaction(self, migration: MigrationFile) -> None:
        is_after_rollback, self._confirmed = self._confirmed is not None, None
        try:
            super()._run_outside_transaction(migration)
        except MigrateError as error:
            if is_after_rollback:  # the rollback was committed before ``migration``
                error.rolled_back = False
            raise

    def note_commit(self, batch: Sequence[MigrationFile]) -> None:
        """Note that ``batch``, and with it the rollback, was committed."""
        super().note_commit(batch)
        self._confirmed = None
