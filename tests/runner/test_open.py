"""Open, connect, push and close on real files and in real processes, as an application does."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, tables, write_folder
from waiaas_migrate import close_database, connect, open_database, push_schema
from waiaas_migrate.errors import (
    ApplyError,
    DatabaseBusy,
    DatabaseFileError,
    MigrationsError,
    PragmaError,
    UnknownMigrationsError,
    UsageError,
)
from waiaas_migrate.runner.apply import apply_to
from waiaas_migrate.runner.backups.backup import backups_of
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.pragmas import Pragma


@pytest.fixture
def memory() -> Iterator[sqlite3.Connection]:
    """Connect to a database in memory."""
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def test_opening_a_new_file_applies_migrations_and_pragmas(path: Path, folder: Path) -> None:
    """One call makes a file with mode 0600, applies migrations and sets PRAGMAs."""
    connection = open_database(path, migrations=folder)
    assert tables(connection) == {"parent", "child"}
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    close_database(connection)


@pytest.mark.parametrize("name", ["a b?#%.db", "./x.db", "file:x%20y.db", "sqlite:///z.db", "ü.db"])
def test_paths_uris_and_urls_are_opened(
    tmp_path: Path, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path, URI or URL opens the same file again."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        connection = open_database(name, migrations=folder)
        connection.execute("INSERT INTO parent (name) VALUES ('x')")
        connection.commit()
        close_database(connection)
    connection = open_database(name, migrations=folder)
    assert connection.execute("SELECT count(*) FROM parent").fetchone() == (2,)
    close_database(connection)


def test_a_database_in_memory_is_migrated(folder: Path) -> None:
    """A database in memory is migrated, for an application's tests."""
    connection = open_database(":memory:", migrations=folder)
    assert tables(connection) == {"parent", "child"}
    close_database(connection)


def test_connecting_only_sets_pragmas(path: Path, folder: Path) -> None:
    """``connect`` creates no table."""
    connection = connect(path, migrations=folder)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []
    close_database(connection)


@pytest.mark.parametrize("opening", [open_database, connect, lambda path, migrations: apply_to(str(path), migrations)])
def test_the_declared_busy_timeout_holds_from_the_first_lock(
    path: Path, tmp_path: Path, opening: Callable[..., object]
) -> None:
    """The declared busy timeout applies even before the PRAGMA is set."""
    folder = write_folder(tmp_path / "m", FAMILY, pragmas=[Pragma(name="busy_timeout", value=200)])
    close_database(open_database(path, migrations=folder))
    more = {"0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (x);\n"}
    write_folder(folder, more, pragmas=[Pragma(name="busy_timeout", value=200)])
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(DatabaseBusy):
            opening(path, migrations=folder)
        assert 0.2 <= time.monotonic() - began < 2


def test_the_page_size_is_set_before_the_first_table(tmp_path: Path) -> None:
    """A declared page size takes effect in a new file."""
    folder = write_folder(tmp_path / "m", FAMILY, pragmas=[Pragma(name="page_size", value=8192)])
    for _ in range(2):
        connection = open_database(tmp_path / "a.db", migrations=folder)
        assert connection.execute("PRAGMA page_size").fetchone() == (8192,)
        close_database(connection)


def test_a_folder_without_a_manifest_is_applied(path: Path, tmp_path: Path) -> None:
    """Hand-written yoyo migrations have no PRAGMAs, and nothing is verified."""
    folder = write_folder(tmp_path / "m", FAMILY, record=False)
    for _ in range(2):
        connection = open_database(path, migrations=folder)
        assert [row.id for row in read_applied(connection) or ()] == list(FAMILY_IDS)
        close_database(connection)


def test_a_wrong_folder_makes_no_database(tmp_path: Path) -> None:
    """A misspelled path is an error before a file is created."""
    for action in (open_database, connect):
        with pytest.raises(MigrationsError, match="no such folder"):
            action(tmp_path / "a.db", migrations=tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "opening",
    [
        partial(open_database, backup="always"),
        lambda path, migrations: apply_to(str(path), migrations, options=RunOptions(backup="always")),
    ],
    ids=["open_database", "apply"],
)
def test_a_pragma_that_fails_after_the_run(path: Path, tmp_path: Path, opening: Callable[..., object]) -> None:
    """The error names the committed migrations and the backup."""
    first = {name: text for name, text in FAMILY.items() if name.startswith("0001")}
    close_database(open_database(path, migrations=write_folder(tmp_path / "first", first)))
    odd = write_folder(tmp_path / "odd", FAMILY, pragmas=[Pragma(name="no_such", value=1)])
    with pytest.raises(PragmaError, match="Committed before that, and kept: 0002_children, 0003_age") as caught:
        opening(path, migrations=odd)
    assert caught.value.committed == FAMILY_IDS[1:]
    (backup,) = backups_of(path)
    assert caught.value.backup == str(backup.path)
    assert f"`waiaas-migrate restore {path} {backup.path}`" in str(caught.value)


def test_a_failing_open_closes_its_connection(tmp_path: Path, folder: Path) -> None:
    """An unclosed connection would warn, and warnings fail the test."""
    connection = open_database(tmp_path / "a.db", migrations=folder)
    close_database(connection)
    fewer = {name: text for name, text in FAMILY.items() if "0003" not in name}
    with pytest.raises(UnknownMigrationsError):
        open_database(tmp_path / "a.db", migrations=write_folder(tmp_path / "old", fewer))
    with pytest.raises(ApplyError):
        open_database(
            tmp_path / "b.db", migrations=write_folder(tmp_path / "bad", {"1.sql": "SELECT x;"}, record=False)
        )
    odd = write_folder(tmp_path / "odd", FAMILY, pragmas=[Pragma(name="no_such", value=1)])
    with pytest.raises(PragmaError):
        open_database(tmp_path / "c.db", migrations=odd)
    (tmp_path / "d.db").write_bytes(b"garbage" * 100)
    with pytest.raises(DatabaseFileError):
        open_database(tmp_path / "d.db", migrations=folder)


def test_a_refused_database_stays_the_same_to_the_byte(path: Path, folder: Path, tmp_path: Path) -> None:
    """Old code refuses a newer database without changing a byte, not even its journal mode."""
    plain = write_folder(tmp_path / "plain", FAMILY, pragmas=())
    close_database(open_database(path, migrations=plain))
    before = path.read_bytes()
    fewer = {name: text for name, text in FAMILY.items() if "0003" not in name}
    with pytest.raises(UnknownMigrationsError, match="0003_age"):
        open_database(path, migrations=write_folder(tmp_path / "old", fewer))
    assert path.read_bytes() == before
    close_database(open_database(path, migrations=folder))


# --- pushing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("foreign_keys", [0, 1])
@pytest.mark.parametrize("isolation", [None, "", "IMMEDIATE"])
def test_pushing_keeps_the_callers_settings(
    memory: sqlite3.Connection, folder: Path, isolation: str | None, foreign_keys: int
) -> None:
    """The settings are the same after a run, whether or not something was applied."""
    memory.isolation_level = isolation  # type: ignore[assignment]  # typeshed knows the names of levels alone
    memory.row_factory = sqlite3.Row
    memory.text_factory = bytes
    memory.execute(f"PRAGMA foreign_keys = {foreign_keys}")
    for _ in range(2):
        push_schema(memory, migrations=folder)
        assert (memory.isolation_level, memory.row_factory, memory.text_factory) == (isolation, sqlite3.Row, bytes)
        assert memory.execute("PRAGMA foreign_keys").fetchone()[0] == foreign_keys
        assert not memory.in_transaction
    memory.text_factory = str
    assert tables(memory) == {"parent", "child"}


def test_pushing_does_not_use_the_callers_row_factory(path: Path, folder: Path) -> None:
    """A row factory that fails on other rows doesn't stop the run, and stays set."""

    def refuse(_: sqlite3.Cursor, __: tuple[object, ...]) -> None:
        raise ArithmeticError

    first = {name: text for name, text in FAMILY.items() if name.startswith("0001")}
    with closing(sqlite3.connect(path)) as connection:
        push_schema(connection, migrations=write_folder(path.parent / "first", first))
        connection.row_factory = refuse
        push_schema(connection, migrations=folder)
        assert connection.row_factory is refuse


@pytest.mark.parametrize("has_run", [0, 1])
def test_records_of_an_attached_database_are_ignored(path: Path, folder: Path, tmp_path: Path, has_run: int) -> None:
    """The database is migrated by its own records, whether it is new or old."""
    close_database(open_database(path, migrations=folder))
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        if has_run:
            first = {name: text for name, text in FAMILY.items() if name.startswith("0001")}
            push_schema(connection, migrations=write_folder(tmp_path / "first", first))
        connection.execute("ATTACH ? AS other", (str(path),))
        push_schema(connection, migrations=folder)
        assert connection.execute("SELECT count(*) FROM main._yoyo_migration").fetchone() == (len(FAMILY_IDS),)
        assert connection.execute("SELECT count(*) FROM main.child").fetchone() == (0,)


def test_an_authorizer_that_forbids_a_run_is_named(path: Path, folder: Path) -> None:
    """The error names the authorizer, unlike SQLite's own message."""
    with closing(sqlite3.connect(path)) as connection:
        connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        with pytest.raises(UsageError, match="authorizer"):
            push_schema(connection, migrations=folder)


def test_a_failing_push_keeps_the_callers_settings(memory: sqlite3.Connection, tmp_path: Path) -> None:
    """A migration that fails halfway through a catalog edit leaves no PRAGMA changed."""
    memory.row_factory = sqlite3.Row
    sql = "PRAGMA legacy_alter_table = ON; PRAGMA writable_schema = ON; CREATE TABLE a (x); SELECT absent;"
    before = [tuple(memory.execute(f"PRAGMA {name}").fetchone()) for name in ("legacy_alter_table", "writable_schema")]
    with pytest.raises(ApplyError):
        push_schema(memory, migrations=write_folder(tmp_path / "m", {"1.sql": sql}, record=False))
    after = [tuple(memory.execute(f"PRAGMA {name}").fetchone()) for name in ("legacy_alter_table", "writable_schema")]
    assert after == before
    assert memory.row_factory is sqlite3.Row


def test_pushing_within_a_transaction_is_refused(memory: sqlite3.Connection, folder: Path) -> None:
    """An open transaction is refused even if nothing is pending, since the call is a mistake either way."""
    for _ in range(2):
        memory.execute("BEGIN")
        with pytest.raises(UsageError):
            push_schema(memory, migrations=folder)
        assert memory.in_transaction
        memory.rollback()
        push_schema(memory, migrations=folder)


# --- closing ----------------------------------------------------------------------------------------------------------


def test_closing_empties_the_wal(path: Path, folder: Path) -> None:
    """After closing, everything is in the file, queries raise, and a second close does nothing."""
    connection = open_database(path, migrations=folder)
    connection.execute("INSERT INTO parent (id) VALUES (1)")
    connection.commit()
    wal = path.with_name("a.db-wal")
    assert wal.stat().st_size > 0
    close_database(connection)
    assert not wal.exists() or wal.stat().st_size == 0
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")
    close_database(connection)


def test_closing_rolls_back_uncommitted_changes(path: Path, folder: Path) -> None:
    """Uncommitted changes are rolled back, as SQLite does by itself, and the WAL is still emptied."""
    connection = open_database(path, migrations=folder)
    connection.execute("INSERT INTO parent (id) VALUES (1)")
    close_database(connection)
    connection = open_database(path, migrations=folder)
    assert connection.execute("SELECT * FROM parent").fetchall() == []
    close_database(connection)


def test_closing_beside_a_reader_does_not_fail(path: Path, folder: Path) -> None:
    """If a reader hasn't finished, its WAL stays, and closing doesn't wait for it."""
    connection = open_database(path, migrations=folder)
    connection.executemany("INSERT INTO parent (id) VALUES (?)", [(1,), (2,)])
    connection.commit()
    with closing(sqlite3.connect(path)) as reader:
        cursor = reader.execute("SELECT * FROM parent")
        cursor.fetchone()
        connection.execute("INSERT INTO parent (id) VALUES (3)")
        connection.commit()
        began = time.monotonic()
        close_database(connection)
        assert time.monotonic() - began < 2
        assert len(cursor.fetchall()) == 1


# --- processes --------------------------------------------------------------------------------------------------------

OPEN = """
import sys
from waiaas_migrate import open_database, close_database
connection = open_database(sys.argv[1], migrations=sys.argv[2])
print(connection.execute("SELECT count(*) FROM _yoyo_log").fetchone()[0])
close_database(connection)
"""


def open_at_once(path: Path, folder: Path, count: int) -> list[str]:
    """Open one database in ``count`` processes at once; return what each prints, or its error."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(count)
    ]
    return ["".join(process.communicate(timeout=120)) for process in processes]


def test_processes_that_open_at_once_apply_once(path: Path, folder: Path, tmp_path: Path) -> None:
    """No process fails, and each migration runs once, on a new file and on an old one with pending migrations."""
    assert open_at_once(path, folder, 6) == ["3\n"] * 6
    write_folder(folder, {"0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (x);"})
    assert open_at_once(path, folder, 6) == ["4\n"] * 6
    plain = write_folder(tmp_path / "plain", {k: v for k, v in FAMILY.items() if "0001" in k}, pragmas=())
    close_database(open_database(tmp_path / "b.db", migrations=plain))
    assert open_at_once(tmp_path / "b.db", folder, 6) == ["4\n"] * 6


def test_notices_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The notices of a run are logged as warnings for the application."""
    folder, path = write_folder(tmp_path / "migrations", FAMILY), tmp_path / "a.db"
    close_database(open_database(path, migrations=folder))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO child VALUES (1, 99)")
        connection.commit()
    write_folder(folder, {"0004_note.sql": "-- depends: 0003_age\nUPDATE child SET id = 2;\n"})
    close_database(open_database(path, migrations=folder))
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("waiaas_migrate", "WARNING")
    assert "row 2 of child (parent_id) has no parent in parent" in record.message
    caplog.clear()
    close_database(open_database(path, migrations=folder))
    assert caplog.records == []
