"""``adopt`` refuses databases that it can't adopt, gives the reason, and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.test_adopt import OTHER_WORDING, database
from tests.support.folders import run_yoyo
from tests.support.projects import (
    held_by_another_process,
    run,
    write_project,
)


@pytest.mark.parametrize(
    ("script", "arguments", "status", "message"),
    [
        ("", (), 3, "has no tables, so there is nothing to adopt. Run `waiaas-migrate apply`."),
        ("CREATE TABLE alembic_version (x)", (), 3, "has no tables"),
        (OTHER_WORDING, ("--at", "0009_none"), 2, "0009_none is not a migration in "),
        (None, (), 2, "no such file"),
        ("VIEW", (), 3, "is not the table that yoyo makes"),
        ("UNKNOWN", (), 3, "0001_another"),
    ],
)
def test_what_is_refused(
    project: Path, script: str | None, arguments: tuple[str, ...], status: int, message: str
) -> None:
    """Each refusal gives its reason; no file is created or changed."""
    path = project / "app.db"
    if script == "UNKNOWN":
        database(path)
        (other := project / "other").mkdir()
        (other / "0001_another.sql").write_text("SELECT 1;\n", encoding="utf-8")
        run_yoyo("mark", path, other)
    elif script is not None:
        database(path, OTHER_WORDING + "CREATE VIEW _yoyo_migration AS SELECT 1;" if script == "VIEW" else script)
    before = path.read_bytes() if path.exists() else None
    done = run(project, "adopt", "app.db", *arguments)
    assert done.status == status
    assert message in done.err
    assert (path.read_bytes() if path.exists() else None) == before


def test_another_text_is_refused(project: Path) -> None:
    """A database that ran another migration of the same name is not adopted."""
    (project / "theirs").mkdir()
    (project / "theirs" / "0001_initial.sql").write_text("CREATE TABLE x (y);\n", encoding="utf-8")
    run(project, "apply", "app.db", "--migrations", "theirs")
    before = (project / "app.db").read_bytes()
    done = run(project, "adopt", "app.db")
    assert done.status == 3
    assert "belongs to another migrations folder" in done.err
    assert (project / "app.db").read_bytes() == before


def test_a_folder_without_migrations(tmp_path: Path) -> None:
    """A folder without migrations is reported: there is nothing to record."""
    write_project(tmp_path)
    (tmp_path / "migrations").mkdir()
    database(tmp_path / "app.db")
    done = run(tmp_path, "adopt", "app.db")
    assert done.status == 2
    assert "There are no migrations in " in done.err


def test_a_locked_database(project: Path) -> None:
    """The command waits for the busy timeout, reports the lock, and changes nothing."""
    path = database(project / "app.db")
    before = path.read_bytes()
    with held_by_another_process(path):
        done = run(project, "adopt", "app.db")
    assert done.status == 3
    assert "because another connection held a lock" in done.err
    assert path.read_bytes() == before
    assert run(project, "adopt", "app.db").status == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_database(project: Path) -> None:
    """A file that may not be written is refused by name."""
    path = database(project / "app.db")
    path.chmod(0o444)
    done = run(project, "adopt", "app.db")
    assert done.status == 2
    assert "app.db" in done.err
