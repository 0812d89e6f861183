"""Before COMMIT, the schema is compared with what the migrations make: by text or, if that differs, by meaning."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY_IDS, run_python, run_yoyo, tables, write_folder
from tests.support.projects import edit, execute, generated_project, rows, run
from waiaas_migrate.errors import ApplyError
from waiaas_migrate.files.migration_dir.manifest import MANIFEST
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.fleet.fleet import Fleet, apply_to_all
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.rollback import roll_back
from waiaas_migrate.sqlite.database.connection import connect_file

#: What the first three migrations make, as another application may have written it.
ADOPTED = """
CREATE TABLE "parent"("id" integer PRIMARY KEY,"name" text, "age" integer);
create table child(id integer primary key, parent_id integer references parent(id) on delete cascade);
CREATE INDEX "child_parent" ON "child"("parent_id");
INSERT INTO parent VALUES (1, 'a', 2);
INSERT INTO child VALUES (1, 1);
"""
MORE = {"0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (x);", "0004_more.rollback.sql": "DROP TABLE more;"}


@pytest.fixture
def connection(path: Path, folder: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a file at head."""
    with closing(connect_file(path)) as connection:
        apply_pending(connection, read_folder(folder))
        yield connection


@pytest.fixture
def adopted(path: Path, folder: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a file of another application, with three migrations marked as applied and one pending."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(ADOPTED)
    run_yoyo("mark", path, folder)
    write_folder(folder, MORE)
    with closing(connect_file(path)) as connection:
        yield connection


def test_a_schema_that_is_not_the_recorded_one_is_rolled_back(connection: sqlite3.Connection, folder: Path) -> None:
    """An existing table differs from what the migration makes. The error names it, unless verify is off."""
    connection.execute("CREATE TABLE more (y)")
    write_folder(folder, {**MORE, "0004_more.sql": "-- depends: 0003_age\nCREATE TABLE IF NOT EXISTS more (x);"})
    before = list(connection.iterdump())
    with pytest.raises(ApplyError, match=r"migrations build: .*added column more\.y.*\. Correct the migration"):
        apply_pending(connection, read_folder(folder))
    assert list(connection.iterdump()) == before
    assert apply_pending(connection, read_folder(folder), RunOptions(verify=False)).applied == ("0004_more",)


def test_another_spelling_is_not_a_difference(adopted: sqlite3.Connection, folder: Path) -> None:
    """Tables with another spelling mean the same. Real differences are reported and left alone."""
    assert apply_pending(adopted, read_folder(folder)).applied == ("0004_more",)
    assert roll_back(adopted, read_folder(folder)).rolled_back == ("0004_more",)
    assert adopted.execute("SELECT * FROM parent, child").fetchall() == [(1, "a", 2, 1, 1)]
    adopted.execute("ALTER TABLE parent ADD COLUMN own")
    (left,) = apply_pending(adopted, read_folder(folder)).notices
    assert left == "manual schema changes were left as they are: added column parent.own."
    assert "more" in tables(adopted)


def test_many_adopted_databases(adopted: sqlite3.Connection, path: Path, folder: Path) -> None:
    """Several threads compare schemas by meaning at once."""
    adopted.close()
    names = [str(path.with_name(f"{number}.db")) for number in range(24)]
    for name in names:
        Path(name).write_bytes(path.read_bytes())
    outcomes = list(apply_to_all(names, folder, fleet=Fleet(jobs=8)))
    assert [outcome.result and outcome.result.applied for outcome in outcomes] == [("0004_more",)] * 24


def test_without_the_grammar_the_text_decides(adopted: sqlite3.Connection, path: Path, folder: Path) -> None:
    """If SQL can't be read, another spelling is a difference; a table to be rebuilt is refused."""
    adopted.close()
    rebuild = (
        "-- depends: 0004_more\nCREATE TABLE n (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);\n"
        "INSERT INTO n SELECT * FROM parent;\nDROP TABLE parent;\nALTER TABLE n RENAME TO parent;\n"
    )
    write_folder(folder, {"0005_rebuild.sql": rebuild})
    code = """
import sys
sys.modules["syntaqlite"] = None
from pathlib import Path
from waiaas_migrate.errors import DatabaseRefused
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.apply import apply_to
try:
    apply_to(sys.argv[1], Path(sys.argv[2]))
except DatabaseRefused as error:
    print(error)
print(apply_to(sys.argv[1], Path(sys.argv[2]), options=RunOptions(verify=False)).applied)
"""
    done = run_python(code, path, folder)
    assert done.stderr == ""
    assert (
        "would rebuild tables that were changed by hand: table parent has another definition. Nothing was changed."
        in done.stdout
    )
    assert done.stdout.endswith("('0004_more', '0005_rebuild')\n")


def test_a_fingerprint_of_another_sqlite_is_not_a_difference(path: Path, folder: Path) -> None:
    """If the fingerprint comes from another SQLite, the migrations are replayed in memory, with the same result."""
    manifest = folder / MANIFEST
    text = re.sub(r'"fingerprint": "sha256:\w+"', '"fingerprint": "sha256:0"', manifest.read_text(encoding="utf-8"))
    manifest.write_text(text, encoding="utf-8")
    with closing(connect_file(path)) as connection:
        assert apply_pending(connection, read_folder(folder)).applied == FAMILY_IDS


def test_objects_of_hooks_are_not_a_difference(connection: sqlite3.Connection, folder: Path) -> None:
    """A hook's view exists when the next run compares, and the hook creates it again."""
    hook = "DROP VIEW IF EXISTS seen;\nCREATE VIEW seen AS SELECT name FROM parent;\n"
    (folder / "post-apply.sql").write_text(hook, encoding="utf-8")
    for files in (MORE, {"0005_yet.sql": "-- depends: 0004_more\nCREATE TABLE yet (x);"}):
        write_folder(folder, files)
        assert len(apply_pending(connection, read_folder(folder)).applied) == 1
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'seen'").fetchone() == (1,)


HOOKS = "DROP VIEW IF EXISTS seen;\nCREATE VIEW seen AS SELECT {} FROM {};\n"


def test_a_hook_that_was_edited_since(connection: sqlite3.Connection, folder: Path) -> None:
    """Objects that the hook made before its edit are not a difference.

    This applies forward and back, even to runs that stop before head. Other objects are differences.
    """
    hook = folder / "post-apply.sql"
    hook.write_text(HOOKS.format("name", "parent"), encoding="utf-8")
    write_folder(folder, MORE)
    apply_pending(connection, read_folder(folder))
    hook.write_text(HOOKS.format("x", "yet"), encoding="utf-8")
    write_folder(folder, {"0005_yet.sql": "-- depends: 0004_more\nCREATE TABLE yet (x);"})
    (folder / "0005_yet.rollback.sql").write_text("DROP TABLE yet;", encoding="utf-8")
    write_folder(folder, {"0006_on.sql": "-- depends: 0005_yet\nCREATE INDEX yet_x ON yet (x);"})
    connection.execute("CREATE VIEW by_hand AS SELECT 1 AS one")
    result = apply_pending(connection, read_folder(folder), RunOptions(transaction="each"))
    assert result.applied == ("0005_yet", "0006_on")
    assert {one.rpartition(": ")[2] for one in result.notices} == {"added view by_hand."}
    assert connection.execute("SELECT sql FROM sqlite_master WHERE name = 'seen'").fetchall() == [
        ("CREATE VIEW seen AS SELECT x FROM yet",)
    ]
    (folder / "0006_on.rollback.sql").write_text("DROP INDEX yet_x;", encoding="utf-8")
    hook.write_text(HOOKS.format("age", "parent"), encoding="utf-8")
    write_folder(folder, {})
    assert roll_back(connection, read_folder(folder)).rolled_back == ("0006_on",)


def test_a_hook_that_makes_something_else_now(connection: sqlite3.Connection, folder: Path) -> None:
    """Objects that the hook made before, and now drops itself, are no reason to refuse the database."""
    hook = folder / "post-apply.sql"
    hook.write_text(HOOKS.format("name", "parent"), encoding="utf-8")
    write_folder(folder, MORE)
    apply_pending(connection, read_folder(folder))
    hook.write_text("DROP VIEW IF EXISTS seen;\nCREATE VIEW IF NOT EXISTS met AS SELECT 1;\n", encoding="utf-8")
    write_folder(folder, {"0005_yet.sql": "-- depends: 0004_more\nCREATE TABLE yet (x);"})
    assert apply_pending(connection, read_folder(folder)).applied == ("0005_yet",)
    views = connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall()
    assert views == [("met",)]


def test_a_hook_that_cannot_be_replayed_excuses_nothing(connection: sqlite3.Connection, folder: Path) -> None:
    """A table that exists only in this database is a difference, even if hooks need it."""
    (folder / "post-apply.sql").write_text("INSERT INTO by_hand VALUES (1);\n", encoding="utf-8")
    connection.execute("CREATE TABLE by_hand (x)")
    write_folder(folder, MORE)
    (left,) = apply_pending(connection, read_folder(folder)).notices
    assert "left as they are: added table by_hand (1 column)" in left


@pytest.mark.parametrize(
    ("back", "said"),
    [
        ("DROP INDEX more_x; DROP TABLE parent;", "dropped table parent"),
        ("SELECT 1;", "added table more (1 column)"),
        ("DROP TABLE more; CREATE INDEX left ON parent (age);", "added index left on parent (age)"),
    ],
    ids=["too much", "nothing", "something else"],
)
def test_a_rollback_that_leads_elsewhere(connection: sqlite3.Connection, folder: Path, back: str, said: str) -> None:
    """A rollback that leads to another schema is refused, unless verify is off. The error names the differences."""
    more = {"0004_more.sql": "CREATE TABLE more (x);\nCREATE INDEX more_x ON more (x);", "0004_more.rollback.sql": back}
    write_folder(folder, more)
    apply_pending(connection, read_folder(folder))
    before = list(connection.iterdump())
    with pytest.raises(ApplyError, match="migration 0004_more could not be rolled back") as caught:
        roll_back(connection, read_folder(folder))
    assert said in str(caught.value)
    assert "Correct 0004_more.rollback.sql" in str(caught.value)
    assert list(connection.iterdump()) == before
    assert roll_back(connection, read_folder(folder), options=RunOptions(verify=False)).rolled_back == ("0004_more",)


def test_a_rollback_from_the_command_line(tmp_path: Path) -> None:
    """A rollback keeps and reports a manual change to the table that loses a column."""
    generated_project(tmp_path)
    edit(tmp_path / "schema.yaml", "      body: text\n", "      body: text\n      author: text\n")
    assert run(tmp_path, "generate", "-m", "author").status == 0
    assert run(tmp_path, "apply", "a.db").status == 0
    execute(tmp_path / "a.db", "CREATE TABLE by_hand (x)")
    execute(tmp_path / "a.db", "ALTER TABLE notes ADD COLUMN own TEXT")
    done = run(tmp_path, "rollback", "a.db")
    assert done.status == 0
    assert "left as they are: added column notes.own (TEXT); added table by_hand" in done.err
    assert rows(tmp_path / "a.db", "SELECT own FROM notes") == []
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM _yoyo_migration") == [(1,)]
