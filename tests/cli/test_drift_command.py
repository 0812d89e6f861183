"""``drift`` as a command: which changes it reports, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.projects import (
    add_migration,
    edit,
    execute,
    listing,
    run,
)

FIX = "Undo it (`drift --fix` prints the SQL), or make it a migration (`drift --as-migration NAME`)."


def test_drift_of_a_database_without_a_record(project: Path) -> None:
    """Its tables are reported, with a note on how to record the migrations that built them."""
    execute(project / "app.db", "CREATE TABLE tasks (x)")
    done = run(project, "drift", "app.db")
    assert done.status == 1
    assert done.out == (
        "schema (1 finding)\n  tasks: not made by any recorded migration: added table tasks (1 column).\n"
        "Fix: Run `waiaas-migrate adopt`, which compares the database with the migrations.\n"
    )
    told = "has no record of migrations, so everything in it is reported."
    assert done.err.startswith(f"app.db: {told}")
    assert told in run(project, "drift", "*.db").out
    for row in (json.loads(run(project, "drift", name, "--json").out) for name in ("app.db", "*.db")):
        assert row.get("databases", [row])[0]["unrecorded_tables"] is True


def test_no_drift(project: Path, database: Path) -> None:
    """A database that only its migrations changed has no drift, whatever rows it holds."""
    execute(database, "INSERT INTO tasks (title) VALUES ('one')", "ANALYZE")
    before = listing(project)
    done = run(project, "drift", "app.db")
    assert (done.status, done.out, done.err) == (0, "app.db: no drift.\n", "")
    as_json = run(project, "drift", "app.db", "--json")
    found = {"database": "app.db", "pending": [], "unrecorded_tables": False, "findings": []}
    assert (as_json.status, json.loads(as_json.out)) == (0, found)
    assert listing(project) == before


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("ALTER TABLE tasks ADD COLUMN nickname TEXT", "tasks: manual change: added column tasks.nickname"),
        ("DROP INDEX idx_tasks_state", "tasks: manual change: dropped index idx_tasks_state on tasks."),
        ("DROP TABLE notes", "manual change: dropped table notes."),
        ("CREATE VIEW all_tasks AS SELECT * FROM tasks", "manual change: added view all_tasks."),
        ("ALTER TABLE tasks RENAME COLUMN title TO name", "tasks.title"),
    ],
    ids=["column added", "index dropped", "table dropped", "view added", "column renamed"],
)
def test_drift_by_ddl(project: Path, database: Path, statement: str, found: str) -> None:
    """Manual changes are reported with their fix, and the exit status is 1."""
    execute(database, statement)
    before = listing(project)
    done = run(project, "drift", "app.db")
    assert (done.status, done.err) == (1, "")
    assert found in done.out
    assert done.out.count(FIX) == 1
    assert done.out.endswith(f"Fix: {FIX}\n")
    assert listing(project) == before


def test_drift_by_catalog_edit(project: Path, database: Path) -> None:
    """A CHECK that was changed in the catalog itself is found, with the value that it allows."""
    execute(
        database,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, '''done''', '''done'', ''late''') WHERE name = 'tasks'",
    )
    done = run(project, "drift", "app.db", "--json")
    assert done.status == 1
    (finding,) = json.loads(done.out)["findings"]
    assert (finding["subject"], finding["where"], finding["fix"]) == ("schema", "tasks", FIX)
    assert finding["what"] == "manual change: tasks.state: allow 'late'."


def test_drift_of_column_order(project: Path, database: Path) -> None:
    """Another column order is drift only with ``--column-order``."""
    execute(
        database,
        "DROP TABLE notes",
        "CREATE TABLE notes (body TEXT, id INTEGER PRIMARY KEY, "
        "task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE)",
    )
    assert run(project, "drift", "app.db").status == 0
    done = run(project, "drift", "app.db", "--column-order")
    assert done.status == 1
    assert "reordered columns of notes" in done.out


def test_drift_with_pending_migrations(project: Path, database: Path) -> None:
    """A database is compared with the migrations it has applied; a note counts the pending ones."""
    add_migration(project, "0002_more.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    done = run(project, "drift", database.name)
    assert (done.status, done.out) == (0, "app.db: no drift.\n")
    assert done.err == "1 pending. Compared with the schema that the applied migrations build.\n"
    assert json.loads(run(project, "drift", "app.db", "--json").out)["pending"] == ["0002_more"]


def test_drift_by_an_unknown_migration(project: Path, database: Path) -> None:
    """An applied migration that is missing from the folder is a finding."""
    add_migration(project, "0002_more.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    assert run(project, "apply", database.name).status == 0
    (project / "migrations" / "0002_more.sql").unlink()
    done = run(project, "drift", "app.db")
    assert done.status == 1
    assert done.out == (
        "migration (1 finding)\n"
        "  0002_more: the database has applied this migration, which is not in the folder.\n"
        "schema (1 finding)\n"
        "  more: made by an unknown migration or by hand: added table more (1 column).\n"
        "Fix for migration: Use the version of the application that has it. If only databases of your own ran it, run "
        "`waiaas-migrate apply --redo` on them.\n"
        "Fix for schema: Compare with the version of the application that has the unknown migrations.\n"
    )
    assert run(project, "drift", "*.db").out == (
        "app.db: 2 findings: 0002_more: the database has applied this migration, which is not in the folder. "
        "more: made by an unknown migration or by hand: added table more (1 column).\n"
    )


#: A view that is created again after each apply, and an index, a trigger, and a table that are created once.
HOOK = """\
DROP VIEW IF EXISTS open_tasks;
CREATE VIEW open_tasks AS SELECT id FROM tasks WHERE state = 'open';
CREATE INDEX IF NOT EXISTS idx_by_hook ON notes (body);
CREATE TABLE IF NOT EXISTS seen (task_id INTEGER);
CREATE TRIGGER IF NOT EXISTS sees AFTER INSERT ON tasks BEGIN INSERT INTO seen VALUES (new.id); END;
"""
HOOK_FIX = (
    "Hooks run only when `apply` has pending migrations. If they changed since, run them by hand or wait for the next "
    "migration. Otherwise undo the manual change."
)


@pytest.fixture
def hooked(project: Path) -> Path:
    """Make a database at head in which hooks created objects."""
    (project / "migrations" / "post-apply.sql").write_text(HOOK, encoding="utf-8")
    assert run(project, "apply", "app.db").status == 0
    return project / "app.db"


def test_objects_of_hooks_are_not_drift(project: Path, hooked: Path) -> None:
    """Objects that hooks created are not drift: at head, with a pending migration, or after a rollback."""
    assert run(project, "drift", hooked.name).out == "app.db: no drift.\n"
    edit(project / "schema.yaml", "      body: text\n", "      body: text\n      author: text\n")
    assert run(project, "generate").status == 0
    edit(project / "migrations" / "post-apply.sql", "SELECT id FROM", "SELECT id, title FROM")
    for command in ("drift", "apply", "drift", "rollback", "drift"):
        done = run(project, command, "app.db")
        assert done.status == 0, done
    execute(hooked, "CREATE VIEW by_hand AS SELECT 1 AS one")
    done = run(project, "drift", "app.db")
    assert (done.status, done.out) == (
        1,
        f"schema (1 finding)\n  by_hand: manual change: added view by_hand.\nFix: {FIX}\n",
    )


def test_objects_of_a_python_hook_are_not_drift(project: Path) -> None:
    """A Python hook is replayed like a Python migration."""
    code = 'from yoyo import step\nstep("CREATE VIEW IF NOT EXISTS ids AS SELECT id FROM tasks")\n'
    (project / "migrations" / "post-apply.py").write_text(code, encoding="utf-8")
    assert run(project, "apply", "app.db").status == 0
    assert run(project, "drift", "app.db").out == "app.db: no drift.\n"


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["DROP VIEW open_tasks"], "open_tasks: differs from what the post-apply hooks make: dropped view open_tasks."),
        (
            ["DROP INDEX idx_by_hook"],
            "notes: differs from what the post-apply hooks make: dropped index idx_by_hook on notes.",
        ),
        (["DROP TRIGGER sees"], "sees: differs from what the post-apply hooks make: dropped trigger sees on tasks."),
        (["DROP VIEW open_tasks", "CREATE VIEW open_tasks AS SELECT 1 AS id"], "hooks make: changed view open_tasks"),
        (["ALTER TABLE seen ADD COLUMN at"], "seen: differs from what the post-apply hooks make: added column seen.at"),
    ],
    ids=["view dropped", "index dropped", "trigger dropped", "view changed", "table changed"],
)
def test_changed_objects_of_hooks_are_drift(project: Path, hooked: Path, statements: list[str], said: str) -> None:
    """A changed object of a hook is reported with its own subject and fix, apart from manual changes."""
    execute(hooked, *statements, "CREATE INDEX idx_by_hand ON tasks (title)")
    done = run(project, "drift", hooked.name)
    assert done.status == 1
    assert "schema (1 finding)\n  tasks: manual change: added index idx_by_hand on tasks (title).\n" in done.out
    assert said in done.out
    assert done.out.endswith(f"Fix for schema: {FIX}\nFix for hook: {HOOK_FIX}\n")
    found = json.loads(run(project, "drift", "app.db", "--json").out)["findings"]
    assert [finding["subject"] for finding in found] == ["schema", "hook"]


def test_a_hook_that_fails_on_an_empty_database(project: Path, database: Path) -> None:
    """The error names the hook's file, since such a hook would also fail on a new database."""
    (project / "migrations" / "post-apply.sql").write_text("INSERT INTO nowhere VALUES (1);\n", encoding="utf-8")
    done = run(project, "drift", database.name)
    assert (done.status, done.out) == (2, "")
    assert "post-apply.sql: it fails on an empty database after the migrations before it" in done.err
