"""Refuse new migrations that conflict with recorded migrations. Such conflicts can arise when branches are merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from sqlite3 import Connection

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import CORRECT, replay
from waiaas_migrate.sqlite.database.catalog import read_catalog

_MOVE_LATER = (
    f"After a merge, run `waiaas-migrate rebase`. Otherwise rename the new migration so that it sorts after the "
    f"recorded migrations. If no database has run the recorded migrations, you can restore an older {MANIFEST} instead."
)
_DELETE = (
    "After a merge, run `waiaas-migrate rebase`. Otherwise delete the files of the new migration, then run "
    "`waiaas-migrate generate`, which writes a migration for the missing changes."
)


def replay_folder(migrations: Sequence[MigrationFile], recorded: Manifest | None) -> Connection:
    """Return the database in memory that ``migrations`` build.

    If a recorded migration fails because of a new one, the error is about the new migration. Databases may have run the
    recorded migration, so only the new one can still be changed.

    Raises:
        MigrationsError: names the migration that fails, and the statement.
    """
    try:
        return replay(migrations)
    except MigrationsError as error:
        old, new = _split(migrations, recorded)
        raise (_blame_new(old, new, error) or error) from None


def _split(
    migrations: Sequence[MigrationFile], recorded: Manifest | None
) -> tuple[list[MigrationFile], list[MigrationFile]]:
    """Return the recorded migrations and the new migrations."""
    listed = frozenset() if recorded is None else frozenset(recorded.ids)
    return [m for m in migrations if m.id in listed], [m for m in migrations if m.id not in listed]


def _blame_new(
    old: Sequence[MigrationFile], new: Sequence[MigrationFile], error: MigrationsError
) -> MigrationsError | None:
    """Return an error about a new migration to raise instead of ``error``; None if a recorded migration is at fault.

    If the new migrations work after all recorded migrations, only their place in the order is wrong.
    """
    if not new or not _is_about(error, old):
        return None
    try:
        for number in range(len(new) + 1):
            replay([*old, *new[:number]]).close()
    except MigrationsError as failure:
        if not _is_about(failure, new):
            return None
        intro = "it isn't recorded yet and doesn't work after the recorded migrations"
        return MigrationsError([replace(one, what=f"{intro}: {one.what}", fix=_DELETE) for one in failure.problems])
    reasons = " ".join(f"{problem.file}: {problem.what}" for problem in error.problems)
    what = f"it isn't recorded yet, and a recorded migration fails after it: {reasons}"
    return MigrationsError([Problem(file=str(new[0].path), what=what, fix=_MOVE_LATER)])


def _is_about(error: MigrationsError, migrations: Sequence[MigrationFile]) -> bool:
    paths = {str(migration.path) for migration in migrations}
    return any(problem.file in paths for problem in error.problems)


def refuse_conflicts(migrations: Sequence[MigrationFile], recorded: Manifest | None) -> None:
    """Refuse new migrations that fail, or reorder columns, on a database that has run the recorded migrations.

    Such a database runs the new migrations last, even if their ids sort before recorded ids. A new database runs all
    migrations in the order of the folder, which the caller has replayed.

    Raises:
        MigrationsError: names the first such migration, and what to do.
    """
    old, new = _split(migrations, recorded)
    names = {migration.id for migration in old}
    is_possible = all(names.issuperset(migration.depends) for migration in old)
    if not old or [*old, *new] == list(migrations) or not is_possible:
        return
    try:
        problems = _order_problems(migrations, _column_orders([*old, *new]), new[0])
    except MigrationsError as error:
        intro = "it fails on a database that has run the recorded migrations"
        problems = [
            replace(one, what=f"{intro}: {one.what}", fix=_MOVE_LATER if one.fix == CORRECT else one.fix)
            for one in error.problems
        ]
    if problems:
        raise MigrationsError(problems)


def _order_problems(
    migrations: Sequence[MigrationFile], upgraded: Mapping[str, list[str]], new: MigrationFile
) -> list[Problem]:
    """Return a problem with ``new`` if upgraded databases have the columns of a table in another order than new ones.

    Later migrations that edit the text of the table would fail in one of them. ``upgraded`` has columns by table.
    """
    created = _column_orders(migrations)
    tables = [table for table, columns in created.items() if columns != upgraded.get(table, columns)]
    what = (
        f"a database that has run the recorded migrations would have the columns of {', '.join(tables)} in another "
        f"order than a new database, and only a rebuild can change the order."
    )
    return [Problem(file=str(new.path), what=what, fix=_MOVE_LATER)] if tables else []


def _column_orders(migrations: Sequence[MigrationFile]) -> dict[str, list[str]]:
    """Return the columns, in order, of each table that ``migrations`` create."""
    with closing(replay(migrations)) as connection:
        tables = [row.name for row in read_catalog(connection) if row.kind == "table"]
        query = "SELECT name FROM pragma_table_xinfo(?, 'main') ORDER BY cid"
        return {table: [name for (name,) in connection.execute(query, (table,))] for table in tables}
