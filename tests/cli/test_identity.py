"""The runner knows to which project a database belongs: five mix-ups, by command line and library, on real files."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import waiaas_migrate
from tests.support.folders import dump, run_yoyo
from tests.support.projects import SCHEMA, edit, execute, generated_project, listing, run
from waiaas_migrate import OtherMigrationsError, close_database, connect, open_database, push_schema, waiaas
from waiaas_migrate.runner.yoyo.head import is_at_head, read_head

OTHER_SCHEMA = "version: 1\ntables:\n  orders:\n    columns:\n      id: {type: integer, primary_key: true}\n"

COMMANDS = [["apply"], ["apply", "--dry-run"], ["rollback"]]
FOREIGN = "belongs to another migrations folder: it ran another 0001_initial than the one in "


def refused(project: Path, name: str, reason: str, *, commands: list[list[str]] = COMMANDS) -> None:
    """Check that every command that would migrate the database refuses it for ``reason``.

    All files must stay as they are.
    """
    before = listing(project)
    for words in commands:
        done = run(project, *words, name)
        assert (done.status, done.out) == (3, ""), words
        assert reason in done.err
        assert "Nothing was changed." in done.err
    with pytest.raises(OtherMigrationsError) as caught:
        open_database(project / name, migrations=project / "migrations")
    assert reason in str(caught.value)
    with closing(sqlite3.connect(project / name)) as connection, pytest.raises(OtherMigrationsError):
        push_schema(connection, migrations=project / "migrations")
    status = run(project, "status", name)
    assert status.status == 1
    assert reason in status.out
    assert "up to date" not in status.out
    assert listing(project) == before


def several(project: Path, *words: str) -> dict[str, object]:
    """Return the report on all databases of ``project``; the first has no problem."""
    assert run(project, "apply", "a-good.db").status == 0
    report: dict[str, object] = json.loads(run(project, *words, "*.db", "--json").out)
    return report


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Make another project whose first migration is also called ``0001_initial``."""
    return generated_project(tmp_path / "other", OTHER_SCHEMA)


# --- 1. a database of another project ---------------------------------------------------------------------------------


def test_a_database_of_another_project(project: Path, other: Path) -> None:
    """A database of another project is refused, although all migration ids are the same."""
    assert run(other, "apply", str(project / "app.db")).status == 0
    refused(project, "app.db", FOREIGN)
    done = run(project, "status", "app.db")
    assert done.out.splitlines()[0] == "changed  0001_initial"
    assert done.out.splitlines()[1] == (
        f"app.db: {FOREIGN}{project / 'migrations'}. Use the folder that made the database, or restore 0001_initial from git. "
        "If only databases of your own ran it, run `waiaas-migrate apply --redo` on them."
    )
    found = json.loads(run(project, "status", "app.db", "--json").out)
    assert found["mismatch"]["migrations"] == ["0001_initial"]
    assert not found["at_head"]
    drift = run(project, "drift", "app.db")
    assert (drift.status, FOREIGN in drift.out) == (1, True)
    assert run(other, "status", str(project / "app.db")).status == 0


def test_a_database_of_another_project_among_many(project: Path, other: Path) -> None:
    """The other databases are migrated; this one is named, with its exit status."""
    assert run(other, "apply", str(project / "b-other.db")).status == 0
    for command, status, word in (("status", 1, "refused"), ("apply", 3, "failed")):
        report = several(project, command)
        assert report["exit_status"] == status
        assert report["summary"] == {word: 1, "up to date": 1}


def test_a_database_that_plain_yoyo_made_for_another_project(project: Path, other: Path) -> None:
    """It has no recorded texts, but lacks the tables of this project, so it is refused."""
    run_yoyo("apply", project / "app.db", other / "migrations")
    refused(project, "app.db", "table tasks; table notes", commands=[["apply"], ["apply", "--dry-run"]])


def test_a_database_of_another_project_that_is_also_ahead(project: Path, other: Path) -> None:
    """The error names the other project's migration rather than the unknown one."""
    edit(other / "schema.yaml", "primary_key: true}\n", "primary_key: true}\n      note: text\n")
    assert run(other, "generate", "-m", "note").status == 0
    assert run(other, "apply", str(project / "app.db")).status == 0
    refused(project, "app.db", FOREIGN)


# --- 2. a migration that was made again under the same name -----------------------------------------------------------


@pytest.fixture
def regenerated(project: Path, database: Path) -> Path:
    """Make a project whose second migration was generated again, with other changes, after the database ran it."""
    edit(project / "schema.yaml", "      body: text\n", "      body: text\n      author: text\n")
    assert run(project, "generate", "-m", "more").status == 0
    assert run(project, "apply", database.name).status == 0
    manifest = project / "migrations" / "manifest.json"
    lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if "0002_more" not in line).replace("},\n  ]", "}\n  ]"))
    for file in (project / "migrations").glob("0002_more*"):
        file.unlink()
    edit(project / "schema.yaml", "      author: text\n", "      writer: text\n")
    assert run(project, "generate", "-m", "more").status == 0
    return project


def test_a_migration_generated_again_under_its_name(regenerated: Path) -> None:
    """The database ran another text of the migration, so it is refused."""
    refused(
        regenerated, "app.db", "ran 0002_more before the file changed. Restore it from git.".partition(" Restore")[0]
    )
    assert run(regenerated, "status", "app.db").out.splitlines()[:2] == ["applied  0001_initial", "changed  0002_more"]


def test_drift_after_a_migration_was_generated_again(regenerated: Path) -> None:
    """The old text explains the differences: they aren't called manual, and --fix isn't suggested."""
    done = run(regenerated, "drift", "app.db")
    assert done.status == 1
    assert (
        "  notes: made by the migrations that the database ran, or by hand: added column notes.author (TEXT).\n"
        in done.out
    )
    assert "Fix for schema: Resolve the migration finding first, then run `drift` again.\n" in done.out
    assert "manual change" not in done.out


def test_a_migration_generated_again_while_more_are_pending(regenerated: Path) -> None:
    """No pending migration is applied to a database that ran another text of an earlier one."""
    edit(regenerated / "schema.yaml", "      writer: text\n", "      writer: text\n      year: integer\n")
    assert run(regenerated, "generate", "-m", "year").status == 0
    refused(regenerated, "app.db", "ran 0002_more before the file changed")


# --- 3. records without migrations ------------------------------------------------------------------------------------


def test_an_empty_file_after_yoyo_mark(project: Path) -> None:
    """The records say that the database is at head, but its tables are missing, so it is refused."""
    run_yoyo("mark", project / "app.db", project / "migrations")
    commands = [["apply"], ["apply", "--dry-run"]]
    refused(project, "app.db", "what they create is missing: table tasks; table notes.", commands=commands)
    assert json.loads(run(project, "status", "app.db", "--json").out)["mismatch"]["migrations"] == ["0001_initial"]


@pytest.mark.parametrize("has_manifest", [True, False])
def test_the_last_migration_was_marked(project: Path, database: Path, *, has_manifest: bool) -> None:
    """The runner recorded the text of the first migration; that doesn't vouch for the second, which was marked."""
    edit(project / "schema.yaml", "      body: text\n", "      body: text\n      author: text\n")
    assert run(project, "generate", "-m", "more").status == 0
    run_yoyo("mark", database, project / "migrations")
    if not has_manifest:
        (project / "migrations" / "manifest.json").unlink()
    refused(
        project,
        "app.db",
        "what they create is missing: column notes.author.",
        commands=[["apply"], ["apply", "--dry-run"]],
    )


def test_what_plain_yoyo_applied_is_recognized(project: Path) -> None:
    """For migrations that plain yoyo applied, the catalog's fingerprint replaces the record of texts."""
    run_yoyo("apply", project / "app.db", project / "migrations")
    before = listing(project)
    close_database(open_database(project / "app.db", migrations=project / "migrations"))
    for command in ("status", "apply", "drift"):
        assert run(project, command, "app.db").status == 0
    assert listing(project) == before


# --- 4. tables changed by hand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("made_by", ["runner", "yoyo"])
@pytest.mark.parametrize(
    ("statement", "change"),
    [
        ("CREATE INDEX notes_body ON notes (body)", "added index notes_body on notes (body)"),
        ("ALTER TABLE notes ADD COLUMN extra TEXT", "added column notes.extra (TEXT)"),
        ("CREATE TABLE extra (a)", "added table extra (1 column)"),
        ("DROP INDEX idx_tasks_state", "dropped index idx_tasks_state on tasks"),
    ],
)
def test_a_manual_change_is_reported_and_stops_no_application(
    project: Path, made_by: str, statement: str, change: str
) -> None:
    """`status` and `apply` exit with 1 and point to `drift`; opening works, and writes nothing."""
    if made_by == "runner":
        assert run(project, "apply", "app.db").status == 0
    else:
        run_yoyo("apply", project / "app.db", project / "migrations")
    execute(project / "app.db", statement)
    before = dump(project / "app.db")
    for words in (["status"], ["apply"], ["apply", "--dry-run"]):
        done = run(project, *words, "app.db")
        assert done.status == 1
        assert (
            done.out.splitlines()[-1] == f"app.db: 1 manual change: {change}. Run `waiaas-migrate drift` for details."
        )
        assert json.loads(run(project, *words, "app.db", "--json").out)["manual_changes"] == [change]
        assert several(project, *words)["summary"] == {"changed by hand": 1, "up to date": 1}
    assert run(project, "drift", "app.db").status == 1
    close_database(open_database(project / "app.db", migrations=project / "migrations"))
    assert dump(project / "app.db") == before


@pytest.mark.parametrize("made_by", ["runner", "yoyo"])
def test_a_table_dropped_by_hand(project: Path, made_by: str) -> None:
    """A missing table is always reported.

    If only yoyo recorded the migration, `open_database` refuses the database as well.
    """
    if made_by == "runner":
        assert run(project, "apply", "app.db").status == 0
    else:
        run_yoyo("apply", project / "app.db", project / "migrations")
    execute(project / "app.db", "DROP TABLE notes")
    if made_by == "yoyo":
        refused(project, "app.db", "table notes", commands=[["apply"]])
        return
    for command in ("status", "apply"):
        done = run(project, command, "app.db")
        assert (done.status, "1 manual change: dropped table notes." in done.out) == (1, True)


def test_another_spelling_is_no_change(project: Path) -> None:
    """Differences in case, spacing and quotes never count as changes."""
    run_yoyo("mark", project / "app.db", project / "migrations")
    execute(
        project / "app.db",
        'create table "tasks" (id integer primary key, title TEXT  not null, '
        "state TEXT NOT NULL default 'open', CHECK (state in ('open','done')))",
        "create index IDX_TASKS_STATE on tasks(state)",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL REFERENCES tasks(id) ON DELETE CASCADE, body TEXT)",
    )
    found = run(project, "drift", "app.db")
    for command in ("status", "apply"):
        assert run(project, command, "app.db").status == found.status


def test_no_verify_skips_the_comparison(project: Path, database: Path) -> None:
    """``--no-verify`` skips this comparison, as it skips the proof of a run."""
    execute(database, "CREATE INDEX notes_body ON notes (body)")
    assert run(project, "apply", "--no-verify", database.name).status == 0


# --- 5. opening without migrations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [open_database, connect, push_schema])
def test_migrations_are_required(tmp_path: Path, function: object) -> None:
    """`open_database` requires the argument ``migrations``, so that forgetting it can't create the daemon's tables."""
    with pytest.raises(TypeError, match="required keyword-only argument: 'migrations'"):
        function(tmp_path / "app.db")  # type: ignore[operator]
    assert not (tmp_path / "app.db").exists()


def test_the_shipped_schema_has_a_name(tmp_path: Path) -> None:
    """The daemon opens its database through ``waiaas``, which refuses a database of another project."""
    close_database(waiaas.open_database(tmp_path / "daemon.db"))
    connection = waiaas.connect(tmp_path / "daemon.db")
    connection.execute("SELECT id FROM agents")
    waiaas.push_schema(connection)
    waiaas.close_database(connection)
    assert waiaas.MIGRATIONS.is_dir()
    assert waiaas.generate_id() < waiaas_migrate.generate_id()
    with pytest.raises(AttributeError):
        waiaas.nothing  # type: ignore[attr-defined]  # noqa: B018

    project = generated_project(tmp_path / "project", SCHEMA)
    assert run(project, "apply", "app.db").status == 0
    with pytest.raises(waiaas_migrate.DatabaseRefused):
        waiaas.open_database(project / "app.db")


# --- merges -----------------------------------------------------------------------------------------------------------


def test_another_chain_of_the_same_texts_is_the_same_history(project: Path, database: Path) -> None:
    """After a merge, every hash of the manifest's chain may differ.

    The same texts count as the same history, and the next run updates the record.
    """
    edit(project / "schema.yaml", "      body: text\n", "      body: text\n      author: text\n")
    assert run(project, "generate", "-m", "mine").status == 0
    assert run(project, "apply", database.name).status == 0
    (project / "migrations" / "0001_theirs.sql").write_text("-- depends: 0001_initial\nCREATE TABLE theirs (a);\n")
    edit(project / "schema.yaml", "  notes:\n", "  theirs:\n    columns: {a: {}}\n  notes:\n")
    (project / "migrations" / "manifest.json").unlink()
    assert run(project, "generate").status == 0
    assert run(project, "status", database.name).out.splitlines()[-1] == "app.db: 1 pending."
    close_database(open_database(database, migrations=project / "migrations"))
    assert run(project, "status", database.name).out.splitlines()[-1] == "app.db: up to date."
    head = read_head(str(project / "migrations"))
    with closing(sqlite3.connect(database)) as connection:
        assert head is not None
        assert is_at_head(connection, head)
