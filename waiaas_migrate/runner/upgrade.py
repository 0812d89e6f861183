"""The way to head: what is pending, batch by batch, each in a transaction of its own and proved before COMMIT."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.errors import ApplyError, DatabaseRefused, MigrateError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.migrating_lock import MigratingLock
from waiaas_migrate.runner.proof.foreign_keys import ForeignKeyCheck, FullCheckNeeded
from waiaas_migrate.runner.proof.preconditions import SchemaProof, listed, proof_of
from waiaas_migrate.runner.recovery import had_run, hint, recorded_late
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.runner.transaction import NotNeeded, migration_pragmas
from waiaas_migrate.runner.watching.events import Committed, MigrationFinished, MigrationStarted, Observe
from waiaas_migrate.runner.yoyo.applied import not_applied, pending, read_applied, read_records
from waiaas_migrate.runner.yoyo.lock_row import LockState, sole_transaction
from waiaas_migrate.runner.yoyo.records import records_version
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_catalog, read_facts
from waiaas_migrate.sqlite.database.connection import database_name, main_file, plain_errors
from waiaas_migrate.sqlite.planning.effects import Effects

#: Whether all pending migrations share one transaction, or each has its own.
Transaction = Literal["all", "each"]

_SHOWN = 5
#: Milliseconds that are long beside a run of so many statements that look at no row; a column takes a few of them where
#: there are a thousand tables.
_LONG, _FEW = 1000, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a run goes about it; the arguments of :func:`~waiaas_migrate.runner.apply.apply_pending`."""

    verify: bool = True
    transaction: Transaction = "all"
    observe: Observe | None = None
    #: The connection's busy timeout in milliseconds, where that is known.
    patience: int | None = None


class Upgrade:
    """One run. What is pending is read anew under the lock for every batch, since another process may be at it too."""

    def __init__(
        self, connection: sqlite3.Connection, folder: MigrationFolder, conduct: Conduct, todo: Sequence[str]
    ) -> None:
        """Begin a run, for which ``todo`` was pending a moment ago."""
        self.committed: list[str] = []
        self.notices: list[str] = []
        self._connection = connection
        self._folder = folder
        self._conduct = conduct
        self._steps = StepRunner(connection, (*folder.migrations, *folder.post_apply), conduct.observe)
        self._total = len(todo)
        #: What is pending once the present batch is applied.
        self._left: tuple[str, ...] = ()
        self._started = 0
        #: A light check of foreign keys proved not to be enough.
        self._check_all_keys = False

    def run(self) -> None:
        """Apply what is pending.

        Raises:
            MigrateError: says which migrations had been committed before.
        """
        try:
            with plain_errors(self._connection, doing="applying migrations"):
                while self._one_batch():
                    pass
                self._run_late_hooks()
        except MigrateError as error:
            error.after(self.committed)
            raise

    def _one_batch(self) -> bool:
        """Apply and commit the next batch; False where nothing is pending any more."""
        notices: list[str] = []
        started = self._started
        try:
            patience = self._conduct.patience
            with (
                MigratingLock(main_file(self._connection)) as work,
                sole_transaction(self._connection, notices, self._is_needed, patience=patience) as held,
            ):
                batch = self._next_batch(held, notices)
                if batch and batch[0].transactional:
                    self._run_together(batch, held.facts, notices, work)
        except NotNeeded:
            return False
        except FullCheckNeeded:
            self._check_all_keys, self._started = True, started
            return True
        except ApplyError as error:
            if (hinted := hint(error)) is error:
                raise
            raise hinted from error
        self.notices.extend(notices)
        if batch and not batch[0].transactional:
            self._run_alone(batch[0])
        elif batch:
            self._note_commit(batch)
        return bool(self._left)

    def _is_needed(self) -> bool:
        return bool(pending(self._connection, self._folder.ids))

    def _next_batch(self, held: LockState, notices: list[str]) -> tuple[MigrationFile, ...]:
        """What is to be run together, now that nobody else can; yoyo's tables exist then."""
        names = self._pending()
        todo = self._folder.named(names)
        if todo and held.yoyo_was_killed and self._take_over(todo[0], names, notices):
            todo = todo[1:]
        batch = todo[:1]
        if batch and batch[0].transactional and self._conduct.transaction == "all":
            batch = tuple(itertools.takewhile(lambda migration: migration.transactional, todo))
        self._left = tuple(migration.id for migration in todo[len(batch) :])
        return batch

    def _pending(self) -> tuple[str, ...]:
        """What nobody else has applied meanwhile; if there is something, yoyo's tables exist and are up to date."""
        records = read_records(self._connection)
        if records is not None and records.version == records_version():
            return not_applied(self._connection, records.applied, self._folder.ids)
        names = pending(self._connection, self._folder.ids)
        if names:
            refuse_unrecorded_tables(self._connection, self._folder)
            self._steps.prepare_records()
        return names

    # --- a batch in a transaction -------------------------------------------------------------------------------------

    def _run_together(
        self, batch: Sequence[MigrationFile], facts: CatalogFacts, notices: list[str], work: MigratingLock
    ) -> None:
        proof = self._proof(batch, facts)
        if not self._is_soon_over(batch, facts):
            work.announce()
        check = ForeignKeyCheck(self._connection, self._repeatable(batch), facts)
        for migration in batch:
            check.announce(self._folder.facts(migration).forward.unenforceable)
            self._began(migration)
            self._steps.run(migration, "apply")
            self._steps.record(migration, "apply")
            self._finished(migration)
        after = read_facts(self._connection)
        notices.extend(check.finish(span([migration.id for migration in batch]), after))
        self._run_hooks()  # which may take away what earlier ones made
        notices.extend(self._verify(proof, batch, after))

    def _is_soon_over(self, batch: Sequence[MigrationFile], facts: CatalogFacts) -> bool:
        """Whether nothing that is done with ``batch`` takes the longer the more rows there are.

        That is what a look at foreign keys does, and what may be a hook, or a backup that somebody makes who hears of
        the run. To a STRICT table SQLite adds no column without a look at its rows, since 3.53.
        """
        effects = self._folder.forward(batch)
        looks_at_keys = facts.has_keys and (self._check_all_keys or any(one.may_break_keys for one in effects))
        if looks_at_keys or facts.has_strict or self._conduct.observe is not None or self._folder.post_apply:
            return False
        timeout, statements = self._conduct.patience, sum(len(migration.statements) for migration in batch)
        if timeout is None or timeout < _LONG or statements > _FEW:
            return False
        return all(one.is_constant and not one.may_change_rows and not one.may_lose for one in effects)

    def _repeatable(self, batch: Sequence[MigrationFile]) -> list[Effects] | None:
        """The effects of what will run, if a light check of foreign keys may have it run again."""
        return None if self._check_all_keys else self._folder.forward(batch)

    def _proof(self, batch: Sequence[MigrationFile], facts: CatalogFacts) -> SchemaProof | None:
        """Hold the schema against what the applied migrations make, before the first of those that are pending.

        Raises:
            DatabaseRefused: they would lose what was changed by hand.
        """
        if not self._conduct.verify:
            return None
        names = (*(migration.id for migration in batch), *self._left)
        waiting = frozenset(names)
        applied = [migration for migration in self._folder.migrations if migration.id not in waiting]
        proof = proof_of(self._connection, self._folder, applied, facts)
        if proof is not None:
            proof.prepare(self._folder.forward(self._folder.named(names)))
        return proof

    def _verify(
        self, proof: SchemaProof | None, batch: Sequence[MigrationFile], facts: CatalogFacts
    ) -> tuple[str, ...]:
        """Compare the schema with what the migrations make, and say what differs as before.

        The cost does not grow with the rows. ``facts`` are those before hooks, so that these cost nothing.
        """
        if proof is None:
            return ()
        if found := proof.new(self._done(batch), facts):
            what = f"the schema would not be the one that the migrations lead to: {listed(found)}"
            fix = "Correct the migration, or undo what was changed by hand (`waiaas-migrate drift` lists it)."
            name = span([migration.id for migration in batch])
            raise ApplyError(database=database_name(self._connection), migration=name, reason=f"{what}. {fix}")
        return proof.notices

    def _done(self, batch: Sequence[MigrationFile]) -> tuple[MigrationFile, ...]:
        """What is applied by now; the records are read only if a migration may have written there."""
        if any(one.may_change_rows for one in self._folder.forward(batch)):
            return self._applied()
        waiting = frozenset(self._left)
        return tuple(migration for migration in self._folder.migrations if migration.id not in waiting)

    def _applied(self) -> tuple[MigrationFile, ...]:
        waiting = set(pending(self._connection, self._folder.ids))
        return tuple(migration for migration in self._folder.migrations if migration.id not in waiting)

    def _run_hooks(self) -> None:
        """Run the hooks that may share the last transaction."""
        if self._folder.post_apply and not pending(self._connection, self._folder.ids):
            for hook in self._folder.post_apply:
                if hook.transactional:
                    self._steps.run(hook, "apply")
                    self._steps.log(hook)

    # --- outside transactions -----------------------------------------------------------------------------------------

    def _run_alone(self, migration: MigrationFile) -> None:
        """Run a migration that cannot run in a transaction, and record it when it is done."""
        with self._alone(), migration_pragmas(self._connection):
            if migration.id not in pending(self._connection, self._folder.ids):
                return
            proof = self._proof([migration], read_facts(self._connection))
            check = ForeignKeyCheck(self._connection)
            check.announce(self._folder.facts(migration).forward.unenforceable)
            self._began(migration)
            self._steps.run(migration, "apply")
            with sole_transaction(self._connection, self.notices):
                self._steps.record(migration, "apply")
                self._finished(migration)
                self._run_hooks()
        self._note_commit([migration])
        try:
            self.notices.extend(check.finish(migration.id))
            self.notices.extend(self._verify(proof, [migration], read_facts(self._connection)))
        except ApplyError as error:
            name, reason = error.migration, error.reason
            raise ApplyError(database=error.database, migration=name, reason=reason, rolled_back=False) from error

    def _alone(self) -> MigratingLock:
        lock = MigratingLock(main_file(self._connection))
        lock.take_alone(self._connection)
        return lock

    def _run_late_hooks(self) -> None:
        late = [hook for hook in self._folder.post_apply if not hook.transactional]
        for hook in late if self.committed else ():
            with self._alone(), migration_pragmas(self._connection):
                self._steps.run(hook, "apply")
            with sole_transaction(self._connection, self.notices):
                self._steps.log(hook)

    # --- after plain yoyo's crash -------------------------------------------------------------------------------------

    def _take_over(self, first: MigrationFile, names: Collection[str], notices: list[str]) -> bool:
        """Record ``first`` if plain yoyo ran it before it was killed; return whether it did."""
        waiting = frozenset(names)
        applied = [migration for migration in self._folder.migrations if migration.id not in waiting]
        if not had_run(self._connection, applied, first, self._folder.facts(first).forward, self._folder.others):
            return False
        self._steps.mark(first)
        notices.append(recorded_late(first.id))
        return True

    # --- telling ------------------------------------------------------------------------------------------------------

    def _began(self, migration: MigrationFile) -> None:
        self._started += 1
        if self._conduct.observe is not None:
            event = MigrationStarted(migration=migration.id, number=self._started, total=self._total)
            self._conduct.observe(event)

    def _finished(self, migration: MigrationFile) -> None:
        if self._conduct.observe is not None:
            self._conduct.observe(MigrationFinished(migration=migration.id))

    def _note_commit(self, batch: Iterable[MigrationFile]) -> None:
        names = tuple(migration.id for migration in batch)
        self.committed.extend(names)
        if self._conduct.observe is not None:
            self._conduct.observe(Committed(migrations=names))


def span(names: Sequence[str]) -> str:
    """What a batch is called in messages."""
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def refuse_unrecorded_tables(connection: sqlite3.Connection, folder: MigrationFolder) -> None:
    """Refuse tables that no migration is known to have made, unless they belong to other tools.

    Raises:
        DatabaseRefused: names them.
    """
    if read_applied(connection) is not None:
        return
    others = folder.others.except_for(folder.tables)
    tables = [row.name for row in others.without(read_catalog(connection)) if row.kind == "table"]
    # Asked again, since another connection may have made both in the meantime.
    if tables and read_applied(connection) is None:
        shown = ", ".join(tables[:_SHOWN]) + (" …" if len(tables) > _SHOWN else "")
        raise DatabaseRefused(
            f"{database_name(connection)}: holds tables ({shown}) but no record of migrations, so that nobody knows "
            f"which of them were run. Nothing was changed. Use another file; or, where `waiaas-migrate diff` finds no "
            f"difference between it and the migrations, note those as applied: "
            f"`yoyo mark --batch --database waiaas:///FILE MIGRATIONS`."
        )


def refuse_shadows(connection: sqlite3.Connection, effects: Sequence[Effects]) -> None:
    """Refuse a connection with temporary objects that hide those of the database from statements that name them.

    What a run of these ``effects`` makes is hidden no less than what is there. Temporary triggers on a table that it
    touches would fire, and go with the table if that is rebuilt. If nobody knows what it touches, any of them may.

    Raises:
        DatabaseRefused: names them.
    """
    query = "SELECT name, tbl_name FROM sqlite_temp_master WHERE sql IS NOT NULL"
    temporary: dict[str, str] = dict(connection.execute(query).fetchall())
    if not temporary:
        return
    touched = {fold(name) for one in effects for name, _ in one.tables or ()}
    there = {name.lower() for (name,) in connection.execute("SELECT name FROM main.sqlite_master")}
    is_known = all(one.is_known for one in effects)
    refused = [
        name
        for name, table in temporary.items()
        if not is_known or fold(name) in there | touched or (table not in temporary and fold(table) in touched)
    ]
    if refused:
        raise DatabaseRefused(
            f"{database_name(connection)}: this connection has temporary objects of these names: "
            f"{', '.join(refused)}. Nothing was changed. Drop them, or migrate on another connection."
        )
