"""Hotfixes: a change by hand on production becomes a migration (`drift --as-migration`), or is undone (`--fix`)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector
from tests.support.folders import dump
from tests.support.projects import (
    add_migration,
    edit,
    execute,
    held_by_another_process,
    listing,
    rows,
    run,
)

HOTFIX = (
    "CREATE INDEX  idx_title ON tasks(title)",
    "ALTER TABLE tasks ADD COLUMN nickname  text",
    "create table audit (id integer primary key, state text check (state in ('open','done') or state is null))",
    "CREATE VIEW open_tasks AS SELECT id FROM tasks",
)
MIGRATION = "migrations/0002_hot_fix.sql"


def insert_edits(schema: Path, printed: str) -> None:
    """Insert the printed lines at the place they name: below the line of a key, or at the end of the file."""
    lines = schema.read_text(encoding="utf-8").splitlines()
    blocks = re.findall(r"^schema\.yaml(?::(\d+))?, .*: add\n((?:(?!schema\.yaml).*\n)+)", printed, re.MULTILINE)
    assert blocks
    for number, text in sorted(blocks, key=lambda block: -int(block[0] or len(lines))):
        at = int(number or len(lines))
        lines[at:at] = text.splitlines()
    schema.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def production(project: Path, database: Path) -> Path:
    """Make a database that was changed by hand, beside ``other.db``, which was not."""
    assert run(project, "apply", "other.db").status == 0
    execute(database, *HOTFIX, "INSERT INTO tasks (title, nickname) VALUES ('one', 'first')")
    return database


def test_a_hotfix_becomes_a_migration(project: Path, production: Path) -> None:
    """Other databases get the hotfix with apply. Once the printed lines are in schema.yaml, everything agrees."""
    before = dump(production)
    done = run(project, "drift", "app.db", "--as-migration", "Hot fix")
    assert done.status == 0, done.err
    assert "recorded 0002_hot_fix as applied to app.db" in done.err
    assert "enum: STATES" in done.out
    assert [line for line in dump(production) if line.startswith('INSERT INTO "tasks')] == [
        line for line in before if line.startswith('INSERT INTO "tasks')
    ]
    assert run(project, "apply", "app.db", "other.db").out == ("app.db: up to date.\nother.db: applied 0002_hot_fix.\n")
    assert rows(production, "SELECT title, nickname FROM tasks") == [("one", "first")]
    insert_edits(project / "schema.yaml", done.out)
    generated = run(project, "generate")
    assert (generated.status, generated.out, generated.err) == (
        0,
        "Nothing to generate: the migrations build the schema in schema.yaml.\n",
        "",
    )
    for command in (["check"], ["drift", "app.db"], ["drift", "other.db"], ["status", "app.db"]):
        assert run(project, *command).status == 0, command
    assert run(project, "drift", "app.db", "--as-migration", "again").out == "app.db: no drift.\n"
    assert not list((project / "migrations").glob("0003*"))


def test_it_was_adopted_not_run(project: Path, production: Path) -> None:
    """The database with the hotfix records the migration as adopted: rolling it back needs --allow DROP_TABLE."""
    assert run(project, "drift", "app.db", "--as-migration", "hot fix").status == 0
    assert "adopted 0002_hot_fix and never ran it" in run(project, "rollback", "app.db", "--yes").err
    done = run(project, "rollback", "app.db", "--allow", "DROP_TABLE")
    assert (done.status, "would delete column tasks.nickname (1 value). Nothing was changed." in done.err) == (3, True)
    assert run(project, "rollback", "app.db", "--allow", "DROP_TABLE", "--yes").status == 0
    assert run(project, "drift", "app.db").status == 0
    assert production.exists()


def test_a_renamed_column_follows_schema_yaml(project: Path, database: Path) -> None:
    """If schema.yaml already declares the change, with its hints, nobody's values are dropped and nothing is printed."""
    assert run(project, "apply", "other.db").status == 0
    execute(project / "other.db", "INSERT INTO tasks (title) VALUES ('kept')")
    execute(database, "ALTER TABLE tasks RENAME COLUMN title TO name")
    refused = run(project, "drift", "app.db", "--as-migration", "name")
    assert (refused.status, "DROP_COLUMN tasks.title" in refused.out) == (1, True)
    assert refused.err.endswith("Nothing was written: --allow is needed for 1 hazard.\n")
    assert [path.name for path in (project / "migrations").glob("0002*")] == []
    edit(project / "schema.yaml", "      title: {", "      name: {renamed_from: title, ")
    done = run(project, "drift", "app.db", "--as-migration", "name", "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert (found["migration"], found["edits"]) == ("0002_name", [])
    assert run(project, "apply", "other.db").status == 0
    assert rows(project / "other.db", "SELECT name FROM tasks") == [("kept",)]
    assert "Nothing to generate" in run(project, "generate").out


def test_changed_and_dropped_things(project: Path, database: Path) -> None:
    """For a changed object, new lines are printed to replace the old ones.

    For a dropped object, the lines to remove are named.
    """
    execute(database, "DROP INDEX idx_tasks_state", "CREATE INDEX idx_tasks_state ON tasks (title)", "DROP TABLE notes")
    done = run(project, "drift", "app.db", "--as-migration", "less", "--allow", "drop_table")
    assert done.status == 0, done.err
    assert (
        "schema.yaml:12, tables.tasks.indexes.idx_tasks_state: replace with\n      idx_tasks_state: [title]\n"
        in done.out
    )
    assert "schema.yaml:13, tables.notes: remove\n" in done.out


@pytest.mark.parametrize(
    "spelling", ["CREATE  INDEX idx_title\non TASKS (TITLE)", "create index IDX_TITLE on tasks(title)"]
)
def test_case_and_spacing_do_not_matter(project: Path, database: Path, spelling: str) -> None:
    """A database whose definitions differ only in case or spacing has no drift. Its hotfixes work like any other."""
    execute(
        database,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(replace(sql, 'INTEGER', 'integer'), ' TEXT', '   text')",
    )
    assert run(project, "drift", "app.db").status == 0
    assert run(project, "drift", "app.db", "--fix").err == "app.db: no drift.\n"
    execute(database, spelling)
    done = run(project, "drift", "app.db", "--as-migration", "hot fix")
    assert done.status == 0, done.err
    assert "notes" not in done.out
    assert "title" in done.out.casefold()
    assert "id" not in re.findall(r"\w+", (project / MIGRATION).read_text(encoding="utf-8").casefold())
    assert run(project, "drift", "app.db").status == 0


def test_objects_of_hooks_are_left_out(project: Path, production: Path) -> None:
    """Objects that a post-apply hook makes are in no migration."""
    hook = "CREATE TABLE IF NOT EXISTS seen (id INTEGER);\nCREATE INDEX IF NOT EXISTS by_hook ON notes (body);\n"
    (project / "migrations" / "post-apply.sql").write_text(hook, encoding="utf-8")
    execute(production, *hook.splitlines())
    assert "seen" not in run(project, "drift", "app.db", "--fix").out
    done = run(project, "drift", "app.db", "--as-migration", "hot fix")
    assert done.status == 0, done.err
    assert not re.search("seen|by_hook", (project / MIGRATION).read_text(encoding="utf-8") + done.out)
    assert run(project, "drift", "app.db").status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("other.db", "app.db", "--fix"), 2, "take one DATABASE"),
        (("*.db", "--as-migration", "x"), 2, "take one DATABASE"),
        (("app.db", "--as-migration", "x", "--fix"), 2, "Give only one of them."),
        (("app.db", "--as-migration", "…"), 2, "no character that can be used in a file name"),
        (("app.db", "--as-migration", "x", "--allow", "y"), 2, "unknown hazard"),
        (("none.db", "--as-migration", "x"), 2, "no such file"),
        (("plain.db", "--as-migration", "x"), 3, "has no record of migrations"),
        (("plain.db", "--fix"), 3, "has no record of migrations"),
        (("foreign.db", "--as-migration", "x"), 3, "belongs to another migrations folder"),
        (("foreign.db", "--fix"), 3, "belongs to another migrations folder"),
        (("behind.db", "--as-migration", "x"), 3, "has not applied 0002_more. Nothing was changed."),
    ],
)
def test_what_is_refused(project: Path, production: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    """Each refusal gives its reason, and nothing is changed."""
    execute(project / "plain.db", "CREATE TABLE x (y)")
    for name in ("behind.db", "foreign.db"):
        shutil.copy(production, project / name)
    execute(project / "foreign.db", "UPDATE _yoyo_migration_text SET content_hash = 'another'")
    edit(project / "schema.yaml", "      body: text\n", "      body: text\n      author: text\n")
    assert run(project, "generate", "-m", "more").status == 0
    before = listing(project)
    done = run(project, "drift", *arguments)
    assert (done.status, done.out) == (status, ""), done.err
    assert said in done.err
    assert listing(project) == before


def test_a_locked_database_is_recorded_later(project: Path, production: Path) -> None:
    """The migration's files are written. The message says to run the command again, and the second run records it."""
    with held_by_another_process(production, "BEGIN IMMEDIATE"):
        done = run(project, "drift", "app.db", "--as-migration", "hot fix")
    assert (done.status, done.out) == (3, "")
    assert "0002_hot_fix is written, but not recorded: run the same command again." in done.err
    again = run(project, "drift", "app.db", "--as-migration", "hot fix")
    assert again.status == 0, again.err
    assert "nickname: text" in again.out
    assert run(project, "drift", "app.db").status == 0


def test_another_change_before_it_is_recorded(project: Path, production: Path) -> None:
    """The message says how to start over, and its instructions work."""
    with held_by_another_process(production, "BEGIN IMMEDIATE"):
        assert run(project, "drift", "app.db", "--as-migration", "hot fix").status == 3
    execute(production, "ALTER TABLE notes ADD COLUMN second TEXT")
    done = run(project, "drift", "app.db", "--as-migration", "hot fix")
    assert (done.status, "delete the files of 0002_hot_fix, run `waiaas-migrate record`" in done.err) == (3, True)
    for path in (project / "migrations").glob("0002_hot_fix.*"):
        path.unlink()
    assert run(project, "record").status == 0
    assert run(project, "drift", "app.db", "--as-migration", "hot fix").status == 0
    assert run(project, "drift", "app.db").status == 0


def test_killed_anywhere(tmp_path: Path, project: Path, production: Path, faults: FaultInjector) -> None:
    """After SIGKILL at a file operation, folder and database are readable, and the same command finishes.

    (Every operation with ``ALL_FAULTS=1``.)
    """
    shutil.copytree(project, base := tmp_path.with_name(f"{tmp_path.name}-base"))
    command = ("drift", production.name, "--as-migration", "hot fix")
    step = 1 if "ALL_FAULTS" in os.environ else 3
    number = total = 1
    seen = set[tuple[bool, bool]]()
    while number <= total:
        folder = base.with_name(f"{base.name}-{number}")
        shutil.copytree(base, folder)
        killed = faults.run_tool(*command, below=folder, cwd=folder, fault=Fault.KILL, at=number)
        total = max(total, len(killed.operations), number + step if killed.status == -signal.SIGKILL else 0)
        is_recorded = "0002_hot_fix" in [
            row[0] for row in rows(folder / "app.db", "SELECT migration_id FROM _yoyo_migration")
        ]
        is_written = run(folder, "check").err == "" and "0002_hot_fix" in run(folder, "status", "app.db").out
        assert is_written >= is_recorded
        seen.add((is_written, is_recorded))
        again = run(folder, *command)
        assert again.status == 0, (number, again.err)
        assert run(folder, "status", "app.db").out.endswith("app.db: up to date.\n")
        assert rows(folder / "app.db", "SELECT count(*) FROM _yoyo_migration_text") == [(2,)]
        assert len(list((folder / "migrations").glob("*.sql"))) == 4
        shutil.rmtree(folder)
        number += step
    assert seen == {(False, False), (True, False), (True, True)}


def test_fix_prints_sql_that_undoes_the_change(project: Path, production: Path) -> None:
    """The printed SQL marks statements that destroy data and names each hazard.

    Printing changes nothing; running the SQL restores the schema.
    """
    execute(production, "DROP INDEX idx_tasks_state")
    before = listing(project)
    done = run(project, "drift", "app.db", "--fix")
    assert (done.status, done.err) == (1, "")
    assert listing(project) == before
    assert "-- hazard DROP_COLUMN tasks.nickname: deletes every value of tasks.nickname." in done.out
    assert "-- DESTRUCTIVE: deletes every row of audit. drop table audit\nDROP TABLE audit;" in done.out
    assert "-- drop view open_tasks\nDROP VIEW open_tasks;" in done.out
    with closing(sqlite3.connect(production, isolation_level=None)) as connection:
        connection.executescript(done.out)
    assert run(project, "drift", "app.db").out == "app.db: no drift.\n"
    assert rows(production, "SELECT title FROM tasks") == [("one",)]
    assert json.loads(run(project, "drift", "app.db", "--fix", "--json").out)["sql"] == ""


def test_fix_of_a_database_that_is_behind(project: Path, production: Path) -> None:
    """The printed SQL leads to the schema of the migrations that the database has applied."""
    add_migration(project, "0002_more.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    done = run(project, "drift", production.name, "--fix")
    assert done.status == 1
    assert "more" not in done.out
