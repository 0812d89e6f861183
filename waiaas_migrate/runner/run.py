"""One run of ``apply`` on a database that is named rather than open: backed up, watched, and stopped where asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from waiaas_migrate.errors import MigrateError
from waiaas_migrate.files.migration_dir import MigrationFile, migration_hash
from waiaas_migrate.runner.apply import ApplyResult, apply_todo
from waiaas_migrate.runner.backup import Backup, back_up, prune
from waiaas_migrate.runner.bookkeeping import pending, read_applied
from waiaas_migrate.runner.events import (
    Committed,
    Event,
    MigrationFinished,
    MigrationStarted,
    Observe,
    StatementStarted,
)
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.outline import Outline, outline
from waiaas_migrate.runner.progress import Interrupted, Meter, Progress, Stop, Tell, was_interrupted
from waiaas_migrate.runner.transaction import plain_session
from waiaas_migrate.runner.upgrade import Conduct, Explain, refuse_shadows
from waiaas_migrate.sqlite.catalog import read_catalog
from waiaas_migrate.sqlite.connection import (
    DEFAULT_TIMEOUT,
    apply_pragmas,
    connect_file,
    main_file,
    plain_errors,
    shape_file,
)

#: Whether a run that changes a database which is there begins with a backup: ``auto`` where it could lose something.
When = Literal["auto", "always", "never"]
Transaction = Literal["all", "each"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run did: the migrations it applied, what the user should know, and the backup that was made before."""

    applied: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    backup: Path | None = None


def apply_to(
    database: str,
    migrations: Path | MigrationFolder,
    *,
    options: RunOptions = RunOptions(),
    explain: Explain | None = None,
    watch: Watch = Watch(),
) -> RunResult:
    """Open ``database``, apply what is pending of the folder ``migrations``, set its PRAGMAs, and close it.

    Raises:
        DatabaseFileError: the file cannot be used.
        MigrationsError: the folder cannot be used.
        DatabaseRefused: the database, or what is in it, refused, or there is no room for its backup; it is as it was.
        Interrupted: it was stopped from outside.
    """
    folder = migrations if isinstance(migrations, MigrationFolder) else read_folder(migrations)
    pragmas = folder.manifest.pragmas if folder.manifest is not None else ()
    connection = connect_file(database, probe=False)
    try:
        with plain_errors(database, doing="opening it"):
            shape_file(connection, pragmas)
            todo = pending(connection, folder.ids)
        with plain_errors(database, doing="applying migrations"):
            patience = int(DEFAULT_TIMEOUT * 1000)
            run = _Run(folder=folder, options=options, explain=explain, watch=watch, patience=patience)
            with _told_of_interruption(connection, database, todo):
                result = run.on(connection, todo)
                apply_pragmas(connection, pragmas, database)
    finally:
        # The last to close a database moves its WAL into it; where others have it open, it stays with them
        # (https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files).
        connection.close()
    return result


def run_pending(
    connection: sqlite3.Connection,
    folder: MigrationFolder,
    *,
    options: RunOptions = RunOptions(),
) -> RunResult:
    """Apply what is pending on a connection of the caller's, with a backup before it as in :func:`apply_to`.

    The connection's settings, and its progress handler, stay the caller's.

    Raises:
        DatabaseRefused: the database, or what is in it, refused, or there is no room for its backup; it is as it was.
        UsageError: a transaction is open on the connection.
    """
    with plain_session(connection):
        todo = pending(connection, folder.ids)
        if not todo:
            return RunResult()
        refuse_shadows(connection)
        return _Run(folder=folder, options=options).on(connection, todo)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What a run needs to know besides its connection; without ``watch`` its progress handler is left alone.

    ``patience`` is the connection's busy timeout in milliseconds, where that is known.
    """

    folder: MigrationFolder
    options: RunOptions
    explain: Explain | None = None
    watch: Watch | None = None
    patience: int | None = None

    def on(self, connection: sqlite3.Connection, todo: Sequence[str]) -> RunResult:
        """Apply what is pending, which was ``todo`` a moment ago."""
        if not todo:
            return RunResult()
        names = frozenset(todo)
        outlines = [outline(file) for file in self.folder.migrations if file.id in names]
        watch = self.watch or Watch()
        meter = Meter(connection, tell=watch.tell, stop=watch.stop)
        wanted = _wants_backup(connection, outlines, self.options.backup)
        observer = _Observer(connection, outlines, meter, wants_backup=wanted) if wanted or watch.tell else None
        pruning = nullcontext() if observer is None else observer.pruning()
        with pruning, nullcontext() if self.watch is None else meter.watching():
            done = self._apply(connection, todo, observer)
        made = observer.backup.path if observer is not None and observer.backup is not None else None
        return RunResult(applied=done.applied, notices=done.notices, backup=made)

    def _apply(self, connection: sqlite3.Connection, todo: Sequence[str], observe: Observe | None) -> ApplyResult:
        options = self.options
        conduct = Conduct(
            verify=options.verify,
            explain=self.explain,
            transaction=options.transaction,
            observe=observe,
            patience=self.patience,
        )
        return apply_todo(connection, self.folder, conduct, todo)


def wants_backup(connection: sqlite3.Connection, todo: list[MigrationFile], when: When) -> bool:
    """Whether a run of ``todo`` on this database begins with a backup; a database without tables needs none."""
    return _wants_backup(connection, [outline(migration) for migration in todo], when)


def _wants_backup(connection: sqlite3.Connection, outlines: list[Outline], when: When) -> bool:
    if when == "never" or not outlines or not (when == "always" or any(one.may_lose for one in outlines)):
        return False
    return bool(main_file(connection)) and any(row.kind == "table" for row in read_catalog(connection))


class _Observer:
    """Hears the events of a run: backs up before the first migration, and says in words what goes on."""

    def __init__(
        self, connection: sqlite3.Connection, outlines: list[Outline], meter: Meter, *, wants_backup: bool
    ) -> None:
        self.backup: Backup | None = None
        self._connection = connection
        self._meter = meter
        self._wants_backup = wants_backup
        self._backed_up_at: int | None = None
        self._words = {one.id: [step.words for step in one.steps for _ in step.statements] for one in outlines}
        self._statements: dict[str, list[str]] = {
            one.id: [statement for step in one.steps for statement in step.statements] for one in outlines
        }

    def __call__(self, event: Event) -> None:
        match event:
            case MigrationStarted(migration=name):
                if self._wants_backup and self._backed_up_at != (now := self._version()):
                    self._back_up(name)
                    self._backed_up_at = now
                self._meter.start(Progress(migration=name, words="begins"))
            case StatementStarted(migration=name, number=number, total=total, line=line):
                words = self._at(self._words, name, number) or line
                begun = Progress(migration=name, words=words, statement=number, statements=total)
                self._meter.start(begun, self._at(self._statements, name, number))
            case MigrationFinished(migration=name):
                self._meter.start(Progress(migration=name, words="done"))
            case Committed():
                self._wants_backup = False

    def _at(self, found: dict[str, list[str]], migration: str, number: int) -> str | None:
        listed = found.get(migration, [])
        return listed[number - 1] if number <= len(listed) else None

    def _version(self) -> int:
        """Another number once somebody else has committed: a run may roll back and begin again, and others write then.

        https://www.sqlite.org/pragma.html#pragma_data_version
        """
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _back_up(self, migration: str) -> None:
        """Copy what is committed. The run holds the write lock, and its first migration has not begun."""
        self._meter.start(Progress(migration=migration, words="backup", unit="pages"))
        applied = read_applied(self._connection) or ()
        head = applied[-1].id if applied else ""
        self.backup = back_up(Path(main_file(self._connection)), head, told=self._meter.pages)

    @contextmanager
    def pruning(self) -> Iterator[None]:
        """Remove what is more than the last backups, whether the run succeeds or not."""
        try:
            yield
        finally:
            if self.backup is not None:
                prune(Path(main_file(self._connection)))


@contextmanager
def _told_of_interruption(connection: sqlite3.Connection, database: str, todo: Sequence[str]) -> Iterator[None]:
    """Say which of ``todo`` stay, where a run is stopped by Ctrl-C or from another thread."""
    try:
        yield
    except (KeyboardInterrupt, MigrateError, sqlite3.Error) as error:
        if not was_interrupted(error):
            raise
        done = {row.hash for row in read_applied(connection) or ()}
        raise Interrupted(database, [name for name in todo if migration_hash(name) in done]) from error
