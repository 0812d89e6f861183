"""Open files and databases in memory, and set PRAGMAs that are read back."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from waiaas_migrate.errors import DatabaseBusy, DatabaseFileError, MigrateError, PragmaError, UsageError
from waiaas_migrate.sqlite.database.connection import connect_file, open_read_only
from waiaas_migrate.sqlite.database.pragmas import Pragma, apply_layout_pragmas, apply_pragmas

NOBODY = 65534


def pragma(name: str, value: str | int) -> Pragma:
    """Return a declared PRAGMA."""
    return Pragma(name=name, value=value)


def make(path: Path, *, wal: bool = False) -> Path:
    """Make a database with one row."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
        connection.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    return path


def test_a_path_object_always_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``Path(":memory:")`` is a file of that name."""
    monkeypatch.chdir(tmp_path)
    connect_file(Path(":memory:")).close()
    assert (tmp_path / ":memory:").is_file()


@pytest.mark.parametrize("name", ["plain.db", "a b?#%.db", "ü'\"[].db", "file:x", "%41.db"])
def test_a_new_file_has_mode_0600(tmp_path: Path, name: str) -> None:
    """A new file has mode 0600 and exactly the given name."""
    with closing(connect_file(tmp_path / name)) as connection:
        connection.execute("CREATE TABLE t (x)")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_new_wal_has_mode_0600(tmp_path: Path) -> None:
    """A new WAL holds the same secrets as its database, so it gets mode 0600 too."""
    path = tmp_path / "a.db"
    with closing(connect_file(path)) as connection:
        apply_pragmas(connection, [pragma("journal_mode", "WAL")])
        connection.execute("CREATE TABLE t (x)")
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
        assert len(list(tmp_path.iterdir())) == 3


def test_a_link_to_a_missing_file_makes_that_file(tmp_path: Path) -> None:
    """The link is followed, and the new file has mode 0600."""
    (tmp_path / "link.db").symlink_to(tmp_path / "target.db")
    connect_file(tmp_path / "link.db").close()
    assert stat.S_IMODE((tmp_path / "target.db").stat().st_mode) == 0o600


def test_the_mode_of_an_existing_file_stays(tmp_path: Path) -> None:
    """The mode of an existing file stays, because its owner decides who may read it."""
    path = make(tmp_path / "a.db")
    path.chmod(0o640)
    connect_file(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def broken(tmp_path: Path, what: str) -> Path:
    """Return a path at which no database can be opened."""
    path = tmp_path / "broken"
    match what:
        case "folder":
            path.mkdir()
        case "below a file":
            path.touch()
            path /= "x.db"
        case "missing folder":
            path /= "x.db"
        case "garbage":
            path.write_bytes(b"garbage" * 1000)
        case "damaged":
            data = bytearray(make(path).read_bytes())
            data[100:] = b"\xff" * (len(data) - 100)
            path.write_bytes(data)
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to(path)
    return path


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("folder", "is a folder"),
        ("below a file", "not a folder"),
        ("missing folder", "does not exist"),
        ("garbage", "not a SQLite database, or it is encrypted"),
        ("damaged", "damaged"),
        ("pipe", "not a regular file"),
        ("circle", "symbolic links"),
    ],
)
def test_both_ways_of_opening_report_the_same_fault(tmp_path: Path, what: str, words: str) -> None:
    """Both ways of opening say what is wrong with the file, and neither raises an error of sqlite3."""
    path = broken(tmp_path, what)
    for opening in (connect_file, open_read_only):
        with pytest.raises(DatabaseFileError, match=words):
            opening(path)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user may enter, unlike those of pytest."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def without_rights() -> Iterator[None]:
    """Become a user who owns nothing, for whom permissions count, if this one is root."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_read_only_file_can_be_read_and_not_written(open_folder: Path) -> None:
    """A read-only file can be read; opening it for writing fails at once."""
    path = make(open_folder / "a.db")
    path.chmod(0o444)
    with without_rights():
        with pytest.raises(DatabaseFileError, match="read-only"):
            connect_file(path)
        with closing(open_read_only(path)) as connection:
            assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="Linux alone tells of locks")
def test_a_refused_writer_keeps_the_lock_of_a_reader(open_folder: Path) -> None:
    """A lock of another connection in the process stays."""
    path = make(open_folder / "a.db")
    path.chmod(0o444)
    with without_rights(), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ours:
        ours.execute("BEGIN")
        assert ours.execute("SELECT * FROM t").fetchall() == [(1,)]
        open_read_only(path).close()
        assert f":{path.stat().st_ino} " in Path("/proc/locks").read_text(encoding="utf-8")


def test_an_unreadable_file_is_refused(open_folder: Path) -> None:
    """A file that this user may not read is refused, and the error says so."""
    path = make(open_folder / "a.db")
    path.chmod(0o000)
    for opening in (connect_file, open_read_only):
        with without_rights(), pytest.raises(DatabaseFileError, match="cannot be read"):
            opening(path)


def test_a_new_file_in_a_read_only_folder_is_refused(open_folder: Path) -> None:
    """If no file can be made in a folder, the error names the folder."""
    open_folder.chmod(0o555)
    with without_rights(), pytest.raises(DatabaseFileError, match="permission denied in"):
        connect_file(open_folder / "a.db")


def test_a_wal_database_in_a_read_only_folder_can_be_read(open_folder: Path) -> None:
    """SQLite can't make shared memory in a read-only folder, but the file holds everything."""
    path = make(open_folder / "a.db", wal=True)
    path.chmod(0o444)
    open_folder.chmod(0o555)
    with without_rights(), closing(open_read_only(path)) as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]


def test_a_wal_that_cannot_be_read_is_an_error(open_folder: Path) -> None:
    """An unreadable WAL is an error, because the file without it would be an old state."""
    path = make(open_folder / "a.db", wal=True)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("INSERT INTO t VALUES (2)")
        writer.commit()
        copy = open_folder / "copy.db"
        copy.write_bytes(path.read_bytes())
        copy.with_name("copy.db-wal").write_bytes(path.with_name("a.db-wal").read_bytes())
    open_folder.chmod(0o555)
    with without_rights(), pytest.raises(DatabaseFileError, match="cannot be opened"):
        open_read_only(copy)


def test_reading_never_creates(tmp_path: Path) -> None:
    """A missing file stays missing."""
    with pytest.raises(DatabaseFileError, match="no such file"):
        open_read_only(tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wal", [False, True], ids=["journal", "wal"])
def test_reading_never_changes(tmp_path: Path, wal: bool) -> None:  # noqa: FBT001 — a parameter of the table above
    """A read-only connection can't write, and leaves the file unchanged, also beside a writer in WAL mode."""
    path = make(tmp_path / "a b?#%.db", wal=wal)
    before = path.read_bytes()
    with closing(open_read_only(path)) as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]
        with pytest.raises(sqlite3.OperationalError):
            connection.execute("INSERT INTO t VALUES (2)")
    assert path.read_bytes() == before


def test_reading_sees_the_wal(tmp_path: Path) -> None:
    """A database that another connection has open is read with its WAL."""
    path = make(tmp_path / "a.db", wal=True)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("INSERT INTO t VALUES (2)")
        writer.commit()
        with closing(open_read_only(path)) as reader:
            assert reader.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_a_database_in_memory_cannot_be_opened_for_reading() -> None:
    """A database in memory can't be opened for reading, because it would be empty."""
    with pytest.raises(UsageError):
        open_read_only(":memory:")


def test_a_locked_database_is_reported_as_busy(tmp_path: Path) -> None:
    """A lock that stays isn't mistaken for damage."""
    path = make(tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseBusy):
            connect_file(path, timeout=0.05)


# --- PRAGMAs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("journal_mode", "WAL", "wal"),
        ("JOURNAL_MODE", "truncate", "truncate"),
        ("synchronous", "NORMAL", 1),
        ("synchronous", "EXTRA", 3),
        ("synchronous", 2, 2),
        ("foreign_keys", "ON", 1),
        ("foreign_keys", "no", 0),
        ("foreign_keys", "TRUE", 1),
        ("busy_timeout", 1234, 1234),
        ("cache_size", -64000, -64000),
        ("cache_size", "-32000", -32000),
        ("mmap_size", 268435456, 268435456),
        ("temp_store", "MEMORY", 2),
        ("locking_mode", "EXCLUSIVE", "exclusive"),
        ("secure_delete", "FAST", 2),
        ("user_version", 7, 7),
        ("recursive_triggers", "yes", 1),
    ],
)
def test_a_pragma_is_set_and_read_back(tmp_path: Path, name: str, value: str | int, found: str | int) -> None:
    """Words and numbers are compared as SQLite reads them back."""
    with closing(connect_file(tmp_path / "a.db")) as connection:
        apply_pragmas(connection, [pragma(name, value)])
        assert connection.execute(f"PRAGMA {name}").fetchone() == (found,)


@pytest.mark.parametrize("target", [":memory:", "file:shared?mode=memory&cache=shared"])
def test_a_database_in_memory_needs_no_journal_and_no_map(target: str) -> None:
    """A database in memory has journal mode ``memory`` and no memory map; all other PRAGMAs hold."""
    with closing(connect_file(target)) as connection:
        apply_pragmas(connection, [pragma("journal_mode", "WAL"), pragma("mmap_size", 1000), pragma("foreign_keys", 1)])
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("memory",)
        with pytest.raises(PragmaError):
            apply_pragmas(connection, [pragma("foreign_keys", "maybe")])


@pytest.mark.parametrize(
    ("name", "value"),
    [("no_such_pragma", 1), ("foreign_keys", "maybe"), ("synchronous", "SOMETIMES"), ("page_size", 8192)],
)
def test_a_pragma_with_another_value_is_an_error(tmp_path: Path, name: str, value: str | int) -> None:
    """The error has its name, the wanted and the found value; the exit status is that of a refusal."""
    with closing(connect_file(make(tmp_path / "a.db"))) as connection:
        with pytest.raises(PragmaError) as caught:
            apply_pragmas(connection, [pragma(name, value)], "a.db")
        assert (caught.value.name, caught.value.wanted, caught.value.exit_code) == (name, str(value), 3)
        assert "a.db" in str(caught.value)


def test_the_error_names_the_pragma_at_fault(tmp_path: Path) -> None:
    """PRAGMAs before it are set."""
    wanted = [pragma("synchronous", "OFF"), pragma("journal_mode", "WAL"), pragma("cell_size_check", "maybe")]
    with closing(connect_file(tmp_path / "a.db")) as connection:
        with pytest.raises(PragmaError) as caught:
            apply_pragmas(connection, wanted)
        assert caught.value.name == "cell_size_check"
        assert connection.execute("PRAGMA synchronous").fetchone() == (0,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_pragma_within_a_transaction_is_an_error(tmp_path: Path) -> None:
    """A transaction keeps foreign keys from being switched, which SQLite doesn't report."""
    with closing(connect_file(tmp_path / "a.db")) as connection:
        connection.execute("BEGIN")
        for one in (pragma("foreign_keys", "ON"), pragma("journal_mode", "WAL")):
            with pytest.raises(PragmaError):
                apply_pragmas(connection, [one])


@pytest.mark.parametrize(
    ("name", "value"),
    [("a; DROP TABLE t", 1), ("x y", 1), ("", 1), ("user_version", "1; DROP TABLE t"), ("a", "'"), ("a", "")],
)
def test_a_pragma_is_words_and_numbers_only(tmp_path: Path, name: str, value: str | int) -> None:
    """A PRAGMA whose name or value isn't a plain word or number never reaches SQLite."""
    with closing(connect_file(make(tmp_path / "a.db"))) as connection:
        with pytest.raises(UsageError):
            apply_pragmas(connection, [pragma(name, value)])
        assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]


def test_layout_pragmas_are_set_before_the_first_table(tmp_path: Path) -> None:
    """A page size takes effect only in an empty file, and is left unchanged later."""
    with closing(connect_file(tmp_path / "a.db")) as connection:
        shape = [pragma("page_size", 8192), pragma("auto_vacuum", "INCREMENTAL"), pragma("foreign_keys", "ON")]
        apply_layout_pragmas(connection, shape)
        connection.execute("CREATE TABLE t (x)")
        apply_layout_pragmas(connection, [pragma("page_size", 512)])
        apply_pragmas(connection, shape)


def test_a_file_in_wal_mode_is_not_switched_again(tmp_path: Path) -> None:
    """A file in WAL mode is not switched again, because that would need a lock that a writer holds."""
    path = make(tmp_path / "a.db", wal=True)
    with closing(sqlite3.connect(path)) as writer, closing(connect_file(path)) as connection:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (2)")
        apply_pragmas(connection, [pragma("journal_mode", "WAL"), pragma("busy_timeout", 0)])


def test_the_switch_to_wal_waits_for_a_writer(tmp_path: Path) -> None:
    """The switch to WAL is repeated, because SQLite doesn't wait for the writer, whatever the busy timeout."""
    path = make(tmp_path / "a.db")
    with closing(sqlite3.connect(path, check_same_thread=False)) as writer, closing(connect_file(path)) as connection:
        writer.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, writer.commit)
        timer.start()
        apply_pragmas(connection, [pragma("journal_mode", "WAL")])
        timer.join()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_switch_to_wal_gives_up_in_the_end(tmp_path: Path) -> None:
    """The switch to WAL gives up after the declared busy timeout."""
    path = make(tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as writer, closing(connect_file(path, timeout=0)) as connection:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy) as caught:
            apply_pragmas(connection, [pragma("journal_mode", "WAL"), pragma("busy_timeout", 100)])
        assert isinstance(caught.value, MigrateError)
