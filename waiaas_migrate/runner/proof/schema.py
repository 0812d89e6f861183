"""What a catalog is held against where its text is not the recorded one, or where none was recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from waiaas_migrate.errors import ApplyError, MigrateError, UnsupportedError
from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.progress import was_interrupted
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.catalog import CatalogRow, fingerprint, read_catalog
from waiaas_migrate.sqlite.memory import execute, memory


class Replay:
    """Migrations, run in memory one after the other, with this very SQLite; no file is touched."""

    def __init__(self, migrations: Sequence[MigrationFile]) -> None:
        self._memory = memory()
        self._runner = StepRunner(self._memory, migrations, execute=execute)
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._memory.close()

    def run(self, migrations: Sequence[MigrationFile]) -> Self:
        """Run ``migrations``, of which those that ran before are the first.

        Raises:
            ApplyError: a migration fails.
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        for migration in migrations[self._done :]:
            try:
                self._run(migration)
            except ApplyError as error:
                if was_interrupted(error):
                    raise KeyboardInterrupt from error
                raise
            self._done += 1
        return self

    def _run(self, migration: MigrationFile) -> None:
        if migration.transactional:
            self._memory.execute("BEGIN")
        self._runner.run(migration, "apply")
        if migration.transactional:
            self._memory.execute("COMMIT")

    @property
    def connection(self) -> sqlite3.Connection:
        """The database in memory, with what the migrations have built so far."""
        return self._memory

    @property
    def fingerprint(self) -> str:
        """Its catalog as one text."""
        return fingerprint(read_catalog(self._memory))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """An object, by its kind and folded name, and in words what is other about it."""

    object: tuple[str, str]
    words: str


def differences(
    connection: sqlite3.Connection, migrations: Sequence[MigrationFile], folder: MigrationFolder
) -> list[str]:
    """How the schema differs from what ``migrations`` of ``folder`` lead to, in words; nothing where it means the same.

    Where the catalogs are not the same to the letter, both are read: somebody else may have made the tables, in other
    words, or another version of SQLite have renamed one. Where they cannot be read, the letter decides. What the hooks
    of ``folder`` make is theirs: an earlier run may have left it, and they may have been edited since.
    """
    with Replay(migrations) as replay:
        found = _compared(connection, replay.run(migrations).connection)
    theirs = _objects_of_hooks(folder) if found and folder.post_apply else frozenset()
    return [difference.words for difference in found if difference.object not in theirs]


def _objects_of_hooks(folder: MigrationFolder) -> frozenset[tuple[str, str]]:
    """What the hooks make or change behind all migrations, where they are meant to run."""
    files = (*folder.migrations, *folder.post_apply)
    with Replay(folder.migrations) as replay, Replay(files) as hooked:
        try:
            made = _compared(hooked.run(files).connection, replay.run(folder.migrations).connection)
        except MigrateError:  # they need what only this database has, and cannot be told
            return frozenset()
    return frozenset(difference.object for difference in made)


def _compared(connection: sqlite3.Connection, wanted: sqlite3.Connection) -> list[_Difference]:
    found = _differing_objects(read_catalog(connection), read_catalog(wanted))
    meant = _differing_in_meaning(connection, wanted) if found else None
    return found if meant is None else meant


def _differing_in_meaning(connection: sqlite3.Connection, wanted: sqlite3.Connection) -> list[_Difference] | None:
    """What is other than ``wanted``; None where it cannot be told."""
    from waiaas_migrate.schema.changes import object_of
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
    return [_Difference(object=object_of(one), words=f"{describe(one)} without a migration") for one in changes]


def _differing_objects(found: tuple[CatalogRow, ...], wanted: tuple[CatalogRow, ...]) -> list[_Difference]:
    """What differs by name."""
    here, there = _by_name(found), _by_name(wanted)
    return [
        _Difference(object=(kind, fold(name)), words=_difference(here.get((kind, name)), there.get((kind, name))))
        for kind, name in {**there, **here}
        if here.get((kind, name)) != there.get((kind, name))
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
