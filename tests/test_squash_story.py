"""A squash replaces twenty migrations with one; databases at every earlier version are then used with it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector
from tests.support.folders import run_yoyo, write_folder
from tests.support.projects import edit, execute, held_by_another_process, listing, rows, run, run_process
from waiaas_migrate import open_database
from waiaas_migrate.sqlite.database.pragmas import Pragma

COUNT = 20
LAST = f"{COUNT:04}_add_column_item_c{COUNT}"
SCHEMA = """version: 1
tables:
  item:
    columns:
      id: {type: integer, primary_key: true}
      # next
"""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with twenty migrations, and a database with rows at every version, before and after a squash.

    ``N.db`` ran the first N migrations by the runner, and ``yoyo-N.db`` by plain yoyo.
    """
    project = tmp_path_factory.mktemp("history")
    (project / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
    (project / "empty.db").touch()
    before = project / "empty.db"
    for number in range(1, COUNT + 1):
        if number > 1:
            add_column(project, number)
        assert run(project, "generate").status == 0
        copy = project / f"{number}.db"
        shutil.copy(before, copy)
        assert run(project, "apply", copy.name).status == 0
        insert(copy, number)
        before = copy
        if number in (1, COUNT - 1, COUNT):
            yoyo = project / f"yoyo-{number}.db"
            run_yoyo("apply", yoyo, project / "migrations")
            insert(yoyo, number)
    shutil.copytree(project / "migrations", project / "old")
    done = run(project, "squash")
    assert done.status == 0, done.err
    add_column(project, COUNT + 1)
    assert run(project, "generate").status == 0
    return project


def add_column(project: Path, number: int) -> None:
    """Declare another column."""
    edit(
        project / "schema.yaml", "      # next", f"      c{number}: {{type: integer, default: {number}}}\n      # next"
    )


def insert(database: Path, number: int) -> None:
    """Insert a row."""
    execute(database, f"INSERT INTO item (id) VALUES ({number})")


def project_copy(history: Path, tmp_path: Path, *databases: str) -> Path:
    """Return a copy of the project with these databases."""
    for name in ("migrations", "old"):
        shutil.copytree(history / name, tmp_path / name)
    shutil.copy(history / "schema.yaml", tmp_path)
    for name in databases:
        shutil.copy(history / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [f"{COUNT}.db", f"yoyo-{COUNT}.db"])
def test_a_database_that_ran_all_goes_on(history: Path, tmp_path: Path, name: str) -> None:
    """A database that ran all twenty runs what comes after the squash.

    Its rows stay, and its records are those of a new database.
    """
    project = project_copy(history, tmp_path, name)
    seen = run(project, "status", name)
    assert (seen.status, seen.out.count(LAST)) == (1, 1), seen.out + seen.err
    assert run(project, "drift", name).status == 0
    done = run(project, "apply", name)
    assert done.status == 0, done.err
    assert rows(project / name, f"SELECT max(id), max(c{COUNT}) FROM item") == [(COUNT, COUNT)]
    assert rows(project / name, "SELECT migration_id FROM _yoyo_migration ORDER BY 1") == [
        (LAST,),
        (f"{COUNT + 1:04}_add_column_item_c{COUNT + 1}",),
    ]
    assert run(project, "apply", name).out.endswith("up to date.\n")
    assert run(project, "drift", name).status == 0
    before = listing(project)
    open_database(project / name, migrations=project / "migrations").close()
    assert listing(project) == before


def test_opening_carries_a_database_on(history: Path, tmp_path: Path) -> None:
    """An application that opens the database updates its records, and writes nothing the next time."""
    project = project_copy(history, tmp_path, f"{COUNT}.db")
    open_database(project / f"{COUNT}.db", migrations=project / "migrations").close()
    assert rows(project / f"{COUNT}.db", "SELECT count(*) FROM _yoyo_migration") == [(2,)]


@pytest.mark.parametrize("name", [*(f"{number}.db" for number in range(1, COUNT)), "yoyo-1.db", f"yoyo-{COUNT - 1}.db"])
def test_a_database_that_ran_some_is_told_what_to_do(history: Path, tmp_path: Path, name: str) -> None:
    """Every command refuses the database unchanged. The migrations from before the squash bring it up to the squash."""
    project = project_copy(history, tmp_path, name)
    before = listing(project)
    for command in ("apply", "rollback", "status", "drift"):
        done = run(project, command, name)
        assert done.status in (1, 3), command
        assert f"First apply the migrations up to {LAST}" in " ".join((done.out + done.err).split()), done.err
    assert listing(project) == before
    assert run(project, "apply", name, "--migrations", "old").status == 0
    assert run(project, "apply", name).status == 0
    assert run(project, "drift", name).status == 0


def test_a_squashed_database_can_be_rolled_back(history: Path, tmp_path: Path) -> None:
    """``rollback`` undoes the migration after the squash on a database that ran the old ones."""
    name = f"{COUNT}.db"
    project = project_copy(history, tmp_path, name)
    assert run(project, "apply", name).status == 0
    assert run(project, "rollback", name, "--yes").status == 0
    assert rows(project / name, "SELECT count(*) FROM item") == [(COUNT,)]
    assert run(project, "apply", name).status == 0


def test_plain_yoyo_has_nothing_to_run_twice(history: Path, tmp_path: Path) -> None:
    """Plain yoyo applies only what comes after the squash to a database past it, and everything to a new one."""
    project = project_copy(history, tmp_path, f"yoyo-{COUNT}.db")
    for name in (f"yoyo-{COUNT}.db", "new.db"):
        run_yoyo("apply", project / name, project / "migrations")
        assert run(project, "drift", name).status == 0
        assert run(project, "apply", name).status == 0


def test_another_projects_database_is_refused(history: Path, tmp_path: Path) -> None:
    """A database whose migrations have the squashed names, but other texts, is refused."""
    name = f"{COUNT}.db"
    project = project_copy(history, tmp_path, name)
    execute(project / name, "UPDATE _yoyo_migration_text SET content_hash = 'another'")
    before = listing(project)
    done = run(project, "apply", name)
    assert (done.status, "another migrations folder" in " ".join(done.err.split())) == (3, True), done.err
    assert listing(project) == before


def test_a_squashed_migration_of_another_text_is_refused(history: Path, tmp_path: Path) -> None:
    """The texts of all squashed migrations are compared, not only the last one's."""
    name = f"{COUNT}.db"
    project = project_copy(history, tmp_path, name)
    execute(project / name, "UPDATE _yoyo_migration_text SET content_hash = 'another' WHERE rowid = 2")
    before = listing(project)
    for arguments in (("apply", name), ("rollback", name), ("apply", "--redo", name), ("adopt", name)):
        done = run(project, *arguments)
        said = "it ran another 0002_add_column_item_c2 than the one that was squashed into" in done.err
        assert (done.status, said) == (3, True), (arguments, done.err)
    assert listing(project) == before


def test_a_database_that_ran_only_the_last(tmp_path: Path) -> None:
    """The squash has the id of the last migration, but the database hasn't run the others, so it is refused."""
    folder = tmp_path / "migrations"
    write_folder(folder, {"0002_b.sql": "CREATE TABLE b (x);\n"}, pragmas=())
    assert run(tmp_path, "apply", "app.db").status == 0
    write_folder(folder, {"0001_a.sql": "CREATE TABLE a (x);\n"}, pragmas=())
    shutil.copytree(folder, tmp_path / "old")
    assert run(tmp_path, "squash").status == 0
    done = run(tmp_path, "apply", "app.db")
    assert (done.status, "ran 0002_b, but not 0001_a. Both were squashed into 0002_b." in done.err) == (3, True)
    assert run(tmp_path, "apply", "app.db", "--migrations", "old").status == 0
    assert run(tmp_path, "apply", "app.db").status == 0
    assert rows(tmp_path / "app.db", "SELECT migration_id FROM _yoyo_migration") == [("0002_b",)]


def test_a_locked_database(tmp_path: Path) -> None:
    """The error reports the lock; the old records aren't mistaken for those of a newer version."""
    files = {"0001_a.sql": "CREATE TABLE a (x);\n", "0002_b.sql": "CREATE TABLE b (x);\n"}
    write_folder(tmp_path / "migrations", files, pragmas=(Pragma(name="busy_timeout", value=100),))
    assert run(tmp_path, "apply", "app.db").status == 0
    assert run(tmp_path, "squash").status == 0
    with held_by_another_process(tmp_path / "app.db", "BEGIN IMMEDIATE"):
        done = run(tmp_path, "apply", "app.db")
    assert (done.status, "another connection held a lock" in done.err) == (3, True), done.err
    assert run(tmp_path, "apply", "app.db").status == 0


def test_killed_while_the_records_change(history: Path, tmp_path: Path, faults: FaultInjector) -> None:
    """SIGKILL at file operations leaves a database with all old records or all new ones, and the next run goes on."""
    base = project_copy(history, tmp_path / "base", f"{COUNT}.db")
    shutil.copytree(base, tmp_path / "undisturbed")
    done = faults.run_tool("apply", f"{COUNT}.db", below=tmp_path / "undisturbed", cwd=tmp_path / "undisturbed")
    assert done.status == 0, done.err
    states = set()
    step = 1 if "ALL_FAULTS" in os.environ else 4
    for operation in (*done.operations[::step], done.operations[-1]):
        folder = tmp_path / f"killed-{operation.number}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
        killed = faults.run_tool(
            "apply", f"{COUNT}.db", below=folder, cwd=folder, fault=Fault.KILL, at=operation.number
        )
        assert killed.status == -signal.SIGKILL
        states.add(rows(folder / f"{COUNT}.db", "SELECT count(*) FROM _yoyo_migration")[0][0])
        assert run(folder, "apply", f"{COUNT}.db").status == 0
        assert rows(folder / f"{COUNT}.db", "SELECT count(*) FROM item") == [(COUNT,)]
        assert run(folder, "drift", f"{COUNT}.db").status == 0
    assert states == {COUNT}  # the last operation commits
    assert rows(tmp_path / "undisturbed" / f"{COUNT}.db", "SELECT count(*) FROM _yoyo_migration") == [(2,)]


def test_squash_prints_what_it_did(history: Path, tmp_path: Path) -> None:
    """The command names the migrations that it replaced; with --json, as data."""
    project = project_copy(history, tmp_path)
    shutil.rmtree(project / "migrations")
    shutil.copytree(project / "old", project / "migrations")
    done = run_process(project, "squash", "--to", "0005_add_column_item_c5")
    assert done.status == 0
    assert done.out == "Squashed 5 migrations into 0005_add_column_item_c5.\n"
    assert "deleted 8 files" in done.err
