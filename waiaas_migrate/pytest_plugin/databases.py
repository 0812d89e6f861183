"""Migrated databases for tests: each is made once in a session, then copied."""

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
    """Let the test fail with only the message of an error of this package."""
    try:
        yield
    except MigrateError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


class Databases:
    """The databases of the project that ``start`` belongs to."""

    def __init__(self, start: Path) -> None:
        self._start = start
        self._made = TemporaryDirectory(prefix="waiaas-migrate-")

    def close(self) -> None:
        """Delete the databases that are copied for tests."""
        self._made.cleanup()

    @cached_property
    def project(self) -> Project:
        """Return the project.

        Raises:
            UsageError: there is no such folder.
            ProjectError: its settings can't be used.
        """
        if not self._start.is_dir():
            raise UsageError(f"waiaas_migrate_project: {self._start} is not a folder. Correct the path.")
        return find_project(self._start)

    @cached_property
    def folder(self) -> MigrationFolder:
        """Return the project's migrations.

        Raises:
            MigrationsError: they can't be used.
        """
        return read_folder(self.project.migrations)

    def at_head(self, target: Path) -> Path:
        """Make a database with all migrations at ``target``, and return that path."""
        return _copy(self._cached("head", self.apply), target)

    def at(self, migration: str, target: Path) -> Path:
        """Make a database with the migrations up to ``migration``, and made-up rows; return its path.

        Raises:
            UsageError: there is no such migration.
        """
        count = self.count(migration)
        return _copy(self._cached(f"{count}-rows", partial(self.make, count)), target)

    def count(self, migration: str) -> int:
        """Return how many migrations there are up to ``migration``.

        Raises:
            UsageError: there is no such migration.
        """
        ids = self.folder.ids
        if migration not in ids:
            raise UsageError(f"There is no migration {migration}. {suggestion(migration, ids)}".rstrip())
        return ids.index(migration) + 1

    def make(self, count: int, target: Path, *, without: Collection[str] = ()) -> None:
        """Make a database with the first ``count`` migrations, and made-up rows in all tables but ``without``.

        The names of these tables are folded. Without migrations, there is no file.
        """
        if count:
            _copy(self._after(count), target)
            with self._open(target) as connection:
                tables = introspect(connection, other_tools=self.folder.other_tools).tables
                insert_sample_rows(connection, [table for table in tables if fold(table.name) not in without])
                _delete_orphans(connection)

    def apply(self, path: Path, count: int | None = None) -> None:
        """Apply migrations to the database at ``path``, up to the number ``count``; None means all, and the hooks."""
        folder, manifest = self.folder, self.folder.manifest
        if count is not None:
            if manifest is not None:
                manifest = replace(manifest, migrations=manifest.migrations[:count], fingerprint=None)
            folder = replace(folder, migrations=folder.migrations[:count], post_apply=(), manifest=manifest)
        with using_setup(self.project.setup):
            apply_to(str(path), folder, options=_OPTIONS)

    def roll_back(self, path: Path) -> None:
        """Roll back the last migration of the database at ``path``; don't verify the result."""
        with self._open(path) as connection:
            roll_back(connection, self.folder, options=replace(_OPTIONS, verify=False))

    def schema(self, path: Path) -> Schema:
        """Return the project's part of the schema of the database at ``path``."""
        with self._open(path) as connection:
            return introspect(connection, other_tools=self.folder.other_tools)

    def schema_after(self, count: int) -> Schema:
        """Return the schema that the first ``count`` migrations make."""
        return self.schema(self._after(count)) if count else Schema()

    def _after(self, count: int) -> Path:
        """Return a database with the first ``count`` migrations; each is made from the one before it."""
        for number in range(1, count + 1):
            self._cached(f"{number}", partial(self._make_next, number))
        return self._path(f"{count}")

    def _make_next(self, count: int, target: Path) -> None:
        if count > 1:
            _copy(self._path(f"{count - 1}"), target)
        self.apply(target, count)

    def _cached(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return the database ``name``; make it the first time."""
        path = self._path(name)
        if not path.exists():
            draft = path.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            make(draft)
            draft.replace(path)
        return path

    def _path(self, name: str) -> Path:
        return Path(self._made.name) / f"{name}.db"

    @contextmanager
    def _open(self, path: Path) -> Iterator[sqlite3.Connection]:
        with using_setup(self.project.setup), closing(connect_file(path)) as connection, connection:
            yield connection


def _copy(source: Path, target: Path) -> Path:
    return Path(shutil.copy(source, target))


def _delete_orphans(connection: sqlite3.Connection) -> None:
    """Delete rows without their parents: a constraint may have refused the made-up parents."""
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
