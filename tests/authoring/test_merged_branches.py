"""Migrations of two branches in one folder: both work, or the one that no database has run is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import SCHEMA, edit, generated_project, run


def test_two_branches_that_change_one_table(tmp_path: Path) -> None:
    """One branch adds a column, the other an enum value.

    Each migration replaces only its own piece of the definition, and both work.
    """
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
    """Write files back, as a merge does."""
    for path, content in files.items():
        path.write_bytes(content)


def take(folder: Path, pattern: str) -> dict[Path, bytes]:
    """Take files away that the other branch doesn't have."""
    found = {path: path.read_bytes() for path in folder.glob(pattern)}
    for path in found:
        path.unlink()
    return found


def test_two_branches_of_which_one_undoes_the_other(tmp_path: Path) -> None:
    """One branch adds an enum value, the other rebuilds the table without it.

    Without rows, that would go unnoticed. So ``generate`` refuses to record both; the later migration is generated
    again for the merged schema.yaml.
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
    assert "0002_b_code.sql: it was written for another version of the table tasks" in done.err
    take(folder, "0002_b_code.*")
    assert run(tmp_path, "generate", "-m", "b_code").status == 0
    assert run(tmp_path, "check").status == 0


@pytest.mark.parametrize("mine", ["b_mine", "z_mine"])
def test_two_branches_that_each_add_a_column(tmp_path: Path, mine: str) -> None:
    """Both migrations work if the new one runs after the recorded one.

    If it ran before, the columns would be in another order, so it is generated again and runs last.
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
def test_a_hand_written_migration_is_not_a_branch(tmp_path: Path, files: dict[str, str]) -> None:
    """A hand-written migration that does not name all earlier ones is not taken for one of another branch."""
    generated_project(tmp_path)
    folder, schema = tmp_path / "migrations", tmp_path / "schema.yaml"
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        if "due" in name:
            edit(schema, "      task_id: {", "      due: text\n      task_id: {")
        done = run(tmp_path, "generate")
        assert done.status == 0, done.err
    assert run(tmp_path, "check").status == 0


def test_recorded_migrations_stay_recorded(tmp_path: Path) -> None:
    """Two recorded migrations that do not name each other stay recorded, whatever a third one adds between them."""
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


def test_a_branch_that_runs_before_a_hand_written_migration(tmp_path: Path) -> None:
    """A migration without ``depends`` was made for the recorded schema, so another branch must not change its table."""
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
def test_a_branch_that_sorts_first(tmp_path: Path, state: str, change: tuple[str, str]) -> None:
    """A new database would run this migration first; one that has run the recorded migrations would refuse it."""
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


def test_a_hand_written_migration_that_runs_too_late(tmp_path: Path) -> None:
    """The new migration reads a table that a recorded one drops, and runs earlier only because of its name."""
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
