"""The pytest plugin: fixtures with migrated databases, and ready-made tests of a project's migrations.

pytest loads this module for every project if the package is installed. So the module imports the rest of the package
only when a test requests a fixture, or a project switches on ready-made tests.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from waiaas_migrate.pytest_plugin.databases import Databases
    from waiaas_migrate.pytest_plugin.ready_tests import Manifest

PROJECT, TESTS = "waiaas_migrate_project", "waiaas_migrate_tests"
#: The names of the ready-made tests.
_READY_TESTS = ("one_head", "check", "rollbacks", "upgrades")

_DATABASES = pytest.StashKey["Databases"]()
_MANIFEST = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of this plugin."""
    parser.addini(TESTS, f"Ready-made tests of the migrations: {' '.join(_READY_TESTS)}.", type="args", default=[])
    parser.addini(PROJECT, "Folder of the waiaas-migrate project, relative to rootdir.", type="string", default=".")


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest collect the ready-made tests that the project switches on.

    They are collected from the manifest. If pytest gets paths, or runs outside rootdir, a path must contain it.
    """
    names = config.getini(TESTS)
    if not names or config.getoption("help"):
        return
    if unknown := [name for name in names if name not in _READY_TESTS]:
        from waiaas_migrate.files.problem_report import listed, suggestion

        fix = suggestion(unknown[0], _READY_TESTS, f"Known tests: {listed(_READY_TESTS)}.")
        raise pytest.UsageError(f"{TESTS}: unknown test {unknown[0]}. {fix}")
    config.stash[_MANIFEST] = manifest = _manifest(config)
    invoked = config.invocation_params.dir
    if config.args_source is config.ArgsSource.ARGS or invoked != config.rootpath:
        return
    if not any(manifest.is_relative_to(invoked / argument) for argument in config.args):
        config.args.append(str(manifest))


def _manifest(config: pytest.Config) -> Path:
    from waiaas_migrate.errors import MigrateError
    from waiaas_migrate.files.migration_dir.manifest import MANIFEST

    try:
        manifest = databases_of(config).project.migrations / MANIFEST
    except MigrateError as error:
        raise pytest.UsageError(str(error)) from None
    if not manifest.is_file():
        raise pytest.UsageError(f"{TESTS}: {manifest} not found. Set {PROJECT}, or run `waiaas-migrate generate`.")
    return manifest


def databases_of(config: pytest.Config) -> Databases:
    """Return the databases of this test session."""
    if _DATABASES not in config.stash:
        from waiaas_migrate.pytest_plugin.databases import Databases

        config.stash[_DATABASES] = databases = Databases(config.rootpath / config.getini(PROJECT))
        config.add_cleanup(databases.close)
    return config.stash[_DATABASES]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Manifest | None:
    """Collect the ready-made tests, which are tests of the manifest."""
    manifest = parent.config.stash.get(_MANIFEST, None)
    if manifest is None or file_path.name != manifest.name or not file_path.samefile(manifest):
        return None
    from waiaas_migrate.pytest_plugin.ready_tests import Manifest

    return Manifest.from_parent(parent, path=file_path)


@pytest.fixture
def migrated_database(pytestconfig: pytest.Config, tmp_path: Path) -> Path:
    """Return the path of a new database with all migrations applied."""
    from waiaas_migrate.pytest_plugin.databases import plain_failures

    with plain_failures():
        return databases_of(pytestconfig).make_at_head(tmp_path / "database.db")


@pytest.fixture
def database_at(pytestconfig: pytest.Config, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes a database at a migration, such as "0007_x", with made-up rows."""
    from waiaas_migrate.pytest_plugin.databases import plain_failures

    made: list[str] = []

    def make(migration: str) -> Path:
        made.append(migration)
        number = made.count(migration)
        name = f"{migration}.db" if number == 1 else f"{migration}-{number}.db"
        with plain_failures():
            return databases_of(pytestconfig).make_at(migration, tmp_path / name)

    return make
