"""Which migrations share a transaction, what splits a run, and which events a run sends."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, tables, write_folder
from waiaas_migrate.errors import ApplyError, DatabaseBusy, MigrateError, UnsupportedError, UsageError
from waiaas_migrate.files.migration_dir.manifest import MANIFEST
from waiaas_migrate.runner.apply import ApplyResult, apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.options import RunOptions, Transaction
from waiaas_migrate.runner.rollback import roll_back
from waiaas_migrate.runner.transaction import write_transaction
from waiaas_migrate.runner.watching.events import (
    Committed,
    Event,
    MigrationFinished,
    MigrationStarted,
    StatementStarted,
)
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.connection import connect_file

#: A migration that cannot run in a transaction, and one after it.
VACUUM = {
    "0004_vacuum.sql": "-- depends: 0003_age\n-- transactional: false\nVACUUM;\n",
    "0005_last.sql": "-- depends: 0004_vacuum\nCREATE TABLE last (x);\n",
}
BAD = {"0004_bad.sql": "-- depends: 0003_age\nCREATE TABLE bad (x);\nSELECT absent;\n"}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a new file."""
    with closing(connect_file(tmp_path / "a.db")) as connection:
        yield connection


def add(folder: Path, files: dict[str, str]) -> None:
    """Add migrations to a folder without a manifest, since they fail when replayed in memory."""
    write_folder(folder, files, record=False)
    (folder / MANIFEST).unlink(missing_ok=True)


def applied_ids(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the ids that yoyo's tables record."""
    return tuple(row.id for row in read_applied(connection) or ())


class Interrupted(sqlite3.Connection):
    """A connection on which Ctrl-C arrives as soon as a script has run."""

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        """Run ``script``, then raise."""
        super().executescript(script)
        raise KeyboardInterrupt


def test_ctrl_c_right_after_begin(tmp_path: Path) -> None:
    """After Ctrl-C, no transaction is left open, and the settings are reset."""
    with closing(sqlite3.connect(tmp_path / "a.db", factory=Interrupted)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(KeyboardInterrupt), write_transaction(connection):
            pass
        assert not connection.in_transaction
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


# --- one transaction, or one each -------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 has no autocommit yet")
def test_an_autocommit_connection_commits(tmp_path: Path, folder: Path) -> None:
    """The migrations are committed although ``commit()`` does nothing with ``autocommit=True``."""
    settings: dict[str, Any] = {"autocommit": True}
    with closing(sqlite3.connect(tmp_path / "a.db", **settings)) as connection:
        assert apply_pending(connection, read_folder(folder)).applied == FAMILY_IDS
        with closing(sqlite3.connect(tmp_path / "a.db")) as other:
            assert applied_ids(other) == FAMILY_IDS


def test_an_open_transaction_is_not_committed(connection: sqlite3.Connection) -> None:
    """Beginning another one is refused, and the caller's settings stay."""
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA busy_timeout = 1234")
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(UsageError), write_transaction(connection):
        pass
    assert connection.in_transaction
    connection.rollback()
    assert connection.execute("SELECT * FROM t").fetchall() == []
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (1234,)


@pytest.mark.parametrize(("transaction", "kept"), [("all", ()), ("each", FAMILY_IDS)])
def test_what_a_failing_migration_leaves(
    connection: sqlite3.Connection, folder: Path, transaction: Transaction, kept: tuple[str, ...]
) -> None:
    """With one transaction for all, nothing stays.

    With one for each, the migrations before the failing one stay, and the error names them.
    """
    add(folder, BAD)
    with pytest.raises(ApplyError, match="0004_bad failed and was rolled back") as caught:
        apply_pending(connection, read_folder(folder), RunOptions(transaction=transaction))
    assert caught.value.committed == kept
    assert ("Committed before that, and kept: 0001_parents, 0002_children, 0003_age." in str(caught.value)) == bool(
        kept
    )
    assert applied_ids(connection) == kept
    assert tables(connection) == ({"parent", "child"} if kept else set())


def test_a_reader_blocks_the_second_commit(tmp_path: Path, connection: sqlite3.Connection, folder: Path) -> None:
    """The error names the migration that was committed first."""
    connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as reader:

        def read(event: Event) -> None:
            if isinstance(event, Committed):
                reader.execute("BEGIN")
                reader.execute("SELECT * FROM parent").fetchall()

        with pytest.raises(DatabaseBusy, match=r"Nothing else was changed.* kept: 0001_parents") as caught:
            apply_pending(connection, read_folder(folder), RunOptions(transaction="each", listener=read))
    assert caught.value.committed == FAMILY_IDS[:1]


@pytest.mark.parametrize("transaction", ["all", "each"])
def test_both_ways_apply_every_migration(
    connection: sqlite3.Connection, folder: Path, transaction: Transaction
) -> None:
    """One transaction for all migrations gives the same result as one for each."""
    result = apply_pending(connection, read_folder(folder), RunOptions(transaction=transaction))
    assert result == ApplyResult(applied=FAMILY_IDS)
    assert applied_ids(connection) == FAMILY_IDS


def test_each_migration_is_verified_by_itself(connection: sqlite3.Connection, folder: Path) -> None:
    """A schema difference is found right after the migration that causes it."""
    more = "CREATE TABLE more (x);\nDROP INDEX IF EXISTS by_hand;"
    write_folder(folder, {"0004_more.sql": more, "0005_most.sql": "CREATE TABLE IF NOT EXISTS most (x);"})
    first = write_folder(folder.parent / "first", FAMILY)
    apply_pending(connection, read_folder(first))
    connection.execute("CREATE TABLE most (y)")
    with pytest.raises(ApplyError, match=r"added column most\.y") as caught:
        apply_pending(connection, read_folder(folder), RunOptions(transaction="each"))
    assert (caught.value.migration, caught.value.committed) == ("0005_most", ("0004_more",))
    assert applied_ids(connection) == (*FAMILY_IDS, "0004_more")


def test_hooks_run_once_at_the_end(connection: sqlite3.Connection, folder: Path) -> None:
    """Hooks run once at the end, however the run was split, and outside a transaction if they ask for that."""
    add(folder, VACUUM)
    hook = "INSERT INTO parent (name) VALUES ('hook');\n"
    add(folder, {"post-apply.sql": hook, "post-apply-late.sql": "-- transactional: false\nVACUUM;\n" + hook})
    apply_pending(connection, read_folder(folder), RunOptions(transaction="each"))
    assert connection.execute("SELECT count(*) FROM parent").fetchone() == (2,)


# --- outside transactions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sql", "python"])
def test_a_migration_outside_transactions_splits_the_run(
    connection: sqlite3.Connection, folder: Path, kind: str
) -> None:
    """Migrations before it are committed first; then it runs and is recorded by itself; then the others follow."""
    files = dict(VACUUM)
    if kind == "python":
        del files["0004_vacuum.sql"]
        files["0004_vacuum.py"] = (
            "from yoyo import step\n__depends__ = ['0003_age']\n__transactional__ = False\nstep('VACUUM')\n"
        )
    add(folder, files)
    events: list[Event] = []
    result = apply_pending(connection, read_folder(folder), RunOptions(listener=events.append))
    assert result.applied == (*FAMILY_IDS, "0004_vacuum", "0005_last")
    assert [event.migrations for event in events if isinstance(event, Committed)] == [
        FAMILY_IDS,
        ("0004_vacuum",),
        ("0005_last",),
    ]
    assert applied_ids(connection) == result.applied


def test_failing_before_the_split_leaves_nothing(connection: sqlite3.Connection, folder: Path) -> None:
    """If the first transaction fails, it is rolled back like any other."""
    add(folder, {**VACUUM, "0003_z.sql": "-- depends: 0003_age\nSELECT absent;\n"})
    with pytest.raises(ApplyError) as caught:
        apply_pending(connection, read_folder(folder))
    assert (caught.value.migration, caught.value.committed) == ("0003_z", ())
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


def test_failing_at_the_split_says_what_remains(connection: sqlite3.Connection, folder: Path) -> None:
    """The failed migration's effects stay but aren't recorded.

    The error names the committed migrations, and it can run again.
    """
    add(folder, VACUUM)
    half = "-- depends: 0003_age\n-- transactional: false\nCREATE TABLE IF NOT EXISTS half (x);\nSELECT absent;\n"
    add(folder, {"0004_vacuum.sql": half})
    with pytest.raises(ApplyError, match="outside a transaction, so its changes remain") as caught:
        apply_pending(connection, read_folder(folder))
    assert (caught.value.migration, caught.value.committed) == ("0004_vacuum", FAMILY_IDS)
    assert "rolled back" not in str(caught.value)
    assert applied_ids(connection) == FAMILY_IDS
    assert "half" in tables(connection)
    add(folder, {"0004_vacuum.sql": half.replace("SELECT absent", "SELECT 1")})
    assert apply_pending(connection, read_folder(folder)).applied == ("0004_vacuum", "0005_last")


def test_failing_after_the_split_keeps_committed_migrations(connection: sqlite3.Connection, folder: Path) -> None:
    """If the last transaction fails, only that one is rolled back."""
    add(folder, {**VACUUM, "0006_bad.sql": "-- depends: 0005_last\nSELECT absent;\n"})
    with pytest.raises(ApplyError) as caught:
        apply_pending(connection, read_folder(folder))
    assert caught.value.committed == (*FAMILY_IDS, "0004_vacuum")
    assert applied_ids(connection) == (*FAMILY_IDS, "0004_vacuum")
    assert "last" not in tables(connection)


def test_a_transaction_of_a_migration_that_fails(connection: sqlite3.Connection, folder: Path) -> None:
    """A failure between the migration's BEGIN and COMMIT undoes that transaction.

    Resetting the PRAGMAs doesn't commit it.
    """
    apply_pending(connection, read_folder(folder))
    text = "BEGIN;\nCREATE TABLE half (x);\nINSERT INTO absent VALUES (1);\nCOMMIT;\n"
    add(folder, {"0004_half.sql": f"-- depends: 0003_age\n-- transactional: false\n{text}"})
    connection.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(ApplyError, match=r"no such table: .*absent"):
        apply_pending(connection, read_folder(folder))
    assert not connection.in_transaction
    assert "half" not in tables(connection)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_it_may_begin_and_commit_transactions(connection: sqlite3.Connection, folder: Path) -> None:
    """A migration outside transactions may begin transactions, but must end them."""
    own = "-- depends: 0003_age\n-- transactional: false\nBEGIN;\nCREATE TABLE own (x);\nCOMMIT;\n"
    add(folder, {"0004_own.sql": own})
    assert apply_pending(connection, read_folder(folder)).applied[-1] == "0004_own"
    add(folder, {"0005_open.sql": "-- depends: 0004_own\n-- transactional: false\nBEGIN;\nCREATE TABLE open (x);\n"})
    with pytest.raises(ApplyError, match="left a transaction open"):
        apply_pending(connection, read_folder(folder))
    assert not connection.in_transaction
    assert tables(connection) == {"parent", "child", "own"}


def test_new_violations_outside_transactions_are_an_error(connection: sqlite3.Connection, folder: Path) -> None:
    """Such violations can't be rolled back, and the error says so."""
    apply_pending(connection, read_folder(folder))
    connection.executescript("INSERT INTO parent (id) VALUES (1); INSERT INTO child VALUES (1, 1);")
    add(folder, {"0004_lose.sql": "-- depends: 0003_age\n-- transactional: false\nDELETE FROM parent;\n"})
    with pytest.raises(ApplyError, match=r"remain: new foreign key violations: row 1 of child"):
        apply_pending(connection, read_folder(folder))
    assert connection.execute("SELECT * FROM child").fetchall() == [(1, 1)]


def test_it_is_not_rolled_back(connection: sqlite3.Connection, folder: Path) -> None:
    """A migration outside transactions is not rolled back, since a rollback that fails halfway couldn't be undone."""
    add(folder, {**VACUUM, "0004_vacuum.rollback.sql": "VACUUM;", "0005_last.rollback.sql": "DROP TABLE last;"})
    apply_pending(connection, read_folder(folder))
    assert roll_back(connection, read_folder(folder)).rolled_back == ("0005_last",)
    with pytest.raises(UnsupportedError, match="0004_vacuum"):
        roll_back(connection, read_folder(folder))


AT_ONCE = """
import sys
from waiaas_migrate import close_database, open_database
close_database(open_database(sys.argv[1], migrations=sys.argv[2]))
"""


def test_processes_at_once_run_it_once(tmp_path: Path, folder: Path) -> None:
    """SQLite's write lock can't keep processes apart there; the lock file does."""
    once = "-- depends: 0003_age\n-- transactional: false\nVACUUM;\nCREATE TABLE once (x);\n"
    write_folder(folder, {"0004_once.sql": once, "0005_last.sql": VACUUM["0005_last.sql"].replace("vacuum", "once")})
    command = [sys.executable, "-c", AT_ONCE, str(tmp_path / "b.db"), str(folder)]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    assert [run.communicate(timeout=60)[1] for run in runs] == [""] * 6


# --- events -----------------------------------------------------------------------------------------------------------


def test_a_run_sends_events(connection: sqlite3.Connection, folder: Path) -> None:
    """Each migration and statement sends an event with its number and the total; each commit sends one, too."""
    events: list[Event] = []
    apply_pending(connection, read_folder(folder), RunOptions(listener=events.append))
    line = "CREATE INDEX child_parent ON child (parent_id);"
    assert events[0] == MigrationStarted(migration="0001_parents", number=1, total=3)
    assert StatementStarted(migration="0002_children", number=2, total=2, line=line) in events
    assert MigrationFinished(migration="0003_age") in events
    assert events[-1] == Committed(migrations=FAMILY_IDS)


def test_a_listener_can_end_a_run(connection: sqlite3.Connection, folder: Path) -> None:
    """An exception in the listener reaches the caller, and the run is rolled back."""

    def stop(event: Event) -> None:
        if event == MigrationFinished(migration="0002_children"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply_pending(connection, read_folder(folder), RunOptions(listener=stop))
    assert not connection.in_transaction
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


# --- what is refused before anything is written -----------------------------------------------------------------------


@pytest.mark.parametrize("state", ["tables", "ahead", "edited", "missing", "unlisted"])
def test_a_refused_file_stays_the_same(tmp_path: Path, folder: Path, state: str) -> None:
    """A refused file keeps every byte, and nothing is left beside it."""
    path = tmp_path / "b.db"
    if state == "tables":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE mine (x)")
    else:
        with closing(connect_file(path)) as connection:
            apply_pending(connection, read_folder(folder))
    if state == "ahead":
        folder = write_folder(tmp_path / "old", {name: text for name, text in FAMILY.items() if "0003" not in name})
    elif state == "edited":
        (folder / "0003_age.sql").write_text("SELECT 1;", encoding="utf-8")
    elif state == "missing":
        (folder / "0003_age.sql").unlink()
        (folder / "0003_age.rollback.sql").unlink()
    elif state == "unlisted":
        (folder / "0004_x.sql").write_text("SELECT 1;", encoding="utf-8")
    before = path.read_bytes()
    with closing(connect_file(path)) as connection, pytest.raises(MigrateError):
        apply_pending(connection, read_folder(folder))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.glob("b.db*")] == ["b.db"]
