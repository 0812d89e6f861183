"""Two branches with migrations that can't both run: the error names the one that no database has run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import run

START = "version: 1\ntables:\n  t: {columns: {id: {type: integer, primary_key: true}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose second migration, which is recorded, adds the column ``y``."""
    (tmp_path / "schema.yaml").write_text(START)
    assert run(tmp_path, "generate").status == 0
    (tmp_path / "schema.yaml").write_text(START.replace("true}}", "true}, y: text}"))
    assert run(tmp_path, "generate", "-m", "main").status == 0
    return tmp_path


@pytest.mark.parametrize("name", ["0002_a_branch", "0001_z_branch"])
@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE t ADD COLUMN y", "DROP TABLE t", "ALTER TABLE t RENAME TO s", "ALTER TABLE t ADD COLUMN Y TEXT"],
)
def test_the_unrecorded_migration_is_blamed(project: Path, name: str, statement: str) -> None:
    """The recorded migration runs later because of its name and fails, but only the new migration can be changed."""
    body = f"-- depends: 0001_initial\n{statement};\n"
    (project / "migrations" / f"{name}.sql").write_text(body)
    for command in (["generate"], ["check"]):
        done = run(project, *command)
        assert done.status == 2
        assert done.err.startswith(f"Error: {project / 'migrations' / name}.sql: "), done.err
        assert "restore it from git" not in done.err


def test_the_unrecorded_migration_is_blamed_if_it_runs_last(project: Path) -> None:
    """A new migration that runs last is itself the one that fails."""
    new = project / "migrations" / "0002_z_branch.sql"
    new.write_text("-- depends: 0001_initial\nALTER TABLE t ADD COLUMN y;\n")
    for command in (["generate"], ["check"]):
        done = run(project, *command)
        assert (done.status, done.err.startswith(f"Error: {new}: ")) == (2, True), done.err


def test_a_recorded_migration_that_fails_alone_is_blamed(project: Path) -> None:
    """A new migration is not blamed if the recorded one fails without it."""
    recorded = project / "migrations" / "0002_main.sql"
    recorded.write_text("-- depends: 0001_initial\nALTER TABLE nowhere ADD COLUMN y;\n")
    (project / "migrations" / "0002_z.sql").write_text("-- depends: 0001_initial\nCREATE TABLE z (a);\n")
    done = run(project, "check")
    assert done.status == 2
    assert done.err.startswith(f"Error: {recorded}: ")
