"""``apply --redo`` brings a database up to date with migrations that were changed after it ran them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector
from tests.support.folders import record_folder
from tests.support.projects import Run, edit, execute, held_by_another_process, rows, run
from waiaas_migrate import DatabaseRefused, Loss, redo
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.pragmas import Pragma

START = "version: 1\ntables:\n  t: {columns: {id: {type: integer, primary_key: true}, a: text}}\n"


def declare(folder: Path, columns: str) -> None:
    """Declare a table with these columns beside its key."""
    (folder / "schema.yaml").write_text(START.replace("a: text", columns), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project whose second migration adds ``b``, and a database with a row that ran both."""
    folder = tmp_path / "my app"
    folder.mkdir()
    declare(folder, "a: text")
    assert run(folder, "generate").status == 0
    declare(folder, "a: text, b: text")
    assert run(folder, "generate", "-m", "more").status == 0
    assert run(folder, "apply", "app.db").status == 0
    execute(folder / "app.db", "INSERT INTO t (a) VALUES ('x')")
    return folder


def amend(folder: Path, columns: str, *arguments: str) -> None:
    """Replace the last migration with one that leads to these columns."""
    declare(folder, columns)
    done = run(folder, "generate", "--amend", *arguments)
    assert done.status == 0, done.err


def add_vacuum(folder: Path, sql: str) -> None:
    """Delete the last migration, and add one with the statements ``sql`` that runs outside transactions."""
    amend(folder, "a: text")
    assert run(folder, "new", "-m", "vacuum").status == 0
    vacuum = folder / "migrations" / "0002_vacuum.sql"
    vacuum.write_text(f"-- transactional: false\n{vacuum.read_text(encoding='utf-8')}{sql}", encoding="utf-8")
    assert run(folder, "record").status == 0


def redone(folder: Path, *arguments: str) -> Run:
    """Run ``apply --redo`` on the database."""
    return run(folder, "apply", "--redo", "app.db", *arguments)


def columns(database: Path) -> list[str]:
    """Return the columns of the table."""
    return [str(name) for (name,) in rows(database, "SELECT name FROM pragma_table_info('t')")]


def applied(database: Path) -> list[str]:
    """Return the recorded migrations."""
    with closing(sqlite3.connect(database)) as connection:
        return [row.id for row in read_applied(connection) or ()]


def state(database: Path) -> tuple[object, ...]:
    """Return the user's objects and rows, and the recorded migrations."""
    with closing(sqlite3.connect(database)) as connection:
        return (
            frozenset((row.kind, row.name, row.sql) for row in read_catalog(connection)),
            tuple(connection.execute("SELECT * FROM t")),
            tuple(applied(database)),
        )


def backups(folder: Path) -> list[str]:
    """Return the names of the backups."""
    return [path.name for path in folder.glob("app.db.backup-*")]


@pytest.mark.parametrize("name", ["more", "other"])
def test_an_amended_migration(project: Path, name: str) -> None:
    """The old migration is rolled back and the new one applied; rows stay, and a backup is made."""
    amend(project, "a: text, c: text", "-m", name)
    done = redone(project)
    assert (done.status, done.out) == (0, f"rolled back 0002_more\napplied 0002_{name}\n"), done.err
    assert len(backups(project)) == 1
    assert columns(project / "app.db") == ["id", "a", "c"]
    assert rows(project / "app.db", "SELECT * FROM t") == [(1, "x", None)]
    assert applied(project / "app.db") == ["0001_initial", f"0002_{name}"]
    for command in ("status", "drift", "apply"):
        assert run(project, command, "app.db").status == 0
    assert redone(project).out == "app.db: up to date.\n"


def test_an_undone_migration(project: Path) -> None:
    """A deleted migration is rolled back, and nothing is applied."""
    amend(project, "a: text")
    done = redone(project)
    assert (done.status, done.out) == (0, "rolled back 0002_more\n"), done.err
    assert columns(project / "app.db") == ["id", "a"]
    assert run(project, "status", "app.db").status == 0


def test_only_pending_migrations(project: Path) -> None:
    """If nothing needs to be rolled back, ``--redo`` works like plain ``apply``: without a backup and without --yes."""
    declare(project, "a: text, b: text, c: text")
    assert run(project, "generate", "-m", "c").status == 0
    assert redone(project).out == "applied 0003_c\n"
    assert backups(project) == []
    assert run(project, "apply", "--redo", "none.db").status == 2


def test_later_migrations_are_redone_too(project: Path) -> None:
    """All migrations after the changed one are rolled back first, and applied again after it."""
    declare(project, "a: text, b: text, c: text")
    assert run(project, "generate", "-m", "c").status == 0
    assert run(project, "new", "-m", "rows").status == 0
    for name, sql in (("0004_rows", "UPDATE t SET c = 'y';"), ("0004_rows.rollback", "UPDATE t SET c = NULL;")):
        with (project / "migrations" / f"{name}.sql").open("a", encoding="utf-8") as file:
            file.write(sql)
    assert run(project, "record").status == 0
    assert run(project, "apply", "app.db").status == 0
    edit(project / "migrations" / "0003_c.sql", "c TEXT", "c TEXT DEFAULT 'z'")
    assert run(project, "record").status == 0
    assert redone(project, "--yes").out == (
        "rolled back 0004_rows\nrolled back 0003_c\napplied 0003_c\napplied 0004_rows\n"
    )
    execute(project / "app.db", "INSERT INTO t (a) VALUES ('new')")
    assert rows(project / "app.db", "SELECT a, c FROM t") == [("x", "y"), ("new", "z")]


def test_losses_must_be_confirmed(project: Path) -> None:
    """The values in a rolled back column are counted, and nothing happens without --yes or an answer of yes."""
    execute(project / "app.db", "UPDATE t SET b = 'mine'")
    amend(project, "a: text, c: text", "-m", "more")
    before = state(project / "app.db")
    done = redone(project)
    assert (done.status, state(project / "app.db"), backups(project)) == (3, before, [])
    assert "rolling back 0002_more would delete column t.b (1 value). Nothing was changed." in done.err
    with pytest.raises(DatabaseRefused, match=r"column t\.b"):
        redo(str(project / "app.db"), project / "migrations")
    asked = json.loads(redone(project, "--yes", "--json").out)
    assert (asked["rolled_back"], asked["applied"]) == (["0002_more"], ["0002_more"])
    assert asked["losses"] == [{"kind": "column", "name": "t.b", "count": 1, "reason": ""}]
    assert asked["backup"] == str(project / backups(project)[0])
    assert columns(project / "app.db") == ["id", "a", "c"]


def test_data_that_comes_after_the_question(project: Path) -> None:
    """If another table or column has data after the answer, the question is repeated."""
    amend(project, "a: text, b: text, e: text", "-m", "more")
    assert redone(project).status == 0
    amend(project, "a: text, c: text", "-m", "more")
    execute(project / "app.db", "UPDATE t SET b = 'y'")
    asked: list[list[str]] = []

    def confirm(losses: Sequence[Loss]) -> bool:
        asked.append([str(loss) for loss in losses])
        execute(project / "app.db", "UPDATE t SET e = 'z'")
        return True

    done = redo(str(project / "app.db"), project / "migrations", confirm=confirm)
    assert asked == [["column t.b (1 value)"], ["column t.b (1 value)", "column t.e (1 value)"]]
    assert [str(loss) for loss in done.losses] == asked[-1]


def test_an_unknown_rollback(project: Path) -> None:
    """A database keeps only the last rollback texts. If one is needed that it no longer has, nothing is changed."""
    execute(project / "app.db", "UPDATE _yoyo_migration_text SET rollback = NULL")
    amend(project, "a: text, c: text", "-m", "more")
    before = state(project / "app.db")
    done = redone(project, "--yes")
    assert (done.status, state(project / "app.db"), backups(project)) == (2, before, [])
    assert "app.db: ran a 0002_more that the folder no longer has, and did not keep its rollback" in done.err


def test_an_adopted_migration(project: Path) -> None:
    """A migration that was adopted, and so never ran, is not rolled back."""
    execute(project / "app.db", "UPDATE _yoyo_migration_text SET was_adopted = 1")
    amend(project, "a: text, c: text", "-m", "more")
    before = state(project / "app.db")
    done = redone(project, "--yes")
    assert (done.status, "adopted 0002_more" in done.err) == (3, True)
    assert state(project / "app.db") == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "UPDATE _yoyo_migration_text SET rollback = 'DROP TABLE none'",
            "could not be rolled back and stays applied",
        ),
        ("INSERT INTO t (a) VALUES ('x')", "failed and was rolled back"),
    ],
    ids=["rollback", "migration"],
)
def test_a_failure_changes_nothing(project: Path, change: str, said: str) -> None:
    """Rolling back and applying share one transaction."""
    execute(project / "app.db", change)
    amend(project, "a: {type: text, unique: true}", "-m", "more")
    before = state(project / "app.db")
    done = redone(project, "--yes")
    assert (done.status, said in done.err) == (3, True), done.err
    assert state(project / "app.db") == before
    assert names_the_backup(project, done.err)
    assert restored(project, done.err) == before


def names_the_backup(folder: Path, message: str) -> bool:
    """Whether the message ends with the only backup and the command that restores it."""
    database, (backup,) = folder / "app.db", backups(folder)
    command = shlex.join(["waiaas-migrate", "restore", str(database), str(folder / backup)])
    return message.endswith(f" A backup from before the run is in {folder / backup}. To restore it, run `{command}`.\n")


def restored(folder: Path, message: str) -> tuple[object, ...]:
    """The state after the restore command in the message."""
    program, *arguments = shlex.split(message.rpartition("run `")[2].partition("`")[0])
    done = run(folder, *arguments)
    assert (program, done.status) == ("waiaas-migrate", 0), done.err
    return state(folder / "app.db")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("INSERT INTO t (id) VALUES (2)", "failed outside a transaction"),
        ("ALTER TABLE t ADD COLUMN mine", "Nothing else was changed."),
    ],
    ids=["it fails", "it is refused"],
)
def test_a_failure_after_the_rollback_was_committed(project: Path, change: str, said: str) -> None:
    """The message names the backup, and doesn't claim that nothing was changed."""
    add_vacuum(project, "VACUUM;\nINSERT INTO t VALUES (2, 'x');\n")
    execute(project / "app.db", change)
    before = state(project / "app.db")
    done = redone(project, "--yes")
    assert (done.status, "b" in columns(project / "app.db")) == (3, False), done.err
    assert said in done.err
    assert names_the_backup(project, done.err)
    assert restored(project, done.err) == before


def test_a_pragma_that_fails_after_the_run(project: Path) -> None:
    """The migrations are committed by then, so the message names them and the backup."""
    amend(project, "a: text, c: text", "-m", "more")
    record_folder(project / "migrations", pragmas=[Pragma(name="no_such", value=1)])
    done = redone(project, "--yes")
    assert (done.status, "Committed before that, and kept: 0002_more." in done.err) == (3, True), done.err
    assert names_the_backup(project, done.err)


def test_a_migration_outside_transactions(project: Path) -> None:
    """If the first pending migration can't run in a transaction, the rollback is committed before it."""
    add_vacuum(project, "VACUUM;\n")
    done = redone(project)
    assert (done.status, done.out) == (0, "rolled back 0002_more\napplied 0002_vacuum\n"), done.err
    assert columns(project / "app.db") == ["id", "a"]


@pytest.mark.parametrize("name", ["more", "other"])
def test_a_locked_database(project: Path, name: str) -> None:
    """Without the write lock, nothing is changed, and nothing is reported as done."""
    (project / "schema.yaml").write_text(
        "pragmas: {busy_timeout: 100}\n" + START.replace("a: text", "a: text, c: text")
    )
    assert run(project, "generate", "--amend", "-m", name).status == 0
    before = state(project / "app.db")
    with held_by_another_process(project / "app.db", "BEGIN IMMEDIATE"):
        done = redone(project)
    assert (done.status, done.out, "another connection held a lock" in done.err) == (3, "", True), done.err
    assert state(project / "app.db") == before
    assert redone(project).status == 0


def test_manual_changes_stay(project: Path) -> None:
    """An index that somebody made by hand is kept, and reported."""
    execute(project / "app.db", "CREATE INDEX mine ON t (a)")
    amend(project, "a: text, c: text", "-m", "more")
    done = redone(project)
    assert (done.status, "manual schema changes were left as they are" in done.err) == (0, True), done.err
    amend(project, "a: text")
    done = redone(project)
    assert (done.status, "manual schema changes were left as they are" in done.err) == (0, True), done.err


@pytest.mark.parametrize("arguments", [["--dry-run"], ["other.db"]])
def test_options_that_contradict_it(project: Path, arguments: list[str]) -> None:
    """``--redo`` takes one database and no --dry-run; --yes is refused without it."""
    assert redone(project, *arguments).status == 2
    assert run(project, "apply", "--yes", "app.db").status == 2


#: ``ALL_FAULTS=1`` tries every fault at every operation.
FAULTS = [fault for fault in Fault if fault is not Fault.TORN] if "ALL_FAULTS" in os.environ else [Fault.KILL]


def test_a_kill_at_every_operation(project: Path, tmp_path: Path, faults: FaultInjector) -> None:
    """After a kill, the database is as before or as after, and the next run finishes."""
    amend(project, "a: text, c: text", "-m", "more")
    base = tmp_path / "base"
    shutil.copytree(project, base, ignore=shutil.ignore_patterns("base"))
    tried = tmp_path / "tried"

    def attempt(fault: Fault | None = None, at: int = 0) -> list[int]:
        shutil.rmtree(tried, ignore_errors=True)
        shutil.copytree(base, tried)
        done = faults.run_tool("apply", "--redo", "app.db", below=tried, cwd=tried, fault=fault, at=at)
        assert done.status in {None: [0], Fault.KILL: [-signal.SIGKILL]}.get(fault, [0, 2, 3, 130]), done.err
        return [one.number for one in done.operations]

    before, numbers = state(base / "app.db"), attempt()
    after = state(tried / "app.db")
    assert len(numbers) > 20
    for number in numbers:
        for fault in FAULTS:
            attempt(fault, number)
            found = state(tried / "app.db")
            assert found in (before, after)
            assert run(tried, "apply", "--redo", "app.db").status == 0
            assert state(tried / "app.db") == after
