"""The examples in README.md and docs/ run, and print the output that the pages show."""

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
    """The README's first edit, made in the shipped project, gives the SQL that the README shows."""
    opening, _, _ = README.read_text(encoding="utf-8").partition("\n## ")
    assert [block.language for block in blocks(opening)] == ["diff", "sh", "sql"]
    run_blocks(shipped_project(tmp_path / "project"), opening)


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_migration_that_is_read_is_what_generate_writes(tmp_path: Path) -> None:
    """The migration that docs/reading-a-migration.md explains is the result of the edit that it shows."""
    text = (DOCS / "reading-a-migration.md").read_text(encoding="utf-8")
    assert [block.language for block in blocks(text)] == ["toml", "yaml", "sh", "diff", "sh", "sql"]
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, text)


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_readme_works_in_an_empty_folder(tmp_path: Path) -> None:
    """The README can be followed from its first heading to its end, in an empty folder."""
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
    """docs/migrations.md can be followed from beginning to end; afterwards check and drift find nothing."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "migrations.md").read_text(encoding="utf-8"))
    run_command(folder, "waiaas-migrate", "apply", "app.db")
    run_command(folder, "waiaas-migrate", "rollback", "app.db", "--to", "0001_initial", "--yes")
    assert run_command(folder, "waiaas-migrate", "drift", "app.db") == "app.db: no drift.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_tutorial_works_in_an_empty_folder(tmp_path: Path) -> None:
    """docs/tutorial.md can be followed from beginning to end, with the output that it shows."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "tutorial.md").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_page_on_adopting_works_in_an_empty_folder(tmp_path: Path) -> None:
    """docs/adopt.md can be followed with a real SQLAlchemy, with the output that it shows."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "adopt.md").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
@pytest.mark.parametrize("page", ["asyncio", "fastapi", "processes", "sqlite3"])
def test_a_page_works_in_the_project_of_the_readme(tmp_path: Path, page: str) -> None:
    """The page can be followed in the README's project, with the output that it shows."""
    run_blocks(readme_project(tmp_path / "project"), (DOCS / f"{page}.md").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_page_on_pytest_works_in_an_empty_folder(tmp_path: Path) -> None:
    """docs/pytest.md can be followed from beginning to end: its tests and the ready tests pass."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "pytest.md").read_text(encoding="utf-8"))


def test_the_page_on_sqlalchemy_works_in_an_empty_folder(tmp_path: Path) -> None:
    """docs/sqlalchemy.md can be followed from beginning to end, with the output that it shows."""
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
    """docs/models.md can be followed in an empty folder, with the output that it shows."""
    text, _, _ = (DOCS / "models.md").read_text(encoding="utf-8").partition("## Column types")
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, text)
