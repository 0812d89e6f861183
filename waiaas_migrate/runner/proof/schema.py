"""What a catalog is held against where its text is not the recorded one, or where none was recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Self

from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.sqlite.catalog import CatalogRow, fingerprint, read_catalog
from waiaas_migrate.sqlite.place import MEMORY


class Replay:
    """Migrations, run in memory one after the other, with this very SQLite."""

    def __init__(self, migrations: Sequence[MigrationFile]) -> None:
        self._memory = sqlite3.connect(MEMORY, isolation_level=None)
        self._memory.execute("PRAGMA foreign_keys = OFF")
        self._runner = StepRunner(self._memory, migrations)
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._memory.close()

    def run(self, migrations: Sequence[MigrationFile]) -> Self:
        """Run ``migrations``, of which those that ran before are the first."""
        for migration in migrations[self._done :]:
            if migration.transactional:
                self._memory.execute("BEGIN")
            self._runner.run(migration, "apply")
            if migration.transactional:
                self._memory.execute("COMMIT")
            self._done += 1
        return self

    @property
    def connection(self) -> sqlite3.Connection:
        """The database in memory, with what the migrations have built so far."""
        return self._memory

    @property
    def fingerprint(self) -> str:
        """Its catalog as one text."""
        return fingerprint(read_catalog(self._memory))


def differences(
    connection: sqlite3.Connection, migrations: Sequence[MigrationFile], hooks: Sequence[MigrationFile] = ()
) -> list[str]:
    """How the schema differs from what ``migrations`` lead to, in words; nothing where it means the same.

    Where the catalogs are not the same to the letter, both are read: somebody else may have made the tables, in other
    words, or another version of SQLite have renamed one. Where they cannot be read, the letter decides. ``hooks`` run
    behind each apply, and what they made before may be there.
    """
    with Replay((*migrations, *hooks)) as replay:
        found = _compared(connection, replay.run(migrations).connection)
        if found and hooks and not _compared(connection, replay.run((*migrations, *hooks)).connection):
            return []
    return found


def _compared(connection: sqlite3.Connection, wanted: sqlite3.Connection) -> list[str]:
    found = _differing_objects(read_catalog(connection), read_catalog(wanted))
    meant = _differing_in_meaning(connection, wanted) if found else None
    return found if meant is None else meant


def _differing_in_meaning(connection: sqlite3.Connection, wanted: sqlite3.Connection) -> list[str] | None:
    """What is other than ``wanted``; None where it cannot be told."""
    from waiaas_migrate.schema.describe import describe
    from waiaas_migrate.schema.diff import diff

    try:
        from waiaas_migrate.sqlite.introspect import introspect
    except ImportError:  # SQLite's grammar is not there for every platform
        return None
    try:
        changes = diff(introspect(wanted), introspect(connection))
    except UnsupportedError:
        return None
    return [f"{describe(change)} without a migration" for change in changes]


def _differing_objects(found: tuple[CatalogRow, ...], wanted: tuple[CatalogRow, ...]) -> list[str]:
    """What differs by name."""
    here, there = _by_name(found), _by_name(wanted)
    return [_difference(here.get(key), there.get(key)) for key in {**there, **here} if here.get(key) != there.get(key)]


def _by_name(rows: tuple[CatalogRow, ...]) -> dict[tuple[str, str], CatalogRow]:
    return {(row.kind, row.name): row for row in rows}


def _difference(found: CatalogRow | None, wanted: CatalogRow | None) -> str:
    match found, wanted:
        case None, CatalogRow(kind=kind, name=name):
            return f"{kind} {name} is missing"
        case CatalogRow(kind=kind, name=name), None:
            return f"{kind} {name} is not in the migrations"
        case CatalogRow(kind=kind, name=name), _:
            return f"{kind} {name} has another text"
        case _:
            return ""
