"""Migrations of different branches, each made without the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import CORRECT, replay
from waiaas_migrate.sqlite.database.catalog import read_catalog

_BEHIND = (
    f"Give it a name that comes behind theirs, or delete its files and generate it anew; or, where no database has run "
    f"those, put {MANIFEST} back to what it was before them."
)
#: What to do with a new migration that excludes one that databases have run.
_EXCLUDED = "Delete its files, then run `waiaas-migrate generate`, which writes what is still missing."


def replay_folder(migrations: Sequence[MigrationFile], recorded: Manifest | None) -> sqlite3.Connection:
    """Replay ``migrations``; if two exclude each other, blame the one that isn't recorded.

    Databases may have run those that are recorded, so only a new one can still be changed.

    Raises:
        MigrationsError: names the migration that fails, and the statement.
    """
    try:
        return replay(migrations)
    except MigrationsError as error:
        listed = frozenset() if recorded is None else frozenset(recorded.ids)
        blamed = _blamed(migrations, listed, error)
        raise (blamed or error) from None


def _blamed(
    migrations: Sequence[MigrationFile], listed: frozenset[str], error: MigrationsError
) -> MigrationsError | None:
    """What is wrong with a new migration, if the recorded ones work without it."""
    ran = [migration for migration in migrations if migration.id in listed]
    new = [migration for migration in migrations if migration.id not in listed]
    if not new or not any(problem.file == str(migration.path) for problem in error.problems for migration in ran):
        return None
    try:
        for number in range(len(new) + 1):
            replay([*ran, *new[:number]]).close()
    except MigrationsError as found:
        if not any(problem.file == str(migration.path) for problem in found.problems for migration in new):
            return None
        said = "it isn't recorded yet and doesn't work after the recorded migrations"
        problems = [replace(problem, what=f"{said}: {problem.what}", fix=_EXCLUDED) for problem in found.problems]
        return MigrationsError(problems)
    fails = " ".join(f"{problem.file}: {problem.what}" for problem in error.problems)
    what = f"it isn't recorded yet, and a recorded migration fails after it: {fails}"
    return MigrationsError([Problem(file=str(new[0].path), what=what, fix=_BEHIND)])


def refuse_clashes(migrations: Sequence[MigrationFile], recorded: Manifest | None) -> None:
    """Refuse migrations that a database may refuse which has run those that are recorded.

    It runs a new migration after them, even if the new one comes first by its name. Whether migrations go together in
    the order of the folder, the replay has shown: their guards see to it.

    Raises:
        MigrationsError: names each such migration, and what to do.
    """
    listed = frozenset() if recorded is None else frozenset(recorded.ids)
    ran = [migration for migration in migrations if migration.id in listed]
    ordered = [*ran, *(migration for migration in migrations if migration.id not in listed)]
    if not listed or ordered == list(migrations) or not _is_possible(ran):
        return
    try:
        problems = _disordered(migrations, _orders(ordered), listed)
    except MigrationsError as error:
        said = "a database that has run those that are recorded would refuse it"
        problems = [
            replace(problem, what=f"{said}: {problem.what}", fix=_BEHIND if problem.fix == CORRECT else problem.fix)
            for problem in error.problems
        ]
    if problems:
        raise MigrationsError(problems)


def _is_possible(ran: Sequence[MigrationFile]) -> bool:
    """Whether a database can have run these alone: none of them depends on another one."""
    names = {migration.id for migration in ran}
    return all(set(migration.depends) <= names for migration in ran)


def _disordered(
    migrations: Sequence[MigrationFile], there: Mapping[str, Sequence[str]], listed: frozenset[str]
) -> list[Problem]:
    """Tables whose columns stand in another order ``there``, where their text could then not be edited any more."""
    here = _orders(migrations)
    tables = [table for table, columns in here.items() if list(columns) != list(there.get(table, columns))]
    number = next(number for number, migration in enumerate(migrations) if migration.id not in listed)
    what = (
        f"a database that has run those that are recorded would have the columns of {', '.join(tables)} in another "
        f"order than a new one, which only a rebuild can change."
    )
    return [Problem(file=str(migrations[number].path), what=what, fix=_BEHIND)] if tables else []


def _orders(migrations: Sequence[MigrationFile]) -> dict[str, list[str]]:
    """The columns of the tables that ``migrations`` make, in their order."""
    with closing(replay(migrations)) as connection:
        tables = [row.name for row in read_catalog(connection) if row.kind == "table"]
        query = "SELECT name FROM pragma_table_xinfo(?, 'main') ORDER BY cid"
        return {table: [name for (name,) in connection.execute(query, (table,))] for table in tables}
