"""Migrations written by hand, beside those that ``generate`` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.folders import run_yoyo
from tests.support.projects import SCHEMA, TABLES, catalog, generated_project, listing, run


def test_hand_written_migrations_are_replayed(tmp_path: Path) -> None:
    """Hand-written SQL and Python migrations are replayed like the others, and later migrations build on them."""
    generated_project(tmp_path)
    migrations = tmp_path / "migrations"
    (migrations / "0002_people.sql").write_text(
        "-- depends: 0001_initial\nCREATE TABLE people (id INTEGER PRIMARY KEY);\n", encoding="utf-8"
    )
    (migrations / "0002_people.rollback.sql").write_text("DROP TABLE people;\n", encoding="utf-8")
    (migrations / "0003_name.py").write_text(
        "from yoyo import step\n\n__depends__ = {'0002_people'}\n\n\ndef add(connection):\n"
        "    connection.cursor().execute('ALTER TABLE people ADD COLUMN name TEXT')\n\n\n"
        "steps = [step(add, 'ALTER TABLE people DROP COLUMN name')]\n",
        encoding="utf-8",
    )
    people = (
        "  people:\n    columns: {id: {type: integer, primary_key: true}, name: text}\n    indexes: {by_name: [name]}\n"
    )
    (tmp_path / "schema.yaml").write_text(SCHEMA + people, encoding="utf-8")
    done = run(tmp_path, "generate", "-m", "index")
    assert (done.status, done.out) == (
        0,
        "add index by_name on people (name)\nrecorded 0002_people\nrecorded 0003_name\n",
    ), done.err
    assert "-- depends: 0003_name\n" in (migrations / "0004_index.sql").read_text(encoding="utf-8")
    assert run(tmp_path, "check").status == 0
    assert run(tmp_path, "apply", "ours.db").status == 0
    run_yoyo("apply", tmp_path / "plain.db", migrations)
    for name in ("ours.db", "plain.db"):
        assert catalog(tmp_path / name) == TABLES | {("table", "people"), ("index", "by_name")}
        assert run(tmp_path, "drift", name).status == 0
        run_yoyo("rollback", tmp_path / name, migrations, "--revision", "0002_people")
        assert catalog(tmp_path / name) == TABLES


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("0002_bad.sql", "CREATE TABLE a (x);\nINSERT INTO nowhere VALUES (1);\n", "no such table: nowhere"),
        ("0002_bad.sql", "CREATE TABLE a (x)\nCREATE TABLE b (x);\n", "CREATE TABLE a (x)"),
        ("0002_bad.sql", "CREATE TABLE a (x", "incomplete input, in: CREATE TABLE a (x"),
        ("0002_bad.py", "from yoyo import step\nsteps = [step('SELECT * FROM nowhere')]\n", "no such table: nowhere"),
        ("0002_bad.py", "raise ValueError('no')\n", "ValueError: no"),
        pytest.param("0002_bad.py", "import sys\nsys.exit(0)\n", "0002_bad.py"),
    ],
    ids=["missing table", "syntax", "half a statement", "Python step", "Python import", "Python exit"],
)
@pytest.mark.parametrize("command", ["generate", "check"])
def test_a_migration_that_fails(tmp_path: Path, name: str, text: str, said: str, command: str) -> None:
    """A migration that fails in the replay exits with 2 and names its file and statement; nothing is written."""
    generated_project(tmp_path)
    (tmp_path / "migrations" / name).write_text(text, encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, command)
    assert (done.status, done.out) == (2, "")
    assert name in done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert {path: text for path, text in listing(tmp_path).items() if "__pycache__" not in path} == before


MISREAD = {
    "comment": "CREATE TABLE a (x);\n/* no end; CREATE TABLE b (x);",
    "CTE named begin": "CREATE TABLE a (x);\nWITH begin AS (SELECT 1) INSERT INTO a SELECT * FROM begin;\nSELECT 1;\n",
    "declare": "CREATE TABLE a (declare);\nSELECT 1;\n",
    "backslash": "CREATE TABLE a (x DEFAULT '\\');\nCREATE TABLE b (x DEFAULT ';');\n",
}


@pytest.mark.parametrize("sql", MISREAD.values(), ids=MISREAD)
@pytest.mark.parametrize("suffix", [".sql", ".rollback.sql"])
@pytest.mark.parametrize("command", ["generate", "check"])
def test_a_text_that_yoyo_reads_differently_is_refused(tmp_path: Path, sql: str, suffix: str, command: str) -> None:
    """A new migration that plain yoyo would run as other statements is refused with its file and line."""
    generated_project(tmp_path)
    for name in ("0002_new.sql", "0002_new.rollback.sql"):
        (tmp_path / "migrations" / name).write_text("SELECT 1;\n", encoding="utf-8")
    (tmp_path / "migrations" / f"0002_new{suffix}").write_text(sql, encoding="utf-8")
    done = run(tmp_path, command)
    assert (done.status, done.out) == (2, "")
    assert f"0002_new{suffix}:" in done.err
    assert "plain yoyo reads this statement differently than SQLite" in done.err


SEEDED = """\
version: 1
tables:
  kinds: {columns: {id: {type: integer, primary_key: true}, name: {type: text, enum: [a, b]}, note: text}}
triggers:
  kept: CREATE TRIGGER kept BEFORE DELETE ON kinds BEGIN SELECT RAISE(ABORT, 'kept'); END
"""
SEED = "-- depends: 0001_first\nINSERT INTO kinds VALUES (1, 'a', NULL), (2, 'b', 'x'), (3, NULL, 'y');\n"


def seeded(folder: Path) -> Path:
    """A project with a migration of its own that inserts rows."""
    (folder / "schema.yaml").write_text(SEEDED, encoding="utf-8")
    assert run(folder, "generate", "-m", "first").status == 0
    (folder / "migrations" / "0002_seed.sql").write_text(SEED, encoding="utf-8")
    (folder / "migrations" / "0002_seed.rollback.sql").write_text("SELECT 1;\n", encoding="utf-8")
    return folder / "schema.yaml"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("note: text", "note: {type: text, nullable: false}", "becomes NOT NULL (1 row: id 1). Change these rows"),
        ("enum: [a, b]", "enum: [b]", "no longer allowed ('a') (1 row: id 1). Change these rows"),
        (
            "note: text",
            "note: text, more: {type: text, nullable: false}",
            "without a default or a backfill. Declare one in schema.yaml, and generate",
        ),
    ],
)
def test_inserted_rows_that_conflict_with_a_change(tmp_path: Path, old: str, new: str, said: str) -> None:
    """The message names the migration's rows as the cause. They conflict in every new database."""
    schema = seeded(tmp_path)
    schema.write_text(SEEDED.replace(old, new), encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, "generate", "-m", "third", "--allow", "all")
    assert done.status == 2
    assert said in done.err
    assert "proof" not in done.err
    assert listing(tmp_path) == before


def test_inserted_rows_that_conflict_with_a_rollback(tmp_path: Path) -> None:
    """If inserted rows conflict with the rollback, it is proved without them, and its remarks say when it fails."""
    schema = seeded(tmp_path)
    filled = "name: {type: text, nullable: false, enum: [a, b, c], backfill: \"'c'\"}"
    schema.write_text(SEEDED.replace("name: {type: text, enum: [a, b]}", filled), encoding="utf-8")
    assert run(tmp_path, "generate", "-m", "third").status == 0
    assert "fails if" in (tmp_path / "migrations" / "0003_third.rollback.sql").read_text(encoding="utf-8")
    assert run(tmp_path, "apply", "a.db").status == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("BEGIN;\nSELECT 1;\nCOMMIT;\n", "it tries to BEGIN, but migrations run in one transaction"),
        ("VACUUM;\n", "Write `-- transactional: false` into its head"),
        ("PRAGMA journal_mode = WAL;\nVACUUM;\n", "Write `-- transactional: false` into its head"),
    ],
)
def test_a_migration_that_cannot_run_in_a_transaction(tmp_path: Path, text: str, said: str) -> None:
    """If a migration can't run in a transaction, the message says how to correct that."""
    generated_project(tmp_path)
    (tmp_path / "migrations" / "0002_own.sql").write_text(f"-- depends: 0001_initial\n{text}", encoding="utf-8")
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert said in done.err


def test_an_object_made_by_hand_and_not_declared(tmp_path: Path) -> None:
    """An undeclared object would be dropped, so the refusal and the result name the migration that created it."""
    generated_project(tmp_path)
    note = "Found new migrations: 0002_own. schema.yaml must declare what they create.\n"
    own = tmp_path / "migrations" / "0002_own.sql"
    own.write_text("-- depends: 0001_initial\nCREATE TABLE own (id INTEGER);\n", encoding="utf-8")
    refused = run(tmp_path, "generate")
    assert (refused.status, refused.err) == (1, f"{note}Nothing was written: --allow is needed for 1 hazard.\n")
    own.write_text("-- depends: 0001_initial\nCREATE INDEX own ON tasks (title);\n", encoding="utf-8")
    written = run(tmp_path, "generate")
    assert (written.status, written.out) == (0, "drop index own on tasks\nrecorded 0002_own\n")
    assert written.err.endswith(note)
    assert note not in run(tmp_path, "generate").err


def test_a_rollback_that_is_written_later(tmp_path: Path) -> None:
    """Generate records a rollback that was written later, and the migration can be rolled back."""
    generated_project(tmp_path)
    own = tmp_path / "migrations" / "0002_own.sql"
    own.write_text("-- depends: 0001_initial\nINSERT INTO tasks (title) VALUES ('own');\n", encoding="utf-8")
    assert run(tmp_path, "generate").status == 0
    assert run(tmp_path, "apply", "a.db").status == 0
    assert "Write the file 0002_own.rollback.sql" in run(tmp_path, "rollback", "a.db").err
    own.with_name("0002_own.rollback.sql").write_text("DELETE FROM tasks WHERE title = 'own';\n", encoding="utf-8")
    assert "0002_own.sql: got a rollback after it was recorded" in run(tmp_path, "check").out
    done = run(tmp_path, "generate")
    assert (done.status, done.err) == (0, "wrote migrations/manifest.json\n")
    assert run(tmp_path, "check").status == 0
    assert run(tmp_path, "rollback", "a.db", "--yes").out == "rolled back 0002_own\n"


def test_an_edit_with_a_new_rollback_is_found(tmp_path: Path) -> None:
    """A new rollback does not hide that the migration was edited."""
    generated_project(tmp_path)
    own = tmp_path / "migrations" / "0002_own.sql"
    own.write_text("-- depends: 0001_initial\nSELECT 1;\n", encoding="utf-8")
    assert run(tmp_path, "generate").status == 0
    own.write_text("-- depends: 0001_initial\nSELECT 2;\n", encoding="utf-8")
    own.with_name("0002_own.rollback.sql").write_text("SELECT 1;\n", encoding="utf-8")
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert "0002_own.sql: was edited" in done.err
