"""Replay migrations in memory, to find the schema that they build.

A replay touches no file; ``sqlite/database/memory.py`` lists the statements that it skips. Caution: a Python migration
can have effects outside its connection, such as network requests. A replay doesn't prevent these.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Self

from waiaas_migrate.errors import ApplyError, MigrationsError, Problem
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.steps import Direction, StepRunner
from waiaas_migrate.runner.watching.interruption import ReplayInterrupted, was_interrupted
from waiaas_migrate.sqlite.database.memory import NOT_ATTACHED, execute, has_skipped_attach, open_memory, transaction
from waiaas_migrate.sqlite.planning.actions import DEFINITION_DIFFERS

#: The advice about a migration that fails for an unknown reason.
CORRECT = "Correct it, or restore it from git."
_WITHOUT_DATABASE = (
    "A replay attaches no database. Create tables with their columns, then fill them with INSERT … SELECT. In Python, "
    "return early if `PRAGMA database_list` names no file."
)
_NOT_IN_TRANSACTION = "Write `-- transactional: false` into its head, so that it runs outside a transaction."

_AFTER_MERGE = (
    "This happens if branches are merged. Delete the files of the migration that no database has run, restore the "
    "manifest.json from before that migration, and run `waiaas-migrate generate`, which writes the migration again."
)
#: Part of SQLite's messages that refuse VACUUM and some PRAGMAs in a transaction.
_IN_TRANSACTION = re.compile(r"(?:within|inside) (?:a )?transaction")

#: A guard's message that a table's definition differs from the one for which the migration was generated.
_DIFFERING_TABLE = re.compile(rf"\A(?P<table>.+): {re.escape(DEFINITION_DIFFERS)}")


class Replay:
    """A database in memory in which migrations run one after the other."""

    def __init__(self, migrations: Sequence[MigrationFile]) -> None:
        self.connection = open_memory()
        self._runner = StepRunner(self.connection, migrations, execute=execute)
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.connection.close()

    def run(self, migrations: Sequence[MigrationFile]) -> Self:
        """Run the ``migrations`` that haven't run in this replay yet; the ones that have must come first.

        Raises:
            ApplyError: a migration fails.
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        for migration in migrations[self._done :]:
            _run(self._runner, migration, "apply")
            self._done += 1
        return self


def run_in_memory(connection: sqlite3.Connection, migration: MigrationFile, direction: Direction = "apply") -> None:
    """Run one migration on a connection in memory; roll it back if it fails.

    Raises:
        ApplyError: names the statement and the reason.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    _run(StepRunner(connection, (migration,), execute=execute), migration, direction)


def _run(runner: StepRunner, migration: MigrationFile, direction: Direction) -> None:
    try:
        if migration.transactional:
            with transaction(runner.connection):
                runner.run(migration, direction)
        else:
            runner.run(migration, direction)
    except ApplyError as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        raise


def replay(
    migrations: Sequence[MigrationFile], *, note: Callable[[MigrationFile, sqlite3.Connection], None] | None = None
) -> sqlite3.Connection:
    """Apply ``migrations`` in memory, and call ``note`` after each migration; return the connection.

    Raises:
        MigrationsError: names the migration that fails on an empty database, and the statement.
        ReplayInterrupted: Ctrl-C was pressed; names the migration.
    """
    connection = open_memory()
    runner = StepRunner(connection, migrations, execute=execute)
    try:
        for migration in migrations:
            try:
                _run(runner, migration, "apply")
            except ApplyError as error:
                raise MigrationsError([_problem(connection, migration, error)]) from None
            except KeyboardInterrupt as error:
                raise ReplayInterrupted(f"Interrupted during the replay of {migration.path}.") from error
            if note is not None:
                note(migration, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _problem(connection: sqlite3.Connection, migration: MigrationFile, error: ApplyError) -> Problem:
    differing = _DIFFERING_TABLE.search(error.reason)
    if differing is not None and "_waiaas_guard" in (error.statement or ""):
        table = differing["table"]
        what = f"it was written for another version of the table {table}, which a migration before it changes, too."
        return Problem(file=str(migration.path), what=what, fix=_AFTER_MERGE)
    what = f"it fails on an empty database after the migrations before it: {error.reason.rstrip(';.')}."
    return Problem(file=str(migration.path), what=what, fix=_fix(connection, error.reason))


def _fix(connection: sqlite3.Connection, reason: str) -> str:
    if has_skipped_attach(connection) or NOT_ATTACHED in reason:
        return _WITHOUT_DATABASE
    return _NOT_IN_TRANSACTION if _IN_TRANSACTION.search(reason) else CORRECT
