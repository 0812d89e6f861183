"""Taking migrations back: those that were applied last, in reverse, all in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.errors import ApplyError, UnsupportedError, UsageError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.migrating_lock import MigratingLock
from waiaas_migrate.runner.proof.foreign_keys import ForeignKeyCheck, FullCheckNeeded
from waiaas_migrate.runner.proof.preconditions import SchemaProof, listed, proof_of
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.runner.transaction import standard_settings
from waiaas_migrate.runner.upgrade import refuse_shadows, span
from waiaas_migrate.runner.watching.events import Committed, MigrationFinished, MigrationStarted, Observe
from waiaas_migrate.runner.yoyo.applied import pending
from waiaas_migrate.runner.yoyo.lock_row import sole_transaction
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_facts
from waiaas_migrate.sqlite.database.connection import database_name, main_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How far back: the last ``count`` migrations, or all that came after the migration ``to``."""

    count: int = 1
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """What a rollback did: the migrations in the order in which they were taken back, and what the user should know.

    ``backup`` is the one that was made before, where the database is a file that was named.
    """

    rolled_back: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    backup: Path | None = None


def rollback(
    connection: sqlite3.Connection,
    folder: MigrationFolder,
    *,
    count: int = 1,
    to: str | None = None,
    verify: bool = True,
    observe: Observe | None = None,
) -> RollbackResult:
    """Roll back the last ``count`` migrations, or all that came after the migration ``to``; all of them, or nothing.

    They are taken in the reverse of the folder's order, as yoyo does. ``verify``: the schema is compared before COMMIT
    with what the migrations that stay lead to. ``observe`` is told what happens, as it does.

    Raises:
        ApplyError: a rollback failed, left foreign keys without parents, or did not lead to the schema before it.
        UnknownMigrationsError: the database is ahead of the folder.
        UnsupportedError: one of the migrations has no rollback, or runs outside transactions.
        UsageError: ``to`` was not applied, or a transaction is open on the connection.
    """
    extent = Extent(count=count, to=to)
    with standard_settings(connection):
        chosen = chosen_of(connection, folder, extent)
        if not chosen:
            return RollbackResult()
        refuse_shadows(connection, folder.rollback(chosen))
        reversal = _Reversal(connection, folder, extent, observe, verify=verify)
        try:
            return reversal.run()
        except ApplyError as error:
            raise ApplyError(
                database=error.database,
                migration=error.migration,
                reason=error.reason,
                statement=error.statement,
                was_rolling_back=True,
            ) from error


class _Reversal:
    """One rollback. What is to be taken back is read anew under the lock, since another process may be at it too."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: MigrationFolder,
        extent: Extent,
        observe: Observe | None,
        *,
        verify: bool,
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._extent = extent
        self._observe = observe
        self._is_verified = verify
        self._steps = StepRunner(connection, folder.migrations, observe)

    def run(self) -> RollbackResult:
        """Take back what is to be taken back; again, where a light check of foreign keys proved not to be enough."""
        try:
            return self._run(check_all_keys=False)
        except FullCheckNeeded:
            return self._run(check_all_keys=True)

    def _run(self, *, check_all_keys: bool) -> RollbackResult:
        notices: list[str] = []
        lock = MigratingLock(main_file(self._connection))
        with lock, sole_transaction(self._connection, notices) as held:
            lock.announce()
            todo = chosen_of(self._connection, self._folder, self._extent)
            _refuse_unsupported(todo)
            self._steps.refuse_one_way(todo)
            self._steps.prepare_records()
            proof = self._proof(todo, held.facts)
            effects = None if check_all_keys else self._folder.rollback(todo)
            check = ForeignKeyCheck(self._connection, effects, held.facts)
            for number, migration in enumerate(todo, 1):
                check.announce(self._folder.facts(migration).rollback.unenforceable)
                self._tell(MigrationStarted(migration=migration.id, number=number, total=len(todo)))
                self._steps.run(migration, "rollback")
                self._steps.record(migration, "rollback")
                self._tell(MigrationFinished(migration=migration.id))
            names = tuple(migration.id for migration in todo)
            if names:
                notices.extend(check.finish(span(names)))
                notices.extend(self._verify(proof, names))
        self._tell(Committed(migrations=names))
        return RollbackResult(rolled_back=names, notices=tuple(notices))

    def _proof(self, todo: Sequence[MigrationFile], facts: CatalogFacts) -> SchemaProof | None:
        """Hold the schema against what the applied migrations make.

        Raises:
            DatabaseRefused: rolling back would lose what was changed by hand.
        """
        if not self._is_verified:
            return None
        proof = proof_of(self._connection, self._folder, self._applied(), facts)
        if proof is not None:
            proof.prepare(self._folder.rollback(todo))
        return proof

    def _applied(self) -> list[MigrationFile]:
        waiting = set(pending(self._connection, self._folder.ids))
        return [migration for migration in self._folder.migrations if migration.id not in waiting]

    def _verify(self, proof: SchemaProof | None, names: Sequence[str]) -> tuple[str, ...]:
        """Compare the schema with what the migrations that stay make, if they are the first of the folder."""
        if proof is None:
            return ()
        if found := proof.new(self._applied(), read_facts(self._connection)):
            what = f"the schema would not be the one that the migrations before it lead to: {listed(found)}"
            fix = (
                f"Mend {names[-1]}.rollback.sql, or what was changed by hand (`waiaas-migrate drift` says what); "
                f"--no-verify takes it back all the same."
            )
            name = database_name(self._connection)
            raise ApplyError(database=name, migration=span(names), reason=f"{what}. {fix}", was_rolling_back=True)
        return proof.notices

    def _tell(self, event: MigrationStarted | MigrationFinished | Committed) -> None:
        if self._observe is not None:
            self._observe(event)


def chosen_of(connection: sqlite3.Connection, folder: MigrationFolder, extent: Extent) -> list[MigrationFile]:
    """What would be rolled back, in its order.

    Raises:
        UnknownMigrationsError: the database is ahead of the folder.
        UsageError: ``extent.to`` was not applied.
    """
    waiting = set(pending(connection, folder.ids))
    applied = [migration for migration in folder.migrations if migration.id not in waiting]
    if extent.to is None:
        return applied[::-1][: max(extent.count, 0)]
    names = [migration.id for migration in applied]
    if extent.to not in names:
        raise UsageError(
            f"{extent.to} is not applied to {database_name(connection)}. Name one of: {', '.join(names) or 'none is'}."
        )
    return applied[names.index(extent.to) + 1 :][::-1]


def _refuse_unsupported(todo: Sequence[MigrationFile]) -> None:
    names = [migration.id for migration in todo if not migration.transactional]
    if names:
        raise UnsupportedError(
            f"{', '.join(names)}: runs outside a transaction (`transactional: false`), where a rollback that fails "
            f"half-way could not be undone. Nothing was rolled back. Use `yoyo rollback`, or restore a backup."
        )
