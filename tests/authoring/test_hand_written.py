"""Migrations written by hand, beside those that ``generate`` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.folders import run_yoyo
from tests.support.projects import SCHEMA, TABLES, catalog, edit, generated_project, listing, run


def test_hand_written_migrations_take_part(tmp_path: Path) -> None:
    """SQL and Python migrations of the project's own are replayed like the others, and built upon."""
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
    assert (done.status, done.out) == (0, "add index by_name on people (name)\n"), done.err
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
    """A migration that fails when it is replayed exits with 2, names its file and statement, and nothing is written."""
    generated_project(tmp_path)
    (tmp_path / "migrations" / name).write_text(text, encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, command)
    assert (done.status, done.out) == (2, "")
    assert name in done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert {path: text for path, text in listing(tmp_path).items() if "__pycache__" not in path} == before


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
def test_rows_that_a_migration_inserts_stand_against_a_change(tmp_path: Path, old: str, new: str, said: str) -> None:
    """They would do so in every new database; that is no fault of the tool, and says which rows they are."""
    schema = seeded(tmp_path)
    schema.write_text(SEEDED.replace(old, new), encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, "generate", "-m", "third", "--allow", "all")
    assert done.status == 2
    assert said in done.err
    assert "proof" not in done.err
    assert listing(tmp_path) == before


def test_rows_that_a_migration_inserts_may_stand_against_the_way_back(tmp_path: Path) -> None:
    """The rollback is proved without them, and says what it asks of rows."""
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
def test_a_migration_that_does_not_go_into_a_transaction(tmp_path: Path, text: str, said: str) -> None:
    """The message says which of the two ways out it is."""
    generated_project(tmp_path)
    (tmp_path / "migrations" / "0002_own.sql").write_text(f"-- depends: 0001_initial\n{text}", encoding="utf-8")
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert said in done.err


def test_what_was_written_by_hand_and_not_declared(tmp_path: Path) -> None:
    """It would be dropped: the migration that made it is named beside the refusal, and beside what was written."""
    generated_project(tmp_path)
    note = "Not in manifest.json yet: 0002_own. Declare in schema.yaml what they create.\n"
    own = tmp_path / "migrations" / "0002_own.sql"
    own.write_text("-- depends: 0001_initial\nCREATE TABLE own (id INTEGER);\n", encoding="utf-8")
    refused = run(tmp_path, "generate")
    assert (refused.status, refused.err) == (1, f"{note}Nothing was written because of 1 hazard.\n")
    own.write_text("-- depends: 0001_initial\nCREATE INDEX own ON tasks (title);\n", encoding="utf-8")
    written = run(tmp_path, "generate")
    assert (written.status, written.out) == (0, "drop index own on tasks\n")
    assert written.err.endswith(note)
    assert note not in run(tmp_path, "generate").err


def test_a_rollback_that_is_written_later(tmp_path: Path) -> None:
    """What databases have run is the same: generate records the rollback, and the migration can be taken back."""
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
    assert run(tmp_path, "rollback", "a.db").out == "rolled back 0002_own\n"


def test_an_edit_beside_a_new_rollback_is_an_edit(tmp_path: Path) -> None:
    """A rollback that came does not hide that the migration is another one."""
    generated_project(tmp_path)
    own = tmp_path / "migrations" / "0002_own.sql"
    own.write_text("-- depends: 0001_initial\nSELECT 1;\n", encoding="utf-8")
    assert run(tmp_path, "generate").status == 0
    own.write_text("-- depends: 0001_initial\nSELECT 2;\n", encoding="utf-8")
    own.with_name("0002_own.rollback.sql").write_text("SELECT 1;\n", encoding="utf-8")
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert "0002_own.sql: was edited" in done.err


def test_two_branches_that_change_one_table(tmp_path: Path) -> None:
    """One adds a column, the other a value to an enum: each replaces its own piece of the definition, and both stay."""
    generated_project(tmp_path)
    folder, schema = tmp_path / "migrations", tmp_path / "schema.yaml"
    before, recorded = schema.read_text(encoding="utf-8"), (folder / "manifest.json").read_text(encoding="utf-8")
    edit(schema, "      title: {", "      title_2: text\n      title: {")
    assert run(tmp_path, "generate", "-m", "column").status == 0
    theirs = {path: path.read_bytes() for path in folder.glob("*")}
    for path in folder.glob("0002_*"):
        path.unlink()
    schema.write_text(before, encoding="utf-8")
    (folder / "manifest.json").write_text(recorded, encoding="utf-8")
    (tmp_path / "kinds.py").write_text('STATES = ("open", "done", "late")\n', encoding="utf-8")
    assert run(tmp_path, "generate", "-m", "state").status == 0
    for path, content in theirs.items():
        path.write_bytes(content)
    edit(schema, "      title: {", "      title_2: text\n      title: {")
    assert run(tmp_path, "generate").status == 0
    assert run(tmp_path, "check").status == 0
    assert run(tmp_path, "apply", "new.db").status == 0
    assert run(tmp_path, "drift", "new.db").status == 0


def put(files: dict[Path, bytes]) -> None:
    """Put files back, as a merge does."""
    for path, content in files.items():
        path.write_bytes(content)


def take(folder: Path, pattern: str) -> dict[Path, bytes]:
    """Take files away, as the other branch has none of them."""
    found = {path: path.read_bytes() for path in folder.glob(pattern)}
    for path in found:
        path.unlink()
    return found


def test_two_branches_of_which_one_undoes_the_other(tmp_path: Path) -> None:
    """One adds a value to an enum, the other rebuilds the table as it was, which nothing notices without rows.

    So ``generate`` refuses to record the two; the later one is made anew, out of what both ask for.
    """
    generated_project(tmp_path)
    folder, schema, enums = tmp_path / "migrations", tmp_path / "schema.yaml", tmp_path / "kinds.py"
    recorded = (folder / "manifest.json").read_bytes()
    enums.write_text('STATES = ("open", "done", "late")\n', encoding="utf-8")
    assert run(tmp_path, "generate", "-m", "a_state").status == 0
    mine = (folder / "manifest.json").read_bytes()
    state = take(folder, "0002_*")
    put({folder / "manifest.json": recorded})
    enums.write_text('STATES = ("open", "done")\n', encoding="utf-8")
    edit(schema, "      title: {", "      code: {type: text, default_sql: lower('X')}\n      title: {")
    assert run(tmp_path, "generate", "-m", "b_code").status == 0
    put({**state, folder / "manifest.json": mine})
    enums.write_text('STATES = ("open", "done", "late")\n', encoding="utf-8")
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert "0002_b_code.sql: it was made for another table tasks than the migrations before it make" in done.err
    take(folder, "0002_b_code.*")
    assert run(tmp_path, "generate", "-m", "b_code").status == 0
    assert run(tmp_path, "check").status == 0


@pytest.mark.parametrize("mine", ["b_mine", "z_mine"])
def test_two_branches_that_each_add_a_column(tmp_path: Path, mine: str) -> None:
    """Both stay where the new one comes behind what databases may have run; in front of it, they would differ in order.

    What comes in front is made anew, and stands behind then.
    """
    generated_project(tmp_path)
    folder, schema = tmp_path / "migrations", tmp_path / "schema.yaml"
    before, recorded = schema.read_text(encoding="utf-8"), (folder / "manifest.json").read_bytes()
    edit(schema, "      title: {", "      one: text\n      title: {")
    assert run(tmp_path, "generate", "-m", mine).status == 0
    files = take(folder, "0002_*")
    schema.write_text(before, encoding="utf-8")
    put({folder / "manifest.json": recorded})
    edit(schema, "      title: {", "      two: text\n      title: {")
    assert run(tmp_path, "generate", "-m", "k_theirs").status == 0
    assert run(tmp_path, "apply", "theirs.db").status == 0
    put(files)
    edit(schema, "      title: {", "      one: text\n      title: {")
    done = run(tmp_path, "generate")
    if mine < "k_theirs":
        assert done.status == 2
        assert (
            "0002_b_mine.sql: a database that has run the recorded migrations would have the columns of tasks"
            in done.err
        )
        take(folder, "0002_b_mine*")
        assert run(tmp_path, "generate", "-m", "mine").status == 0
    else:
        assert done.status == 0
    assert run(tmp_path, "check").status == 0
    assert run(tmp_path, "apply", "theirs.db").status == 0
    assert run(tmp_path, "drift", "theirs.db", "--column-order").status == 0


#: Gives the table another text, as ``generate`` does.
EDIT = """\
PRAGMA writable_schema = ON;
UPDATE sqlite_master SET sql = replace(sql, 'title', 'title /* what to do */') WHERE type = 'table' AND name = 'tasks';
PRAGMA writable_schema = RESET;
"""


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"0002_said.sql": EDIT}, id="without depends"),
        pytest.param(
            {
                "0002_due.sql": "ALTER TABLE notes ADD COLUMN due TEXT;\n",
                "0003_said.sql": "-- depends: 0002_due\n" + EDIT,
            },
            id="behind one without depends",
        ),
    ],
)
def test_an_edit_by_hand_is_no_branch(tmp_path: Path, files: dict[str, str]) -> None:
    """A migration of one's own that names not all that it follows is not taken for one of another branch."""
    generated_project(tmp_path)
    folder, schema = tmp_path / "migrations", tmp_path / "schema.yaml"
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        if "due" in name:
            edit(schema, "      task_id: {", "      due: text\n      task_id: {")
        done = run(tmp_path, "generate")
        assert done.status == 0, done.err
    assert run(tmp_path, "check").status == 0


def test_what_was_recorded_is_no_branch_of_what_comes_later(tmp_path: Path) -> None:
    """Two recorded ones that do not name each other stay recorded, whatever a third one brings in between."""
    generated_project(tmp_path)
    folder, schema = tmp_path / "migrations", tmp_path / "schema.yaml"
    (folder / "0002_due.sql").write_text("ALTER TABLE tasks ADD COLUMN due TEXT;\n", encoding="utf-8")
    edit(schema, "      title: {", "      due: text\n      title: {")
    assert run(tmp_path, "generate").status == 0
    (folder / "0004_said.sql").write_text("-- depends: 0001_initial\n" + EDIT, encoding="utf-8")
    (folder / "manifest.json").unlink()
    assert run(tmp_path, "generate").status == 0
    (folder / "0003_other.sql").write_text("-- depends: 0002_due\nCREATE TABLE other (id INTEGER);\n", encoding="utf-8")
    schema.write_text(schema.read_text(encoding="utf-8") + "  other:\n    columns: {id: integer}\n", encoding="utf-8")
    done = run(tmp_path, "generate")
    assert done.status == 0, done.err
    assert run(tmp_path, "check").status == 0


def test_an_edit_by_hand_that_a_branch_comes_before(tmp_path: Path) -> None:
    """One without ``depends`` was made for what it was recorded with; what another branch does to its table is not."""
    generated_project(tmp_path)
    folder, schema = tmp_path / "migrations", tmp_path / "schema.yaml"
    text = "CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL /* what to do */, state TEXT)"
    edit_of_all = (
        f"PRAGMA writable_schema = ON;\nUPDATE sqlite_master SET sql = '{text}'\nWHERE type = 'table' AND name = 'tasks';\n"
        "PRAGMA writable_schema = RESET;\n"
    )
    (folder / "0003_said.sql").write_text(edit_of_all, encoding="utf-8")
    edit(schema, "{type: text, nullable: false, default: open, enum: STATES}", "text")
    assert run(tmp_path, "generate").status == 0
    (folder / "0002_due.sql").write_text(
        "-- depends: 0001_initial\nALTER TABLE tasks ADD COLUMN due TEXT;\n", encoding="utf-8"
    )
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert "0002_due.sql: a database that has run the recorded migrations would " in done.err


@pytest.mark.parametrize(
    ("state", "change"),
    [
        pytest.param(
            "{type: text, unique: true}",
            (
                "    columns:\n      id: {type: integer, primary_key: true}\n      title",
                "    indexes: {by_title: [title]}\n    columns:\n      id: {type: integer, primary_key: true}\n      title",
            ),
            id="index",
        ),
    ],
)
def test_a_branch_that_comes_first_by_its_name(tmp_path: Path, state: str, change: tuple[str, str]) -> None:
    """A new database would run it first; one that has run what was recorded finds another table, and would refuse it."""
    plain = "{type: text, nullable: false, default: open, enum: STATES}"
    schema_text = SCHEMA.replace("    indexes:\n      idx_tasks_state: [state]\n", "").replace(plain, "text")
    generated_project(tmp_path, schema_text)
    folder, schema = tmp_path / "migrations", tmp_path / "schema.yaml"
    recorded = (folder / "manifest.json").read_bytes()
    edit(schema, "      state: text\n", f"      state: {state}\n")
    assert run(tmp_path, "generate", "-m", "a_state").status == 0
    mine = take(folder, "0002_*")
    put({folder / "manifest.json": recorded})
    schema.write_text(schema_text, encoding="utf-8")
    edit(schema, *change)
    assert run(tmp_path, "generate", "-m", "b_theirs").status == 0
    assert run(tmp_path, "apply", "theirs.db").status == 0
    put(mine)
    edit(schema, "      state: text\n", f"      state: {state}\n")
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert "0002_a_state.sql: it fails on a database that has run the recorded migrations: " in done.err
    take(folder, "0002_a_state*")
    assert run(tmp_path, "generate", "-m", "a_state").status == 0
    assert run(tmp_path, "apply", "theirs.db").status == 0
    assert run(tmp_path, "drift", "theirs.db").status == 0


def test_one_by_hand_that_comes_too_late(tmp_path: Path) -> None:
    """It counts on what a recorded migration drops, and stands before that by its name alone."""
    generated_project(tmp_path)
    folder, schema = tmp_path / "migrations", tmp_path / "schema.yaml"
    recorded = (folder / "manifest.json").read_bytes()
    schema.write_text(SCHEMA.partition("  notes:\n")[0], encoding="utf-8")
    assert run(tmp_path, "generate", "-m", "drop", "--allow", "drop_table").status == 0
    (folder / "0001_z_fix.sql").write_text("-- depends: 0001_initial\nDELETE FROM notes;\n", encoding="utf-8")
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert "0001_z_fix.sql: it fails on a database that has run the recorded migrations: " in done.err
    assert "no such table: notes" in done.err
    put({folder / "manifest.json": recorded})
    assert run(tmp_path, "generate").status == 0
    assert run(tmp_path, "apply", "new.db").status == 0
