"""A rollback first names what it will delete, and deletes it only with consent."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, dump, write_folder
from tests.support.projects import CHECKOUT, execute, rows, run, run_process, write_project
from waiaas_migrate import Loss, RunOptions, rollback

#: Each way to lose data, next to those that lose none.
FILES = {
    "0001_all.sql": (
        "CREATE TABLE gone (a);\nCREATE TABLE empty (a);\nCREATE TABLE kept (id INTEGER PRIMARY KEY, a, b, c, nil);\n"
        "CREATE TABLE rebuilt (a, b);\nCREATE TABLE replaced (a);\nCREATE TABLE new_name (a, new_column);\n"
        "CREATE TABLE tags (a);\nCREATE TABLE log (a);\n"
        "CREATE VIRTUAL TABLE own_text USING fts5(a);\nCREATE VIRTUAL TABLE its_text USING fts5(a, content='tags');\n"
    ),
    "0001_all.rollback.sql": (
        "DROP TABLE gone;\nDROP TABLE empty;\n"
        "ALTER TABLE kept DROP COLUMN b;\nALTER TABLE kept DROP COLUMN nil;\nUPDATE kept SET c = a;\n"
        "CREATE TABLE rebuilt_too (a);\nINSERT INTO rebuilt_too SELECT a FROM rebuilt;\n"
        "DROP TABLE rebuilt;\nALTER TABLE rebuilt_too RENAME TO rebuilt;\n"
        "INSERT INTO log SELECT count(*) FROM replaced;\nDROP TABLE replaced;\nCREATE TABLE replaced (a);\n"
        "ALTER TABLE new_name RENAME TO old_name;\nALTER TABLE old_name RENAME COLUMN new_column TO old_column;\n"
        "DELETE FROM tags WHERE a = 1;\nDROP TABLE own_text;\nDROP TABLE its_text;\n"
    ),
}
LOSSES = [
    ("table", "gone", 2),
    ("column", "kept.b", 1),
    ("column", "rebuilt.b", 1),
    ("table", "replaced", 1),
    ("rows", "tags", 3),
    ("table", "own_text", 1),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a folder with ``app.db``, which has rows."""
    write_folder(tmp_path / "migrations", FILES)
    assert run(tmp_path, "apply", "app.db").status == 0
    execute(
        tmp_path / "app.db",
        "INSERT INTO gone VALUES (1), (2)",
        "INSERT INTO kept VALUES (1, 'a', NULL, 'c', NULL), (2, 'a', 'b', 'c', NULL)",
        "INSERT INTO rebuilt VALUES ('a', 'b')",
        "INSERT INTO replaced VALUES (1)",
        "INSERT INTO new_name VALUES (1, 2)",
        "INSERT INTO tags VALUES (1), (2), (3)",
        "INSERT INTO own_text VALUES ('a word')",
        "INSERT INTO its_text (its_text) VALUES ('rebuild')",
    )
    return tmp_path


def test_what_is_lost_is_named_first(project: Path) -> None:
    """Tables, columns and rows are counted; renames, rebuilds, and empty tables and columns are not losses."""
    before = dump(project / "app.db")
    refused = run(project, "rollback", "app.db", "--no-verify")
    assert (refused.status, refused.out) == (3, "")
    assert "table gone (2 rows), column kept.b (1 value), column rebuilt.b (1 value)" in refused.err
    assert (
        "rows of tags (up to 3), table own_text (1 row). Nothing was changed. To delete it, pass --yes" in refused.err
    )
    assert dump(project / "app.db") == before
    assert list(project.glob("*.backup-*")) == []
    done = run(project, "rollback", "app.db", "--no-verify", "--yes", "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)["losses"]
    assert [(one["kind"], one["name"], one["count"]) for one in found] == LOSSES
    assert rows(project / "app.db", "SELECT a, old_column FROM old_name") == [(1, 2)]


def test_nothing_lost_needs_no_answer(project: Path) -> None:
    """A rollback that loses no rows runs without a question."""
    for table in ("gone", "kept", "rebuilt", "replaced", "tags", "own_text"):
        execute(project / "app.db", f"DELETE FROM {table}")
    done = run(project, "rollback", "app.db", "--no-verify")
    assert (done.status, done.out) == (0, "rolled back 0001_all\n"), done.err
    assert "deleted" not in done.err


def test_data_that_comes_after_the_question(project: Path) -> None:
    """If another table or column has data after the answer, the question is repeated.

    More rows of a known one are only reported.
    """
    for table in ("kept", "rebuilt", "replaced", "tags", "own_text"):
        execute(project / "app.db", f"DELETE FROM {table}")
    asked: list[list[str]] = []

    def confirm(losses: Sequence[Loss]) -> bool:
        asked.append([loss.name for loss in losses])
        execute(project / "app.db", "INSERT INTO gone VALUES (3)", "INSERT INTO rebuilt VALUES ('a', 'b')")
        return True

    options = RunOptions(verify=False)
    done = rollback(str(project / "app.db"), project / "migrations", options=options, confirm=confirm)
    assert asked == [["gone"], ["gone", "rebuilt.b"]]
    assert [(loss.name, loss.count) for loss in done.losses] == [("gone", 4), ("rebuilt.b", 2)]


@pytest.mark.parametrize(
    ("answer", "status"), [("", 3), ("\n", 3), ("n\n", 3), ("yess\n", 3), ("y\n", 0), ("YES\n", 0)], ids=repr
)
def test_a_terminal_is_asked(project: Path, answer: str, status: int) -> None:
    """Only y and yes mean yes: an empty answer and the end of the input mean no."""
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "wb", buffering=0)) as keyboard:
        keyboard.write(answer.encode() or b"\x04")
        done = subprocess.run(
            [sys.executable, "-m", "waiaas_migrate", "rollback", "app.db", "--no-verify"],
            cwd=project,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        os.close(theirs)
    assert "app.db: the rollback deletes\n  table gone (2 rows)\n  column kept.b" in done.stderr
    assert done.returncode == status, done.stderr
    assert done.stdout == ("" if status else "rolled back 0001_all\n")
    assert done.stderr.endswith("Roll back?\n[y/N] Error: app.db: nothing was changed.\n") == bool(status)


def test_input_that_is_no_terminal_is_not_an_answer(project: Path) -> None:
    """`yes | waiaas-migrate rollback` deletes nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "waiaas_migrate", "rollback", "app.db"],
        cwd=project,
        input="y\n" * 10,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert rows(project / "app.db", "SELECT count(*) FROM gone") == [(2,)]


def test_a_rollback_that_cannot_be_tried(tmp_path: Path) -> None:
    """A Python migration, or SQL that fails without rows, may delete anything, so it needs consent."""
    code = "from yoyo import step\n__depends__ = {'0003_age'}\nstep('DELETE FROM child', 'DELETE FROM parent')\n"
    write_folder(tmp_path / "migrations", {**FAMILY, "0004_code.py": code})
    assert run(tmp_path, "apply", "app.db").status == 0
    done = run(tmp_path, "rollback", "app.db")
    assert (done.status, done.out) == (3, "")
    assert "would delete unknown data (0004_code: a Python migration)" in done.err
    assert run_process(tmp_path, "rollback", "app.db", "--yes").out == "rolled back 0004_code\n"


def test_an_adopted_migration_stays(tmp_path: Path) -> None:
    """A migration that was recorded without having run is rolled back only with --allow DROP_TABLE, even with --yes."""
    write_folder(tmp_path / "migrations", FAMILY)
    assert run(tmp_path, "apply", "app.db").status == 0
    execute(
        tmp_path / "app.db",
        "UPDATE _yoyo_migration_text SET was_adopted = 1",
        "INSERT INTO parent (name) VALUES ('x')",
    )
    before = dump(tmp_path / "app.db")
    done = run(tmp_path, "rollback", "app.db", "--count", "3", "--yes")
    assert (done.status, done.out) == (3, "")
    assert "adopted 0003_age, 0002_children, 0001_parents and never ran it" in done.err
    assert dump(tmp_path / "app.db") == before
    wrong = run(tmp_path, "rollback", "app.db", "--allow", "DROP_TABEL")
    assert (wrong.status, wrong.err) == (2, "Error: --allow DROP_TABEL: unknown hazard. Did you mean DROP_TABLE?\n")
    assert run(tmp_path, "rollback", "app.db", "--count", "3", "--allow", "DROP_TABLE").status == 3
    done = run(tmp_path, "rollback", "app.db", "--count", "3", "--allow", "DROP_TABLE", "--yes")
    assert (done.status, done.out.count("rolled back")) == (0, 3), done.err


def test_the_rollback_file_names_the_losses(tmp_path: Path) -> None:
    """The rollback file's head lists the tables and columns that it deletes, including virtual tables with rows."""
    write_project(tmp_path, "version: 1\ntables:\n  a:\n    columns: {x: text}\n")
    assert run(tmp_path, "generate").status == 0
    (tmp_path / "schema.yaml").write_text(
        "version: 1\ntables:\n  a:\n    columns: {x: text, y: text}\n  b:\n    columns: {x: text}\n"
        "virtual_tables:\n  own: CREATE VIRTUAL TABLE own USING fts5(x)\n"
        "  its: CREATE VIRTUAL TABLE its USING fts5(x, content='a')\n",
        encoding="utf-8",
    )
    assert run(tmp_path, "generate", "-m", "more").status == 0
    text = (tmp_path / "migrations" / "0002_more.rollback.sql").read_text(encoding="utf-8")
    assert "\n-- Deletes tables b, own with all rows.\n-- Deletes column a.y with all values.\n" in text
