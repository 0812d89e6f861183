"""The examples in README.md and docs/ run, and print what stands beside them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, write_folder
from tests.support.pages import DOCS, README, blocks, readme_project, run_blocks, run_command
from tests.support.projects import CHECKOUT, shipped_project


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_readme_begins_with_what_generate_writes(tmp_path: Path) -> None:
    """The edit that the README begins with, made in the shipped project, gives the SQL that stands beside it."""
    opening, _, _ = README.read_text(encoding="utf-8").partition("\n## ")
    assert [block.language for block in blocks(opening)] == ["diff", "sh", "sql"]
    run_blocks(shipped_project(tmp_path / "project"), opening)


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_migration_that_is_read_is_what_generate_writes(tmp_path: Path) -> None:
    """The migration that docs/reading-a-migration.md takes apart comes of the edit that stands beside it."""
    text = (DOCS / "reading-a-migration.md").read_text(encoding="utf-8")
    assert [block.language for block in blocks(text)] == ["toml", "yaml", "sh", "diff", "sh", "sql"]
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, text)


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_readme_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Everything below the README's first heading, done in its order in an empty folder, works."""
    _, _, rest = README.read_text(encoding="utf-8").partition("\n## ")
    assert {"python", "sh", "output"} <= {block.language for block in blocks(rest)}
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, rest)


def test_the_example_of_the_errors_runs(tmp_path: Path) -> None:
    """The example in docs/errors.md opens a database of a project."""
    folder = tmp_path / "project"
    write_folder(folder / "migrations", FAMILY)
    run_blocks(folder, (DOCS / "errors.md").read_text(encoding="utf-8"))
    assert (folder / "app.db").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_page_on_migrations_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Everything in docs/migrations.md, done in its order, works, and all that it leaves agrees."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "migrations.md").read_text(encoding="utf-8"))
    run_command(folder, "waiaas-migrate", "apply", "app.db")
    run_command(folder, "waiaas-migrate", "rollback", "app.db", "--to", "0001_initial", "--yes")
    assert run_command(folder, "waiaas-migrate", "drift", "app.db") == "app.db: no drift.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_tutorial_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Everything in docs/tutorial.md, done in its order, works and prints what it says."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "tutorial.md").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_page_on_adopting_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Everything in docs/adopt.md, done in its order with a real SQLAlchemy, works and prints what stands there."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "adopt.md").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
@pytest.mark.parametrize("page", ["asyncio", "fastapi", "processes", "sqlite3"])
def test_a_page_works_in_the_project_of_the_readme(tmp_path: Path, page: str) -> None:
    """Everything on the page, done in its order in the README's project, prints what is written there."""
    run_blocks(readme_project(tmp_path / "project"), (DOCS / f"{page}.md").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_page_on_pytest_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Everything in docs/pytest.md, done in its order, works: its tests and the ready tests pass."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "pytest.md").read_text(encoding="utf-8"))


def test_the_page_on_sqlalchemy_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Everything in docs/sqlalchemy.md, done in its order, works and prints what it says."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "sqlalchemy.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_readme_names_targets_that_exist(target: str) -> None:
    """The two commands that the README begins with are targets of the Makefile."""
    assert f"\nmake {target}\n" in README.read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_models_page_works(tmp_path: Path) -> None:
    """docs/models.md, followed in an empty folder, prints what stands there."""
    text, _, _ = (DOCS / "models.md").read_text(encoding="utf-8").partition("## Column types")
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, text)
