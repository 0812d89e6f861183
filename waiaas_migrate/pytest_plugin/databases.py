"""Make migrated databases for tests. Each is made once per test session, then copied."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from waiaas_migrate.authoring.row_proof import insert_sample_rows
from waiaas_migrate.errors import MigrateError, UsageError
from waiaas_migrate.files.problem_report import suggestion
from waiaas_migrate.files.project import Project, find_project
from waiaas_migrate.runner.apply import apply_to
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.proof.violations import read_keys
from waiaas_migrate.runner.rollback import roll_back
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.database.setup import using_setup
from waiaas_migrate.sqlite.quoting import orphan_condition, quote_name
from waiaas_migrate.sqlite.reading.introspect import introspect

#: Databases of tests need no backup.
_OPTIONS = RunOptions(backup="never")


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turn an error of this package into a test failure without a traceback."""
    try:
        yield
    except MigrateError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


class Databases:
    """The databases for tests of the project that the folder ``start`` belongs to."""

    def __init__(self, start: Path) -> None:
        self._start = start
        self._cache = TemporaryDirectory(prefix="waiaas-migrate-")

    def close(self) -> None:
        """Delete the cached databases, of which tests get copies."""
        self._cache.cleanup()

    @cached_property
    def project(self) -> Project:
        """Return the project.

        Raises:
            UsageError: the folder does not exist.
            ProjectError: the project's settings can't be used.
        """
        if not self._start.is_dir():
            raise UsageError(f"waiaas_migrate_project: {self._start} is not a folder. Correct the path.")
        return find_project(self._start)

    @cached_property
    def folder(self) -> MigrationFolder:
        """Return the project's migrations.

        Raises:
            MigrationsError: the migrations can't be used.
        """
        return read_folder(self.project.migrations)

    def make_at_head(self, target: Path) -> Path:
        """Make a database with all migrations at the path ``target``, and return the path."""
        return _copy(self._cached("head", self.apply), target)

    def make_at(self, migration: str, target: Path) -> Path:
        """Make a database with the migrations up to ``migration``, and made-up rows; return its path.

        Raises:
            UsageError: there is no such migration.
        """
        count = self.count_up_to(migration)
        return _copy(self._cached(f"{count}-rows", partial(self.make_with_rows, count)), target)

    def count_up_to(self, migration: str) -> int:
        """Return the number of migrations up to and including ``migration``.

        Raises:
            UsageError: there is no such migration.
        """
        ids = self.folder.ids
        if migration not in ids:
            raise UsageError(f"There is no migration {migration}. {suggestion(migration, ids)}".rstrip())
        return ids.index(migration) + 1

    def make_with_rows(self, count: int, target: Path, *, empty: Collection[str] = ()) -> None:
        """Make a database with the first ``count`` migrations, and made-up rows.

        The tables in ``empty``, whose names are folded, get no rows. If ``count`` is 0, no file is made.
        """
        if count:
            _copy(self._migrated(count), target)
            with self._open(target) as connection:
                tables = introspect(connection, other_tools=self.folder.other_tools).tables
                insert_sample_rows(connection, [table for table in tables if fold(table.name) not in empty])
                _delete_orphans(connection)

    def apply(self, path: Path, count: int | None = None) -> None:
        """Apply the first ``count`` migrations or, if it is None, all migrations and the hooks to a database."""
        folder, manifest = self.folder, self.folder.manifest
        if count is not None:
            if manifest is not None:
                manifest = replace(manifest, migrations=manifest.migrations[:count], fingerprint=None)
            folder = replace(folder, migrations=folder.migrations[:count], post_apply=(), manifest=manifest)
        with using_setup(self.project.setup):
            apply_to(str(path), folder, options=_OPTIONS)

    def roll_back(self, path: Path) -> None:
        """Roll back the last migration of the database at ``path``, without verifying the result."""
        with self._open(path) as connection:
            roll_back(connection, self.folder, options=replace(_OPTIONS, verify=False))

    def schema(self, path: Path) -> Schema:
        """Return the schema of the database at ``path``, without the tables of other tools."""
        with self._open(path) as connection:
            return introspect(connection, other_tools=self.folder.other_tools)

    def schema_after(self, count: int) -> Schema:
        """Return the schema that the first ``count`` migrations build."""
        return self.schema(self._migrated(count)) if count else Schema()

    def _migrated(self, count: int) -> Path:
        """Return the path of the cached database with the first ``count`` migrations."""
        for number in range(1, count + 1):
            self._cached(f"{number}", partial(self._make_next, number))
        return self._path(f"{count}")

    def _make_next(self, count: int, target: Path) -> None:
        if count > 1:
            _copy(self._path(f"{count - 1}"), target)
        self.apply(target, count)

    def _cached(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return the path of the cached database ``name``, which ``make`` writes the first time."""
        path = self._path(name)
        if not path.exists():
            draft = path.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            make(draft)
            draft.replace(path)
        return path

    def _path(self, name: str) -> Path:
        return Path(self._cache.name) / f"{name}.db"

    @contextmanager
    def _open(self, path: Path) -> Iterator[sqlite3.Connection]:
        with using_setup(self.project.setup), closing(connect_file(path)) as connection, connection:
            yield connection


def _copy(source: Path, target: Path) -> Path:
    return Path(shutil.copy(source, target))


def _delete_orphans(connection: sqlite3.Connection) -> None:
    """Delete made-up rows that violate a foreign key, because a constraint refused their parents."""
    keys = [key for key in read_keys(connection) if key.is_enforceable and key.targets]
    deleted = True
    while deleted:
        deleted = False
        for key in keys:
            columns, targets = tuple(map(quote_name, key.columns)), tuple(map(quote_name, key.targets))
            where = orphan_condition(columns, f"main.{quote_name(key.parent)}", targets)
            with suppress(sqlite3.Error):  # a trigger may keep the row
                cursor = connection.execute(f"DELETE FROM main.{quote_name(key.table)} AS child WHERE {where}")
                deleted = deleted or cursor.rowcount > 0
