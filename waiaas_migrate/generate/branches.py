"""Migrations of different branches, each made without the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest
from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.generate.replay import CORRECT, replay
from waiaas_migrate.sqlite.catalog import read_catalog

_BEHIND = (
    f"Give it a name that comes behind theirs, or delete its files and generate it anew; or, where no database has run "
    f"those, put {MANIFEST} back to what it was before them."
)


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
