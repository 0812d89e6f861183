"""The ready tests, which a project switches on with ``waiaas_migrate_tests``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import pytest

from waiaas_migrate.authoring.migration_names import heads
from waiaas_migrate.commands.check import check
from waiaas_migrate.errors import ApplyError, MigrateError, UnsupportedError
from waiaas_migrate.files.migration_dir.manifest import read_summary
from waiaas_migrate.files.migration_dir.migration_files import read_migrations
from waiaas_migrate.pytest_plugin import TESTS, databases_of
from waiaas_migrate.pytest_plugin.databases import Databases, plain_failures
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.setup import using_setup


def expect_one_head(databases: Databases) -> None:
    """Fail if there are several migrations that no other one depends on."""
    found = heads(read_migrations(databases.project.migrations))
    if len(found) > 1:
        _fail(
            f"{len(found)} heads: no migration depends on {' or '.join(found)}. After a merge, run `waiaas-migrate "
            f"rebase`. Otherwise name the others in the `-- depends:` line of the last one, and run `waiaas-migrate "
            f"record`."
        )


def expect_no_findings(databases: Databases) -> None:
    """Fail with the findings of ``check``."""
    with using_setup(databases.project.setup):
        findings = check(databases.project)
    if findings:
        _fail("\n".join(map(str, findings)))


def expect_rollback(databases: Databases, migration: str) -> None:
    """Fail if the rollback of ``migration`` doesn't restore the schema.

    The database has rows from before the migration, unless the migration or its rollback refuses them.
    """
    (file,) = databases.folder.named([migration])
    if not file.transactional:
        pytest.skip("it runs outside a transaction, which `rollback` refuses to undo")
    if not _is_rolled_back(databases, migration):
        _is_rolled_back(databases, migration, with_rows=False)


def _is_rolled_back(databases: Databases, migration: str, *, with_rows: bool = True) -> bool:
    """Apply and roll back ``migration``; return false if rows are refused. Fail if the schema is not restored."""
    before = databases.count(migration) - 1
    wanted = databases.schema_after(before)
    with TemporaryDirectory(prefix="waiaas-migrate-") as folder:
        path = Path(folder) / "scratch.db"
        databases.make(before, path, without=() if with_rows else wanted.by_name())
        try:
            databases.apply(path, before + 1)
        except ApplyError as error:
            if with_rows:  # that is for `upgrades` to report
                return False
            _fail(f"{migration} fails: {error.reason}")
        try:
            databases.roll_back(path)
        except UnsupportedError:
            _fail(
                f"There is no rollback. Write {migration}.rollback.sql (in a Python migration, each step's second "
                f"argument), and run `waiaas-migrate record`."
            )
        except ApplyError as error:
            if with_rows and _refuses_rows(error):
                return False
            _fail(f"The rollback fails: {error.reason}")
        found = databases.schema(path)
    if left := diff(found, wanted, column_order=True):
        _fail("The rollback does not restore the schema. Missing:\n" + "\n".join(map(describe, left)))
    return True


def _refuses_rows(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(cause, sqlite3.IntegrityError) or (cause is not None and _refuses_rows(cause))


def expect_upgrade(databases: Databases, migration: str) -> None:
    """Fail if a database that has run the migrations up to ``migration``, with rows, can't run the others.

    If a migration announces a hazard of a table, it may refuse the rows of that table.
    """
    count = databases.count(migration)
    without = frozenset[str]()
    while True:
        with TemporaryDirectory(prefix="waiaas-migrate-") as folder:
            path = Path(folder) / "scratch.db"
            databases.make(count, path, without=without)
            try:
                databases.apply(path)
            except ApplyError as error:
                tables = _announced(databases, error.migration, count)
                known = frozenset(databases.schema_after(count).by_name())
                if without == known or tables <= without:
                    _fail(f"A database at {migration} can't be upgraded: {error.migration} fails: {error.reason}")
                # Later migrations may have renamed the table.
                without = without | tables if tables <= known else known
            else:
                return


def _announced(databases: Databases, name: str, count: int) -> frozenset[str]:
    """Return the tables of the hazards that the migration ``name`` announces; if it is a batch, those after ``count``.

    The names are folded.
    """
    folder = databases.folder
    files = folder.named([name]) if name in folder.ids else folder.migrations[count:]
    hazards = (hazard for effects in folder.forward(files) for hazard in effects.hazards)
    return frozenset(fold(hazard.where.partition(".")[0]) for hazard in hazards)


def _fail(message: str) -> NoReturn:
    raise pytest.fail.Exception(message, pytrace=False) from None


#: The tests of the whole project, and those of one migration each.
_WHOLE = {"one_head": expect_one_head, "check": expect_no_findings}
_EACH = {"rollbacks": expect_rollback, "upgrades": expect_upgrade}


class Manifest(pytest.File):
    """The manifest, whose tests are those that the project switched on."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the tests in the order of the settings."""
        databases = databases_of(self.config)
        try:
            summary = read_summary(str(self.path))
        except MigrateError as error:
            raise self.CollectError(str(error)) from None
        ids = () if summary is None else summary.ids
        for name in self.config.getini(TESTS):
            if name in _WHOLE:
                yield self._test(name, partial(_WHOLE[name], databases))
                continue
            # A database at the last migration needs no upgrade.
            for one in ids[:-1] if name == "upgrades" else ids:
                yield self._test(f"{name}[{one}]", partial(_EACH[name], databases, one))

    def _test(self, name: str, run: Callable[[], None]) -> pytest.Item:
        test: pytest.Item = ReadyTest.from_parent(self, name=name, run=run)
        return test


class ReadyTest(pytest.Item):
    """One of the tests, which fails without a traceback."""

    def __init__(self, *, run: Callable[[], None], **keywords: Any) -> None:  # noqa: ANN401 — as pytest passes them
        super().__init__(**keywords)
        self._run = run

    def runtest(self) -> None:
        """Run the test."""
        with plain_failures():
            self._run()

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return where the test is, for headings of reports."""
        return self.path, None, self.name
