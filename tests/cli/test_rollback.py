"""``rollback``: what it rolls back, what it backs up, and when it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, dump, write_folder
from tests.support.projects import execute, listing, rows, run
from waiaas_migrate.errors import ApplyError
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.rollback import Extent, roll_back_in
from waiaas_migrate.runner.run import report_interruption
from waiaas_migrate.runner.watching.interruption import Interrupted
from waiaas_migrate.sqlite.database.url import database_path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a folder with ``app.db``, at head, with rows."""
    write_folder(tmp_path / "migrations", FAMILY)
    assert run(tmp_path, "apply", "app.db").status == 0
    execute(tmp_path / "app.db", "INSERT INTO parent (name, age) VALUES ('one', 1)", "INSERT INTO child VALUES (7, 1)")
    return tmp_path


def backups(project: Path) -> list[Path]:
    """Return the backups in the folder."""
    return sorted(project.glob("*.backup-*"))


def test_the_last_one_goes_and_comes_again(project: Path) -> None:
    """A rollback keeps older rows, deletes what the migration added, and makes a backup of everything first."""
    before = dump(project / "app.db")
    done = run(project, "rollback", "app.db", "--yes")
    (backup,) = backups(project)
    assert (done.status, done.out, done.err) == (
        0,
        "rolled back 0003_age\n",
        f"backup {backup}\ndeleted column parent.age (1 value)\n",
    )
    assert rows(project / "app.db", "SELECT * FROM parent, child") == [(1, "one", 7, 1)]
    assert dump(backup) == before
    assert run(project, "apply", "app.db").out == "applied 0003_age\n"
    assert rows(project / "app.db", "SELECT age FROM parent") == [(None,)]


def test_several_go_in_reverse(project: Path) -> None:
    """A number, or the migration that stays applied, says how many to roll back; if none is left, nothing happens."""
    assert (
        run(project, "rollback", "app.db", "--count", "2", "--yes").out
        == "rolled back 0003_age\nrolled back 0002_children\n"
    )
    assert run(project, "apply", "app.db").status == 0
    assert run(project, "rollback", "app.db", "--to", "0001_parents", "--yes").out.split() == [
        *("rolled", "back", "0003_age"),
        *("rolled", "back", "0002_children"),
    ]
    assert run(project, "rollback", "app.db", "--count", "9", "--yes").out == "rolled back 0001_parents\n"
    done = run(project, "rollback", "app.db", "--json")
    assert json.loads(done.out) == {
        "database": "app.db",
        "rolled_back": [],
        "losses": [],
        "notices": [],
        "backup": None,
    }


def test_all_or_none(project: Path) -> None:
    """If one rollback fails, those before it are undone as well; the message names the failed one."""
    write_folder(project / "migrations", {"0002_children.rollback.sql": "DROP TABLE childs;\n"})
    before = dump(project / "app.db")
    done = run(project, "rollback", "app.db", "--count", "2", "--yes")
    assert (done.status, done.out) == (3, "")
    assert "migration 0002_children could not be rolled back and stays applied: no such table: childs" in done.err
    (backup,) = backups(project)
    restore = f"waiaas-migrate restore {project / 'app.db'} {backup}"
    assert done.err.endswith(f" A backup from before the run is in {backup}. To restore it, run `{restore}`.\n")
    assert dump(project / "app.db") == before


def test_a_row_that_would_lose_its_parent_stops_a_rollback(project: Path) -> None:
    """Foreign keys are compared before COMMIT, even if the rollback's text seems harmless."""
    adopt = "UPDATE child SET parent_id = 9"
    files = {"0004_adopt.sql": "-- depends: 0003_age\nSELECT 1;\n", "0004_adopt.rollback.sql": f"{adopt};\n"}
    write_folder(project / "migrations", files)
    assert run(project, "apply", "app.db").status == 0
    with pytest.raises(ApplyError, match=r"row 7 of child .* has no parent in parent"):
        roll_back_in(str(project / "app.db"), project / "migrations", Extent(), options=RunOptions(backup="never"))
    assert rows(project / "app.db", "SELECT parent_id FROM child") == [(1,)]


@pytest.mark.parametrize(
    ("taken_back", "said"),
    [((), "all was rolled back"), (("0003_age",), "too late to stop the run: 0003_age had been rolled back")],
)
def test_interrupted_before_or_after_its_commit(project: Path, taken_back: tuple[str, ...], said: str) -> None:
    """The message names the migrations whose rollback was committed, even if closing the database was interrupted."""
    database = str(project / "app.db")
    with (  # noqa: PT012 — what is interrupted is a block
        pytest.raises(Interrupted, match=said) as told,
        report_interruption(database_path(database), was_rolling_back=True) as interruption,
    ):
        interruption.todo = ["0003_age"]
        if taken_back:
            roll_back_in(database, project / "migrations", Extent(), confirm=lambda _: True)
        raise KeyboardInterrupt
    assert told.value.committed == taken_back


def test_without_a_backup(project: Path) -> None:
    """``--backup never`` makes no backup."""
    assert (
        run(project, "rollback", "app.db", "--backup", "never", "--yes").err == "deleted column parent.age (1 value)\n"
    )
    assert backups(project) == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("missing.db",), 2, "missing.db: cannot be opened: no such file. Check the path."),
        ((":memory:",), 2, ":memory:"),
        (("app.db", "--to", "0009_none"), 2, "0009_none is not applied to"),
        (("app.db", "--count", "1", "--to", "0001_parents"), 2, "Give only one of them"),
        (("app.db", "--count", "0"), 2, "0 is not in the range x>=1"),
        (("app.db", "--count", "nine"), 2, "'nine' is not a valid integer range"),
    ],
)
def test_what_cannot_be_rolled_back(project: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    """The error gives the reason, and nothing is changed or created."""
    before = listing(project)
    done = run(project, "rollback", *arguments)
    assert (done.status, done.out) == (status, ""), done.err
    assert said in done.err
    assert listing(project) == before


def test_a_migration_without_a_rollback(project: Path) -> None:
    """Such a migration is refused before anything is rolled back."""
    (project / "migrations" / "0002_children.rollback.sql").unlink()
    write_folder(project / "migrations", {})
    before = dump(project / "app.db")
    done = run(project, "rollback", "app.db", "--count", "2")
    assert (done.status, done.out) == (2, "")
    assert "0002_children: there is no rollback" in done.err
    assert dump(project / "app.db") == before


def test_a_column_comes_back_in_its_place(tmp_path: Path) -> None:
    """A restored column is at its old position, on which earlier rollbacks and later migrations rely."""
    columns = ["a: text", "b: {type: text, default: one}", "c: {type: text, enum: [x, y]}"]
    for number, chosen in enumerate(
        [columns, [columns[0], "b: {type: text, default: two}", columns[2]], columns[1:]], start=1
    ):
        text = "".join(f"      {column}\n" for column in chosen)
        (tmp_path / "schema.yaml").write_text(f"version: 1\ntables:\n  t:\n    columns:\n{text}", encoding="utf-8")
        assert run(tmp_path, "generate", "-m", f"step {number}", "--allow", "all").status == 0
        assert run(tmp_path, "apply", "app.db").status == 0
        execute(tmp_path / "app.db", f"INSERT INTO t (b, c) VALUES ('row {number}', 'x')")
    first = run(tmp_path, "status", "app.db").out.split()[1]
    done = run(tmp_path, "rollback", "app.db", "--to", first)
    assert (done.status, done.out.count("rolled back")) == (0, 2), done.err
    assert rows(tmp_path / "app.db", "SELECT * FROM t") == [(None, f"row {number}", "x") for number in (1, 2, 3)]
    assert run(tmp_path, "apply", "app.db").status == 0
    assert run(tmp_path, "drift", "app.db", "--column-order").status == 0
