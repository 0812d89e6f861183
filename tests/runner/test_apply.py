"""Migrations are applied to real files completely or not at all, whatever fails."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, dump, run_yoyo, tables, write_folder
from tests.support.runs import applied_ids, apply
from waiaas_migrate.errors import (
    ApplyError,
    DatabaseBusy,
    DatabaseRefused,
    MigrationsError,
    UnknownMigrationsError,
    UnsupportedError,
    UsageError,
)
from waiaas_migrate.files.migration_dir.manifest import MANIFEST
from waiaas_migrate.runner.apply import ApplyResult, apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.rollback import Extent, roll_back
from waiaas_migrate.runner.yoyo.applied import read_applied, read_pending
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import connect_file, open_read_only


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a new file."""
    with closing(connect_file(path)) as connection:
        yield connection


def test_pending_migrations_are_applied_and_recorded(connection: sqlite3.Connection, folder: Path) -> None:
    """A new database gets every migration; a second run finds nothing to do."""
    assert read_pending(connection, FAMILY_IDS) == FAMILY_IDS
    assert apply(connection, folder) == ApplyResult(applied=FAMILY_IDS)
    assert tables(connection) == {"parent", "child"}
    assert applied_ids(connection) == list(FAMILY_IDS)
    assert apply(connection, folder) == ApplyResult()
    assert connection.execute("SELECT operation FROM _yoyo_log").fetchall() == [("apply",)] * 3


def test_nothing_is_written_or_locked_if_nothing_is_pending(path: Path, folder: Path) -> None:
    """The run succeeds while another connection holds the write lock, and the file stays the same."""
    with closing(connect_file(path)) as first:
        apply(first, folder)
    before = path.read_bytes()
    with closing(sqlite3.connect(path)) as writer, closing(connect_file(path, timeout=0)) as connection:
        writer.execute("BEGIN IMMEDIATE")
        assert apply(connection, folder) == ApplyResult()
    assert path.read_bytes() == before


def test_an_empty_folder_changes_nothing(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """With an empty folder, yoyo's tables aren't made, and tables of unknown origin don't matter."""
    connection.execute("CREATE TABLE mine (x)")
    assert apply(connection, write_folder(tmp_path / "empty", {})) == ApplyResult()
    assert read_applied(connection) is None


FAILING = {
    "0004_good.sql": "CREATE TABLE good (x);\nINSERT INTO parent (id) VALUES (1);\n",
    "0005_bad.sql": "INSERT INTO good VALUES (1);\n-- here\nINSERT INTO nowhere\nVALUES (1);\n",
}


def test_a_failing_migration_changes_nothing(path: Path, folder: Path) -> None:
    """The whole run is rolled back; the error names the migration, the reason and the statement."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        before = dump(path)
        write_folder(folder, FAILING, record=False)
        (folder / MANIFEST).unlink()
        with pytest.raises(ApplyError) as caught:
            apply(connection, folder)
        error = caught.value
        assert (error.migration, error.statement, error.exit_code) == ("0005_bad", "INSERT INTO nowhere", 3)
        assert "no such table: nowhere, in: INSERT INTO nowhere" in str(error)
        assert str(path) in str(error)
        assert not connection.in_transaction
    assert dump(path) == before


def test_a_failing_first_migration_leaves_no_tables(path: Path, tmp_path: Path) -> None:
    """After a failed first migration, not even yoyo's tables remain."""
    folder = write_folder(tmp_path / "m", {"0001_bad.sql": "CREATE TABLE a (x); CREATE TABLE a (x);"}, record=False)
    with closing(connect_file(path)) as connection:
        with pytest.raises(ApplyError, match="already exists"):
            apply(connection, folder)
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


@pytest.mark.parametrize(
    "statement",
    ["COMMIT;", "commit;", "/* x */ END;", "ROLLBACK;", "BEGIN;", "END TRANSACTION;"],
)
def test_sql_cannot_end_the_transaction(connection: sqlite3.Connection, folder: Path, statement: str) -> None:
    """A migration that would commit or roll back the run fails before it can; savepoints are allowed."""
    apply(connection, folder)
    write_folder(folder, {"0004_ends.sql": f"CREATE TABLE x (x);\n{statement}\n"}, record=False)
    (folder / MANIFEST).unlink()
    with pytest.raises(ApplyError, match="one transaction"):
        apply(connection, folder)
    assert tables(connection) == {"parent", "child"}
    (folder / "0004_ends.sql").write_text("SAVEPOINT a; CREATE TABLE x (x); RELEASE a;", encoding="utf-8")
    apply(connection, folder)
    assert tables(connection) == {"parent", "child", "x"}


def python(body: str) -> str:
    """Return a Python migration with one step, whose function has ``body``."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return (
        f"from yoyo import step\n__depends__ = ['0003_age']\ndef go(connection):\n{lines}\nstep(go, 'DROP TABLE py')\n"
    )


def test_a_python_migration_shares_the_transaction(connection: sqlite3.Connection, folder: Path) -> None:
    """The function gets the connection, sees earlier migrations of the run, and is rolled back with them."""
    body = "connection.execute('CREATE TABLE py (x)')\nconnection.execute('INSERT INTO py SELECT count(*) FROM parent')"
    write_folder(folder, {"0004_py.py": python(body)})
    assert apply(connection, folder).applied == (*FAMILY_IDS, "0004_py")
    assert connection.execute("SELECT * FROM py").fetchall() == [(0,)]
    write_folder(folder, {"0005_bad.sql": "-- depends: 0004_py\nDROP TABLE py;\nSELECT absent;\n"}, record=False)
    (folder / MANIFEST).unlink()
    with pytest.raises(ApplyError):
        apply(connection, folder)
    assert connection.execute("SELECT * FROM py").fetchall() == [(0,)]


CONFLICT = """connection.execute('CREATE TABLE r (x UNIQUE ON CONFLICT ROLLBACK)')
try:
    connection.execute('INSERT INTO r VALUES (1), (1)')
except Exception:
    pass"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("connection.commit()", "tries to COMMIT"),
        ("connection.rollback()", "tries to ROLLBACK"),
        ("with connection:\n    pass", "tries to COMMIT"),
        ("connection.executescript('SELECT 1')", "tries to COMMIT"),
        ("raise KeyError('a key')", "KeyError: 'a key'"),
        ("connection.execute('SELECT absent')", "no such column: absent"),
        ("connection.isolation_level = None", "tries to COMMIT"),
        (CONFLICT, "roll back the transaction"),
    ],
    ids=["commit", "rollback", "with", "script", "error", "sql", "isolation", "conflict"],
)
def test_a_python_migration_cannot_end_the_transaction(
    connection: sqlite3.Connection, folder: Path, body: str, words: str
) -> None:
    """Whatever the function does to the connection, the run is applied completely or not at all."""
    body = f"connection.execute('CREATE TABLE py (x)')\n{body}"
    write_folder(folder, {"0004_py.py": python(body)})
    with pytest.raises(ApplyError, match=re.escape(words)) as caught:
        apply(connection, folder)
    assert caught.value.migration == "0004_py"
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


def test_a_python_migration_that_calls_sys_exit(connection: sqlite3.Connection, folder: Path) -> None:
    """A migration that calls sys.exit fails like any other, and doesn't end the application."""
    code = "import sys\nfrom yoyo import step\n__depends__ = {'0003_age'}\nsteps = [step(lambda c: sys.exit(5))]\n"
    write_folder(folder, {"0004_exit.py": code}, record=False)
    (folder / MANIFEST).unlink()
    with pytest.raises(
        ApplyError, match=r"0004_exit failed and was rolled back: it leaves the interpreter: SystemExit"
    ):
        apply(connection, folder)
    assert tables(connection) == set()


def test_hooks_run_after_every_apply_and_are_only_logged(connection: sqlite3.Connection, folder: Path) -> None:
    """As with yoyo, a ``post-apply`` file runs if something was applied, and isn't recorded as applied."""
    write_folder(folder, {"post-apply.sql": "UPDATE parent SET age = coalesce(age, 0) + 1;"})
    apply(connection, folder)
    connection.execute("INSERT INTO parent (id) VALUES (1)")
    connection.commit()
    assert apply(connection, folder) == ApplyResult()
    write_folder(folder, {"0004_more.sql": "CREATE TABLE more (x);"})
    apply(connection, folder)
    assert connection.execute("SELECT age FROM parent").fetchall() == [(1,)]
    assert applied_ids(connection) == [*FAMILY_IDS, "0004_more"]
    run_yoyo("list", Path(connection.execute("PRAGMA database_list").fetchone()[2]), folder)


# --- what is refused before anything is written -----------------------------------------------------------------------


def test_old_code_refuses_a_newer_database(path: Path, folder: Path, tmp_path: Path) -> None:
    """Applying and rolling back leave every byte of the file unchanged, with or without pending migrations."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
    before = path.read_bytes()
    old = {name: text for name, text in FAMILY.items() if "0003" not in name}
    for files in (old, {**old, "0009_else.sql": "CREATE TABLE x (x);"}):
        write_folder(tmp_path / f"old{len(files)}", files)
        with closing(connect_file(path)) as connection:
            for action in (apply_pending, roll_back):
                with pytest.raises(UnknownMigrationsError) as caught:
                    action(connection, read_folder(tmp_path / f"old{len(files)}"))
                assert caught.value.unknown == ("0003_age",)
        assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.glob("a.db*")) == ["a.db"]


def test_tables_of_unknown_origin_are_refused(path: Path, folder: Path) -> None:
    """A database with tables but without a record of migrations is refused."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE parent (id)")
    before = path.read_bytes()
    with closing(connect_file(path)) as connection, pytest.raises(DatabaseRefused, match=r"\(parent\) but no record"):
        apply(connection, folder)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["edited", "missing", "unlisted"])
def test_a_folder_that_differs_from_its_manifest_is_refused(folder: Path, damage: str) -> None:
    """An edited, a missing or an unlisted migration is an error when the folder is read."""
    match damage:
        case "edited":
            (folder / "0003_age.sql").write_text("SELECT 1;", encoding="utf-8")
        case "missing":
            (folder / "0003_age.sql").unlink()
            (folder / "0003_age.rollback.sql").unlink()
        case _:
            (folder / "0004_x.sql").write_text("SELECT 1;", encoding="utf-8")
    with pytest.raises(MigrationsError):
        read_folder(folder)


def test_an_open_transaction_is_refused(connection: sqlite3.Connection, folder: Path) -> None:
    """A connection with an open transaction is refused, since the transaction belongs to the caller."""
    connection.execute("BEGIN")
    with pytest.raises(UsageError, match="transaction is open"):
        apply(connection, folder)
    assert connection.in_transaction


@pytest.mark.parametrize("name", ["Parent", "more"])
def test_temporary_objects_that_hide_others_are_refused(path: Path, folder: Path, name: str) -> None:
    """Rows would go into the temporary table instead of the table that exists or that a migration makes."""
    more = {"0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (x);\nINSERT INTO more VALUES (1);\n"}
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        connection.execute(f"CREATE TEMP TABLE {name} (x)")
        connection.execute("CREATE TEMP TABLE other (x)")
        with pytest.raises(DatabaseRefused, match=f"temporary objects of these names: {name}\\."):
            apply(connection, write_folder(folder, more))
        with pytest.raises(DatabaseRefused) if name == "Parent" else nullcontext():
            roll_back(connection, read_folder(folder))
        connection.execute(f"DROP TABLE temp.{name}")
        apply(connection, folder)
        assert connection.execute("SELECT count(*) FROM more").fetchone() == (1,)


def test_temporary_triggers_on_changed_tables_are_refused(path: Path, folder: Path) -> None:
    """Such triggers would fire, and would be lost if the table is rebuilt. Triggers on other tables are allowed."""
    more = {"0004_more.sql": "-- depends: 0003_age\nUPDATE parent SET age = 1;\n"}
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        connection.execute("INSERT INTO parent (id) VALUES (1)")
        connection.commit()
        for name, table in (("on_child", "child"), ("on_parent", "Parent")):
            body = "INSERT INTO child (parent_id) VALUES (new.id)"
            connection.execute(f"CREATE TEMP TRIGGER {name} AFTER UPDATE ON {table} BEGIN {body}; END")
        with pytest.raises(DatabaseRefused, match=r"temporary objects of these names: on_parent\."):
            apply(connection, write_folder(folder, more))
        connection.execute("DROP TRIGGER temp.on_parent")
        assert apply(connection, folder).applied == ("0004_more",)
        assert connection.execute("SELECT age, (SELECT count(*) FROM child) FROM parent").fetchall() == [(1, 0)]


def test_a_writer_that_never_commits(path: Path, folder: Path) -> None:
    """The run fails with DatabaseBusy after the busy timeout."""
    with closing(sqlite3.connect(path)) as writer, closing(connect_file(path, timeout=0.05)) as connection:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy):
            apply(connection, folder)


def test_a_reader_that_never_ends(path: Path, folder: Path) -> None:
    """Without WAL, a reader prevents the run from committing, so the run is rolled back."""
    with closing(sqlite3.connect(path)) as reader, closing(connect_file(path, timeout=0.05)) as connection:
        apply(connection, folder)
        write_folder(folder, {"0004_more.sql": "CREATE TABLE more (x);"})
        cursor = reader.execute("SELECT * FROM sqlite_master")
        cursor.fetchone()
        with pytest.raises(DatabaseBusy):
            apply(connection, folder)
        assert not connection.in_transaction
        cursor.close()
        assert "more" not in tables(connection)


def test_a_read_only_connection_cannot_apply(path: Path, folder: Path) -> None:
    """The error says that the file cannot be written."""
    sqlite3.connect(path).close()
    path.touch()
    with closing(open_read_only(path)) as connection, pytest.raises(UsageError, match="query_only is ON"):
        apply(connection, folder)


# --- rolling back -----------------------------------------------------------------------------------------------------


def test_rolling_back(connection: sqlite3.Connection, folder: Path) -> None:
    """One migration, several, or all after a given one are rolled back; applying them again gives the same catalog."""
    apply(connection, folder)
    head = read_catalog(connection)
    read = read_folder(folder)
    assert roll_back(connection, read).rolled_back == ("0003_age",)
    assert roll_back(connection, read, Extent(to="0001_parents")).rolled_back == ("0002_children",)
    assert tables(connection) == {"parent"}
    assert roll_back(connection, read, Extent(count=5)).rolled_back == ("0001_parents",)
    assert tables(connection) == set()
    assert roll_back(connection, read).rolled_back == ()
    assert apply(connection, folder).applied == FAMILY_IDS
    assert read_catalog(connection) == head
    with pytest.raises(UsageError, match="0009_x is not applied"):
        roll_back(connection, read, Extent(to="0009_x"))


def test_a_migration_without_a_rollback_is_not_rolled_back(connection: sqlite3.Connection, folder: Path) -> None:
    """Yoyo would delete the record and leave the tables; the runner rolls nothing back."""
    write_folder(folder, {"0004_x.sql": "-- depends: 0003_age\nCREATE TABLE x (x);"})
    write_folder(folder, {"0005_y.py": "from yoyo import step\n__depends__ = ['0004_x']\nstep('CREATE TABLE y (y)')\n"})
    apply(connection, folder)
    for count in (1, 2):
        with pytest.raises(UnsupportedError, match="there is no rollback"):
            roll_back(connection, read_folder(folder), Extent(count=count))
    assert tables(connection) == {"parent", "child", "x", "y"}


def test_a_failing_rollback_changes_nothing(connection: sqlite3.Connection, folder: Path) -> None:
    """If a rollback fails, all migrations stay applied."""
    apply(connection, folder)
    connection.executescript("CREATE VIEW v AS SELECT age FROM parent;")
    with pytest.raises(ApplyError, match="0003_age"):
        roll_back(connection, read_folder(folder), Extent(count=3))
    assert applied_ids(connection) == list(FAMILY_IDS)


def test_a_python_migration_is_rolled_back_by_its_steps(connection: sqlite3.Connection, folder: Path) -> None:
    """The rollback steps share the transaction of the other migrations."""
    write_folder(folder, {"0004_py.py": python("connection.execute('CREATE TABLE py (x)')")})
    apply(connection, folder)
    assert roll_back(connection, read_folder(folder), Extent(count=2)).rolled_back == ("0004_py", "0003_age")
    assert tables(connection) == {"parent", "child"}
