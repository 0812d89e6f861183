"""Record a migration as applied to a database that already is as it leads to."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.errors import DatabaseRefused
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.migrating_lock import MigratingLock, retry_while_migrating
from waiaas_migrate.runner.mismatch import refuse_changed
from waiaas_migrate.runner.proof.differences import differences, listed
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.runner.transaction import standard_settings
from waiaas_migrate.runner.yoyo.applied import pending
from waiaas_migrate.runner.yoyo.lock_row import sole_transaction
from waiaas_migrate.sqlite.database.connection import connect_file, main_file, plain_errors
from waiaas_migrate.sqlite.database.pragmas import wait_timeout
from waiaas_migrate.sqlite.database.url import database_path


def mark_last(database: str, migrations: Path) -> tuple[str, ...]:
    """Record the last migration of the folder ``migrations`` as applied, without running it; return notices.

    Raises:
        DatabaseRefused: other migrations are pending, or the database differs from what all of them make.
    """
    folder = read_folder(migrations)
    target = replace(database_path(database), was_there=True)
    last = folder.migrations[-1]
    notices: list[str] = []

    def mark() -> None:
        with (
            closing(connect_file(target, timeout=wait_timeout(folder.pragmas))) as connection,
            plain_errors(target.name, doing="recording a migration"),
            standard_settings(connection),
            MigratingLock(main_file(connection)) as lock,
            sole_transaction(connection, notices),
        ):
            lock.announce()
            refuse_changed(connection, folder)
            if pending(connection, folder.ids) != (last.id,):
                raise DatabaseRefused(f"{target.name}: other migrations than {last.id} are pending. Run `apply` first.")
            if found := differences(connection, folder.migrations, folder):
                raise DatabaseRefused(
                    f"{target.name}: differs from what {last.id} leads to: {listed(found)}. "
                    f"It was not recorded as applied."
                )
            steps = StepRunner(connection, folder.migrations)
            steps.prepare_records()
            steps.record(last, folder, "mark", was_adopted=True)

    retry_while_migrating(target, mark)
    return tuple(notices)
