"""``new`` writes an empty migration, and ``record`` lists what was written, edited or deleted by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.git import commit_all, git
from tests.support.projects import edit, execute, generated_project, listing, rows, run

ADD = "ALTER TABLE tasks ADD COLUMN nickname TEXT;\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one migration."""
    return generated_project(tmp_path)


def append(path: Path, text: str) -> None:
    """Add text to the end of a file."""
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_from_new_to_a_database(project: Path) -> None:
    """A new migration is completed, recorded, and runs forward and back.

    Until it is recorded, every command says so.
    """
    done = run(project, "new", "-m", "Trim titles")
    assert (done.status, done.out) == (0, "")
    assert done.err == (
        "wrote migrations/0002_trim_titles.rollback.sql\nwrote migrations/0002_trim_titles.sql\n"
        "Complete it, then run `waiaas-migrate record`.\n"
    )
    refused = run(project, "apply", "app.db")
    assert (refused.status, "is not listed in manifest.json. Run `waiaas-migrate record`." in refused.err) == (2, True)
    append(project / "migrations" / "0002_trim_titles.sql", "UPDATE tasks SET title = trim(title);\n")
    recorded = run(project, "record")
    assert (recorded.out, recorded.err) == ("recorded 0002_trim_titles\n", "wrote migrations/manifest.json\n")
    assert run(project, "check").status == 0
    assert run(project, "apply", "app.db").out == "applied 0001_initial\napplied 0002_trim_titles\n"
    assert run(project, "record").out == "Nothing to record: manifest.json is up to date.\n"


def test_an_empty_migration_in_python(project: Path) -> None:
    """An empty Python migration runs forward and back, and depends on the last migration."""
    assert run(project, "new", "-m", "tags", "--python").status == 0
    assert '__depends__ = {"0001_initial"}' in (project / "migrations" / "0002_tags.py").read_text(encoding="utf-8")
    assert run(project, "record").status == 0
    assert run(project, "apply", "app.db").status == 0
    assert "rolled back 0002_tags" in run(project, "rollback", "app.db", "--yes").out


def test_new_in_an_empty_folder(tmp_path: Path) -> None:
    """The first migration may be written by hand; it depends on nothing."""
    assert run(tmp_path, "new", "-m", "first").status == 0
    assert "depends" not in (tmp_path / "migrations" / "0001_first.sql").read_text(encoding="utf-8")
    assert run(tmp_path, "new", "-m", "second", "--python").status == 0
    assert run(tmp_path, "record").out == "recorded 0001_first\nrecorded 0002_second\n"


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["20240101_01_abcde-their-name"], "0002_x"),
        (["20240101120000_theirs", "name"], "0002_x"),
        (["0009_theirs", "20240101_theirs"], "0010_x"),
    ],
)
def test_the_number_continues_the_sequence(project: Path, names: list[str], wanted: str) -> None:
    """Dates and names without a number do not change the sequence, for ``new`` and for ``generate``."""
    for name in names:
        (project / "migrations" / f"{name}.sql").write_text("-- depends: 0001_initial\nSELECT 1;\n", encoding="utf-8")
    done = run(project, "new", "-m", "x", "--json")
    assert json.loads(done.out)["migration"] == wanted
    (project / "migrations" / f"{wanted}.sql").unlink()
    (project / "migrations" / f"{wanted}.rollback.sql").unlink()
    append(project / "schema.yaml", "views:\n  v: SELECT id FROM tasks\n")
    done = run(project, "generate", "-m", "x", "--json")
    assert json.loads(done.out)["migration"] == wanted
    assert run(project, "apply", "app.db").status == 0


def test_only_dates(tmp_path: Path) -> None:
    """If all names begin with dates, the next number sorts after them."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "20240101_theirs.sql").write_text("SELECT 1;\n", encoding="utf-8")
    assert json.loads(run(tmp_path, "new", "-m", "x", "--json").out)["migration"] == "20240102_x"


@pytest.mark.parametrize("name", ["", "-", "🙂"])
def test_names_that_no_file_can_have(project: Path, name: str) -> None:
    """Such names are refused, and nothing is written."""
    before = listing(project)
    done = run(project, "new", "-m", name)
    assert (done.status, "has no character that can be used" in done.err) == (2, True)
    assert listing(project) == before


def test_an_edited_migration_is_recorded_again(project: Path) -> None:
    """Other commands refuse it until it is recorded; then they accept it, and databases that ran it are named."""
    (project / "migrations" / "0002_add.sql").write_text(f"-- depends: 0001_initial\n{ADD}", encoding="utf-8")
    (project / "migrations" / "0002_add.rollback.sql").write_text(
        "ALTER TABLE tasks DROP COLUMN nickname;\n", encoding="utf-8"
    )
    assert run(project, "record").status == 0
    edit(project / "migrations" / "0002_add.sql", "nickname TEXT", "nickname TEXT DEFAULT 'x'")
    for command in (["apply", "app.db"], ["generate"]):
        done = run(project, *command)
        assert (done.status, "If not, run `waiaas-migrate record`." in done.err) == (2, True)
    done = run(project, "record")
    assert (done.status, done.out) == (0, "recorded 0002_add as it is now\n")
    assert "If a database has run the old 0002_add, run `waiaas-migrate apply --redo DATABASE`." in done.err
    assert run(project, "apply", "app.db").status == 0
    execute(project / "app.db", "INSERT INTO tasks (title) VALUES ('a')")
    assert rows(project / "app.db", "SELECT nickname FROM tasks") == [("x",)]


def test_a_deleted_migration_is_no_longer_recorded(project: Path) -> None:
    """Deleting the files and ``record`` undoes a migration that was written by hand."""
    before = listing(project)
    assert run(project, "new", "-m", "x").status == 0
    assert run(project, "record").status == 0
    for path in (project / "migrations").glob("0002_x*"):
        path.unlink()
    done = run(project, "generate")
    assert (done.status, "lists migration 0002_x, which is not in the folder." in done.err) == (2, True)
    assert run(project, "record").out == "0002_x is no longer recorded\n"
    assert listing(project) == before


@pytest.mark.parametrize("change", ["edit", "delete"])
@pytest.mark.parametrize("way", ["git", "--released"])
def test_a_released_migration_is_not_recorded_again(project: Path, change: str, way: str) -> None:
    """What the main branch has, or the user calls released, must not be edited or deleted."""
    if way == "git":
        commit_all(project)
        git(project, "switch", "--quiet", "--create", "mine")
    if change == "edit":
        edit(project / "migrations" / "0001_initial.sql", "title TEXT", "title BLOB")
    else:
        for path in (project / "migrations").glob("0001*"):
            path.unlink()
    before = listing(project / "migrations")
    done = run(project, "record", *(["--released", "0001_initial"] if way == "--released" else []))
    assert (done.status, done.out) == (2, "")
    reason = "the branch main has it" if way == "git" else "--released includes it"
    assert f"0001_initial: was edited or deleted, but is released: {reason}. Restore it from git" in done.err
    assert listing(project / "migrations") == before


def test_a_migration_that_fails_is_not_recorded(project: Path) -> None:
    """``record`` first replays the migration in memory, and refuses it if that fails."""
    (project / "migrations" / "0002_bad.sql").write_text("-- depends: 0001_initial\nDROP TABLE x;\n", encoding="utf-8")
    before = listing(project)
    done = run(project, "record")
    assert (done.status, "0002_bad.sql: it fails on an empty database" in done.err) == (2, True)
    assert listing(project) == before


@pytest.mark.parametrize(
    ("rollback", "said"),
    [
        (None, "0002_add has no rollback. To be able to roll it back, write 0002_add.rollback.sql."),
        (
            "SELECT 1;",
            "0002_add.rollback.sql does not restore the schema from before the migration. Missing: drop column",
        ),
        ("DROP TABLE x;", "0002_add.rollback.sql fails: no such table: x"),
        ("ALTER TABLE tasks DROP COLUMN nickname;", None),
    ],
)
def test_rollbacks_are_tried(project: Path, rollback: str | None, said: str | None) -> None:
    """A rollback that does not work is reported, and the migration is recorded all the same."""
    (project / "migrations" / "0002_add.sql").write_text(f"-- depends: 0001_initial\n{ADD}", encoding="utf-8")
    if rollback is not None:
        (project / "migrations" / "0002_add.rollback.sql").write_text(rollback, encoding="utf-8")
    done = run(project, "record")
    assert (done.status, done.out) == (0, "recorded 0002_add\n")
    assert (f"Note: {said}" in done.err) == (said is not None), done.err
    assert ("Note:" in done.err) == (said is not None)


def test_settings_stay_as_recorded(project: Path) -> None:
    """``record`` does not read schema.yaml, which may be unfinished; without a manifest it takes its PRAGMAs."""
    manifest = project / "migrations" / "manifest.json"
    before = manifest.read_text(encoding="utf-8")
    manifest.unlink()
    assert run(project, "record").status == 0
    assert '"pragmas": {\n    "foreign_keys": "ON"' in manifest.read_text(encoding="utf-8")
    manifest.write_text(before, encoding="utf-8")
    (project / "schema.yaml").write_text("unfinished: [", encoding="utf-8")
    assert run(project, "new", "-m", "x").status == 0
    assert run(project, "record").out == "recorded 0002_x\n"


def test_no_migrations_folder(tmp_path: Path) -> None:
    """``record`` reports that the migrations folder is missing."""
    done = run(tmp_path, "record")
    assert (done.status, "migrations: no such folder." in done.err) == (2, True)
