"""``apply``, ``status`` and ``drift`` as commands: what they print, what they write, and what they exit with."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.support.projects import (
    TABLES,
    catalog,
    edit,
    execute,
    generated_project,
    held_by_another_process,
    listing,
    rows,
    run,
)

FIX = "Undo the manual change, or add it to schema.yaml and run `waiaas-migrate generate`."


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one migration."""
    return generated_project(tmp_path)


@pytest.fixture
def database(project: Path) -> Path:
    """A database at head, called ``app.db``."""
    assert run(project, "apply", "app.db").status == 0
    return project / "app.db"


def add_migration(project: Path, name: str, sql: str) -> None:
    """Write a migration by hand, without a manifest that would not list it."""
    (project / "migrations" / name).write_text(sql, encoding="utf-8")
    (project / "migrations" / "manifest.json").unlink(missing_ok=True)


def test_apply_makes_the_file(project: Path) -> None:
    """A new database is at head and its owner's alone; the migrations that were run stand on stdout."""
    done = run(project, "apply", "app.db")
    assert (done.status, done.out, done.err) == (0, "applied 0001_initial\n", "")
    assert catalog(project / "app.db") == TABLES
    assert stat.S_IMODE((project / "app.db").stat().st_mode) == 0o600


def test_apply_twice(project: Path, database: Path) -> None:
    """A second apply says that there is nothing to do, exits with 0, and leaves every byte alone."""
    before = listing(project)
    done = run(project, "apply", database.name)
    assert (done.status, done.out, done.err) == (0, "app.db: up to date.\n", "")
    assert listing(project) == before


def test_apply_as_json(project: Path) -> None:
    """``--json`` lists what was applied."""
    first = run(project, "apply", "app.db", "--json")
    assert json.loads(first.out) == {"database": "app.db", "applied": ["0001_initial"], "notices": [], "backup": None}
    assert json.loads(run(project, "apply", "app.db", "--json").out)["applied"] == []


def test_apply_takes_a_url(project: Path) -> None:
    """A ``sqlite:///`` URL names the same file as its path."""
    assert run(project, "apply", "sqlite:///app.db").status == 0
    assert run(project, "status", "app.db").status == 0
    assert run(project, "status", f"sqlite:////{(project / 'app.db').as_posix().lstrip('/')}").status == 0


@pytest.mark.parametrize("command", ["apply", "status", "drift"])
def test_a_file_that_is_no_database(project: Path, command: str) -> None:
    """Another file is refused with exit status 2, and left as it is."""
    (project / "notes.txt").write_text("This is no database, and long enough to be looked at.\n" * 4, encoding="utf-8")
    before = listing(project)
    done = run(project, command, "notes.txt")
    assert (done.status, done.out) == (2, "")
    assert (
        done.err
        == "Error: notes.txt: is not a SQLite database, or it is encrypted or made by a newer SQLite. Check the path.\n"
    )
    assert listing(project) == before


@pytest.mark.parametrize("command", ["apply", "status", "drift"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("migrations", "is a folder. Give the path of a database file."),
        ("nowhere/app.db", "the folder nowhere does not exist. Create it first."),
        ("", "does not name a database. Give a path, :memory: or a sqlite:/// URL."),
        ("sqlite://app.db", "is not a database URL. Write sqlite:///relative/path.db"),
    ],
)
def test_names_that_are_no_database(project: Path, command: str, name: str, said: str) -> None:
    """A folder, a file in a folder that is missing, or no name at all: exit status 2, and nothing is made."""
    before = listing(project)
    done = run(project, command, name)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert listing(project) == before


@pytest.mark.parametrize("command", ["status", "drift"])
def test_reading_makes_no_file(project: Path, command: str) -> None:
    """A database that is not there is not made by asking about it."""
    before = listing(project)
    done = run(project, command, "app.db")
    assert (done.status, done.out) == (2, "")
    assert done.err == "Error: app.db: cannot be opened: there is no such file. Check the path.\n"
    assert listing(project) == before


@pytest.mark.parametrize("command", ["apply", "status", "drift"])
def test_a_migrations_folder_that_is_missing(project: Path, database: Path, command: str) -> None:
    """A wrong ``--migrations`` exits with 2, rather than taking all that the database has for unknown."""
    before = listing(project)
    done = run(project, command, database.name, "--migrations", "nowhere")
    assert (done.status, done.out) == (2, "")
    assert "nowhere: no such folder. Correct the path, or run `waiaas-migrate generate` to create it." in done.err
    assert listing(project) == before


def test_apply_on_a_locked_database(project: Path) -> None:
    """A lock that another process does not let go of exits with 3, after waiting, and nothing is changed."""
    add_migration(project, "0002_more.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    execute(project / "app.db", "CREATE TABLE _yoyo_migration (migration_hash, migration_id, applied_at_utc)")
    with held_by_another_process(project / "app.db"):
        done = run(project, "apply", "app.db")
    assert (done.status, done.out) == (3, "")
    assert done.err.startswith("Error: app.db: another connection held a lock for too long while ")
    assert "Traceback" not in done.err
    assert catalog(project / "app.db") == set()


def test_apply_refuses_a_database_of_unknown_origin(project: Path) -> None:
    """Tables that no migration made are refused with exit status 3, by name, and left alone."""
    execute(project / "app.db", "CREATE TABLE old (a)")
    before = listing(project)
    done = run(project, "apply", "app.db")
    assert (done.status, done.out) == (3, "")
    assert "holds tables (old) but no record of migrations" in done.err
    said = run(project, "status", "app.db")
    assert said.status == 1
    assert "app.db: 1 pending. It has tables but no record of migrations, so `apply` refuses it.\n" in said.out
    assert json.loads(run(project, "status", "app.db", "--json").out)["unrecorded_tables"] is True
    assert listing(project) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title: {type: text, nullable: false}", "title: {type: text, nullable: false, unique: true}", "tasks.title"),
        ('("open", "done")', '("open", "closed")', "no longer allowed ('done')"),
    ],
    ids=["a copy", "a guard"],
)
def test_rows_that_stand_in_the_way(project: Path, database: Path, old: str, new: str, said: str) -> None:
    """The rule, the rows and what to do are told; names that only the migration knows are not."""
    execute(database, "INSERT INTO tasks (title, state) VALUES ('a', 'done'), ('a', 'done')")
    for name in ("schema.yaml", "kinds.py"):
        text = (project / name).read_text(encoding="utf-8")
        (project / name).write_text(text.replace(old, new), encoding="utf-8")
    assert run(project, "generate", "--allow", "all").status == 0
    done = run(project, "apply", "app.db")
    assert done.status == 3
    assert said in done.err
    assert done.err.endswith(" (2 rows: id 1, 2). Change these rows, then try again.\n")
    assert "_waiaas_" not in done.err


def test_apply_refuses_a_database_from_the_future(project: Path, database: Path) -> None:
    """A database that has run migrations which are not in the folder is refused with exit status 3, naming them."""
    add_migration(project, "0002_more.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    assert run(project, "apply", "app.db").status == 0
    (project / "migrations" / "0002_more.sql").unlink()
    add_migration(project, "0003_other.sql", "-- depends: 0001_initial\nCREATE TABLE other (a);\n")
    done = run(project, "apply", "app.db")
    assert (done.status, done.out) == (3, "")
    assert "has applied migrations that are not in the migrations folder: 0002_more." in done.err
    assert ("table", "other") not in catalog(database)


def test_a_migration_that_fails_is_rolled_back(project: Path, database: Path) -> None:
    """A migration that fails on the rows of this database exits with 3 and leaves all of them, and of the schema."""
    execute(database, "INSERT INTO tasks (title) VALUES ('one'), ('one')")
    add_migration(
        project,
        "0002_unique.sql",
        "-- depends: 0001_initial\nDELETE FROM tasks WHERE id = 1;\nINSERT INTO tasks (title) VALUES ('one');\n"
        "CREATE UNIQUE INDEX titles ON tasks (title);\n",
    )
    done = run(project, "apply", "app.db")
    assert (done.status, done.out) == (3, "")
    assert "migration 0002_unique failed and was rolled back: UNIQUE constraint failed: tasks.title" in done.err
    assert "CREATE UNIQUE INDEX titles" in done.err
    assert rows(database, "SELECT id FROM tasks") == [(1,), (2,)]
    assert run(project, "drift", "app.db").status == 0


def test_apply_in_a_folder_that_was_edited(project: Path) -> None:
    """A migrations folder that is not as its manifest says exits with 2 before a database is made."""
    edit(project / "migrations" / "0001_initial.sql", "title TEXT", "title BLOB")
    done = run(project, "apply", "app.db")
    assert (done.status, done.out) == (2, "")
    assert "0001_initial.sql: was edited" in done.err
    assert not (project / "app.db").exists()


def test_status(project: Path, database: Path) -> None:
    """Each migration stands with its state; the exit status is 0 at head, and 1 where some are pending or unknown."""
    done = run(project, "status", database.name)
    assert (done.status, done.out, done.err) == (0, "applied  0001_initial\napp.db: up to date.\n", "")

    add_migration(project, "0002_more.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    done = run(project, "status", "app.db")
    assert (done.status, done.err) == (1, "")
    assert done.out == "applied  0001_initial\npending  0002_more\napp.db: 1 pending.\n"

    assert run(project, "apply", "app.db").status == 0
    (project / "migrations" / "0002_more.sql").unlink()
    add_migration(project, "0002_other.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    done = run(project, "status", "app.db")
    assert (done.status, done.err) == (1, "")
    assert done.out == (
        "applied  0001_initial\npending  0002_other\nunknown  0002_more\n"
        "app.db: 1 pending, 1 unknown to this project.\n"
    )
    assert json.loads(run(project, "status", "app.db", "--json").out) == {
        "database": "app.db",
        "migrations": [
            {"id": "0001_initial", "state": "applied"},
            {"id": "0002_other", "state": "pending"},
            {"id": "0002_more", "state": "unknown"},
        ],
        "at_head": False,
        "unrecorded_tables": False,
        "problems": [],
    }


def test_status_of_a_folder_that_is_not_as_recorded(project: Path, database: Path) -> None:
    """What `apply` refuses is not called up to date, for one database and for many."""
    edit(project / "migrations" / "0001_initial.sql", "title TEXT", "title BLOB")
    refused = "The folder differs from its manifest, so `apply` refuses it. Run `check` for details.\n"
    done = run(project, "status", database.name)
    assert (done.status, done.out) == (1, f"applied  0001_initial\napp.db: up to date. {refused}")
    assert run(project, "status", "*.db").out == f"app.db: up to date. {refused}"
    assert run(project, "status", "*.db").status == 1
    assert run(project, "status", "*.db").err == "1 database: 1 not as recorded.\n"
    (problem,) = json.loads(run(project, "status", database.name, "--json").out)["problems"]
    assert problem["file"].endswith("0001_initial.sql")
    assert "was edited" in problem["what"]
    (project / "migrations" / "manifest.json").write_text("<<<<<<< ours\n", encoding="utf-8")
    assert run(project, "status", database.name).status == 2


def test_what_a_project_prints_is_not_among_the_json(project: Path) -> None:
    """A migration in Python and a module of enums may print: with --json that goes to stderr, for one and for many."""
    with (project / "kinds.py").open("a", encoding="utf-8") as enums:
        enums.write("print('the enums')\n")
    code = (
        "from yoyo import step\n__depends__ = {'0001_initial'}\n"
        "step(lambda connection: print('a migration'), lambda connection: print('and back'))\n"
    )
    add_migration(project, "0002_chatty.py", code)
    assert run(project, "generate", "--json").status == 0
    for arguments, said in (
        (("check", "--json"), "the enums\n"),
        (("apply", "a.db", "--json"), "a migration\n"),
        (("apply", "b.db", "c.db", "--json"), "a migration\n"),
        (("rollback", "a.db", "--json"), "and back\n"),
    ):
        done = run(project, *arguments)
        assert isinstance(json.loads(done.out), dict)
        assert said in done.err
    assert "a migration\n" in run(project, "apply", "d.db").out


def test_status_of_an_empty_database(project: Path) -> None:
    """A database that has run nothing has everything pending, and is not written to."""
    execute(project / "app.db", "PRAGMA user_version = 1")
    before = listing(project)
    done = run(project, "status", "app.db")
    assert (done.status, done.out) == (1, "pending  0001_initial\napp.db: 1 pending.\n")
    assert listing(project) == before


def test_drift_of_a_database_without_a_record(project: Path) -> None:
    """Its tables are told, and that it looks as if it were only not noted which migrations they come of."""
    execute(project / "app.db", "CREATE TABLE tasks (x)")
    done = run(project, "drift", "app.db")
    assert done.status == 1
    assert done.out == (
        "schema (1 finding)\n  tasks: not made by any recorded migration: add table tasks (1 column).\n"
        "Fix: Run `waiaas-migrate diff` to compare the database with the migrations.\n"
    )
    told = "It has no record of migrations, so everything in it is reported."
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
        ("ALTER TABLE tasks ADD COLUMN nickname TEXT", "tasks: manual change: add column tasks.nickname"),
        ("DROP INDEX idx_tasks_state", "tasks: manual change: drop index idx_tasks_state on tasks."),
        ("DROP TABLE notes", "manual change: drop table notes."),
        ("CREATE VIEW all_tasks AS SELECT * FROM tasks", "manual change: add view all_tasks."),
        ("ALTER TABLE tasks RENAME COLUMN title TO name", "tasks.title"),
    ],
    ids=["column added", "index dropped", "table dropped", "view added", "column renamed"],
)
def test_drift_by_ddl(project: Path, database: Path, statement: str, found: str) -> None:
    """What was changed by hand is named, with the way out, and the exit status is 1."""
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
    """Another order of a table's columns is drift only where ``--column-order`` asks for it."""
    execute(
        database,
        "DROP TABLE notes",
        "CREATE TABLE notes (body TEXT, id INTEGER PRIMARY KEY, "
        "task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE)",
    )
    assert run(project, "drift", "app.db").status == 0
    done = run(project, "drift", "app.db", "--column-order")
    assert done.status == 1
    assert "reorder columns of notes" in done.out


def test_drift_behind_head(project: Path, database: Path) -> None:
    """A database is compared with the migrations it has run; those it has not are told beside the result."""
    add_migration(project, "0002_more.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    done = run(project, "drift", database.name)
    assert (done.status, done.out) == (0, "app.db: no drift.\n")
    assert done.err == "1 pending. Compared with the schema that the applied migrations build.\n"
    assert json.loads(run(project, "drift", "app.db", "--json").out)["pending"] == ["0002_more"]


def test_drift_by_an_unknown_migration(project: Path, database: Path) -> None:
    """A migration that the folder does not have is a finding."""
    add_migration(project, "0002_more.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    assert run(project, "apply", database.name).status == 0
    (project / "migrations" / "0002_more.sql").unlink()
    done = run(project, "drift", "app.db")
    assert done.status == 1
    assert done.out == (
        "migration (1 finding)\n"
        "  0002_more: the database has applied this migration, which is not in the folder.\n"
        "schema (1 finding)\n"
        "  more: made by an unknown migration or by hand: add table more (1 column).\n"
        "Fix for migration: Use the version of the application that has it.\n"
        "Fix for schema: Compare with the version of the application that has the unknown migrations.\n"
    )
    assert run(project, "drift", "*.db").out == (
        "app.db: 2 findings: 0002_more: the database has applied this migration, which is not in the folder. "
        "more: made by an unknown migration or by hand: add table more (1 column).\n"
    )


#: A view, an index and a trigger, made anew behind each apply, and a table that is made once.
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
    """A database at head, behind which hooks made something."""
    (project / "migrations" / "post-apply.sql").write_text(HOOK, encoding="utf-8")
    assert run(project, "apply", "app.db").status == 0
    return project / "app.db"


def test_what_hooks_make_is_no_drift(project: Path, hooked: Path) -> None:
    """Not at head, nor before the next migration, nor when it was taken back."""
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
        f"schema (1 finding)\n  by_hand: manual change: add view by_hand.\nFix: {FIX}\n",
    )


def test_what_a_hook_in_python_makes_is_no_drift(project: Path) -> None:
    """It is replayed like a migration in Python."""
    code = 'from yoyo import step\nstep("CREATE VIEW IF NOT EXISTS ids AS SELECT id FROM tasks")\n'
    (project / "migrations" / "post-apply.py").write_text(code, encoding="utf-8")
    assert run(project, "apply", "app.db").status == 0
    assert run(project, "drift", "app.db").out == "app.db: no drift.\n"


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["DROP VIEW open_tasks"], "open_tasks: differs from what the post-apply hooks make: drop view open_tasks."),
        (
            ["DROP INDEX idx_by_hook"],
            "notes: differs from what the post-apply hooks make: drop index idx_by_hook on notes.",
        ),
        (["DROP TRIGGER sees"], "sees: differs from what the post-apply hooks make: drop trigger sees on tasks."),
        (["DROP VIEW open_tasks", "CREATE VIEW open_tasks AS SELECT 1 AS id"], "hooks make: change view open_tasks"),
        (["ALTER TABLE seen ADD COLUMN at"], "seen: differs from what the post-apply hooks make: add column seen.at"),
    ],
    ids=["view dropped", "index dropped", "trigger dropped", "view changed", "table changed"],
)
def test_what_is_not_as_hooks_make_it(project: Path, hooked: Path, statements: list[str], said: str) -> None:
    """It is a finding of its own, beside what was changed without a migration, with a way out of its own."""
    execute(hooked, *statements, "CREATE INDEX idx_by_hand ON tasks (title)")
    done = run(project, "drift", hooked.name)
    assert done.status == 1
    assert "schema (1 finding)\n  tasks: manual change: add index idx_by_hand on tasks (title).\n" in done.out
    assert said in done.out
    assert done.out.endswith(f"Fix for schema: {FIX}\nFix for hook: {HOOK_FIX}\n")
    found = json.loads(run(project, "drift", "app.db", "--json").out)["findings"]
    assert [finding["subject"] for finding in found] == ["schema", "hook"]


def test_a_hook_that_fails_on_an_empty_database(project: Path, database: Path) -> None:
    """It is told, by its file: no new database could be made."""
    (project / "migrations" / "post-apply.sql").write_text("INSERT INTO nowhere VALUES (1);\n", encoding="utf-8")
    done = run(project, "drift", database.name)
    assert (done.status, done.out) == (2, "")
    assert "post-apply.sql: it fails on an empty database after the migrations before it" in done.err


def test_a_folder_without_migrations(project: Path) -> None:
    """It may be the wrong one: that nothing is in it is told, where all would be well else."""
    (project / "none").mkdir()
    done = run(project, "apply", "app.db", "--migrations", "none")
    assert done.status == 0
    assert done.err == f"Note: There are no migrations in {project / 'none'}.\n"
    assert json.loads(run(project, "apply", "app.db", "--migrations", "none", "--json").out)["notices"]
    done = run(project, "status", "app.db", "--migrations", "none")
    assert (done.status, done.out) == (0, "app.db: up to date: the folder has no migrations.\n")
