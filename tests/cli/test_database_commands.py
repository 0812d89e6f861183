"""``apply`` and ``status`` as commands: what they print and write, and their exit status."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.support.projects import (
    TABLES,
    add_migration,
    catalog,
    edit,
    execute,
    held_by_another_process,
    listing,
    rows,
    run,
)

FIX = "Undo it (`drift --fix` prints the SQL), or make it a migration (`drift --as-migration NAME`)."


def test_apply_makes_the_file(project: Path) -> None:
    """A new database is at head and has mode 0600; stdout lists the applied migrations."""
    done = run(project, "apply", "app.db")
    assert (done.status, done.out, done.err) == (0, "applied 0001_initial\n", "")
    assert catalog(project / "app.db") == TABLES
    assert stat.S_IMODE((project / "app.db").stat().st_mode) == 0o600


def test_apply_twice(project: Path, database: Path) -> None:
    """A second apply reports that the database is up to date, exits with 0, and changes no byte."""
    before = listing(project)
    done = run(project, "apply", database.name)
    assert (done.status, done.out, done.err) == (0, "app.db: up to date.\n", "")
    assert listing(project) == before


def test_apply_as_json(project: Path) -> None:
    """``--json`` lists what was applied."""
    first = run(project, "apply", "app.db", "--json")
    assert json.loads(first.out) == {
        "database": "app.db",
        "applied": ["0001_initial"],
        "notices": [],
        "backup": None,
        "manual_changes": [],
    }
    assert json.loads(run(project, "apply", "app.db", "--json").out)["applied"] == []


def test_apply_takes_a_url(project: Path) -> None:
    """A ``sqlite:///`` URL names the same file as its path."""
    assert run(project, "apply", "sqlite:///app.db").status == 0
    assert run(project, "status", "app.db").status == 0
    assert run(project, "status", f"sqlite:////{(project / 'app.db').as_posix().lstrip('/')}").status == 0


@pytest.mark.parametrize("command", ["apply", "status", "drift"])
def test_a_file_that_is_not_a_database(project: Path, command: str) -> None:
    """A file that is not a database is refused with exit status 2, and left as it is."""
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
def test_invalid_database_names(project: Path, command: str, name: str, said: str) -> None:
    """A folder, a file in a missing folder, or an empty name exits with 2; nothing is created."""
    before = listing(project)
    done = run(project, command, name)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert listing(project) == before


@pytest.mark.parametrize("command", ["status", "drift"])
def test_reading_makes_no_file(project: Path, command: str) -> None:
    """A reading command does not create a missing database."""
    before = listing(project)
    done = run(project, command, "app.db")
    assert (done.status, done.out) == (2, "")
    assert done.err == "Error: app.db: cannot be opened: no such file. Check the path.\n"
    assert listing(project) == before


@pytest.mark.parametrize("command", ["apply", "status", "drift"])
def test_a_migrations_folder_that_is_missing(project: Path, database: Path, command: str) -> None:
    """A wrong ``--migrations`` exits with 2; the database's migrations are not reported as unknown."""
    before = listing(project)
    done = run(project, command, database.name, "--migrations", "nowhere")
    assert (done.status, done.out) == (2, "")
    assert "nowhere: no such folder. Correct the path, or run `waiaas-migrate generate` to create it." in done.err
    assert listing(project) == before


def test_apply_on_a_locked_database(project: Path) -> None:
    """If another process keeps its lock, apply waits, exits with 3, and changes nothing."""
    add_migration(project, "0002_more.sql", "-- depends: 0001_initial\nCREATE TABLE more (a);\n")
    execute(project / "app.db", "CREATE TABLE _yoyo_migration (migration_hash, migration_id, applied_at_utc)")
    with held_by_another_process(project / "app.db"):
        done = run(project, "apply", "app.db")
    assert (done.status, done.out) == (3, "")
    assert done.err.startswith("Error: app.db: timed out ")
    assert "Traceback" not in done.err
    assert catalog(project / "app.db") == set()


def test_apply_refuses_a_database_of_unknown_origin(project: Path) -> None:
    """Tables that no migration made are refused with exit status 3, by name, and left alone."""
    execute(project / "app.db", "CREATE TABLE old (a)")
    before = listing(project)
    done = run(project, "apply", "app.db")
    assert (done.status, done.out) == (3, "")
    assert "holds tables (old) but no record of migrations" in done.err
    assert "Adopt it with `waiaas-migrate adopt`, or use another file." in done.err
    said = run(project, "status", "app.db")
    assert said.status == 1
    assert (
        "app.db: 1 pending. It has tables but no record of migrations. Run `adopt`: until then, `apply` refuses it.\n"
        in said.out
    )
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
def test_rows_that_break_the_new_rule(project: Path, database: Path, old: str, new: str, said: str) -> None:
    """The message has the rule, the rows, and the fix, but no name that only the migration uses."""
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
    """A migration that fails on this database's rows exits with 3; rows and schema stay as they were."""
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
    """A migrations folder that differs from its manifest exits with 2 before a database is created."""
    edit(project / "migrations" / "0001_initial.sql", "title TEXT", "title BLOB")
    done = run(project, "apply", "app.db")
    assert (done.status, done.out) == (2, "")
    assert "0001_initial.sql: was edited" in done.err
    assert not (project / "app.db").exists()


def test_status(project: Path, database: Path) -> None:
    """Each migration is listed with its state; the exit status is 0 at head, and 1 if some are pending or unknown."""
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
        "app.db: 1 pending, 1 unknown to this project. Use the version of the application that has it. "
        "If only databases of your own ran it, run `waiaas-migrate apply --redo` on them.\n"
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
        "mismatch": None,
        "manual_changes": [],
    }


def test_status_of_a_folder_that_differs_from_its_manifest(project: Path, database: Path) -> None:
    """``status`` never reports a database as up to date if `apply` refuses it: for one database and for many."""
    edit(project / "migrations" / "0001_initial.sql", "title TEXT", "title BLOB")
    refused = "The folder differs from its manifest, so `apply` refuses it. Run `check` for details.\n"
    done = run(project, "status", database.name)
    assert (done.status, done.out) == (1, f"changed  0001_initial\napp.db: 1 changed. {refused}")
    assert run(project, "status", "*.db").out == f"app.db: 1 changed. {refused}"
    assert run(project, "status", "*.db").status == 1
    assert run(project, "status", "*.db").err == "1 database: 1 not at head.\n"
    (problem,) = json.loads(run(project, "status", database.name, "--json").out)["problems"]
    assert problem["file"].endswith("0001_initial.sql")
    assert "was edited" in problem["what"]
    (project / "migrations" / "manifest.json").write_text("<<<<<<< ours\n", encoding="utf-8")
    assert run(project, "status", database.name).status == 2


def test_output_of_a_project_goes_to_stderr(project: Path) -> None:
    """A migration in Python and a module of enums may print: with --json that goes to stderr, for one and for many."""
    with (project / "kinds.py").open("a", encoding="utf-8") as enums:
        enums.write("STATES = STATES[:]  # not a literal, so the module is imported\nprint('the enums')\n")
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
        (("rollback", "a.db", "--yes", "--json"), "and back\n"),
    ):
        done = run(project, *arguments)
        assert isinstance(json.loads(done.out), dict)
        assert said in done.err
    assert "a migration\n" in run(project, "apply", "d.db").out


def test_status_of_an_empty_database(project: Path) -> None:
    """In an empty database every migration is pending, and nothing is written."""
    execute(project / "app.db", "PRAGMA user_version = 1")
    before = listing(project)
    done = run(project, "status", "app.db")
    assert (done.status, done.out) == (1, "pending  0001_initial\napp.db: 1 pending.\n")
    assert listing(project) == before


def test_a_folder_without_migrations(project: Path) -> None:
    """An empty folder, which may be the wrong one, is mentioned although nothing is wrong."""
    (project / "none").mkdir()
    done = run(project, "apply", "app.db", "--migrations", "none")
    assert done.status == 0
    assert done.err == f"Note: There are no migrations in {project / 'none'}.\n"
    assert json.loads(run(project, "apply", "app.db", "--migrations", "none", "--json").out)["notices"]
    done = run(project, "status", "app.db", "--migrations", "none")
    assert (done.status, done.out) == (0, "app.db: up to date: the folder has no migrations.\n")
