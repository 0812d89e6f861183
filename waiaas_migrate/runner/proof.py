"""What a catalog is held against where its text is not the recorded one."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.sqlite.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.connection import MEMORY


def differing_objects(connection: sqlite3.Connection, folder: MigrationFolder) -> list[str]:
    """What differs, by name, from the catalog that the migrations lead to in memory, with this very SQLite.

    Versions of SQLite write a renamed table's text differently: a fingerprint recorded with another version may differ
    where nothing is wrong.
    """
    found = _by_name(read_catalog(connection))
    wanted = _by_name(_replay(folder))
    return [
        _difference(found.get(key), wanted.get(key)) for key in {**wanted, **found} if found.get(key) != wanted.get(key)
    ]


def _by_name(rows: tuple[CatalogRow, ...]) -> dict[tuple[str, str], CatalogRow]:
    return {(row.kind, row.name): row for row in rows}


def _replay(folder: MigrationFolder) -> tuple[CatalogRow, ...]:
    with closing(sqlite3.connect(MEMORY, isolation_level=None)) as memory:
        memory.execute("PRAGMA foreign_keys = OFF")
        memory.execute("BEGIN")
        runner = StepRunner(memory, folder.migrations)
        for migration in folder.migrations:
            runner.run(migration, "apply")
        return read_catalog(memory)


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
