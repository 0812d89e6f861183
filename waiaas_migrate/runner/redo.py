"""``apply --redo``: roll back changed and deleted migrations, then apply the folder's, in one transaction.

The rollbacks come from the database, which stores those of the last migrations. The folder's may have changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from waiaas_migrate.errors import ApplyError, MigrateError, UnsupportedError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, is_post_apply, rollback_only
from waiaas_migrate.runner.apply import Upgrade, apply_to
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.losses import Loss
from waiaas_migrate.runner.migrating_lock import MigratingLock, retry_while_migrating
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.preflight import refuse_temporary_objects
from waiaas_migrate.runner.proof.foreign_key_check import ForeignKeyCheck
from waiaas_migrate.runner.rollback import Confirm, Confirmed, OthersWroteError, confirmed
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
class RedoResult:
    """The migrations rolled back, then applied, and the data lost. Other attributes are those of ``ApplyResult``."""

    rolled_back: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    notices: tuple[str, ...] = ()
    backup: Path | None = None
    manual_changes: tuple[str, ...] = ()


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
        confirm: called with the losses, if there are any; returns whether to go on.

    Raises:
        DatabaseFileError: the file is missing, or can't be used.
        MigrationsError: the folder can't be used.
        UnsupportedError: the rollback of one of the migrations is missing.
        DatabaseRefused: data would be lost and ``confirm`` returned false, or a migration was adopted or failed; the
            database is unchanged.
        Interrupted: Ctrl-C or ``options.stop`` ended the run.
    """
    folder = read_folder(migrations)
    target = database_path(database)

    def run() -> RedoResult:
        agreed = confirmed(target, folder, lambda reading: _to_roll_back(reading, folder), confirm)
        if not agreed.todo:
            done = apply_to(database, folder, options=options, may_make=False)
            return RedoResult(**asdict(done))
        try:
            return _redo_file(target, folder, options, agreed)
        except OthersWroteError:
            return run()

    return retry_while_migrating(target, run)


def _to_roll_back(connection: sqlite3.Connection, folder: MigrationFolder) -> list[MigrationFile]:
    """Return the applied migrations, last first, back to the first that changed or is missing in the folder.

    Raises:
        UnsupportedError: the rollback of one of them is neither in the database nor in the folder.
    """
    ran = [
        row
        for row in read_applied(connection) or ()
        if not is_post_apply(row.id) and row.hash not in folder.squashed_hashes
    ]
    texts = read_identities(connection)
    files = {cached_hash(migration.id): migration for migration in folder.migrations}
    same = {
        key: file for key, file in files.items() if key not in texts or folder.has_text(key, texts[key].content_hash)
    }
    first = next((number for number, row in enumerate(ran) if row.hash not in same), len(ran))
    found: list[MigrationFile] = []
    for row in reversed(ran[first:]):
        kept = texts[row.hash].rollback if row.hash in texts else None
        if row.hash in same:
            found.append(same[row.hash])
        elif kept is not None:
            found.append(rollback_only(folder.path / f"{row.id}.sql", kept))
        else:
            raise UnsupportedError(
                f"{database_name(connection)}: ran a {row.id} that the folder no longer has, and did not keep its "
                f"rollback: it keeps those of the last migrations in SQL. Nothing was changed. Restore a backup from "
                f"before {row.id}, or delete the file if it has no data."
            )
    return found


def _redo_file(database: Database, folder: MigrationFolder, options: RunOptions, confirmed: Confirmed) -> RedoResult:
    with (
        report_interruption(database) as interruption,
        closing(connect_file(database, timeout=wait_timeout(folder.pragmas))) as connection,
        plain_errors(database.name, doing="applying migrations"),
        standard_settings(connection),
    ):
        run = _Redo(connection, folder, options, confirmed, interruption)
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
        backup=run.backup_path,
    )


class _Redo(Upgrade):
    """Rolls back the ``confirmed`` migrations in the same transaction as the first batch."""

    losses: tuple[Loss, ...] = ()

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: MigrationFolder,
        options: RunOptions,
        confirmed: Confirmed,
        interruption: report_interruption,
    ) -> None:
        undone = {migration.id for migration in confirmed.todo}
        applied = {row.hash for row in read_applied(connection) or ()}
        self.todo = [one for one in folder.migrations if one.id in undone or cached_hash(one.id) not in applied]
        super().__init__(connection, folder, options, "apply", self.todo, interruption)
        # If a name is applied again, its record does not show whether this run committed.
        interruption.todo = [migration.id for migration in self.todo if migration.id not in undone]
        self._confirmed: Confirmed | None = confirmed
        self._deletes_data = True
        self.wants_backup = wants_backup(connection, [WORST_CASE], options.backup)

    def _is_done(self) -> bool:
        return self._confirmed is None and super()._is_done()

    def effects(self, migrations: Sequence[MigrationFile]) -> list[Effects]:
        """Return the effects of ``migrations``; those of old ones are unknown, so assume the worst for a rollback."""
        return super().effects(migrations) if self.direction == "apply" else [WORST_CASE] * len(migrations)

    def _next_batch(self, state: LockState, lock: MigratingLock) -> tuple[MigrationFile, ...]:
        if self._confirmed is None:  # the rollback is committed; this is a later batch
            return super()._next_batch(state, lock)
        lock.announce()
        undo = _to_roll_back(self.connection, self.folder)
        self.losses = self._confirmed.losses_now(self.connection, undo)
        self._roll_back(undo, state.facts)
        batch = super()._next_batch(state, lock)
        if not (batch and batch[0].transactional):
            self._verify(undo)
        return batch

    def _roll_back(self, undo: Sequence[MigrationFile], facts: CatalogFacts) -> None:
        self.direction = "rollback"
        try:
            self.run_together(undo, ForeignKeyCheck(self.connection, facts=facts))
        except ApplyError as error:
            raise error.with_changes(was_rolling_back=True) from error
        finally:
            self.direction = "apply"

    def _verify(self, undo: Sequence[MigrationFile]) -> None:
        """Add notices about the differences from the remaining migrations; nobody knows who made them."""
        applied, facts = self.folder.without([one.id for one in self.todo]), read_facts(self.connection)
        self.verify(self.prove(applied, (), facts), undo, applied, facts)

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
