"""Applying migrations: all of a run in one transaction, proved before COMMIT."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.transaction import standard_settings
from waiaas_migrate.runner.upgrade import (
    Conduct,
    Transaction,
    Upgrade,
    refuse_shadows,
    refuse_unrecorded_tables,
)
from waiaas_migrate.runner.watching.events import Observe
from waiaas_migrate.runner.yoyo.applied import pending

__all__ = ["ApplyResult", "Transaction", "apply_pending", "apply_todo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """What a run did: the migrations in the order in which they were applied, and what the user should know.

    ``backup`` is the one that was made before, where the database is a file that was named.
    """

    applied: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    backup: Path | None = None


def apply_pending(
    connection: sqlite3.Connection,
    folder: MigrationFolder,
    *,
    verify: bool = True,
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
        transaction: ``each`` commits every migration by itself.
        observe: is told what happens, as it does.

    Raises:
        ApplyError: a migration failed, left foreign keys without parents, or did not lead to the recorded schema;
            ``committed`` names those that stay.
        UnknownMigrationsError: the database is ahead of the folder.
        DatabaseRefused: the database has tables of unknown origin, or is locked.
        UsageError: a transaction is open on the connection.
    """
    with standard_settings(connection):
        todo = pending(connection, folder.ids)
        if not todo:
            return ApplyResult()
        refuse_shadows(connection, folder.forward(folder.named(todo)))
        conduct = Conduct(verify=verify, transaction=transaction, observe=observe)
        return _upgrade(connection, folder, conduct, todo)


def apply_todo(
    connection: sqlite3.Connection, folder: MigrationFolder, conduct: Conduct, todo: Sequence[str]
) -> ApplyResult:
    """Apply ``todo``, which was pending a moment ago, on a connection that nobody else has used.

    So there are no temporary objects on it. Raises as :func:`apply_pending` does.
    """
    with standard_settings(connection):
        return _upgrade(connection, folder, conduct, todo)


def _upgrade(
    connection: sqlite3.Connection, folder: MigrationFolder, conduct: Conduct, todo: Sequence[str]
) -> ApplyResult:
    if len(todo) == len(folder.ids):  # else some are recorded
        refuse_unrecorded_tables(connection, folder)
    upgrade = Upgrade(connection, folder, conduct, todo)
    upgrade.run()
    return ApplyResult(applied=tuple(upgrade.committed), notices=tuple(upgrade.notices))
