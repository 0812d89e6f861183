"""The migrations folder replayed in memory: the schema that every database at head has."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.files.migration_dir.statements import first_line
from waiaas_migrate.sqlite.memory import execute, memory

#: The way out where nothing more is known.
CORRECT = "Correct it, or restore it from git."

#: What the guard of a table's layout says: templates/guard_layouts.sql.j2.
_OTHER_TABLE = re.compile(r"(?P<table>table .+) is not what the migrations made of it")


def replay(
    migrations: Sequence[MigrationFile], *, note: Callable[[MigrationFile, sqlite3.Connection], None] | None = None
) -> sqlite3.Connection:
    """A database in memory to which ``migrations`` were applied in their order; ``note`` is called after each.

    Raises:
        MigrationsError: names the migration that fails on an empty database, and the statement.
    """
    connection = memory()
    for migration in migrations:
        if migration.transactional:
            connection.execute("BEGIN")
        try:
            if migration.kind == "sql":
                _run(connection, migration)
            else:
                _run_python(connection, migration, migrations)
        except MigrationsError:
            connection.close()
            raise
        if connection.in_transaction:
            connection.execute("COMMIT")
        if note is not None:
            note(migration, connection)
    return connection


def _run(connection: sqlite3.Connection, migration: MigrationFile) -> None:
    for statement in migration.statements:
        try:
            execute(connection, statement)
        except sqlite3.Error as error:
            raise _refused(migration, statement, str(error)) from None


def _run_python(connection: sqlite3.Connection, migration: MigrationFile, folder: Sequence[MigrationFile]) -> None:
    from waiaas_migrate.files.migration_dir.python_migration import yoyo_migrations
    from waiaas_migrate.runner.backend import MigrateBackend

    loaded = yoyo_migrations(file.path for file in folder)[migration.id]
    try:
        loaded.load()
        backend = MigrateBackend.on(connection)
        for step in loaded.steps or ():
            step.apply(backend)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a migration in Python may raise anything, SystemExit too
        raise _failed(migration, f"{type(error).__name__}: {error}") from None


def _refused(migration: MigrationFile, statement: str, said: str) -> MigrationsError:
    if (other := _OTHER_TABLE.search(said)) and "_waiaas_guard" in statement:
        return MigrationsError([made_for_another(migration, other["table"])])
    return _failed(migration, f"SQLite says {said} at: {first_line(statement)}", _way_out(said))


def made_for_another(migration: MigrationFile, table: str) -> Problem:
    """That ``migration`` was made beside another one that changed the same ``table``."""
    what = f"it was made for another {table} than the migrations before it make: one of them changed it, too."
    fix = (
        "This happens where branches are merged. Delete the files of the one that no database has run, put "
        "manifest.json back to what it was before it, and run `waiaas-migrate generate`, which writes it anew."
    )
    return Problem(file=str(migration.path), what=what, fix=fix)


def _way_out(said: str) -> str:
    if "cannot start a transaction" in said or "no transaction is active" in said:
        return "Take BEGIN, COMMIT and ROLLBACK out of it: a migration runs in a transaction."
    if "transaction" in said:
        return "Write `-- transactional: false` into its head, so that it runs outside of one."
    return CORRECT


def _failed(migration: MigrationFile, why: str, fix: str = CORRECT) -> MigrationsError:
    what = f"it fails on an empty database, behind the migrations before it: {why.removesuffix(';')}."
    return MigrationsError([Problem(file=str(migration.path), what=what, fix=fix)])
