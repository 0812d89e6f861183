"""Applying and rolling back on real files: all of a run or nothing, beside plain yoyo, and across crashes."""

from __future__ import annotations

import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, dump, run_python, run_yoyo, tables, write_folder
from waiaas_migrate import push_schema
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
from waiaas_migrate.runner.yoyo.applied import pending, read_applied
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import connect_file, open_read_only


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recorded folder of three migrations."""
    return write_folder(tmp_path / "m", FAMILY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database shall be."""
    return tmp_path / "a.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a new file."""
    with closing(connect_file(path)) as connection:
        yield connection


def apply(connection: sqlite3.Connection, folder: Path) -> ApplyResult:
    """Apply what is pending."""
    return apply_pending(connection, read_folder(folder))


def applied_ids(connection: sqlite3.Connection) -> list[str]:
    """Return the ids of the applied migrations."""
    return [row.id for row in read_applied(connection) or ()]


def test_everything_pending_is_applied_and_recorded(connection: sqlite3.Connection, folder: Path) -> None:
    """A new database comes to head; a second run finds nothing to do."""
    assert pending(connection, FAMILY_IDS) == FAMILY_IDS
    assert apply(connection, folder) == ApplyResult(applied=FAMILY_IDS)
    assert tables(connection) == {"parent", "child"}
    assert applied_ids(connection) == list(FAMILY_IDS)
    assert apply(connection, folder) == ApplyResult()
    assert connection.execute("SELECT operation FROM _yoyo_log").fetchall() == [("apply",)] * 3


def test_nothing_is_written_or_locked_where_nothing_is_pending(path: Path, folder: Path) -> None:
    """Another connection may hold the write lock, and the file stays the same."""
    with closing(connect_file(path)) as first:
        apply(first, folder)
    before = path.read_bytes()
    with closing(sqlite3.connect(path)) as writer, closing(connect_file(path, timeout=0)) as connection:
        writer.execute("BEGIN IMMEDIATE")
        assert apply(connection, folder) == ApplyResult()
    assert path.read_bytes() == before


def test_an_empty_folder_asks_for_nothing(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """Yoyo's tables are not created for it, and tables of unknown origin do not matter."""
    connection.execute("CREATE TABLE mine (x)")
    assert apply(connection, write_folder(tmp_path / "empty", {})) == ApplyResult()
    assert read_applied(connection) is None


FAILING = {
    "0004_good.sql": "CREATE TABLE good (x);\nINSERT INTO parent (id) VALUES (1);\n",
    "0005_bad.sql": "INSERT INTO good VALUES (1);\n-- here\nINSERT INTO nowhere\nVALUES (1);\n",
}


def test_a_failing_migration_leaves_the_database_as_before(path: Path, folder: Path) -> None:
    """Of a run in which one fails nothing remains; the error names the migration, the reason and the statement."""
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
    """Not even yoyo's tables remain, and the next run starts afresh."""
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
    """A migration that would commit the run half-way fails before it does; savepoints are its own affair."""
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
    """A Python migration with one step, whose function has ``body``."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return (
        f"from yoyo import step\n__depends__ = ['0003_age']\ndef go(connection):\n{lines}\nstep(go, 'DROP TABLE py')\n"
    )


def test_a_python_migration_shares_the_transaction(connection: sqlite3.Connection, folder: Path) -> None:
    """Its function gets the connection, sees what came before in the run, and is undone with it."""
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
    """Whatever it does to the connection, all of the run or nothing of it remains."""
    body = f"connection.execute('CREATE TABLE py (x)')\n{body}"
    write_folder(folder, {"0004_py.py": python(body)})
    with pytest.raises(ApplyError, match=re.escape(words)) as caught:
        apply(connection, folder)
    assert caught.value.migration == "0004_py"
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


def test_a_python_migration_that_leaves_the_interpreter(connection: sqlite3.Connection, folder: Path) -> None:
    """It fails like any other, and does not take the application along."""
    code = "import sys\nfrom yoyo import step\n__depends__ = {'0003_age'}\nsteps = [step(lambda c: sys.exit(5))]\n"
    write_folder(folder, {"0004_exit.py": code}, record=False)
    (folder / MANIFEST).unlink()
    with pytest.raises(
        ApplyError, match=r"0004_exit failed and was rolled back: it leaves the interpreter: SystemExit"
    ):
        apply(connection, folder)
    assert tables(connection) == set()


def test_hooks_run_after_every_apply_and_are_only_logged(connection: sqlite3.Connection, folder: Path) -> None:
    """A ``post-apply`` file runs when something was applied, as with yoyo, and is no applied migration."""
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
    """The file stays the same to the byte, for applying and rolling back, whether or not something is pending."""
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
    """A database that has tables but no records of migrations is refused."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE parent (id)")
    before = path.read_bytes()
    with closing(connect_file(path)) as connection, pytest.raises(DatabaseRefused, match=r"\(parent\) but no record"):
        apply(connection, folder)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["edited", "missing", "unlisted"])
def test_a_folder_that_is_not_as_recorded_is_refused(folder: Path, damage: str) -> None:
    """An edited, a missing and an unlisted migration: the folder is not even handed to the runner."""
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
    """It belongs to the caller."""
    connection.execute("BEGIN")
    with pytest.raises(UsageError, match="transaction is open"):
        apply(connection, folder)
    assert connection.in_transaction


@pytest.mark.parametrize("name", ["Parent", "more"])
def test_temporary_objects_that_hide_others_are_refused(path: Path, folder: Path, name: str) -> None:
    """Of a table that is there, and of one that a migration makes: rows would go where they are lost."""
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


def test_temporary_triggers_on_what_migrations_write_are_refused(path: Path, folder: Path) -> None:
    """They would fire on what a migration does to rows, and go with a table that is rebuilt; those on others do not."""
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


def test_a_writer_that_does_not_end_is_said_to_be_in_the_way(path: Path, folder: Path) -> None:
    """After the busy timeout."""
    with closing(sqlite3.connect(path)) as writer, closing(connect_file(path, timeout=0.05)) as connection:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy):
            apply(connection, folder)


def test_a_reader_that_does_not_end_leaves_the_database_as_before(path: Path, folder: Path) -> None:
    """Without WAL a reader hinders the commit; the run is then undone."""
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


def test_a_connection_for_reading_cannot_apply(path: Path, folder: Path) -> None:
    """And is told so in plain words."""
    sqlite3.connect(path).close()
    path.touch()
    with closing(open_read_only(path)) as connection, pytest.raises(UsageError, match="query_only is ON"):
        apply(connection, folder)


# --- rolling back -----------------------------------------------------------------------------------------------------


def test_rolling_back_is_the_way_back(connection: sqlite3.Connection, folder: Path) -> None:
    """One, several, or all down to a named one; and forward again to the same catalog."""
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
    """Yoyo would remove its record and leave its tables; here nothing is done."""
    write_folder(folder, {"0004_x.sql": "-- depends: 0003_age\nCREATE TABLE x (x);"})
    write_folder(folder, {"0005_y.py": "from yoyo import step\n__depends__ = ['0004_x']\nstep('CREATE TABLE y (y)')\n"})
    apply(connection, folder)
    for count in (1, 2):
        with pytest.raises(UnsupportedError, match="there is no rollback"):
            roll_back(connection, read_folder(folder), Extent(count=count))
    assert tables(connection) == {"parent", "child", "x", "y"}


def test_a_failing_rollback_leaves_the_database_as_before(connection: sqlite3.Connection, folder: Path) -> None:
    """All of the migrations that were to be rolled back stay."""
    apply(connection, folder)
    connection.executescript("CREATE VIEW v AS SELECT age FROM parent;")
    with pytest.raises(ApplyError, match="0003_age"):
        roll_back(connection, read_folder(folder), Extent(count=3))
    assert applied_ids(connection) == list(FAMILY_IDS)


def test_a_python_migration_is_rolled_back_by_its_steps(connection: sqlite3.Connection, folder: Path) -> None:
    """In the same transaction as the others."""
    write_folder(folder, {"0004_py.py": python("connection.execute('CREATE TABLE py (x)')")})
    apply(connection, folder)
    assert roll_back(connection, read_folder(folder), Extent(count=2)).rolled_back == ("0004_py", "0003_age")
    assert tables(connection) == {"parent", "child"}


# --- with plain yoyo --------------------------------------------------------------------------------------------------


def test_yoyo_goes_on_with_what_the_runner_began(path: Path, folder: Path) -> None:
    """The command lists, rolls back and applies with the runner's records; then the runner continues."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        head = read_catalog(connection)
    assert run_yoyo("list", path, folder).count("A ") == 3
    run_yoyo("rollback", path, folder)
    with closing(connect_file(path)) as connection:
        assert pending(connection, FAMILY_IDS) == ("0003_age",)
        assert apply(connection, folder).applied == ("0003_age",)
    run_yoyo("rollback", path, folder, "--all")
    run_yoyo("apply", path, folder)
    with closing(connect_file(path)) as connection:
        assert apply(connection, folder) == ApplyResult()
        assert read_catalog(connection) == head


def test_the_runner_goes_on_with_what_yoyo_began(path: Path, folder: Path, tmp_path: Path) -> None:
    """Records, their types and the catalog are the same."""
    first = write_folder(tmp_path / "first", {k: v for k, v in FAMILY.items() if "0001" in k}, record=False)
    run_yoyo("apply", path, first)
    with closing(connect_file(path)) as connection:
        assert apply(connection, folder).applied == FAMILY_IDS[1:]
        rows = connection.execute("SELECT typeof(migration_hash), applied_at_utc FROM _yoyo_migration").fetchall()
        assert all(kind == "text" and re.fullmatch(r"[\d-]{10}T[\d:.]+", when) for kind, when in rows)
        theirs = {
            row for row in connection.execute("SELECT name, sql FROM sqlite_master") if row[0].startswith("_yoyo")
        }
    with closing(connect_file(tmp_path / "b.db")) as connection:
        apply(connection, folder)
        mine = {row for row in connection.execute("SELECT name, sql FROM sqlite_master") if row[0].startswith("_yoyo")}
    assert mine == theirs
    assert run_yoyo("list", path, folder).count("A ") == 3


def test_marks_of_yoyo_count(path: Path, folder: Path) -> None:
    """``yoyo mark`` and ``unmark`` change what is pending."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        run_yoyo("unmark", path, folder, "-r", "0003_age")
        assert pending(connection, FAMILY_IDS) == ("0003_age",)
        run_yoyo("mark", path, folder)
        assert pending(connection, FAMILY_IDS) == ()


def test_a_stale_lock_row_of_yoyos_does_not_stop_the_runner(path: Path, folder: Path) -> None:
    """It outlived its process; the run goes on, and says so."""
    run_yoyo("list", path, folder)
    with closing(connect_file(path)) as connection:
        connection.execute("INSERT INTO yoyo_lock VALUES (1, '2026-01-01', 4242)")
        connection.commit()
        result = apply(connection, folder)
    assert result.applied == FAMILY_IDS
    assert "process 4242" in "".join(result.notices)


def test_tables_of_an_old_yoyo_are_read_and_upgraded(path: Path, folder: Path) -> None:
    """Before version 6 yoyo kept only ids; its own upgrade runs inside the transaction."""
    with closing(connect_file(path)) as connection:
        connection.executescript(
            FAMILY["0001_parents.sql"]
            + "CREATE TABLE _yoyo_migration (id VARCHAR(191) NOT NULL PRIMARY KEY, ctime TIMESTAMP);"
            "INSERT INTO _yoyo_migration VALUES ('0001_parents', '2015-01-01 00:00:00');"
        )
        assert pending(connection, FAMILY_IDS) == FAMILY_IDS[1:]
        assert apply(connection, folder).applied == FAMILY_IDS[1:]
    assert run_yoyo("list", path, folder).count("A ") == 3


@pytest.mark.parametrize(
    "row",
    [
        *("NULL, NULL", "x'ff', x'00fe'", "'hash', NULL", "7, 1.5", "9e999, 'infinite'"),
        *("'hash', CAST(x'ff' AS TEXT)", "CAST(x'fe' AS TEXT), 'no UTF-8'"),
    ],
)
def test_rows_that_yoyo_did_not_write_are_unknown_migrations(path: Path, folder: Path, row: str) -> None:
    """Whatever the records hold, the database is refused with a message."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        connection.execute(f"INSERT INTO _yoyo_migration VALUES ({row}, '2026-01-01')")
        connection.commit()
        with pytest.raises(UnknownMigrationsError):
            apply(connection, folder)


@pytest.mark.parametrize("sql", ["CREATE TABLE _yoyo_migration (a)", "CREATE VIEW _yoyo_migration AS SELECT 1 AS id"])
def test_a_false_yoyo_table_is_refused(path: Path, folder: Path, sql: str) -> None:
    """The error says so, and does not mention columns that are missing."""
    with closing(connect_file(path)) as connection:
        connection.execute(sql)
        with pytest.raises(DatabaseRefused, match="not the table that yoyo makes"):
            apply(connection, folder)


def test_tables_of_a_newer_yoyo_are_refused(path: Path, folder: Path) -> None:
    """The installed yoyo cannot write to tables it does not know."""
    with closing(connect_file(path)) as connection:
        apply(connection, write_folder(folder.parent / "old", {"0001_parents.sql": FAMILY["0001_parents.sql"]}))
        connection.execute("INSERT INTO _yoyo_version VALUES (99, '2099-01-01')")
        connection.commit()
        with pytest.raises(UnsupportedError, match=r"version 99.*Upgrade yoyo-migrations"):
            apply(connection, folder)


def test_a_lock_row_of_nobody(path: Path, folder: Path) -> None:
    """Where no process is named none holds it; it is removed like any other."""
    run_yoyo("list", path, folder)
    with closing(connect_file(path)) as connection:
        connection.execute("INSERT INTO yoyo_lock VALUES (1, 'some time', 'nobody')")
        connection.commit()
        assert apply(connection, folder).applied == FAMILY_IDS
        assert connection.execute("SELECT * FROM yoyo_lock").fetchall() == []


def test_what_yoyo_ran_without_noting_it_is_explained(path: Path, folder: Path) -> None:
    """Killed between its two transactions, yoyo leaves a table and no row: the error says how to go on."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        connection.execute("DELETE FROM _yoyo_migration WHERE migration_id <> '0001_parents'")
        connection.commit()
        with pytest.raises(ApplyError, match="yoyo mark"):
            apply(connection, folder)


# --- processes --------------------------------------------------------------------------------------------------------

APPLY = """
import sys, pathlib
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.sqlite.database.connection import connect_file
connection = connect_file(sys.argv[1])
folder = read_folder(sys.argv[2])
print("ready", flush=True)
print(len(apply_pending(connection, folder).applied), flush=True)
"""

LONG = (
    "-- depends: 0003_age\n"
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)\n"
    "INSERT INTO parent (name) SELECT printf('%0100d', i) FROM n;\n"
    "UPDATE parent SET age = 1;\n"
    "CREATE INDEX parent_name ON parent (name);\n"
)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_killed_run_leaves_the_database_before_or_after(path: Path, folder: Path, mode: str) -> None:
    """At whatever instant the process dies, the next run finds all or nothing and goes on."""
    chance = random.Random(7)
    with closing(connect_file(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        apply(connection, folder)
    write_folder(folder, {"0004_long.sql": LONG, "0005_end.sql": "-- depends: 0004_long\nCREATE TABLE last (x);"})
    killed = 0
    for number in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", APPLY, str(path), str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            # The first is killed at once, so that one is killed in time however slow the machine is.
            time.sleep(chance.random() * 0.4 if number else 0)
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=60)
        with closing(connect_file(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            done = not pending(connection, read_folder(folder).ids)
            rows = connection.execute("SELECT count(*) FROM parent").fetchone()[0]
            assert (rows, "last" in tables(connection)) == ((100000, True) if done else (0, False))
            if done:
                break
            killed += 1
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        assert "last" in tables(connection)
    assert killed


def test_two_processes_apply_once(path: Path, folder: Path) -> None:
    """Whoever is second waits, finds nothing left to do, and does not fail."""
    processes = [
        subprocess.Popen([sys.executable, "-c", APPLY, str(path), str(folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    counts = [process.communicate(timeout=60)[0].split()[-1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(counts) == ["0", "3"]


def test_a_run_waits_for_a_writer(path: Path, folder: Path) -> None:
    """A writer of the application's delays it and does not fail it."""
    with closing(sqlite3.connect(path, check_same_thread=False)) as writer, closing(connect_file(path)) as connection:
        writer.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, writer.rollback)
        timer.start()
        assert apply(connection, folder).applied == FAMILY_IDS
        timer.join()


def test_a_full_disk_leaves_the_database_as_before(path: Path, folder: Path) -> None:
    """At every size at which the file may not grow further: before or after, and never between."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        before = list(connection.iterdump())
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        write_folder(folder, {"0004_long.sql": LONG.replace("100000", "300")})
        failed = 0
        for limit in range(pages, pages + 200):
            connection.execute(f"PRAGMA max_page_count = {limit}")
            try:
                apply(connection, folder)
            except ApplyError as error:
                failed += 1
                assert "full" in str(error)  # noqa: PT017 — which limit succeeds is not known beforehand
                assert list(connection.iterdump()) == before
            else:
                break
        assert failed > 3
        assert pending(connection, read_folder(folder).ids) == ()


def test_reading_what_is_applied_needs_no_yoyo(path: Path, folder: Path) -> None:
    """A run that finds nothing to do imports nothing slow."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
    code = APPLY + "print({'yoyo', 'sqlparse', 'yaml', 'jinja2', 'click', 'syntaqlite'} & set(sys.modules))"
    assert run_python(code, path, folder).stdout == "ready\n0\nset()\n"


@pytest.mark.parametrize("applied", [0, 1], ids=["new", "old"])
def test_a_connection_that_only_queries_is_told_so(path: Path, folder: Path, applied: int) -> None:
    """It is not the rights of the file that are in the way."""
    with closing(connect_file(path)) as connection:
        if applied:
            apply(connection, write_folder(folder.parent / "old", {"0001_parents.sql": FAMILY["0001_parents.sql"]}))
        connection.execute("PRAGMA query_only = ON")
        with pytest.raises(UsageError, match="query_only is ON for this connection"):
            apply(connection, folder)
        with pytest.raises(UsageError, match="query_only is ON for this connection"):
            push_schema(connection, migrations=folder)
        connection.execute("PRAGMA query_only = OFF")
        push_schema(connection, migrations=folder)
