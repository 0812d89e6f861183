"""``generate``: what it writes, that it is proved, and that it is the same each time."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import run_yoyo
from tests.support.projects import (
    CHECKOUT,
    SCHEMA,
    TABLES,
    catalog,
    execute,
    generated_project,
    listing,
    rows,
    run,
    run_process,
)
from waiaas_migrate import close_database, open_database
from waiaas_migrate.runner.rollback import roll_back

TABLE = """\
  "people of the house":
    columns:
      id: {type: integer, primary_key: true}
      name: {type: text, nullable: false, unique: true}
      best_task: {type: integer, references: tasks.id}
"""
INDEX = (
    "    indexes:\n      idx_notes_task: {columns: [task_id, {column: body, order: desc}], where: body IS NOT NULL}\n"
)
VIEW = "views:\n  open_tasks: SELECT id, title FROM tasks WHERE state = 'open'\n"
TRIGGER = """\
triggers:
  note_tasks: |
    CREATE TRIGGER note_tasks AFTER INSERT ON tasks WHEN new.title <> ';' BEGIN
      INSERT INTO notes (task_id, body) VALUES (new.id, 'it''s; new');
      SELECT CASE WHEN 1 THEN 2 END;
    END
"""
VIRTUAL = "virtual_tables:\n  found: CREATE VIRTUAL TABLE found USING fts5(title, tokenize = 'porter')\n"

ADDITIONS = {
    "table": (TABLE, {("table", "people of the house")}),
    "index": (INDEX, {("index", "idx_notes_task")}),
    "view": (VIEW, {("view", "open_tasks")}),
    "trigger": (TRIGGER, {("trigger", "note_tasks")}),
    "virtual table": (VIRTUAL, {("table", "found")}),
    "all at once": (
        INDEX + TABLE + VIEW + TRIGGER + VIRTUAL,
        {
            ("table", "people of the house"),
            ("index", "idx_notes_task"),
            ("view", "open_tasks"),
            ("trigger", "note_tasks"),
            ("table", "found"),
        },
    ),
}


def found(database: Path) -> set[tuple[str, str]]:
    """Return kind and name of every object in a database, except the tables that a virtual table owns."""
    return {(kind, name) for kind, name in catalog(database) if not name.startswith("found_")}


# --- the shipped schema ---


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_generate_writes_the_shipped_migration(tmp_path: Path, seed: str) -> None:
    """From the shipped schema.yaml and an empty folder: the shipped files, byte for byte, in any process."""
    shutil.copy(CHECKOUT / "schema.yaml", tmp_path)
    assert run_process(tmp_path, "generate", PYTHONHASHSEED=seed).status == 0
    shipped = CHECKOUT / "migrations"
    first = {name: text for name, text in listing(shipped).items() if name.startswith("0001_")}
    written = listing(tmp_path / "migrations")
    assert {name: text for name, text in written.items() if name != "manifest.json"} == first
    if len(listing(shipped)) == 3:
        assert written == listing(shipped)


def test_the_shipped_project_needs_no_migration(tmp_path: Path) -> None:
    """Generate writes nothing for the shipped schema and migrations, and reports that."""
    shutil.copy(CHECKOUT / "schema.yaml", tmp_path)
    shutil.copytree(CHECKOUT / "migrations", tmp_path / "migrations")
    before = listing(tmp_path)
    done = run(tmp_path, "generate")
    assert (done.status, done.out) == (0, "Nothing to generate: the migrations build the schema in schema.yaml.\n")
    assert listing(tmp_path) == before


def test_the_same_project_gives_the_same_bytes(tmp_path: Path) -> None:
    """Equal projects get equal files."""
    schema = SCHEMA + TABLE + VIEW + TRIGGER + VIRTUAL
    one, other = (generated_project(tmp_path / name, schema) for name in ("one", "other"))
    assert listing(one / "migrations") == listing(other / "migrations")


# --- adding things ---


@pytest.mark.parametrize("addition", ADDITIONS)
def test_an_addition_applies_to_real_files(tmp_path: Path, addition: str) -> None:
    """The runner and plain yoyo each apply the addition and continue the other's work; yoyo rolls both back."""
    text, added = ADDITIONS[addition]
    generated_project(tmp_path)
    migrations = tmp_path / "migrations"
    ours, plain = tmp_path / "ours.db", tmp_path / "plain.db"
    assert run(tmp_path, "apply", "ours.db").status == 0
    run_yoyo("apply", plain, migrations)
    execute(ours, "INSERT INTO tasks (title) VALUES ('kept')")

    (tmp_path / "schema.yaml").write_text(SCHEMA + text, encoding="utf-8")
    done = run(tmp_path, "generate", "-m", addition)
    assert done.status == 0, done.err
    assert run(tmp_path, "generate").out.startswith("Nothing to generate")
    assert run(tmp_path, "check").status == 0

    run_yoyo("apply", ours, migrations)
    assert run(tmp_path, "apply", "plain.db").status == 0
    assert run(tmp_path, "apply", "new.db").status == 0
    for database in (ours, plain, tmp_path / "new.db"):
        assert found(database) == TABLES | added
        assert run(tmp_path, "drift", database.name).status == 0

    for database in (ours, plain):
        run_yoyo("rollback", database, migrations, "--revision", f"0002_{addition.replace(' ', '_')}")
        assert catalog(database) == TABLES
        assert run(tmp_path, "drift", database.name).status == 0
    assert rows(ours, "SELECT title FROM tasks") == [("kept",)]


def test_the_runner_rolls_back_what_yoyo_applied(tmp_path: Path) -> None:
    """The library rolls a migration back that yoyo applied, and applies it again."""
    from waiaas_migrate.runner.folder import read_folder

    generated_project(tmp_path)
    (tmp_path / "schema.yaml").write_text(SCHEMA + INDEX + VIEW + TRIGGER + VIRTUAL, encoding="utf-8")
    assert run(tmp_path, "generate", "-m", "more").status == 0
    database = tmp_path / "app.db"
    run_yoyo("apply", database, tmp_path / "migrations")
    with closing(open_database(database, migrations=tmp_path / "migrations")) as connection:
        assert roll_back(connection, read_folder(tmp_path / "migrations")).rolled_back == ("0002_more",)
    assert catalog(database) == TABLES
    close_database(open_database(database, migrations=tmp_path / "migrations"))
    assert found(database) == TABLES | {
        ("index", "idx_notes_task"),
        ("view", "open_tasks"),
        ("trigger", "note_tasks"),
        ("table", "found"),
    }


def test_the_added_objects_work(tmp_path: Path) -> None:
    """A trigger with semicolons, quotes and CASE … END does its work, and so does the view."""
    generated_project(tmp_path, SCHEMA + VIEW + TRIGGER)
    assert run(tmp_path, "apply", "app.db").status == 0
    execute(tmp_path / "app.db", "INSERT INTO tasks (title) VALUES ('first')")
    assert rows(tmp_path / "app.db", "SELECT body FROM notes") == [("it's; new",)]
    assert rows(tmp_path / "app.db", "SELECT title FROM open_tasks") == [("first",)]


def test_each_migration_depends_on_the_last(tmp_path: Path) -> None:
    """A migration has the next number, describes its changes, and depends on the previous head."""
    generated_project(tmp_path)
    for text, name in ((VIEW, "one"), (VIEW + TRIGGER, "two")):
        (tmp_path / "schema.yaml").write_text(SCHEMA + text, encoding="utf-8")
        assert run(tmp_path, "generate", "-m", name).status == 0
    sql = (tmp_path / "migrations" / "0003_two.sql").read_text(encoding="utf-8")
    assert "-- depends: 0002_one\n" in sql
    assert "-- add trigger note_tasks on tasks" in sql
    manifest = json.loads((tmp_path / "migrations" / "manifest.json").read_text(encoding="utf-8"))
    assert [entry["id"] for entry in manifest["migrations"]] == ["0001_initial", "0002_one", "0003_two"]


HARD_NAMES = """\
version: 1
tables:
  "the \\"quoted\\" 'table'; --":
    columns:
      "id of it": {type: integer, primary_key: true}
      loop: {type: text, default: "it's; -- no comment"}
      if: {type: text, nullable: false, enum: ["o'clock", 'say "hi"', "a;b", "/* */", ""]}
      end: {type: text, default: '"'}
      select: {type: blob, default_sql: "x'00ff'"}
      "größe": {type: real, check: '"größe" > 0'}
      "[b]`c`": text
    indexes:
      "index": ["if", "end"]
      "order by": {columns: [loop], where: loop <> 'a;b'}
  begin:
    columns:
      commit: {type: integer, primary_key: true}
      rollback: {type: text, references: {table: "the \\"quoted\\" 'table'; --", column: "id of it"}}
      case: {type: text, default: "END;"}
"""


def test_names_and_values_that_need_quoting(tmp_path: Path) -> None:
    """Names and values with quotes, semicolons, comment signs and keywords are applied as declared."""
    generated_project(tmp_path, HARD_NAMES)
    assert run(tmp_path, "apply", "ours.db").status == 0
    run_yoyo("apply", tmp_path / "plain.db", tmp_path / "migrations")
    for name in ("ours.db", "plain.db"):
        database = tmp_path / name
        assert run(tmp_path, "drift", name).status == 0
        table = '"the ""quoted"" \'table\'; --"'
        execute(database, f"INSERT INTO {table} (\"if\") VALUES ('o''clock'), ('say \"hi\"'), ('a;b'), ('/* */'), ('')")
        assert rows(database, f'SELECT loop, "end", "select" FROM {table} LIMIT 1') == [
            ("it's; -- no comment", '"', b"\x00\xff")
        ]
        run_yoyo("rollback", database, tmp_path / "migrations")
        assert catalog(database) == set()
