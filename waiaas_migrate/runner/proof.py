"""What a catalog is held against where its text is not the recorded one, or where none was recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Self

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
    def catalog(self) -> tuple[CatalogRow, ...]:
        """What the migrations have built so far."""
        return read_catalog(self._memory)

    @property
    def fingerprint(self) -> str:
        """The same as one text."""
        return fingerprint(self.catalog)


def differing_objects(connection: sqlite3.Connection, wanted: tuple[CatalogRow, ...]) -> list[str]:
    """What differs, by name, in the database from the ``wanted`` catalog.

    Versions of SQLite write a renamed table's text differently: a fingerprint recorded with another version may differ
    where nothing is wrong, which is why the catalog is that of a replay with this one.
    """
    found, expected = _by_name(read_catalog(connection)), _by_name(wanted)
    return [
        _difference(found.get(key), expected.get(key))
        for key in {**expected, **found}
        if found.get(key) != expected.get(key)
    ]


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
