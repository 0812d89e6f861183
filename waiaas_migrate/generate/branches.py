"""Migrations of different branches, each made without the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.manifest import Manifest
from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.generate.replay import made_for_another, replay
from waiaas_migrate.runner.outline import tables_named
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.catalog import read_catalog

_EDIT = re.compile(r"UPDATE\s+sqlite_master\b", re.IGNORECASE)
_REBUILT = re.compile(
    r"""ALTER\s+TABLE\s+"?_waiaas_new_.+?\sRENAME\s+TO\s+(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>\w+))""", re.IGNORECASE
)


def refuse_clashes(migrations: Sequence[MigrationFile], recorded: Manifest | None) -> None:
    """Refuse migrations that write a whole table as it was without what another one, made beside them, did to it.

    On an empty database the last one wins, and what is missing then looks like one more change; a database with rows
    may refuse it. Nothing is asked of two that are recorded: databases may have run both.

    Raises:
        MigrationsError: names the later of each two.
    """
    listed = frozenset() if recorded is None else frozenset(recorded.ids)
    if not listed:
        return
    problems: list[Problem] = []
    for number, migration in enumerate(migrations):
        before = migrations[:number]
        known = _behind(migration, before)
        beside = [other for other in before if other.id not in known and not {other.id, migration.id} <= listed]
        tables = _written_whole(migration) if beside else ()
        if tables:
            then = _texts([other for other in before if other.id in known])
            now = _texts(before)
            clashing = (table for table in tables if then.get(fold(table)) != now.get(fold(table)))
            problems += [made_for_another(migration, f"table {table}") for table in clashing]
    if problems:
        raise MigrationsError(problems)


def _behind(migration: MigrationFile, before: Sequence[MigrationFile]) -> frozenset[str]:
    """The ids of those that ``migration`` depends on, and that they depend on."""
    depends = {other.id: other.depends for other in before}
    found: set[str] = set()
    left = list(migration.depends)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += depends.get(name, ())
    return frozenset(found)


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
