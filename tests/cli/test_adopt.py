"""``adopt`` on the command line: databases that migrations did not build."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import dump, run_yoyo
from tests.support.projects import (
    CHECKOUT,
    edit,
    execute,
    generated_project,
    rows,
    run,
    write_project,
)
from tests.support.shop import SHOP

#: The tables of the project, as another tool would write them.
OTHER_WORDING = """
create table "tasks" ( "id" INTEGER, [title] text not null, state text default 'open' not null
    check(state in ('open','done')), primary key(id) );
create index "idx_tasks_state" on tasks( state );
create table notes (id integer primary key, task_id integer not null,
    body text, foreign key (task_id) references tasks(id) on delete cascade);
insert into tasks (title) values ('one'), ('two');
insert into notes (task_id, body) values (1, 'a');
"""
ADOPTED = "SELECT migration_id, was_adopted FROM _yoyo_migration JOIN _yoyo_migration_text USING (migration_hash)"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with one migration."""
    return generated_project(tmp_path / "project")


def database(path: Path, script: str = OTHER_WORDING) -> Path:
    """Make a database with ``script``."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def change(project: Path, old: str, new: str, name: str) -> None:
    """Edit schema.yaml and generate the migration."""
    edit(project / "schema.yaml", old, new)
    done = run(project, "generate", "-m", name)
    assert done.status == 0, done.err


def run_all(project: Path, *commands: str) -> None:
    """Run commands that must succeed."""
    for command in commands:
        done = run(project, *command.split())
        assert done.status == 0, (command, done.out, done.err)


def test_a_database_of_sqlalchemy(tmp_path: Path) -> None:
    """Twelve tables of ``create_all`` are adopted; then an enum value is added to three CHECKs, and nothing drifts."""
    write_project(tmp_path, schema="")
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    made = subprocess.run(
        [sys.executable, "shop.py", "app.db"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    tables = (
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_*yo*' AND name NOT GLOB 's*_*'"
    )
    assert rows(tmp_path / "app.db", tables) == [(12,)]
    (tmp_path / "schema.yaml").unlink()
    run_all(
        tmp_path,
        "inspect app.db --enums-module shop -o schema.yaml",
        "generate",
        "adopt app.db",
    )
    before = [line for line in dump(tmp_path / "app.db") if line.startswith('INSERT INTO "orders"')]
    assert len(before) == 50
    edit(tmp_path / "shop.py", '    USD = "USD"\n', '    USD = "USD"\n    CHF = "CHF"\n')
    sys.modules.pop("shop", None)
    run_all(tmp_path, "generate -m francs", "check", "apply app.db", "drift app.db", "status app.db")
    execute(tmp_path / "app.db", "UPDATE orders SET currency = 'CHF' WHERE id = 1")
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        execute(tmp_path / "app.db", "UPDATE orders SET currency = 'GBP' WHERE id = 1")
    assert rows(tmp_path / "app.db", "PRAGMA integrity_check") == [("ok",)]


def test_wording_and_records(project: Path) -> None:
    """``adopt`` gives the definitions the migration's wording and records the migration as adopted; the rows stay."""
    run(project, "apply", "new.db")
    database(project / "app.db")
    done = run(project, "adopt", "app.db")
    assert (done.status, done.out) == (
        0,
        "recorded 0001_initial\napp.db: adopted up to 0001_initial; 3 definitions got the migrations' wording.\n",
    )
    texts = "SELECT name, sql FROM sqlite_master WHERE name IN ('tasks', 'notes', 'idx_tasks_state') ORDER BY name"
    assert rows(project / "app.db", texts) == rows(project / "new.db", texts)
    assert rows(project / "app.db", ADOPTED) == [("0001_initial", 1)]
    assert rows(project / "app.db", "SELECT operation FROM _yoyo_log") == [("mark",)]
    assert rows(project / "app.db", "SELECT * FROM tasks") == [(1, "one", "open"), (2, "two", "open")]
    assert run(project, "drift", "app.db").status == 0
    assert run(project, "status", "app.db").status == 0


def test_adopting_again_writes_nothing(project: Path) -> None:
    """A database whose records are right is left alone, byte for byte."""
    path = database(project / "app.db")
    run(project, "adopt", "app.db")
    before = path.read_bytes()
    done = run(project, "adopt", "app.db")
    assert (done.status, done.out) == (0, "app.db: already adopted up to 0001_initial.\n")
    assert path.read_bytes() == before


def test_a_dry_run_writes_nothing(project: Path) -> None:
    """``--dry-run`` prints what would be recorded."""
    path = database(project / "app.db")
    before = path.read_bytes()
    done = run(project, "adopt", "app.db", "--dry-run")
    assert done.status == 0
    assert done.out == (
        "would record 0001_initial\n"
        "app.db: would be adopted up to 0001_initial; 3 definitions would get the migrations' wording.\n"
    )
    assert path.read_bytes() == before
    assert not list(project.glob("app.db-*"))


def test_a_difference_changes_nothing_and_can_be_declared(project: Path) -> None:
    """A difference is shown with both ways to resolve it.

    Once it is declared and generated, the database is adopted.
    """
    path = database(
        project / "app.db", OTHER_WORDING + "ALTER TABLE notes ADD COLUMN color TEXT; CREATE VIEW v AS SELECT 1;"
    )
    before = path.read_bytes()
    done = run(project, "adopt", "app.db")
    assert done.status == 1
    assert (
        "app.db: differs from the migrations up to 0001_initial. Nothing was changed.\nschema (2 findings)\n"
        in done.out
    )
    assert "  notes: added column notes.color (TEXT).\n" in done.out
    assert "declare the difference in schema.yaml and run `waiaas-migrate generate`" in done.out
    assert path.read_bytes() == before
    edit(project / "schema.yaml", "      body: text\n", "      body: text\n      color: text\nviews:\n  v: SELECT 1\n")
    assert run(project, "generate", "-m", "color").status == 0
    done = run(project, "adopt", "app.db")
    assert (done.status, done.out.splitlines()[:2]) == (0, ["recorded 0001_initial", "recorded 0002_color"])
    assert run(project, "drift", "app.db").status == 0


def test_a_missing_table_is_a_difference(project: Path) -> None:
    """Nothing is recorded if a table is missing."""
    path = database(project / "app.db", OTHER_WORDING + "DROP TABLE notes;")
    before = path.read_bytes()
    done = run(project, "adopt", "app.db")
    assert done.status == 1
    assert "  notes: dropped table notes.\n" in done.out
    assert path.read_bytes() == before


def test_an_older_database(project: Path) -> None:
    """The message names the migration after which the database has the same schema.

    It is adopted at that point, and apply runs the rest.
    """
    change(project, "      body: text\n", "      body: text\n      color: text\n", "color")
    change(project, "      color: text\n", "      color: text\n      size: integer\n", "size")
    database(project / "app.db", OTHER_WORDING + "ALTER TABLE notes ADD COLUMN color TEXT;")
    done = run(project, "adopt", "app.db")
    assert done.status == 1
    assert done.out.endswith("Fix: The database has the schema after 0002_color: adopt it with `--at 0002_color`.\n")
    done = run(project, "adopt", "app.db", "--at", "0002_color")
    assert done.status == 0
    assert done.out.endswith("1 pending: run `waiaas-migrate apply`.\n")
    assert run(project, "apply", "app.db").out == "applied 0003_size\n"
    assert run(project, "drift", "app.db").status == 0
    assert rows(project / "app.db", f"{ADOPTED} ORDER BY 1") == [
        ("0001_initial", 1),
        ("0002_color", 1),
        ("0003_size", 0),
    ]


def test_what_plain_yoyo_recorded(project: Path) -> None:
    """The text hashes of migrations that plain yoyo ran are recorded, too; only marked migrations count as adopted."""
    run_yoyo("apply", project / "ran.db", project / "migrations")
    run_yoyo("mark", database(project / "marked.db"), project / "migrations")
    for name, was_adopted in (("ran", 0), ("marked", 1)):
        done = run(project, "adopt", f"{name}.db")
        assert (done.status, done.err) == (0, "")
        assert rows(project / f"{name}.db", ADOPTED) == [("0001_initial", was_adopted)]
        assert run(project, "adopt", f"{name}.db").out == f"{name}.db: already adopted up to 0001_initial.\n"


def test_marked_after_a_rollback(project: Path) -> None:
    """The last logged operation on a migration decides, whichever tool logged it."""
    run(project, "apply", "app.db")
    run(project, "rollback", "app.db", "--yes")
    run_yoyo("mark", database(project / "app.db"), project / "migrations")
    assert run(project, "adopt", "app.db").status == 0
    assert rows(project / "app.db", ADOPTED) == [("0001_initial", 1)]


def test_a_recorded_database_stops_where_it_is(project: Path) -> None:
    """Without --at, pending migrations stay pending. An --at before the last recorded migration is refused."""
    database(project / "app.db")
    run(project, "adopt", "app.db")
    change(project, "      body: text\n", "      body: text\n      color: text\n", "color")
    done = run(project, "adopt", "app.db")
    assert (done.status, done.out) == (
        0,
        "app.db: already adopted up to 0001_initial. 1 pending: run `waiaas-migrate apply`.\n",
    )
    run(project, "apply", "app.db")
    done = run(project, "adopt", "app.db", "--at", "0001_initial")
    assert done.status == 2
    assert "0002_color, which comes after 0001_initial, is recorded as applied." in done.err


def test_several_databases(project: Path) -> None:
    """Each database gets a line; the exit status is the worst one, and the others are adopted."""
    for name, more in (("a", ""), ("b", "DROP TABLE notes;"), ("c", "")):
        database(project / f"{name}.db", OTHER_WORDING + more)
    done = run(project, "adopt", "*.db")
    assert done.status == 1
    assert done.out.splitlines() == [
        "a.db: adopted up to 0001_initial; 3 definitions got the migrations' wording.",
        "b.db: 1 difference from 0001_initial: notes: dropped table notes.",
        "c.db: adopted up to 0001_initial; 3 definitions got the migrations' wording.",
    ]
    assert done.err == "3 databases: 2 adopted, 1 different.\n"
    found = json.loads(run(project, "adopt", "*.db", "--json").out)
    assert [(one["outcome"], one["recorded"], len(one["findings"])) for one in found["databases"]] == [
        ("already adopted", [], 0),
        ("different", [], 1),
        ("already adopted", [], 0),
    ]


def test_json(project: Path) -> None:
    """The JSON result of one database has everything that the text output has."""
    database(project / "app.db")
    assert json.loads(run(project, "adopt", "app.db", "--json").out) == {
        "database": "app.db",
        "at": "0001_initial",
        "recorded": ["0001_initial"],
        "completed": [],
        "reworded": ["tasks", "idx_tasks_state", "notes"],
        "pending": [],
        "findings": [],
        "equal_to": [],
        "notices": [],
    }


def test_columns_in_another_order(project: Path) -> None:
    """A table with its columns in another order is adopted and keeps its text."""
    other = OTHER_WORDING.replace(
        "task_id integer not null,\n    body text", "body text,\n    task_id integer not null"
    )
    assert other != OTHER_WORDING
    database(project / "app.db", other)
    done = run(project, "adopt", "app.db")
    assert done.status == 0
    assert "keep their CREATE TABLE text, since their columns or keys are in another order: notes." in done.err
    assert rows(project / "app.db", "SELECT * FROM notes") == [(1, "a", 1)]
    assert run(project, "drift", "app.db").status == 0
    assert run(project, "adopt", "app.db").out == "app.db: already adopted up to 0001_initial.\n"


def test_migrations_that_change_rows(project: Path) -> None:
    """Such migrations are recorded without being run, and a notice reports that."""
    (project / "migrations" / "0002_titles.sql").write_text(
        "-- depends: 0001_initial\nUPDATE tasks SET title = upper(title);\n", encoding="utf-8"
    )
    assert run(project, "record").status == 0
    database(project / "app.db")
    done = run(project, "adopt", "app.db")
    assert done.status == 0
    assert "Note: these migrations change rows, but were recorded without running: 0002_titles." in done.err
    assert rows(project / "app.db", "SELECT title FROM tasks") == [("one",), ("two",)]


def test_other_tools_and_hooks(project: Path) -> None:
    """Tables of other tools and objects that hooks made are not differences, and keep their wording."""
    (project / "pyproject.toml").write_text('[tool.waiaas-migrate]\nignore = ["cache_*"]\n', encoding="utf-8")
    (project / "migrations" / "post-apply.sql").write_text(
        "DROP VIEW IF EXISTS v;\nCREATE VIEW v AS SELECT 1;\n", encoding="utf-8"
    )
    extra = "CREATE TABLE  cache_a (x); create   view v as select 1; CREATE TABLE alembic_version (x);"
    database(project / "app.db", OTHER_WORDING + extra)
    done = run(project, "adopt", "app.db")
    assert done.status == 0, done.out
    assert "post-apply hooks did not run" in done.err
    texts = "SELECT sql FROM sqlite_master WHERE name IN ('v', 'cache_a') ORDER BY 1"
    assert rows(project / "app.db", texts) == [("CREATE TABLE cache_a (x)",), ("CREATE VIEW v as select 1",)]


def test_a_database_in_wal_mode(project: Path) -> None:
    """The database stays in WAL mode, other connections see the records, and rows that are only in the WAL are kept."""
    path = database(project / "app.db", "PRAGMA journal_mode = WAL;" + OTHER_WORDING)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("INSERT INTO tasks (title) VALUES ('three')")
        assert run(project, "adopt", "app.db").status == 0
        assert other.execute("SELECT count(*) FROM _yoyo_migration").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM tasks").fetchone() == (3,)
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]


def test_adopters_at_once(project: Path) -> None:
    """Of several processes, one records; all succeed."""
    database(project / "app.db")
    command = [sys.executable, "-m", "waiaas_migrate", "adopt", "app.db"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    processes = [
        subprocess.Popen(
            command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert sum("recorded 0001_initial" in out for out, _ in said) == 1
    assert rows(project / "app.db", ADOPTED) == [("0001_initial", 1)]
    assert rows(project / "app.db", "SELECT count(*) FROM _yoyo_log") == [(1,)]
