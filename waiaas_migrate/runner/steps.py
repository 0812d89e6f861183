"""Run single migrations, written in SQL or Python, on a connection, and record them in yoyo's tables."""

from __future__ import annotations

import functools
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from waiaas_migrate.errors import ApplyError, MigrateError, UnsupportedError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.migration_dir.statements import code_of, first_line
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.refusal import Refusal, refusal
from waiaas_migrate.runner.transaction import denial, python_steps
from waiaas_migrate.runner.watching.events import Listener, StatementStarted
from waiaas_migrate.runner.yoyo.identity import record
from waiaas_migrate.runner.yoyo.records import Operation, records_version, write_log
from waiaas_migrate.sqlite.database.absent_collations import execute
from waiaas_migrate.sqlite.database.connection import database_name, main_file, plain_error, result_code
from waiaas_migrate.sqlite.database.pragmas import unsafe_journal

if TYPE_CHECKING:
    from yoyo.migrations import Migration

    from waiaas_migrate.runner.yoyo_backend import MigrateBackend

Direction = Literal["apply", "rollback"]
#: Runs a statement on a connection. In memory, stand-ins may replace the application's functions and collations.
Execute = Callable[[sqlite3.Connection, str], sqlite3.Cursor]

#: SQLite's messages about a missing collation, function or module, which the application may provide.
_UNREGISTERED = re.compile(r"no such (?:collation sequence|function|module): |unknown function: ")
_SETUP_ADVICE = (
    "If the application registers it, name the function that does so as `setup` in [tool.waiaas-migrate], or call "
    "push_schema on a connection that has it."
)

#: A statement that begins or ends a transaction (https://www.sqlite.org/lang_transaction.html), by its first word.
_VERB = re.compile(
    r"""(?> \s+ | --[^\n]*\n | /\*.*?\*/ )*+
    (?P<verb> BEGIN | COMMIT | END | ROLLBACK (?! \s+ (?: TRANSACTION \s+ )? TO \b ) ) \b""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


class StepRunner:
    """Runs migrations on one connection, and records them in yoyo's tables."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        migrations: Sequence[MigrationFile],
        listener: Listener | None = None,
        execute: Execute = execute,
    ) -> None:
        self.connection = connection
        self._migrations = tuple(migrations)
        self._listener = listener
        self._execute = execute

    @functools.cached_property
    def _backend(self) -> MigrateBackend:
        from waiaas_migrate.runner.yoyo_backend import MigrateBackend

        return MigrateBackend.on(self.connection)

    @functools.cached_property
    def _yoyo(self) -> dict[str, Migration]:
        """Return yoyo's migration objects by id, for the steps of Python migrations."""
        from waiaas_migrate.files.migration_dir.python_migration import yoyo_migrations

        return yoyo_migrations(migration.path for migration in self._migrations)

    def prepare_records(self) -> None:
        """Create yoyo's tables, or upgrade those that an older yoyo created.

        Raises:
            UnsupportedError: a newer yoyo created them.
        """
        found = self._version_of_records()
        if found > records_version():
            raise UnsupportedError(
                f"{database_name(self.connection)}: a newer yoyo made its tables (version {found}; the installed one "
                f"knows {records_version()}). Nothing was changed. Upgrade yoyo-migrations."
            )
        with self._plain_errors("yoyo's bookkeeping"):
            self._backend.ensure_internal_schema_updated()

    def _version_of_records(self) -> int:
        """Return the version of yoyo's tables in the database; 0 if there are none."""
        try:
            found = self.connection.execute("SELECT max(version) FROM main._yoyo_version").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            return 0
        return found if isinstance(found, int) else 0

    def run(self, migration: MigrationFile, direction: Direction) -> None:
        """Run the statements, or the Python steps, of ``migration``.

        A transactional migration needs an open transaction, which stays open. Other migrations need a connection
        without an open transaction, and must leave none open.

        Raises:
            ApplyError: names the migration, the reason, and the statement.
        """
        if migration.kind == "python":
            self._run_python(migration, direction)
        else:
            self._run_sql(migration, direction)
        if self.connection.in_transaction == migration.transactional:
            return
        if migration.transactional:
            raise self._error(migration, "it made SQLite roll back the transaction that it ran in")
        self.connection.execute("ROLLBACK")
        raise self._error(migration, "it left a transaction open, which was rolled back. End it in the migration")

    def _run_python(self, migration: MigrationFile, direction: Direction) -> None:
        with (
            python_steps(self.connection, transactional=migration.transactional) as denied,
            self._plain_errors(migration, denied=denied),
        ):
            self._yoyo[migration.id].process_steps(self._backend, direction)

    def _run_sql(self, migration: MigrationFile, direction: Direction) -> None:
        statements = migration.statements if direction == "apply" else migration.rollback_statements
        for number, statement in enumerate(statements, 1):
            line, verb = _line_and_verb(statement)
            if self._listener is not None:
                total = len(statements)
                self._listener(
                    StatementStarted(migration=migration.id, number=number, total=total, line=line, sql=statement)
                )
            if migration.transactional and verb:
                raise self._error(migration, denial(verb), statement)
            if (mode := _unsafe_journal(statement)) and main_file(self.connection):
                raise self._error(migration, denial(f"PRAGMA journal_mode = {mode}"), statement)
            with self._plain_errors(migration, statement):
                # Read every row: a SELECT runs only while its rows are read.
                deque(self._execute(self.connection, statement), maxlen=0)

    def record(
        self, migration: MigrationFile, folder: MigrationFolder, operation: Operation, *, was_adopted: bool = False
    ) -> None:
        """Record that ``migration`` was applied, rolled back, marked as applied, or unmarked, as ``operation`` says."""
        with self._plain_errors(migration):
            record(self.connection, migration, folder, operation, was_adopted=was_adopted)

    def log(self, hook: MigrationFile) -> None:
        """Log in yoyo's log that a hook ran; yoyo keeps no other record of hooks."""
        with self._plain_errors(hook):
            write_log(self.connection, hook.id)

    def refuse_irreversible(self, migrations: Sequence[MigrationFile]) -> None:
        """Refuse to roll back migrations without a rollback; yoyo would only delete their records.

        Raises:
            UnsupportedError: names the migrations.
        """
        names = [migration.id for migration in migrations if not self._can_roll_back(migration)]
        if names:
            raise UnsupportedError(
                f"{', '.join(names)}: there is no rollback, so nothing was rolled back. Write the file "
                f"{names[0]}.rollback.sql (in a Python migration, each step's second argument), or restore a backup."
            )

    def _can_roll_back(self, migration: MigrationFile) -> bool:
        if migration.kind == "sql":
            return migration.rollback is not None
        loaded = self._yoyo[migration.id]
        loaded.load()
        return all(_has_rollback(step) for step in loaded.steps or ())

    @contextmanager
    def _plain_errors(
        self, migration: MigrationFile | str, statement: str | None = None, denied: Sequence[str] = ()
    ) -> Iterator[None]:
        """Raise exceptions as errors of this package; if statements were ``denied``, the first is the reason."""
        try:
            yield
        except MigrateError:
            raise
        except (Exception, SystemExit) as error:
            raise self._plain_error(migration, error, statement, denied) from error

    def _plain_error(
        self, migration: MigrationFile | str, error: BaseException, statement: str | None, denied: Sequence[str]
    ) -> MigrateError:
        if isinstance(error, sqlite3.Error) and result_code(error) == sqlite3.SQLITE_READONLY:
            plain = plain_error(error, self.connection, doing="migrating it")
            return plain or self._error(migration, str(error), statement)
        if denied:
            return self._error(migration, denial(denied[0]), statement)
        if isinstance(error, sqlite3.Error):
            found = refusal(self.connection, statement, error) if statement else None
            return self._error(migration, found or str(error), statement)
        if isinstance(error, SystemExit):
            return self._error(migration, f"it leaves the interpreter: {error!r}", statement)
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return self._error(migration, text, statement)

    def _error(self, migration: MigrationFile | str, reason: str | Refusal, statement: str | None = None) -> ApplyError:
        line = first_line(statement) if statement else None
        names_rows = isinstance(reason, Refusal) and bool(reason.rows)
        # Users wouldn't understand the statements that `generate` adds, so the message doesn't show them.
        is_added = line is not None and ("_waiaas_guard" in line or (names_rows and "_waiaas_" in line))
        if line is not None and not is_added:
            text = f"{reason}, in: {line}"
        else:
            text = f"{reason}. Change these rows, then try again." if names_rows else f"{reason}."
        if _UNREGISTERED.search(text):
            text = f"{text.removesuffix('.')}. {_SETUP_ADVICE}"
        return ApplyError(
            database=database_name(self.connection),
            migration=migration if isinstance(migration, str) else migration.id,
            reason=text,
            statement=line,
            rolled_back=isinstance(migration, str) or migration.transactional,
        )


@functools.lru_cache(maxsize=4096)
def _line_and_verb(statement: str) -> tuple[str, str]:
    """Return the first line of a statement's code, and the verb that begins or ends a transaction; empty if none."""
    verb = _VERB.match(statement)
    return first_line(statement), verb["verb"].upper() if verb else ""


@functools.lru_cache(maxsize=4096)
def _unsafe_journal(statement: str) -> str | None:
    return unsafe_journal(code_of(statement))


def _has_rollback(step: object) -> bool:
    """Return whether one of yoyo's steps, or every step of one of yoyo's groups, can be rolled back."""
    if (wrapped := getattr(step, "step", None)) is not None:
        return _has_rollback(wrapped)
    if (group := getattr(step, "steps", None)) is not None:
        return all(map(_has_rollback, group))
    return getattr(step, "_rollback", None) is not None
