"""Adopt a database: prove that its schema is the one that the migrations build, and record them as applied."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from waiaas_migrate.errors import DatabaseRefused, ProofError, UsageError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.migrating_lock import MigratingLock, retry_while_migrating
from waiaas_migrate.runner.mismatch import find_pending
from waiaas_migrate.runner.proof.differences import Difference, differences, listed, made_by_hooks, matching_migrations
from waiaas_migrate.runner.proof.reword import Definition, find_new_texts, write_texts
from waiaas_migrate.runner.run import report_interruption
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.runner.transaction import standard_settings
from waiaas_migrate.runner.watching.interruption import ReplayInterrupted
from waiaas_migrate.runner.yoyo.applied import cached_hash
from waiaas_migrate.runner.yoyo.identity import read_identities, write_identity
from waiaas_migrate.runner.yoyo.lock_row import sole_transaction
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import (
    connect_file,
    database_name,
    main_file,
    open_read_only,
    plain_errors,
)
from waiaas_migrate.sqlite.database.pragmas import wait_timeout
from waiaas_migrate.sqlite.database.url import Database, StrPath, database_path
from waiaas_migrate.sqlite.reading.virtual_tables import known_shadow_names

#: The migrations that somebody marked as applied with plain yoyo. Beside ``max()``, SQLite takes the other columns from
#: the row with the maximum (https://www.sqlite.org/lang_select.html#bareagg). ``applied.py`` explains at ``_ROWS`` why
#: T is replaced.
_MARKED = """SELECT migration_hash FROM (
    SELECT migration_hash, operation, max(replace(created_at_utc, 'T', ' ')) FROM main._yoyo_log GROUP BY migration_hash
) WHERE operation = 'mark'"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """The changes that an adoption made, or would make; nothing changes if the database differs from the migrations.

    Args:
        at: the last of the migrations that the database was compared with.
        recorded: the migrations that were recorded as applied.
        completed: the migrations that plain yoyo had recorded, and whose texts were now recorded, too.
        reworded: the tables and other objects whose definition now has the text in the migrations.
        pending: the migrations that are not applied.
        differences: the differences between the database and the migrations.
        equal_to: if there are differences, the migrations after which the schema matches, latest first.
        notices: warnings for the user.
    """

    at: str
    recorded: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    reworded: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    equal_to: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Return whether nothing is recorded or reworded."""
        return not (self.recorded or self.completed or self.reworded)


def adopt_in(database: StrPath, folder: MigrationFolder, *, at: str | None = None, dry_run: bool = False) -> Adoption:
    """Prove that the schema of ``database`` is the one that the migrations build, and record them as applied.

    Only the text of the catalog and the records change, in one transaction. Rows don't change.

    Args:
        database: a path or URL.
        folder: the migrations.
        at: the last migration to record; by default the last recorded one or, if none is recorded, the last of all.
        dry_run: write nothing.

    Raises:
        DatabaseFileError: the file is missing, or can't be used.
        DatabaseRefused: the database has records of other migrations, or no tables.
        UsageError: there are no migrations, ``at`` is not one, or ``at`` is earlier than one that is recorded.
        Interrupted, ReplayInterrupted: Ctrl-C ended the run.
    """
    target = replace(database_path(database), existed_before=True)
    return retry_while_migrating(target, lambda: _adopt_file(target, folder, at, dry_run=dry_run))


def _adopt_file(database: Database, folder: MigrationFolder, at: str | None, *, dry_run: bool) -> Adoption:
    try:
        with closing(open_read_only(database)) as reading, plain_errors(database.name, doing="reading it"):
            reading.execute("BEGIN")
            planned, _ = _plan(reading, folder, at)
    except KeyboardInterrupt as error:  # Ctrl-C ended a replay
        raise ReplayInterrupted(f"Interrupted: {database.name} is unchanged.") from error
    if dry_run or planned.changes_nothing:
        return planned
    with (
        report_interruption(database) as interruption,
        closing(connect_file(database, timeout=wait_timeout(folder.pragmas))) as connection,
        plain_errors(database.name, doing="adopting it"),
        standard_settings(connection),
    ):
        interruption.todo = [*planned.recorded, *planned.completed]
        return _adopt(connection, folder, at)


def _plan(
    connection: sqlite3.Connection, folder: MigrationFolder, at: str | None
) -> tuple[Adoption, dict[Definition, str]]:
    """Return the adoption to carry out, or the differences that prevent it, and the new texts of definitions."""
    pending = find_pending(connection, folder, verify=False)
    recorded = folder.without(pending)
    if not recorded and not folder.other_tools.with_declared(folder.tables).exclude_from(read_catalog(connection)):
        raise DatabaseRefused(
            f"{database_name(connection)}: has no tables, so there is nothing to adopt. Run `waiaas-migrate apply`."
        )
    target = _choose_target(connection, folder, recorded, at)
    plan = Adoption(at=target[-1].id, pending=tuple(one.id for one in folder.migrations if one not in target))
    if found := differences(connection, target, folder):
        recorded_ids = {one.id for one in recorded}
        matching = matching_migrations(connection, folder)
        equal_to = tuple(name for name in matching if recorded_ids <= set(folder.ids[: folder.ids.index(name) + 1]))
        return replace(plan, differences=tuple(found), equal_to=equal_to), {}
    identities = read_identities(connection)
    rows = read_catalog(connection)
    subjects = {(row.kind, fold(row.name)) for row in rows if not row.is_virtual}
    subjects -= {("table", name) for name in known_shadow_names(rows)} | made_by_hooks(folder)
    new_texts, unchanged_tables = find_new_texts(connection, target, subjects)
    plan = replace(
        plan,
        recorded=tuple(one.id for one in target if one.id in pending),
        completed=tuple(one.id for one in recorded if cached_hash(one.id) not in identities),
        reworded=tuple(name for _, name in new_texts),
    )
    return replace(plan, notices=tuple(_notices(plan, folder, unchanged_tables))), new_texts


def _choose_target(
    connection: sqlite3.Connection, folder: MigrationFolder, recorded: Sequence[MigrationFile], at: str | None
) -> tuple[MigrationFile, ...]:
    """Return all migrations that the database must have recorded after the adoption."""
    if not folder.ids:
        raise UsageError(f"There are no migrations in {folder.path}. Run `waiaas-migrate generate` first.")
    if at is None:
        return tuple(recorded) or folder.migrations
    if at not in folder.ids:
        raise UsageError(f"{at} is not a migration in {folder.path}. Name one of: {', '.join(folder.ids)}.")
    target = folder.migrations[: folder.ids.index(at) + 1]
    later = [one.id for one in recorded if one not in target]
    if later:
        raise UsageError(
            f"{database_name(connection)}: {later[-1]}, which comes after {at}, is recorded as applied. Leave out "
            f"--at, or roll {later[-1]} back with `waiaas-migrate rollback`."
        )
    return target


def _notices(plan: Adoption, folder: MigrationFolder, unchanged_tables: Sequence[str]) -> Iterator[str]:
    to_record = folder.named(plan.recorded)
    change_rows = [one.id for one in to_record if folder.manifest and folder.facts(one).forward.may_change_rows]
    if change_rows:
        names = ", ".join(change_rows)
        yield f"these migrations change rows, but were recorded without running: {names}. Check those changes."
    if to_record and folder.post_apply and not plan.pending:
        yield "post-apply hooks did not run. `apply` runs them after the next migration."
    if unchanged_tables:
        names = ", ".join(unchanged_tables)
        yield f"these tables keep their CREATE TABLE text, since their columns or keys are in another order: {names}."


def _adopt(connection: sqlite3.Connection, folder: MigrationFolder, at: str | None) -> Adoption:
    """Carry out an adoption; plan it again under the write lock, since another process may have written."""
    notices: list[str] = []
    with MigratingLock(main_file(connection)) as lock, sole_transaction(connection, notices):
        lock.announce()
        plan, texts = _plan(connection, folder, at)
        if not plan.changes_nothing:
            _record(connection, folder, plan)
        if texts:
            if not write_texts(connection, texts):
                plan = replace(plan, reworded=())
                notices.append("definitions keep their text: this SQLite doesn't let anybody edit the catalog.")
            if found := differences(connection, folder.without(plan.pending), folder):
                raise ProofError(
                    f"{database_name(connection)}: with the texts in the migrations, the schema would differ: "
                    f"{listed(found)}. Nothing was changed. Please report this."
                )
    return replace(plan, notices=(*plan.notices, *notices))


def _record(connection: sqlite3.Connection, folder: MigrationFolder, plan: Adoption) -> None:
    steps = StepRunner(connection, folder.migrations)
    steps.prepare_records()
    for migration in folder.named(plan.recorded):
        steps.record(migration, folder, "mark", was_adopted=True)
    marked = {key for (key,) in connection.execute(_MARKED)}
    for migration in folder.named(plan.completed):
        write_identity(connection, migration, folder, was_adopted=cached_hash(migration.id) in marked)
