"""Applying migrations and rolling them back: all of a run in one transaction, proved before COMMIT."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from waiaas_migrate.errors import UnsupportedError, UsageError
from waiaas_migrate.files.migration_dir import MigrationFile
from waiaas_migrate.runner.bookkeeping import pending, read_applied, refuse_unknown
from waiaas_migrate.runner.events import Observe
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.foreign_keys import ForeignKeyCheck
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.runner.transaction import plain_session
from waiaas_migrate.runner.upgrade import (
    Conduct,
    Explain,
    Transaction,
    Upgrade,
    refuse_shadows,
    refuse_unrecorded_tables,
    span,
)
from waiaas_migrate.runner.yoyo_lock import sole_transaction
from waiaas_migrate.sqlite.connection import database_name

__all__ = ["ApplyResult", "Explain", "RollbackResult", "Transaction", "apply_pending", "apply_todo", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """What a run did: the migrations in the order in which they were applied, and what the user should know."""

    applied: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """What a rollback did: the migrations in the order in which they were taken back, and what the user should know."""

    rolled_back: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def apply_pending(
    connection: sqlite3.Connection,
    folder: MigrationFolder,
    *,
    verify: bool = True,
    explain: Explain | None = None,
    transaction: Transaction = "all",
    observe: Observe | None = None,
) -> ApplyResult:
    """Apply what is pending of ``folder``; all of it, or nothing.

    What is pending is first read without a lock, so that nothing is locked or written where nothing is; and read again
    under the lock, since another process may have been quicker.

    A migration that runs outside transactions splits the run: what comes before it is committed first.

    Args:
        connection: the database.
        folder: what to apply.
        verify: whether to compare the schema with the recorded one before COMMIT.
        explain: says whether a schema whose text differs from the recorded one differs in meaning.
        transaction: ``each`` commits every migration by itself.
        observe: is told what happens, as it does.

    Raises:
        ApplyError: a migration failed, left foreign keys without parents, or did not lead to the recorded schema;
            ``committed`` names those that stay.
        UnknownMigrationsError: the database is ahead of the folder.
        DatabaseRefused: the database has tables of unknown origin, or is locked.
        UsageError: a transaction is open on the connection.
    """
    with plain_session(connection):
        todo = pending(connection, folder.ids)
        if not todo:
            return ApplyResult()
        refuse_shadows(connection, (file.sql for file in folder.migrations if file.id in todo))
        conduct = Conduct(verify=verify, explain=explain, transaction=transaction, observe=observe)
        return _upgrade(connection, folder, conduct, todo)


def apply_todo(
    connection: sqlite3.Connection, folder: MigrationFolder, conduct: Conduct, todo: Sequence[str]
) -> ApplyResult:
    """Apply ``todo``, which was pending a moment ago, on a connection that nobody else has used.

    So there are no temporary objects on it. Raises as :func:`apply_pending` does.
    """
    with plain_session(connection):
        return _upgrade(connection, folder, conduct, todo)


def _upgrade(
    connection: sqlite3.Connection, folder: MigrationFolder, conduct: Conduct, todo: Sequence[str]
) -> ApplyResult:
    if len(todo) == len(folder.ids):  # else some are recorded
        refuse_unrecorded_tables(connection)
    upgrade = Upgrade(connection, folder, conduct, todo)
    upgrade.run()
    return ApplyResult(applied=tuple(upgrade.committed), notices=tuple(upgrade.notices))


def rollback(
    connection: sqlite3.Connection, folder: MigrationFolder, *, count: int = 1, to: str | None = None
) -> RollbackResult:
    """Roll back the last ``count`` migrations, or all that came after the migration ``to``; all of them, or nothing.

    They are taken in the reverse of the folder's order, as yoyo does.

    Raises:
        ApplyError: a rollback failed, or left foreign keys without parents.
        UnknownMigrationsError: the database is ahead of the folder.
        UnsupportedError: one of the migrations has no rollback, or runs outside transactions.
        UsageError: ``to`` was not applied, or a transaction is open on the connection.
    """
    with plain_session(connection):
        chosen = _chosen(connection, folder, count, to)
        if not chosen:
            return RollbackResult()
        refuse_shadows(connection, (file.rollback or file.sql for file in chosen))
        runner = StepRunner(connection, folder.migrations)
        notices: list[str] = []
        with sole_transaction(connection, notices):
            todo = _chosen(connection, folder, count, to)
            _refuse_unsupported(todo)
            runner.refuse_one_way(todo)
            runner.open_books()
            names = tuple(migration.id for migration in todo)
            check = ForeignKeyCheck(connection)
            for migration in todo:
                runner.run(migration, "rollback")
                runner.record(migration, "rollback")
            notices.extend(check.finish(span(names)) if names else ())
        return RollbackResult(rolled_back=names, notices=tuple(notices))


def _chosen(connection: sqlite3.Connection, folder: MigrationFolder, count: int, to: str | None) -> list[MigrationFile]:
    refuse_unknown(connection, read_applied(connection) or (), folder.ids)
    waiting = set(pending(connection, folder.ids))
    applied = [migration for migration in folder.migrations if migration.id not in waiting]
    if to is None:
        return applied[::-1][: max(count, 0)]
    names = [migration.id for migration in applied]
    if to not in names:
        raise UsageError(
            f"{to} is not applied to {database_name(connection)}. Name one of: {', '.join(names) or 'none is'}."
        )
    return applied[names.index(to) + 1 :][::-1]


def _refuse_unsupported(todo: Sequence[MigrationFile]) -> None:
    names = [migration.id for migration in todo if not migration.transactional]
    if names:
        raise UnsupportedError(
            f"{', '.join(names)}: runs outside a transaction (`transactional: false`), where a rollback that fails "
            f"half-way could not be undone. Nothing was rolled back. Use `yoyo rollback`, or restore a backup."
        )
