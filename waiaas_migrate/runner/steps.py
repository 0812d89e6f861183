"""Running one migration: in a transaction that is open already, or outside of any."""

from __future__ import annotations

import functools
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from waiaas_migrate.errors import ApplyError, MigrateError, UnsupportedError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.migration_dir.statements import code_of, first_line
from waiaas_migrate.runner.refusal import refusal
from waiaas_migrate.runner.transaction import denial, python_steps
from waiaas_migrate.runner.watching.events import Observe, StatementStarted
from waiaas_migrate.runner.yoyo.records import records_version, write_log, write_record
from waiaas_migrate.sqlite.database.connection import database_name, main_file, not_writable, plain_error, result_code
from waiaas_migrate.sqlite.database.pragmas import unsafe_journal

if TYPE_CHECKING:
    from yoyo.migrations import Migration

    from waiaas_migrate.runner.yoyo_backend import MigrateBackend

Direction = Literal["apply", "rollback"]
#: How a statement is run on a connection; in memory, stand-ins may be put in for what an application brings.
Execute = Callable[[sqlite3.Connection, str], sqlite3.Cursor]

#: How SQLite says that a connection lacks what an application registers on its own.
_OF_THE_APPLICATION = re.compile(r"no such (?:collation sequence|function|module): |unknown function: ")
_NAME_SETUP = (
    "If the application registers it, name the function that does so as `setup` in [tool.waiaas-migrate], or call "
    "push_schema on a connection that has it."
)

#: How a refusal ends that names the rows in its way.
_COUNTED = re.compile(r" \(\d+ rows?: .+\)\Z", re.DOTALL)

#: What begins or ends a transaction (https://www.sqlite.org/lang_transaction.html), by the verb that it begins with.
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
        observe: Observe | None = None,
        execute: Execute = sqlite3.Connection.execute,
    ) -> None:
        self.connection = connection
        self._migrations = tuple(migrations)
        self._observe = observe
        self._execute = execute

    @functools.cached_property
    def _backend(self) -> MigrateBackend:
        from waiaas_migrate.runner.yoyo_backend import MigrateBackend

        return MigrateBackend.on(self.connection)

    @functools.cached_property
    def _yoyo(self) -> dict[str, Migration]:
        """The objects that yoyo makes of the files; only the steps of Python migrations are asked of them."""
        from waiaas_migrate.files.migration_dir.python_migration import yoyo_migrations

        return yoyo_migrations(migration.path for migration in self._migrations)

    def prepare_records(self) -> None:
        """Make yoyo's tables, or bring those of an old yoyo up to date.

        Raises:
            UnsupportedError: a newer yoyo made them.
        """
        found = self._found_version()
        if found > records_version():
            raise UnsupportedError(
                f"{database_name(self.connection)}: a newer yoyo made its tables (version {found}; the "
                f"installed yoyo knows version {records_version()}). Nothing was changed. Upgrade yoyo-migrations."
            )
        with self._told("yoyo's bookkeeping"):
            self._backend.ensure_internal_schema_updated()

    def _found_version(self) -> int:
        try:
            found = self.connection.execute("SELECT max(version) FROM main._yoyo_version").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            return 0
        return found if isinstance(found, int) else 0

    def run(self, migration: MigrationFile, direction: Direction) -> None:
        """Run the statements, or the Python steps, of ``migration``.

        One that is transactional needs a transaction, and leaves it open; the others need that none is, and leave none.

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
            self._told(migration, denied=denied),
        ):
            self._yoyo[migration.id].process_steps(self._backend, direction)

    def _run_sql(self, migration: MigrationFile, direction: Direction) -> None:
        statements = migration.statements if direction == "apply" else migration.rollback_statements
        for number, statement in enumerate(statements, 1):
            line, verb = _line_and_verb(statement)
            if self._observe is not None:
                event = StatementStarted(migration=migration.id, number=number, total=len(statements), line=line)
                self._observe(event)
            if migration.transactional and verb:
                raise self._error(migration, denial(verb), statement)
            if (mode := _unsafe_journal(statement)) and main_file(self.connection):
                raise self._error(migration, denial(f"PRAGMA journal_mode = {mode}"), statement)
            with self._told(migration, statement):
                # To its last row: a SELECT does its work while it is read.
                deque(self._execute(self.connection, statement), maxlen=0)

    def record(self, migration: MigrationFile, operation: Direction) -> None:
        """Write to yoyo's tables that ``migration`` was applied or rolled back."""
        with self._told(migration):
            write_record(self.connection, migration.id, operation)

    def mark(self, migration: MigrationFile) -> None:
        """Write to yoyo's tables that ``migration`` had been applied already, as ``yoyo mark`` does."""
        with self._told(migration):
            write_record(self.connection, migration.id, "mark")

    def log(self, migration: MigrationFile) -> None:
        """Write into yoyo's log that a hook was run, which is all that yoyo notes of one."""
        with self._told(migration):
            write_log(self.connection, migration.id)

    def refuse_one_way(self, migrations: Sequence[MigrationFile]) -> None:
        """Refuse to roll back what does not say how, where yoyo would only remove its record.

        Raises:
            UnsupportedError: names the migrations.
        """
        names = [migration.id for migration in migrations if not self._can_roll_back(migration)]
        if names:
            raise UnsupportedError(
                f"{', '.join(names)}: there is no rollback, and so nothing was rolled back. Write the file "
                f"{names[0]}.rollback.sql (in a Python migration, each step's second argument), or restore a backup."
            )

    def _can_roll_back(self, migration: MigrationFile) -> bool:
        if migration.kind == "sql":
            return migration.rollback is not None
        loaded = self._yoyo[migration.id]
        loaded.load()
        return all(_has_rollback(step) for step in loaded.steps or ())

    def _told(self, migration: MigrationFile | str, statement: str | None = None, denied: Sequence[str] = ()) -> _Told:
        """Raise what goes wrong as an error that says where and why."""
        return _Told(self, migration, statement, denied)

    def as_told(
        self, error: BaseException, migration: MigrationFile | str, statement: str | None, denied: Sequence[str]
    ) -> MigrateError:
        """What went wrong, as an error that says where and why."""
        if isinstance(error, sqlite3.Error) and result_code(error) == sqlite3.SQLITE_READONLY:
            if error.sqlite_errorcode == sqlite3.SQLITE_READONLY:
                return not_writable(self.connection)
            plain = plain_error(error, database_name(self.connection), doing="migrating it")
            return plain or self._error(migration, str(error), statement)
        return self._error(migration, self._reason(error, denied, statement), statement)

    def _reason(self, error: BaseException, denied: Sequence[str], statement: str | None) -> str:
        if denied:
            return denial(denied[0])
        if isinstance(error, sqlite3.Error):
            told = refusal(self.connection, statement, error) if statement else None
            return told or str(error)
        if isinstance(error, SystemExit):
            return f"it leaves the interpreter: {error!r}"
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

    def _error(self, migration: MigrationFile | str, reason: str, statement: str | None = None) -> ApplyError:
        line = first_line(statement) if statement else None
        is_counted = _COUNTED.search(reason) is not None
        if line is None or "_waiaas_guard" in line or (is_counted and "_waiaas_" in line):
            reason += ". Change these rows, then try again." if is_counted else "."
        else:
            reason += f", in: {line}"
        if _OF_THE_APPLICATION.search(reason):
            reason = f"{reason.rstrip('.')}. {_NAME_SETUP}"
        return ApplyError(
            database=database_name(self.connection),
            migration=migration if isinstance(migration, str) else migration.id,
            reason=reason,
            statement=line,
            rolled_back=isinstance(migration, str) or migration.transactional,
        )


class _Told:
    """A context manager; a generator takes thrice as long, which a fleet notices."""

    def __init__(
        self, runner: StepRunner, migration: MigrationFile | str, statement: str | None, denied: Sequence[str]
    ) -> None:
        self._runner, self._migration, self._statement, self._denied = runner, migration, statement, denied

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # A Python migration may raise anything.
        if isinstance(error, Exception | SystemExit) and not isinstance(error, MigrateError):
            raise self._runner.as_told(error, self._migration, self._statement, self._denied) from error


@functools.lru_cache(maxsize=4096)
def _line_and_verb(statement: str) -> tuple[str, str]:
    """The first line of a statement's code, and the verb by which it begins or ends a transaction, if it does."""
    verb = _VERB.match(statement)
    return first_line(statement), verb["verb"].upper() if verb else ""


@functools.lru_cache(maxsize=4096)
def _unsafe_journal(statement: str) -> str | None:
    return unsafe_journal(code_of(statement))


def _has_rollback(step: object) -> bool:
    """Whether a step of yoyo's, or every step of a group, has its second half."""
    inner = getattr(step, "step", None)
    if inner is not None:
        return _has_rollback(inner)
    group = getattr(step, "steps", None)
    if group is not None:
        return all(_has_rollback(one) for one in group)
    return getattr(step, "_rollback", None) is not None
