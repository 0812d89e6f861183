"""Backups before a run: when they are made, what they contain, and how they fail."""

from __future__ import annotations

import os
import re
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import get_args

import pytest

from tests.support.backups import ADDING, DELETING, add, make_database, names
from tests.support.folders import FAMILY, dump, run_python, write_folder
from tests.support.rights import unprivileged
from waiaas_migrate.errors import DatabaseFileError, DatabaseRefused
from waiaas_migrate.runner.apply import apply_to
from waiaas_migrate.runner.backups.backup import back_up
from waiaas_migrate.runner.backups.verified_copy import byte_count
from waiaas_migrate.runner.options import BackupWhen, RunOptions

NAME = re.compile(r"app\.db\.backup-\d{8}T\d{6}Z-0003_age")


@pytest.fixture(params=["WAL", "DELETE"])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Make a database at head, with rows, in each journal mode: reading beside a writer differs between them."""
    return make_database(tmp_path, request.param)


# --- when -------------------------------------------------------------------------------------------------------------


def test_a_run_that_loses_data_makes_a_backup(database: Path) -> None:
    """The backup has the content from before the run and mode 0600.

    It is named by time and head, and is in the result.
    """
    before = dump(database)
    result = apply_to(str(database), add(database, DELETING))
    assert result.backup is not None
    assert NAME.fullmatch(result.backup.name)
    assert stat.S_IMODE(result.backup.stat().st_mode) == 0o600
    assert dump(result.backup) == before != dump(database)
    assert sorted(path.name for path in database.parent.iterdir() if path.is_file()) == ["app.db", result.backup.name]


def test_a_run_that_only_adds_makes_no_backup(database: Path) -> None:
    """Adding a column needs no backup; ``always`` makes one anyway."""
    folder = add(database, ADDING, record=True)
    assert apply_to(str(database), folder).backup is None
    add(database, {"0005_more.sql": "-- depends: 0004_more\nCREATE TABLE more (a);\n"})
    assert apply_to(str(database), folder, options=RunOptions(backup="always")).backup is not None


def test_backup_never(database: Path) -> None:
    """``never`` makes no backup, whatever the run does."""
    result = apply_to(str(database), add(database, DELETING), options=RunOptions(backup="never"))
    assert (result.applied, result.backup, names(database)) == (("0004_tidy",), None, [])


@pytest.mark.parametrize("when", get_args(BackupWhen))
def test_a_new_database_is_not_backed_up(tmp_path: Path, when: BackupWhen) -> None:
    """A run that creates the database makes no backup."""
    folder = write_folder(tmp_path / "m", {**FAMILY, **DELETING}, record=False)
    assert apply_to(str(tmp_path / "app.db"), folder, options=RunOptions(backup=when)).backup is None


def test_nothing_pending_makes_no_backup(database: Path) -> None:
    """A database at head is not copied, even with ``always``."""
    assert apply_to(str(database), database.parent / "m", options=RunOptions(backup="always")).backup is None
    assert names(database) == []


def test_one_backup_for_each_run(database: Path) -> None:
    """If each migration commits separately, the backup still has the content from before the first one."""
    before = dump(database)
    folder = add(database, {**DELETING, "0005_all.sql": "-- depends: 0004_tidy\nDELETE FROM parent;\n"})
    result = apply_to(str(database), folder, options=RunOptions(transaction="each"))
    assert len(names(database)) == 1
    assert result.backup is not None
    assert dump(result.backup) == before


LOSING = ["DELETE FROM parent WHERE id > 1", "/* [constant] */ update parent set name = 'x'", "DROP INDEX child_parent"]


@pytest.mark.parametrize("statement", LOSING)
@pytest.mark.parametrize(
    "comment", ["", "-- delete what is left over [constant]\n", "-- hazard ADD_CHECK parent: none\n"]
)
def test_a_comment_does_not_prevent_a_backup(database: Path, statement: str, comment: str) -> None:
    """The effect of a statement is read from the statement, not from the comment above it."""
    folder = add(database, {"0004_x.sql": f"{comment}-- depends: 0003_age\n{comment}{statement};\n"}, record=True)
    assert apply_to(str(database), folder).backup is not None


def test_a_folder_without_a_manifest_is_backed_up(database: Path) -> None:
    """Without recorded facts, the run is assumed to lose data."""
    assert apply_to(str(database), add(database, ADDING)).backup is not None


# --- content ----------------------------------------------------------------------------------------------------

_WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
print("ready", flush=True)
end = time.monotonic() + 20
done = "SELECT 1 FROM sqlite_master WHERE name = 'done'"
while time.monotonic() < end and connection.execute(done).fetchone() is None:
    connection.execute("INSERT INTO parent (name) VALUES ('written meanwhile')")
    time.sleep(0.005)
"""


def test_no_write_is_lost_between_backup_and_run(database: Path) -> None:
    """The backup has everything that an application wrote before the run took the lock."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE before_run (n)")
        connection.execute(
            "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 20000) "
            "INSERT INTO parent (name) SELECT printf('%0100d', n) FROM r"
        )
    sql = "-- depends: 0003_age\nCREATE TABLE done AS SELECT max(id) AS last FROM parent;\nDELETE FROM parent;\n"
    folder = add(database, {"0004_done.sql": sql})
    command = [sys.executable, "-c", _WRITER, str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        result = apply_to(str(database), folder)
    assert writer.returncode == 0
    assert result.backup is not None
    with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(result.backup)) as copy:
        seen_by_the_run = live.execute("SELECT last FROM done").fetchone()
        assert copy.execute("SELECT max(id) FROM parent").fetchone() == seen_by_the_run
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_link_to_a_database_is_followed(database: Path) -> None:
    """The backup is beside the file, not beside the link."""
    elsewhere = database.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "link.db").symlink_to(database)
    result = apply_to(str(elsewhere / "link.db"), add(database, DELETING))
    assert result.backup is not None
    assert result.backup.parent == Path(os.path.realpath(database.parent))
    assert [path.name for path in elsewhere.iterdir()] == ["link.db"]


def test_a_damaged_database_is_not_migrated(tmp_path: Path) -> None:
    """If the copy fails its check, the run is refused and no backup or partial file is left."""
    database = make_database(tmp_path, "DELETE", rows=5000)
    damaged = bytearray(database.read_bytes())
    for page in range(12, len(damaged) // 4096, 3):
        damaged[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    database.write_bytes(damaged)
    with pytest.raises((DatabaseRefused, DatabaseFileError)):
        apply_to(str(database), add(database, ADDING), options=RunOptions(backup="always"))
    assert names(database) == []
    assert not list(tmp_path.glob("*partial*"))


def test_rows_that_break_a_check_are_not_damage(tmp_path: Path) -> None:
    """A row older than its CHECK is copied like any other."""
    database = make_database(tmp_path)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE ruled (a CHECK (a > 0))")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("INSERT INTO ruled VALUES (-1)")
    assert apply_to(str(database), add(database, DELETING), options=RunOptions(verify=False)).backup is not None


# --- failures -------------------------------------------------------------------------------------------------------


def test_a_killed_copy_leaves_no_backup(tmp_path: Path) -> None:
    """A process killed while copying leaves no file with a backup's name; the next run makes one."""
    database = make_database(tmp_path, rows=20_000)
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom waiaas_migrate.runner.backups import backup, verified_copy\n"
        "verified_copy._PAGES_PER_STEP = 8\n"
        "die = lambda done, total: done > 40 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "backup.back_up(Path(sys.argv[1]), 'x', listener=die)"
    )
    assert run_python(code, database).returncode == -9
    assert names(database) == []
    (left,) = tmp_path.glob("*partial*")
    assert re.fullmatch(r"app\.db\.backup-partial-\d+-[0-9a-f]{8}", left.name)
    assert apply_to(str(database), add(database, DELETING)).backup is not None
    assert not list(tmp_path.glob("*partial*"))


@pytest.fixture
def small_files() -> Iterator[None]:
    """Limit files of this process to 64 kB, as if the disk were full."""
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


def test_the_disk_fills_during_the_copy(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The run is refused, and the database and its folder are as before."""
    database = make_database(tmp_path, "DELETE", rows=20_000)
    folder, before = add(database, DELETING), dump(database)
    request.getfixturevalue("small_files")
    with pytest.raises(DatabaseRefused, match=r"the disk is full, or failing\. Nothing was changed"):
        apply_to(str(database), folder)
    assert dump(database) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.db", "m"]


def test_no_room_is_reported_before_anything_is_written(tmp_path: Path) -> None:
    """A database larger than the free space is refused; the message has both sizes."""
    database = tmp_path / "app.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA page_size = 65536")
        connection.execute("CREATE TABLE t (a)")
    free = os.statvfs(tmp_path).f_frsize * os.statvfs(tmp_path).f_bavail
    pages = free // 65536 + 1000
    if pages > 2**32 - 2:
        pytest.skip("the disk is larger than any database")
    # A sparse file, whose header says how many pages it has.
    header = bytearray(database.read_bytes()[:100])
    header[28:32] = int(pages).to_bytes(4, "big")
    with database.open("r+b") as file:
        file.write(header)
        with suppress(OSError):
            file.truncate(pages * 65536)
    if database.stat().st_size != pages * 65536:
        pytest.skip("the file system has no files of that size")
    with pytest.raises(DatabaseRefused, match=r"a copy of it takes .+ GB, and the disk has .+ free\. Nothing was"):
        back_up(database, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["app.db"]


def test_a_read_only_folder(shared: Path) -> None:
    """The error says that no backup can be made, and how to do without."""
    database = make_database(shared, "DELETE")
    database.chmod(0o666)
    shared.chmod(0o555)
    with unprivileged(), pytest.raises(DatabaseFileError, match="--backup never"):
        back_up(database, "x")
    shared.chmod(0o777)


def test_byte_counts_for_people() -> None:
    """Sizes have a fitting unit."""
    assert [byte_count(size) for size in (12, 4096, 2_500_000, 7_000_000_000)] == [
        "12 bytes",
        "4.1 kB",
        "2.5 MB",
        "7.0 GB",
    ]


def test_partial_files_of_killed_processes_are_removed(database: Path) -> None:
    """Partial files of dead processes are removed; those of live ones, and other files, stay."""
    gone = [
        "backup-partial-999999999-0123abcd",
        "restore-partial-999999999-0123abcd-wal",
    ]
    stay = [f"backup-partial-{os.getppid()}-0123abcd", "backup-partial-mine", "backup-partial-999999999-0123abcd.txt"]
    for ending in gone + stay:
        database.with_name(f"app.db.{ending}").write_bytes(b"x")
    database.with_name("other.db.backup-partial").write_bytes(b"x")
    back_up(database, "0003_age")
    assert sorted(path.name for path in database.parent.glob("*partial*")) == sorted(
        ["other.db.backup-partial", *(f"app.db.{ending}" for ending in stay)]
    )
