"""The ready-made tests, which a project switches on with ``waiaas_migrate_tests``."""

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
    """Fail if several migrations have no successor."""
    found = heads(read_migrations(databases.project.migrations))
    if len(found) > 1:
        _fail(
            f"{len(found)} heads: no migration depends on {' or '.join(found)}. After a merge, run `waiaas-migrate "
            f"rebase`. Otherwise name the others in the `-- depends:` line of the last one, and run `waiaas-migrate "
            f"record`."
        )


def expect_no_findings(databases: Databases) -> None:
    """Fail if ``check`` has findings."""
    with using_setup(databases.project.setup):
        findings = check(databases.project)
    if findings:
        _fail("\n".join(map(str, findings)))


def expect_rollback(databases: Databases, migration: str) -> None:
    """Fail if ``migration`` can't be rolled back to the earlier schema.

    The database has made-up rows, unless the migration or its rollback refuses them.
    """
    (file,) = databases.folder.named([migration])
    if not file.transactional:
        pytest.skip("it runs outside a transaction, which `rollback` refuses to undo")
    if not _try_rollback(databases, migration):
        _try_rollback(databases, migration, with_rows=False)


def _try_rollback(databases: Databases, migration: str, *, with_rows: bool = True) -> bool:
    """Apply and roll back ``migration``; return false if the made-up rows may have made it fail.

    Fail if the rollback is missing, fails for another reason, or doesn't restore the schema.
    """
    before = databases.count_up_to(migration) - 1
    wanted = databases.schema_after(before)
    with TemporaryDirectory(prefix="waiaas-migrate-") as folder:
        path = Path(folder) / "scratch.db"
        databases.make_with_rows(before, path, empty=() if with_rows else wanted.by_name())
        try:
            databases.apply(path, before + 1)
        except ApplyError as error:
            if with_rows:  # the test `upgrades` reports refused rows
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
            if with_rows and _is_constraint_failure(error):
                return False
            _fail(f"The rollback fails: {error.reason}")
        restored = databases.schema(path)
    if missing := diff(restored, wanted, column_order=True):
        _fail("The rollback does not restore the schema. Missing:\n" + "\n".join(map(describe, missing)))
    return True


def _is_constraint_failure(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(cause, sqlite3.IntegrityError) or (cause is not None and _is_constraint_failure(cause))


def expect_upgrade(databases: Databases, migration: str) -> None:
    """Fail if a database at ``migration``, with made-up rows, can't run the later migrations.

    A migration may refuse the rows of a table for which it announces a hazard. Then that table stays empty.
    """
    count = databases.count_up_to(migration)
    empty = frozenset[str]()
    while True:
        with TemporaryDirectory(prefix="waiaas-migrate-") as folder:
            path = Path(folder) / "scratch.db"
            databases.make_with_rows(count, path, empty=empty)
            try:
                databases.apply(path)
            except ApplyError as error:
                endangered = _tables_with_hazards(databases, error.migration, count)
                existing = frozenset(databases.schema_after(count).by_name())
                if empty == existing or endangered <= empty:
                    _fail(f"A database at {migration} can't be upgraded: {error.migration} fails: {error.reason}")
                # If a migration has renamed an endangered table, its old name is unknown. So all tables stay empty.
                empty = empty | endangered if endangered <= existing else existing
            else:
                return


def _tables_with_hazards(databases: Databases, name: str, count: int) -> frozenset[str]:
    """Return the folded names of the tables for which the migration ``name`` announces a hazard.

    If ``name`` names a batch of migrations, use all migrations after the first ``count``.
    """
    folder = databases.folder
    files = folder.named([name]) if name in folder.ids else folder.migrations[count:]
    hazards = (hazard for effects in folder.forward(files) for hazard in effects.hazards)
    return frozenset(fold(hazard.where.partition(".")[0]) for hazard in hazards)


def _fail(message: str) -> NoReturn:
    raise pytest.fail.Exception(message, pytrace=False) from None


_TESTS_OF_PROJECT = {"one_head": expect_one_head, "check": expect_no_findings}
_TESTS_OF_EACH_MIGRATION = {"rollbacks": expect_rollback, "upgrades": expect_upgrade}


class Manifest(pytest.File):
    """The manifest as pytest collects it: the file that the ready-made tests belong to."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the tests that the project switches on, in the order of its setting."""
        databases = databases_of(self.config)
        try:
            summary = read_summary(str(self.path))
        except MigrateError as error:
            raise self.CollectError(str(error)) from None
        ids = () if summary is None else summary.ids
        for name in self.config.getini(TESTS):
            if name in _TESTS_OF_PROJECT:
                yield self._test(name, partial(_TESTS_OF_PROJECT[name], databases))
                continue
            # A database at the last migration needs no upgrade.
            for migration in ids[:-1] if name == "upgrades" else ids:
                run = partial(_TESTS_OF_EACH_MIGRATION[name], databases, migration)
                yield self._test(f"{name}[{migration}]", run)

    def _test(self, name: str, run: Callable[[], None]) -> pytest.Item:
        test: pytest.Item = ReadyTest.from_parent(self, name=name, run=run)
        return test


class ReadyTest(pytest.Item):
    """A ready-made test, which fails without a traceback."""

    def __init__(self, *, run: Callable[[], None], **keywords: Any) -> None:  # noqa: ANN401 — as pytest passes them
        super().__init__(**keywords)
        self._run = run

    def runtest(self) -> None:
        """Run the test."""
        with plain_failures():
            self._run()

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the file, line and name of the test for reports."""
        return self.path, None, self.name
