"""The steps that each run of migrations needs, forward or back: backup, records, checks, events, interruption.

``apply.py``, ``rollback.py`` and ``redo.py`` build on :class:`Run` and choose the migrations.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

from waiaas_migrate.errors import ApplyError, MigrateError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, migration_hash
from waiaas_migrate.runner.backups.backup import back_up, prune
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.options import BackupWhen, RunOptions
from waiaas_migrate.runner.proof.differences import listed
from waiaas_migrate.runner.proof.foreign_key_check import ForeignKeyCheck
from waiaas_migrate.runner.proof.schema_proof import SchemaProof, proof_of
from waiaas_migrate.runner.steps import Direction, StepRunner
from waiaas_migrate.runner.watching.events import Committed, MigrationFinished, MigrationStarted, Progress
from waiaas_migrate.runner.watching.interruption import Interrupted, release_statements, was_interrupted
from waiaas_migrate.runner.watching.monitor import Monitor
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_catalog, read_facts
from waiaas_migrate.sqlite.database.connection import database_name, main_file, open_read_only
from waiaas_migrate.sqlite.database.url import Database
from waiaas_migrate.sqlite.planning.effects import WORST_CASE, Effects


class Run:
    """Runs migrations in one direction: backs up, records, checks foreign keys, verifies, and sends events.

    As a context manager, it monitors the connection and removes surplus backups. It also adds the committed migrations
    and the backup to any error.

    Args:
        connection: the database.
        folder: its migrations.
        options: how to run.
        direction: ``apply`` or ``rollback``.
        todo: the migrations to run, as read before the run takes the write lock.
        interruption: receives the ids of ``todo``; None if the connection belongs to an application, whose progress
            handler must stay.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: MigrationFolder,
        options: RunOptions,
        direction: Direction,
        todo: Sequence[MigrationFile],
        interruption: report_interruption | None = None,
    ) -> None:
        self.connection, self.folder, self.options, self.direction = connection, folder, options, direction
        self.committed: list[str] = []
        self.notices: list[str] = []
        #: The path of the backup, once it is made.
        self.backup: Path | None = None
        self._monitor = Monitor(connection, options.listener, options.stop, is_attached=interruption is not None)
        listener = None if options.listener is None else self._monitor.send
        self.steps = StepRunner(connection, (*folder.migrations, *folder.post_apply), listener)
        #: Whether the run rolls back migrations, which deletes data written since. If so, each error names the backup.
        self._deletes_data = direction == "rollback"
        effects = [WORST_CASE] * len(todo) if self._deletes_data else folder.forward(todo)
        self.wants_backup = wants_backup(connection, effects, options.backup)
        self._started, self._total = 0, len(todo)
        if interruption is not None:
            interruption.todo = [migration.id for migration in todo]

    def __enter__(self) -> Self:
        self._monitor.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._monitor.__exit__()
        if isinstance(error, MigrateError):
            has_changed = bool(self.committed) or not error.rolled_back
            backup = self.backup if has_changed or self._deletes_data else None
            error.note_committed(self.committed, backup, database_name(self.connection))
        if self.backup is not None:
            prune(Path(main_file(self.connection)), _last_applied)

    def effects(self, migrations: Sequence[MigrationFile]) -> list[Effects]:
        """Return the effects of each of ``migrations`` in the direction of this run."""
        return self.folder.forward(migrations) if self.direction == "apply" else self.folder.rollback(migrations)

    def run_together(self, batch: Sequence[MigrationFile], check: ForeignKeyCheck) -> CatalogFacts:
        """Run and record ``batch`` in the open transaction, check foreign keys, and return the catalog's new facts.

        Raises:
            ApplyError: a migration failed, or added foreign key violations.
        """
        self._started = len(self.committed)
        check.begin()
        for migration in batch:
            self.run_one(migration, check)
            self.record(migration)
        after = read_facts(self.connection)
        self.notices.extend(check.finish(batch_name(batch), after))
        return after

    def run_one(self, migration: MigrationFile, check: ForeignKeyCheck) -> None:
        """Run ``migration``; before the first one, back up the database if the run needs a backup."""
        check.announce(self.effects([migration])[0].unenforceable)
        self._back_up(migration.id)
        self._started += 1
        self._monitor.send(MigrationStarted(migration=migration.id, number=self._started, total=self._total))
        self.steps.run(migration, self.direction)

    def record(self, migration: MigrationFile) -> None:
        """Record that ``migration`` was applied or rolled back."""
        self.steps.record(migration, self.folder, self.direction)
        self._monitor.send(MigrationFinished(migration=migration.id))

    def note_commit(self, batch: Sequence[MigrationFile]) -> None:
        """Note that ``batch`` was committed."""
        names = tuple(migration.id for migration in batch)
        self.committed.extend(names)
        self._monitor.send(Committed(migrations=names))

    def prove(
        self, applied: Sequence[MigrationFile], todo: Sequence[MigrationFile], facts: CatalogFacts
    ) -> SchemaProof | None:
        """Compare the schema with the one that ``applied`` build, and call :meth:`SchemaProof.prepare` for ``todo``.

        Pass the result to :meth:`verify` after the run. The result is None if the run doesn't verify the schema, or if
        the manifest records no schema.

        Raises:
            DatabaseRefused: manual changes would be lost.
        """
        proof = proof_of(self.connection, self.folder, applied, facts) if self.options.verify else None
        if proof is not None:
            proof.prepare(self.effects(todo))
        return proof

    def verify(
        self,
        proof: SchemaProof | None,
        batch: Sequence[MigrationFile],
        applied: Sequence[MigrationFile],
        facts: CatalogFacts,
    ) -> None:
        """Compare the schema after ``batch`` with the one that ``applied`` build; the cost doesn't grow with the rows.

        Raises:
            ApplyError: ``batch`` added differences.
        """
        if proof is None:
            return
        if not (found := proof.new_differences(applied, facts)):
            self.notices.extend(proof.notices)
            return
        wanted, file, otherwise = "the migrations", "the migration", ""
        if self.direction == "rollback":
            wanted, file = "the remaining migrations", f"{batch[-1].id}.rollback.sql"
            otherwise = "; --no-verify rolls back anyway"
        reason = (
            f"the schema would differ from the one that {wanted} build: {listed(found)}. "
            f"Correct {file}, or undo the manual change (`waiaas-migrate drift` lists it){otherwise}."
        )
        raise ApplyError(database=database_name(self.connection), migration=batch_name(batch), reason=reason)

    def _back_up(self, migration: str) -> None:
        """Back up the committed state, if the run needs a backup and has neither made one nor committed anything."""
        if not self.wants_backup or self.committed or self.backup is not None:
            return
        self._monitor.start(Progress(migration=migration, words="backup", unit="pages"))
        file = Path(main_file(self.connection))
        self.backup = back_up(file, _last_applied(self.connection), listener=self._monitor.note_pages).path


def batch_name(batch: Sequence[MigrationFile]) -> str:
    """Return the name of a batch in messages: its first and last migration."""
    return batch[0].id if len(batch) == 1 else f"{batch[0].id} to {batch[-1].id}"


def wants_backup(connection: sqlite3.Connection, effects: Sequence[Effects], when: BackupWhen) -> bool:
    """Return whether a run with these ``effects`` makes a backup; False for a database without tables, or in memory."""
    if when == "never" or not effects or not (when == "always" or any(one.may_lose for one in effects)):
        return False
    return bool(main_file(connection)) and any(row.kind == "table" for row in read_catalog(connection))


def _last_applied(connection: sqlite3.Connection) -> str:
    applied = read_applied(connection) or ()
    return applied[-1].id if applied else ""


class report_interruption:  # noqa: N801 — a context manager; in a generator, Ctrl-C could come at more points
    """If Ctrl-C or a stop request ends a run, raise Interrupted, which says what was committed.

    Set ``todo`` to the ids of the migrations that will run. The committed migrations are read on another connection,
    since closing the run's connection may take long, and may be interrupted, too.
    """

    def __init__(self, database: Database, *, was_rolling_back: bool = False) -> None:
        self._database, self._was_rolling_back = database, was_rolling_back
        self.todo: Sequence[str] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, KeyboardInterrupt | MigrateError | sqlite3.Error):
            return
        if not self.todo or not was_interrupted(error):
            return
        release_statements(error)
        recorded = _recorded_hashes(self._database)
        done = [name for name in self.todo if (migration_hash(name) in (recorded or ())) != self._was_rolling_back]
        raise Interrupted(
            self._database.name,
            () if recorded is None else done,
            was_rolling_back=self._was_rolling_back,
            cause=error if isinstance(error, ApplyError) else None,
            is_complete=recorded is not None and len(done) == len(self.todo),
            is_known=recorded is not None,
        ) from error


def _recorded_hashes(database: Database) -> set[str] | None:
    """Return yoyo's hashes of the recorded migrations; None if they can't be read."""
    if database.file is None:  # a database in memory is gone once its connection closes
        return set()
    try:
        with closing(open_read_only(database)) as connection:
            return {row.hash for row in read_applied(connection) or ()}
    except (MigrateError, sqlite3.Error):  # another connection may lock the database, or the disk may fail
        return None
