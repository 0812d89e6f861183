"""Roll back the last applied migrations, in reverse order, in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from waiaas_migrate.errors import ApplyError, DatabaseRefused, UnsupportedError, UsageError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.losses import Loss, losses_of
from waiaas_migrate.runner.migrating_lock import MigratingLock, retry_while_migrating
from waiaas_migrate.runner.mismatch import find_pending
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.preflight import refuse_temporary_objects
from waiaas_migrate.runner.proof.foreign_key_check import ForeignKeyCheck
from waiaas_migrate.runner.run import Run, batch_name, report_interruption
from waiaas_migrate.runner.squashed import update_squashed
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.runner.transaction import standard_settings
from waiaas_migrate.runner.yoyo.applied import cached_hash, read_applied, read_pending
from waiaas_migrate.runner.yoyo.identity import read_identities
from waiaas_migrate.runner.yoyo.lock_row import sole_transaction
from waiaas_migrate.schema.hazards.allowed import allowed_codes
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.sqlite.database.connection import (
    connect_file,
    database_name,
    main_file,
    open_read_only,
    plain_errors,
)
from waiaas_migrate.sqlite.database.pragmas import wait_timeout
from waiaas_migrate.sqlite.database.url import Database, StrPath, database_path

#: Receives the data that would be deleted; returns whether to roll back anyway.
Confirm = Callable[[Sequence[Loss]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How far to roll back: the last ``count`` migrations, or, if ``to`` is given, all migrations after it."""

    count: int = 1
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """The migrations in the order they were rolled back, the deleted data, notices, and the path of any backup."""

    rolled_back: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    notices: tuple[str, ...] = ()
    backup: Path | None = None


def roll_back_in(
    database: StrPath,
    migrations: StrPath,
    extent: Extent = Extent(),
    *,
    options: RunOptions = RunOptions(),
    confirm: Confirm = lambda _: False,
    allow: Collection[str] = (),
) -> RollbackResult:
    """Open ``database``, roll back the last migrations of the folder ``migrations``, and close it.

    Rolling back deletes everything the migrations added, including data written since. So ``options.backup="auto"``
    means ``"always"``. If data would be lost, ``confirm`` is called with the losses, and returns whether to roll back
    anyway. Allow ``DROP_TABLE`` to roll back migrations that the database adopted and never ran.

    Raises:
        DatabaseFileError: the file is missing, or can't be used.
        MigrationsError: the folder can't be used.
        UnsupportedError: one of the migrations has no rollback, or runs outside transactions.
        UsageError: ``extent`` names a migration that is not applied, or ``allow`` an unknown hazard.
        DatabaseRefused: ``confirm`` returned false, a migration was adopted, the rollback failed, or the disk has no
            room for the backup; the database is unchanged.
        Interrupted: Ctrl-C or ``options.stop`` ended the run.
    """
    folder = read_folder(migrations)
    target = database_path(database)
    allowed = allowed_codes(allow)

    def run() -> RollbackResult:
        find = partial(_find_migrations, folder=folder, extent=extent)
        confirmed = confirm_rollback(target, folder, find, confirm, allowed)
        try:
            return _roll_back_file(target, folder, extent, options, confirmed) if confirmed.todo else RollbackResult()
        except UnconfirmedLossError:
            return run()  # ask again

    return retry_while_migrating(target, run)


class UnconfirmedLossError(Exception):
    """Other migrations, tables or columns are affected than were confirmed, since another process wrote meanwhile."""


class ConfirmedRollback(NamedTuple):
    """The migrations to roll back and the data to delete, as confirmed before this process took the write lock."""

    todo: list[MigrationFile]
    losses: tuple[Loss, ...]

    def losses_now(self, connection: sqlite3.Connection, todo: Sequence[MigrationFile]) -> tuple[Loss, ...]:
        """Return the data that rolling back ``todo`` would delete now, under the write lock.

        Allow more rows or values than were confirmed. Otherwise the user would be asked again and again while an
        application writes.

        Raises:
            UnconfirmedLossError: other migrations must be rolled back, or another table or column would lose data.
        """
        losses = losses_of(connection, todo)
        known = {(loss.kind, loss.name) for loss in self.losses}
        if list(todo) != self.todo or any((loss.kind, loss.name) not in known for loss in losses):
            raise UnconfirmedLossError
        return losses


def confirm_rollback(
    database: Database,
    folder: MigrationFolder,
    find_migrations: Callable[[sqlite3.Connection], list[MigrationFile]],
    confirm: Confirm,
    allowed: Collection[Code] = (),
) -> ConfirmedRollback:
    """Find the migrations to roll back and the losses; call ``confirm`` if there are losses.

    Raises:
        DatabaseRefused: ``confirm`` returned false, or a migration was adopted and ``DROP_TABLE`` isn't ``allowed``.
        UnsupportedError: one of the migrations can't be rolled back.
    """
    with closing(open_read_only(database)) as reading, plain_errors(database.name, doing="reading it"):
        reading.execute("BEGIN")
        todo = find_migrations(reading)
        _refuse_outside_transactions(todo)
        StepRunner(reading, folder.migrations).refuse_irreversible(todo)
        if Code.DROP_TABLE not in allowed:
            _refuse_adopted(reading, todo)
        losses = losses_of(reading, todo)
    if losses and not confirm(losses):
        raise DatabaseRefused(
            f"{database.name}: rolling back {batch_name(todo[::-1])} would delete {', '.join(map(str, losses))}. "
            f"Nothing was changed. To delete it, pass --yes (in Python, `confirm`)."
        )
    return ConfirmedRollback(todo, losses)


def _refuse_adopted(connection: sqlite3.Connection, todo: Sequence[MigrationFile]) -> None:
    read_applied(connection)  # raises an error if another object has the name of one of yoyo's tables
    identities = read_identities(connection)
    adopted = [one.id for one in todo if (row := identities.get(cached_hash(one.id))) is not None and row.was_adopted]
    if adopted:
        raise DatabaseRefused(
            f"{database_name(connection)}: adopted {', '.join(adopted)} and never ran it, so rolling back would drop "
            f"tables that existed before. Nothing was changed. To drop them anyway, pass --allow DROP_TABLE."
        )


def _roll_back_file(
    database: Database, folder: MigrationFolder, extent: Extent, options: RunOptions, confirmed: ConfirmedRollback
) -> RollbackResult:
    with (
        report_interruption(database, was_rolling_back=True) as interruption,
        closing(connect_file(database, timeout=wait_timeout(folder.pragmas))) as connection,
        plain_errors(database.name, doing="rolling migrations back"),
    ):
        return roll_back(connection, folder, extent, options, interruption, confirmed=confirmed)


def roll_back(
    connection: sqlite3.Connection,
    folder: MigrationFolder,
    extent: Extent = Extent(),
    options: RunOptions = RunOptions(),
    interruption: report_interruption | None = None,
    *,
    confirmed: ConfirmedRollback | None = None,
) -> RollbackResult:
    """Roll back migrations on ``connection``, all or none, in reverse order.

    With ``options.verify``, compare the schema before COMMIT with the one that the remaining migrations build. Pass
    ``interruption`` as for :func:`~waiaas_migrate.runner.apply.apply_pending`. Without ``confirmed``, delete data
    without asking, and list no losses in the result.

    Raises:
        ApplyError: a rollback failed, added foreign key violations, or did not restore the earlier schema.
        UnknownMigrationsError: the database is ahead of the folder.
        OtherMigrationsError: the database ran other migrations than those of the folder.
        UnsupportedError: one of the migrations has no rollback, or runs outside transactions.
        UsageError: ``extent.to`` is not applied, or a transaction is open on the connection.
        UnconfirmedLossError: other migrations, tables or columns are affected than were ``confirmed``.
    """
    with standard_settings(connection):
        todo = _find_migrations(connection, folder, extent)
        if not todo and not confirmed:
            return RollbackResult()
        refuse_temporary_objects(connection, folder.rollback(todo))
        with Run(connection, folder, options, "rollback", todo, interruption) as run:
            try:
                losses = _run(run, extent, confirmed)
            except ApplyError as error:
                raise error.with_changes(was_rolling_back=True) from error
    return RollbackResult(
        rolled_back=tuple(run.committed), losses=losses, notices=tuple(run.notices), backup=run.backup
    )


def _run(run: Run, extent: Extent, confirmed: ConfirmedRollback | None) -> tuple[Loss, ...]:
    """Roll back, and return the losses; find the migrations again, since another process may have rolled some back."""

    def applied() -> tuple[MigrationFile, ...]:
        return run.folder.without(read_pending(run.connection, run.folder.ids))

    lock = MigratingLock(main_file(run.connection))
    with lock, sole_transaction(run.connection, run.notices) as state:
        lock.announce()
        batch = _find_migrations(run.connection, run.folder, extent)
        losses = () if confirmed is None else confirmed.losses_now(run.connection, batch)
        _refuse_outside_transactions(batch)
        run.steps.refuse_irreversible(batch)
        run.steps.prepare_records()
        update_squashed(run.connection, run.folder)
        if batch:
            proof = run.prove(applied(), batch, state.facts)
            after = run.run_together(batch, ForeignKeyCheck(run.connection, run.effects(batch), state.facts))
            run.verify(proof, batch, applied(), after)
    if batch:
        run.note_commit(batch)
    return losses


def _find_migrations(connection: sqlite3.Connection, folder: MigrationFolder, extent: Extent) -> list[MigrationFile]:
    """Return the migrations to roll back, last first."""
    applied = folder.without(find_pending(connection, folder, verify=False))
    if extent.to is None:
        return list(applied[::-1][: max(extent.count, 0)])
    names = [migration.id for migration in applied]
    if extent.to not in names:
        fix = f"Name one of: {', '.join(names)}." if names else "No migration is applied."
        raise UsageError(f"{extent.to} is not applied to {database_name(connection)}. {fix}")
    return list(applied[names.index(extent.to) + 1 :][::-1])


def _refuse_outside_transactions(todo: Sequence[MigrationFile]) -> None:
    names = [migration.id for migration in todo if not migration.transactional]
    if names:
        raise UnsupportedError(
            f"{', '.join(names)}: runs outside a transaction (`transactional: false`), so a rollback that fails "
            f"halfway could not be undone. Nothing was rolled back. Use `yoyo rollback`, or restore a backup."
        )
