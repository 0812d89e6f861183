"""One run of ``apply`` or ``rollback`` on a database that is named: backed up, watched, and stopped where asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from waiaas_migrate.errors import ApplyError, MigrateError
from waiaas_migrate.files.migration_dir.migration_files import migration_hash
from waiaas_migrate.runner.apply import ApplyResult, apply_todo
from waiaas_migrate.runner.backups.backup import Backup, back_up, prune
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.migrating_lock import retry_while_migrating
from waiaas_migrate.runner.rollback import Extent, RollbackResult, chosen_of, rollback
from waiaas_migrate.runner.transaction import standard_settings
from waiaas_migrate.runner.upgrade import Conduct, Transaction, refuse_shadows
from waiaas_migrate.runner.watching.events import (
    Committed,
    Event,
    MigrationFinished,
    MigrationStarted,
    StatementStarted,
)
from waiaas_migrate.runner.watching.progress import Interrupted, Meter, Progress, Stop, Tell, was_interrupted
from waiaas_migrate.runner.yoyo.applied import pending, read_applied
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import (
    apply_layout_pragmas,
    apply_pragmas,
    connect_file,
    database_name,
    main_file,
    open_read_only,
    plain_errors,
    wait_timeout,
)
from waiaas_migrate.sqlite.database.url import Database, database_path
from waiaas_migrate.sqlite.planning.effects import WORST_CASE, Effects

ResultT = TypeVar("ResultT", ApplyResult, RollbackResult)

#: The statements of each migration that is going to run, by id.
_Statements = Mapping[str, tuple[str, ...]]

#: Whether a run that changes a database which is there begins with a backup: ``auto`` where it could lose something.
When = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run: whether the result is compared with the recorded schema, when to back up, and what commits alone."""

    verify: bool = True
    backup: When = "auto"
    transaction: Transaction = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who looks on: ``tell`` hears how far it is, ``stop`` says when it shall end."""

    tell: Tell | None = None
    stop: Stop | None = None


def apply_to(
    database: str,
    migrations: Path | MigrationFolder,
    *,
    options: RunOptions = RunOptions(),
    watch: Watch = Watch(),
    may_make: bool = True,
) -> ApplyResult:
    """Open ``database``, apply what is pending of the folder ``migrations``, set its PRAGMAs, and close it.

    A file that is not there is made where ``may_make``.

    Raises:
        DatabaseFileError: the file cannot be used.
        MigrationsError: the folder cannot be used.
        DatabaseRefused: the database, or what is in it, refused, or there is no room for its backup; it is as it was.
        Interrupted: it was stopped from outside.
    """
    folder = migrations if isinstance(migrations, MigrationFolder) else read_folder(migrations)
    timeout = wait_timeout(folder.pragmas)
    run = _Run(folder=folder, options=options, watch=watch, patience=int(timeout * 1000))
    place = database_path(database)
    if not may_make:
        place = replace(place, was_there=True)
    return retry_while_migrating(place, lambda: _apply_once(place, run, timeout))


def _apply_once(place: Database, run: _Run, timeout: float) -> ApplyResult:
    folder, database, pragmas = run.folder, place.name, run.folder.pragmas
    if run.watch is not None and run.watch.stop is not None and run.watch.stop.is_set():
        raise Interrupted(database)  # while others worked
    # The last to close a database moves its WAL into it; where others have it open, it stays with them
    # (https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files).
    with (
        report_interruption(database) as todo,
        closing(connect_file(place, timeout=timeout, probe=False)) as connection,
    ):
        with plain_errors(database, doing="opening it"):
            apply_layout_pragmas(connection, pragmas)
            todo.extend(pending(connection, folder.ids))
        with plain_errors(database, doing="applying migrations"):
            result = run.on(connection, todo)
            try:
                apply_pragmas(connection, pragmas, database)
            except MigrateError as error:
                error.after(result.applied)
                raise
    return result


def run_pending(
    connection: sqlite3.Connection,
    folder: MigrationFolder,
    *,
    options: RunOptions = RunOptions(),
    is_plain: bool = False,
) -> ApplyResult:
    """Apply what is pending on a connection of the caller's, with a backup before it as in :func:`apply_to`.

    The connection's settings stay the caller's. ``is_plain``: nobody has given it collations, functions or a progress
    handler of their own, so that Ctrl-C can end a statement.

    Raises:
        DatabaseRefused: the database, or what is in it, refused, or there is no room for its backup; it is as it was.
        UsageError: a transaction is open on the connection.
        Interrupted: Ctrl-C ended a statement.
    """
    with standard_settings(connection):
        todo = pending(connection, folder.ids)
        if not todo:
            return ApplyResult()
        refuse_shadows(connection, folder.forward(folder.named(todo)))
        if not is_plain:
            return _Run(folder=folder, options=options).on(connection, todo)
        with report_interruption(database_name(connection)) as listed:
            listed.extend(todo)
            return _Run(folder=folder, options=options, watch=Watch()).on(connection, todo)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What a run needs to know besides its connection; without ``watch`` its progress handler is left alone.

    ``patience`` is the connection's busy timeout in milliseconds, where that is known.
    """

    folder: MigrationFolder
    options: RunOptions
    watch: Watch | None = None
    patience: int | None = None

    def on(self, connection: sqlite3.Connection, todo: Sequence[str]) -> ApplyResult:
        """Apply what is pending, which was ``todo`` a moment ago."""
        if not todo:
            empty = () if self.folder.migrations else (f"There are no migrations in {self.folder.path}.",)
            return ApplyResult(notices=empty)
        pending_files = self.folder.named(todo)
        wanted = wants_backup(connection, self.folder.forward(pending_files), self.options.backup)
        statements = {file.id: file.statements for file in pending_files}
        watched = _watched(connection, statements, self.watch, wants_backup=wanted)
        with watched as observer:
            conduct = Conduct(
                verify=self.options.verify,
                transaction=self.options.transaction,
                observe=observer,
                patience=self.patience,
            )
            done = apply_todo(connection, self.folder, conduct, todo)
        return _with_backup(done, observer)


def roll_back_in(
    database: str, migrations: Path, extent: Extent, *, options: RunOptions = RunOptions(), watch: Watch = Watch()
) -> RollbackResult:
    """Open ``database``, take back the last migrations of the folder ``migrations``, and close it.

    What migrations brought goes with what was written there since, so that ``auto`` backs up as ``always`` does. All
    are taken back in one transaction, whatever ``options`` say.

    Raises:
        DatabaseFileError: the file is missing, or cannot be used.
        MigrationsError: the folder cannot be used.
        UnsupportedError: one of the migrations has no rollback, or runs outside transactions.
        UsageError: ``extent`` names a migration that was not applied.
        DatabaseRefused: the database, or what is in it, refused, or there is no room for its backup; it is as it was.
        Interrupted: it was stopped from outside.
    """
    folder = read_folder(migrations)
    return retry_while_migrating(
        database_path(database), lambda: _roll_back_once(database, folder, extent, options, watch)
    )


def _roll_back_once(
    database: str, folder: MigrationFolder, extent: Extent, options: RunOptions, watch: Watch
) -> RollbackResult:
    with closing(open_read_only(database)) as reading:  # and so none is made where there is none
        chosen = chosen_of(reading, folder, extent)
    with (
        report_interruption(database, was_rolling_back=True) as todo,
        closing(connect_file(database, timeout=wait_timeout(folder.pragmas))) as connection,
        plain_errors(database, doing="rolling migrations back"),
        _watched(
            connection,
            {file.id: file.rollback_statements for file in chosen},
            watch,
            wants_backup=wants_backup(connection, [WORST_CASE] if chosen else [], options.backup),
        ) as observer,
    ):
        todo.extend(file.id for file in chosen)
        done = rollback(connection, folder, count=extent.count, to=extent.to, verify=options.verify, observe=observer)
    return _with_backup(done, observer)


class _watched:  # noqa: N801 — a context manager; a generator takes thrice as long, which a fleet notices
    """Who hears the events of a run, if anybody need; without ``watch`` the progress handler is left alone."""

    def __init__(
        self, connection: sqlite3.Connection, statements: _Statements, watch: Watch | None, *, wants_backup: bool
    ) -> None:
        tell, stop = (None, None) if watch is None else (watch.tell, watch.stop)
        self._meter = Meter(connection, tell=tell, stop=stop)
        self._is_watched = watch is not None
        self._observer: _Observer | None = None
        if wants_backup or tell:
            self._observer = _Observer(connection, statements, self._meter, wants_backup=wants_backup)

    def __enter__(self) -> _Observer | None:
        if self._is_watched:
            self._meter.watch()
        return self._observer

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._is_watched:
            self._meter.leave()
        if self._observer is not None:
            self._observer.ends(error)


def _with_backup(result: ResultT, observer: _Observer | None) -> ResultT:
    """What a run did, with the backup that it made, if it made one."""
    return result if observer is None or observer.backup is None else replace(result, backup=observer.backup.path)


def wants_backup(connection: sqlite3.Connection, effects: Sequence[Effects], when: When) -> bool:
    """Whether a run of these ``effects`` on this database begins with a backup; one without tables needs none."""
    if when == "never" or not effects or not (when == "always" or any(one.may_lose for one in effects)):
        return False
    return bool(main_file(connection)) and any(row.kind == "table" for row in read_catalog(connection))


class _Observer:
    """Hears the events of a run: backs up before the first migration, and says in words what goes on."""

    def __init__(
        self, connection: sqlite3.Connection, statements: _Statements, meter: Meter, *, wants_backup: bool
    ) -> None:
        self.backup: Backup | None = None
        self._connection = connection
        self._meter = meter
        self._wants_backup = wants_backup
        self._backed_up_at: int | None = None
        self._statements = statements

    def __call__(self, event: Event) -> None:
        match event:
            case MigrationStarted(migration=name):
                if self._wants_backup and self._backed_up_at != (now := self._version()):
                    self._back_up(name)
                    self._backed_up_at = now
                self._meter.start(Progress(migration=name, words="begins"))
            case StatementStarted(migration=name, number=number, total=total, line=line):
                begun = Progress(migration=name, words=line, statement=number, statements=total)
                listed = self._statements.get(name, ())
                self._meter.start(begun, listed[number - 1] if number <= len(listed) else None)
            case MigrationFinished(migration=name):
                self._meter.start(Progress(migration=name, words="done"))
            case Committed():
                self._wants_backup = False

    def _version(self) -> int:
        """Another number once somebody else has committed: a run may roll back and begin again, and others write then.

        https://www.sqlite.org/pragma.html#pragma_data_version
        """
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _back_up(self, migration: str) -> None:
        """Copy what is committed. The run holds the write lock, and its first migration has not begun."""
        self._meter.start(Progress(migration=migration, words="backup", unit="pages"))
        head = _last_applied(self._connection)
        self.backup = back_up(Path(main_file(self._connection)), head, listener=self._meter.pages)

    def ends(self, error: BaseException | None) -> None:
        """Remove what is more than the last backups, whether the run succeeds or not; where it does not, say where."""
        if self.backup is not None:
            if isinstance(error, MigrateError):
                error.backed_up(self.backup.path)
            prune(Path(main_file(self._connection)), _last_applied)


def _last_applied(connection: sqlite3.Connection) -> str:
    """Return the id of the last migration that a database has run; empty if there is none."""
    applied = read_applied(connection) or ()
    return applied[-1].id if applied else ""


class report_interruption:  # noqa: N801 — a context manager, as _watched is
    """Say what was committed of the list that is given, where a run is stopped by Ctrl-C or from another thread.

    The records are read on another connection: closing that of the run may take long, and be what is interrupted.
    """

    def __init__(self, database: str, *, was_rolling_back: bool = False) -> None:
        self._database, self._was_rolling_back = database, was_rolling_back
        self._todo: list[str] = []

    def __enter__(self) -> list[str]:
        return self._todo

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, KeyboardInterrupt | MigrateError | sqlite3.Error):
            return
        if self._todo and was_interrupted(error):
            there, back = _hashes_in(self._database), self._was_rolling_back
            committed = [name for name in self._todo if (migration_hash(name) in there) != back]
            cause = error if isinstance(error, ApplyError) else None
            is_complete = committed == self._todo
            raise Interrupted(
                self._database, committed, was_rolling_back=back, cause=cause, is_complete=is_complete
            ) from error


def _hashes_in(database: str) -> set[str]:
    """The migrations that are recorded in ``database``; of one in memory nothing is left."""
    place = database_path(database)
    if place.path is None:
        return set()
    with closing(open_read_only(place)) as connection:
        return {row.hash for row in read_applied(connection) or ()}
