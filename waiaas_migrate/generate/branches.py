"""Migrations of different branches, each made without the other."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest
from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.generate.replay import CORRECT, made_for_another, replay
from waiaas_migrate.runner.outline import tables_named
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.catalog import read_catalog

_EDIT = re.compile(r"UPDATE\s+sqlite_master\b", re.IGNORECASE)
_REBUILT = re.compile(
    r"""ALTER\s+TABLE\s+"?_waiaas_new_.+?\sRENAME\s+TO\s+(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>\w+))""", re.IGNORECASE
)

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
    """Refuse migrations that write a whole table as it was without what another one, made beside them, did to it.

    On an empty database the last one wins, and what is missing then looks like one more change; a database with rows
    may refuse it. So may one that has run what is recorded, where a new one stands before that by its name. Nothing is
    asked of two that are recorded: databases may have run both.

    Raises:
        MigrationsError: names the later of each two.
    """
    listed = frozenset() if recorded is None else frozenset(recorded.ids)
    if not listed:
        return
    behind = _behind(migrations, listed)
    problems = _clashes(migrations, behind, listed) or _clashes_at_head(migrations, behind, listed)
    if problems:
        raise MigrationsError(problems)


def _clashes(
    migrations: Sequence[MigrationFile], behind: Mapping[str, frozenset[str]], listed: frozenset[str]
) -> list[Problem]:
    """What is wrong with ``migrations`` if they run in this order."""
    problems: list[Problem] = []
    for number, migration in enumerate(migrations):
        before = migrations[:number]
        new = [other for other in before if not {other.id, migration.id} <= listed]
        beside = {other.id for other in new} - behind[migration.id]
        tables = _written_whole(migration) if beside else ()
        if tables:
            without = [other for other in before if not beside & {other.id, *behind[other.id]}]
            clashing = _told_apart(tables, without, before)
            problems += [made_for_another(migration, f"table {table}") for table in clashing]
    return problems


def _clashes_at_head(
    migrations: Sequence[MigrationFile], behind: Mapping[str, frozenset[str]], listed: frozenset[str]
) -> list[Problem]:
    """The same for a database that has run all that is recorded, where that is not the first of the folder."""
    ran = [migration for migration in migrations if migration.id in listed]
    ordered = [*ran, *(migration for migration in migrations if migration.id not in listed)]
    if ordered == list(migrations) or not all(behind[migration.id] <= listed for migration in ran):
        return []
    try:
        there = _orders(ordered)
        problems = _clashes(ordered, behind, listed)
    except MigrationsError as error:
        there, problems = {}, list(error.problems)
    said = "a database that has run those that are recorded would refuse it"
    refused = [
        replace(problem, what=f"{said}: {problem.what}", fix=_BEHIND if problem.fix == CORRECT else problem.fix)
        for problem in problems
    ]
    return refused or _disordered(migrations, there, listed)


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


def _behind(migrations: Sequence[MigrationFile], listed: frozenset[str]) -> dict[str, frozenset[str]]:
    """By id, the ids of those that a migration depends on, and that they depend on.

    One without ``depends`` was written by hand, for what it found: all before it, or what of that was recorded with it.
    """
    found: dict[str, frozenset[str]] = {}
    for migration in migrations:  # each behind those that it depends on
        before = frozenset(found)
        unsaid = before & listed if migration.id in listed else before
        depends = before & set(migration.depends) if migration.depends else unsaid
        found[migration.id] = depends.union(*(found[name] for name in depends))
    return found


def _told_apart(
    tables: Sequence[str], without: Sequence[MigrationFile], before: Sequence[MigrationFile]
) -> tuple[str, ...]:
    """Those of ``tables`` that are others ``without`` some of the migrations ``before``."""
    try:
        then = _texts(without)
    except MigrationsError:  # one of them needs what it does not name in its `depends`: nobody can tell
        return ()
    now = _texts(before)
    return tuple(table for table in tables if then.get(fold(table)) != now.get(fold(table)))


def _orders(migrations: Sequence[MigrationFile]) -> dict[str, list[str]]:
    """The columns of the tables that ``migrations`` make, in their order."""
    with closing(replay(migrations)) as connection:
        tables = [row.name for row in read_catalog(connection) if row.kind == "table"]
        query = "SELECT name FROM pragma_table_xinfo(?, 'main') ORDER BY cid"
        return {table: [name for (name,) in connection.execute(query, (table,))] for table in tables}


def _written_whole(migration: MigrationFile) -> tuple[str, ...]:
    """The tables that ``migration`` rebuilds, or whose text it writes anew."""
    found: list[str] = []
    for statement in migration.statements:
        if _EDIT.search(statement):
            found += tables_named(statement)
        elif (rebuilt := _REBUILT.search(statement)) is not None:
            found.append(rebuilt["plain"] or rebuilt["quoted"].replace('""', '"'))
    return tuple(dict.fromkeys(found))


def _texts(migrations: Sequence[MigrationFile]) -> dict[str, str]:
    """The texts of the tables that ``migrations`` make, by folded name."""
    with closing(replay(migrations)) as connection:
        return {fold(row.name): row.sql for row in read_catalog(connection) if row.kind == "table"}
