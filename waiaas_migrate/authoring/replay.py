"""The migrations folder replayed in memory: the schema that every database at head has.

A replay touches no file; ``sqlite/database/memory.py`` says what it leaves out. What a Python migration does past the
connection that it is given, it does in a replay too.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.migration_dir.statements import first_line
from waiaas_migrate.runner.transaction import denial, python_steps
from waiaas_migrate.runner.watching.interruption import ReplayInterrupted, was_interrupted
from waiaas_migrate.sqlite.database.memory import NOT_ATTACHED, execute, lacks_database, memory
from waiaas_migrate.sqlite.planning.guards import DEFINITION_DIFFERS

#: The way out where nothing more is known.
CORRECT = "Correct it, or restore it from git."
_WITHOUT_DATABASE = (
    "A replay attaches no database. Create tables with their columns, then fill them with INSERT … SELECT. In Python, "
    "return early if `PRAGMA database_list` names no file."
)

#: What a guard says that finds another definition of a table than the migration was made for.
_OTHER_TABLE = re.compile(rf"failed: (?P<table>.+): {re.escape(DEFINITION_DIFFERS)}")


def replay(
    migrations: Sequence[MigrationFile], *, note: Callable[[MigrationFile, sqlite3.Connection], None] | None = None
) -> sqlite3.Connection:
    """Return a database in memory to which ``migrations`` were applied in their order; ``note`` is called after each.

    Raises:
        MigrationsError: names the migration that fails on an empty database, and the statement.
        ReplayInterrupted: Ctrl-C was pressed; names the migration.
    """
    connection = memory()
    for migration in migrations:
        try:
            _run(connection, migration, migrations)
        except MigrationsError:
            connection.close()
            raise
        except KeyboardInterrupt as error:
            connection.close()
            raise ReplayInterrupted(f"Interrupted during the replay of {migration.path}.") from error
        if note is not None:
            note(migration, connection)
    return connection


def _run(connection: sqlite3.Connection, migration: MigrationFile, folder: Sequence[MigrationFile]) -> None:
    if migration.transactional:
        connection.execute("BEGIN")
    if migration.kind == "sql":
        _run_sql(connection, migration)
    else:
        _run_python(connection, migration, folder)
    if connection.in_transaction:
        connection.execute("COMMIT")


def _run_sql(connection: sqlite3.Connection, migration: MigrationFile) -> None:
    for statement in migration.statements:
        try:
            execute(connection, statement)
        except sqlite3.Error as error:
            raise _refused(connection, migration, statement, str(error)) from None


def _run_python(connection: sqlite3.Connection, migration: MigrationFile, folder: Sequence[MigrationFile]) -> None:
    from waiaas_migrate.files.migration_dir.python_migration import yoyo_migrations
    from waiaas_migrate.runner.yoyo_backend import MigrateBackend

    loaded = yoyo_migrations(file.path for file in folder)[migration.id]
    denied: list[str] = []
    try:
        loaded.load()
        backend = MigrateBackend.on(connection)
        with python_steps(connection, transactional=migration.transactional) as denied:
            for step in loaded.steps or ():
                step.apply(backend)
    except BaseException as error:  # a migration in Python may raise anything, SystemExit too
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        if denied:
            what, _, fix = denial(denied[0]).partition(". ")
            raise MigrationsError([Problem(file=str(migration.path), what=f"{what}.", fix=f"{fix}.")]) from None
        fix = _WITHOUT_DATABASE if lacks_database(connection) or NOT_ATTACHED in str(error) else CORRECT
        raise _failed(migration, f"{type(error).__name__}: {error}", fix) from None


def _refused(connection: sqlite3.Connection, migration: MigrationFile, statement: str, said: str) -> MigrationsError:
    if (other := _OTHER_TABLE.search(said)) and "_waiaas_guard" in statement:
        return MigrationsError([made_for_another(migration, f"table {other['table']}")])
    return _failed(migration, f"SQLite says {said} at: {first_line(statement)}", _way_out(connection, said))


def made_for_another(migration: MigrationFile, table: str) -> Problem:
    """That ``migration`` was made beside another one that changed the same ``table``."""
    what = f"it was made for another {table} than the migrations before it make: one of them changed it, too."
    fix = (
        "This happens where branches are merged. Delete the files of the one that no database has run, put "
        "manifest.json back to what it was before it, and run `waiaas-migrate generate`, which writes it anew."
    )
    return Problem(file=str(migration.path), what=what, fix=fix)


def _way_out(connection: sqlite3.Connection, said: str) -> str:
    if "cannot start a transaction" in said or "no transaction is active" in said:
        return "Take BEGIN, COMMIT and ROLLBACK out of it: a migration runs in a transaction."
    if "transaction" in said:
        return "Write `-- transactional: false` into its head, so that it runs outside of one."
    return _WITHOUT_DATABASE if lacks_database(connection) else CORRECT


def _failed(migration: MigrationFile, why: str, fix: str = CORRECT) -> MigrationsError:
    what = f"it fails on an empty database, behind the migrations before it: {why.rstrip(';.')}."
    return MigrationsError([Problem(file=str(migration.path), what=what, fix=fix)])
