"""The examples in README.md and docs/ run, and print what stands beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, write_folder
from tests.support.projects import CHECKOUT, shipped_project

README = CHECKOUT / "README.md"
DOCS = CHECKOUT / "docs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, the file that it speaks of, and what it holds."""

    language: str
    file: str
    text: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page that have a language, in order."""
    found = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(language=language, file=file, text=content) for language, file, content in found]


def run_blocks(folder: Path, text: str) -> None:
    """Do what the blocks of a page say, in ``folder``.

    ``diff FILE`` edits a file, ``sql FILE`` is what a file must hold, ``sh`` and ``python`` are run, ``output`` is what
    the last of them printed, and any other with a file is written to it.
    """
    printed = ""
    for block in blocks(text):
        path = folder / block.file
        match block.language:
            case "diff":
                apply_diff(path, block.text)
            case "sql":
                assert block.text == path.read_text(encoding="utf-8")
            case "sh":
                printed = run_command(folder, "sh", "-e", "-c", block.text)
            case "python" if not block.file:
                printed = run_command(folder, sys.executable, "-c", block.text)
            case "output":
                assert printed == block.text
            case "text":
                continue
            case _:
                path.write_text(block.text, encoding="utf-8")


def apply_diff(path: Path, diff: str) -> None:
    """Replace what the lines with a blank or a minus say by what those with a blank or a plus say, hunk by hunk."""
    text = path.read_text(encoding="utf-8")
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def run_command(folder: Path, *command: str) -> str:
    """Run a command with this environment's programs first, and give what it prints."""
    path = f"{commands(folder.parent / 'bin')}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        list(command),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(folder: Path) -> Path:
    """A folder with ``waiaas-migrate`` and ``yoyo`` in it, of this checkout and interpreter."""
    if not folder.exists():
        folder.mkdir()
        for name, module in (("waiaas-migrate", "waiaas_migrate"), ("yoyo", "yoyo")):
            script = folder / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', encoding="utf-8")
            script.chmod(0o755)
    return folder


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
    assert {"python", "yaml", "sh", "output"} <= {block.language for block in blocks(rest)}
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
def test_the_page_on_adopting_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Everything in docs/adopt.md, done in its order with a real SQLAlchemy, works and prints what stands there."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "adopt.md").read_text(encoding="utf-8"))


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
