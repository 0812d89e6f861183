"""Running one migration, within a transaction that is open already."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from waiaas_migrate.errors import ApplyError, DatabaseFileError, MigrateError, UnsupportedError
from waiaas_migrate.files.migration_dir import MigrationFile
from waiaas_migrate.files.statements import first_line
from waiaas_migrate.runner.refusal import refusal
from waiaas_migrate.runner.transaction import guarded
from waiaas_migrate.sqlite.connection import CANNOT_BE_WRITTEN, database_name, result_code

if TYPE_CHECKING:
    from yoyo.migrations import Migration

    from waiaas_migrate.runner.backend import MigrateBackend

Direction = Literal["apply", "rollback"]


class StepRunner:
    """Runs migrations on one connection, and records them in yoyo's books."""

    def __init__(self, connection: sqlite3.Connection, migrations: Sequence[MigrationFile]) -> None:
        from waiaas_migrate.files.python_migration import yoyo_migrations
        from waiaas_migrate.runner.backend import MigrateBackend

        self.connection = connection
        self._backend: MigrateBackend = MigrateBackend.on(connection)
        self._yoyo: dict[str, Migration] = yoyo_migrations(migration.path for migration in migrations)

    def open_books(self) -> None:
        """Make yoyo's tables, or bring those of an old yoyo up to date."""
        with self._told("yoyo's bookkeeping"):
            self._backend.ensure_internal_schema_updated()

    def run(self, migration: MigrationFile, direction: Direction) -> None:
        """Run the statements, or the Python steps, of ``migration``.

        Raises:
            ApplyError: names the migration, the reason, and the statement.
        """
        with guarded(self.connection) as denied:
            if migration.kind == "python":
                with self._told(migration.id, denied=denied):
                    self._yoyo[migration.id].process_steps(self._backend, direction)
            else:
                statements = migration.statements if direction == "apply" else migration.rollback_statements
                for statement in statements:
                    with self._told(migration.id, statement, denied):
                        # To its last row: a SELECT does its work while it is read.
                        deque(self.connection.execute(statement), maxlen=0)
        if not self.connection.in_transaction:
            raise self._error(migration.id, "it made SQLite roll back the transaction that it ran in")

    def record(self, migration: MigrationFile, operation: Direction) -> None:
        """Write into yoyo's books that ``migration`` was applied or rolled back."""
        with self._told(migration.id):
            self._backend.record(self._yoyo[migration.id], operation)

    def log(self, migration: MigrationFile) -> None:
        """Write into yoyo's log that a hook was run, which is all that yoyo notes of one."""
        with self._told(migration.id):
            self._backend.log_migration(self._yoyo[migration.id], "apply")  # type: ignore[no-untyped-call]

    def refuse_one_way(self, migrations: Sequence[MigrationFile]) -> None:
        """Refuse to roll back what does not say how, where yoyo would only strike it from the books.

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

    @contextlib.contextmanager
    def _told(self, migration: str, statement: str | None = None, denied: Sequence[str] = ()) -> Iterator[None]:
        """Raise what goes wrong as an error that says where and why."""
        try:
            yield
        except MigrateError:
            raise
        except Exception as error:  # a Python migration may raise anything
            if isinstance(error, sqlite3.Error) and result_code(error) == sqlite3.SQLITE_READONLY:
                raise DatabaseFileError(f"{database_name(self.connection)}: {CANNOT_BE_WRITTEN}") from error
            raise self._error(migration, self._reason(error, denied, statement), statement) from error

    def _reason(self, error: Exception, denied: Sequence[str], statement: str | None) -> str:
        if denied:
            return (
                f"it tries to {denied[0]}, but all pending migrations run in one transaction. "
                f"Take BEGIN, COMMIT, ROLLBACK and `with connection:` out of it"
            )
        if isinstance(error, sqlite3.Error):
            told = refusal(self.connection, statement, error) if statement else None
            return told or f"{error}{_already_there(str(error))}"
        return f"{type(error).__name__}: {error}"

    def _error(self, migration: str, reason: str, statement: str | None = None) -> ApplyError:
        line = first_line(statement) if statement else None
        return ApplyError(
            database=database_name(self.connection),
            migration=migration,
            reason=f"{reason}, in: {line}" if line and "_waiaas_guard" not in line else f"{reason}.",
            statement=line,
        )


def _already_there(message: str) -> str:
    """What to do where a migration makes what is there: plain yoyo, killed, may have run it without noting it."""
    if not message.endswith("already exists"):
        return ""
    return " (if plain `yoyo apply` was interrupted after this migration, note it as applied with `yoyo mark`)"


def _has_rollback(step: object) -> bool:
    """Whether a step of yoyo's, or every step of a group, has its second half."""
    inner = getattr(step, "step", None)
    if inner is not None:
        return _has_rollback(inner)
    group = getattr(step, "steps", None)
    if group is not None:
        return all(_has_rollback(one) for one in group)
    return getattr(step, "_rollback", None) is not None
