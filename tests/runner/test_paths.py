"""Paths, links, URIs and URLs are opened or refused with a reason, and never open another file."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, PRAGMAS, dump, run_python, tables, write_folder
from tests.support.rights import IS_ROOT, unprivileged
from waiaas_migrate import close_database, connect, open_database
from waiaas_migrate.errors import DatabaseFileError, MigrateError, UsageError
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.connection import connect_file, open_read_only
from waiaas_migrate.sqlite.database.pragmas import Pragma

NAMES = ["a b?#%.db", "100%25.db", "what?mode=ro", "#.db", "file", "ü — 数.db", 'it\'s "it".db', ":memory:.db", "-x.db"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the current folder."""
    (tmp_path / "place").mkdir()
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def open_and_close(path: str | Path, folder: Path) -> None:
    """Open and close ``name``, and check that it has the schema."""
    connection = open_database(path, migrations=folder)
    assert [row.id for row in read_applied(connection) or ()] == list(FAMILY_IDS)
    close_database(connection)


@pytest.mark.parametrize("name", NAMES)
def test_every_character_stands_for_itself(place: Path, folder: Path, name: str) -> None:
    """A relative path, an absolute path and a Path create one file of exactly that name, and no other."""
    for path in (name, str(place / name), Path(name), place / name):
        open_and_close(path, folder)
        with closing(open_read_only(path)) as connection:
            assert tables(connection) == {"parent", "child"}
    assert [file.name for file in place.iterdir()] == [name]


def test_links_are_followed(place: Path, folder: Path) -> None:
    """Links to existing and new files are followed; the WAL is beside the target, where other programs look for it."""
    (place / "deep").mkdir()
    (place / "link.db").symlink_to(place / "deep" / "real.db")
    for _ in range(2):
        open_and_close("link.db", folder)
    assert (place / "link.db").is_symlink()
    connection = open_database("link.db", migrations=folder)
    connection.execute("INSERT INTO parent (id) VALUES (1)")
    connection.commit()
    assert (place / "deep" / "real.db-wal").stat().st_size > 0
    close_database(connection)
    assert stat.S_IMODE((place / "deep" / "real.db").stat().st_mode) == 0o600
    assert sorted(file.name for file in place.rglob("*")) == ["deep", "link.db", "real.db"]


def test_a_link_in_a_circle_is_refused(place: Path, folder: Path) -> None:
    """The error names the circular link as the reason."""
    (place / "a.db").symlink_to("b.db")
    (place / "b.db").symlink_to("a.db")
    with pytest.raises(DatabaseFileError):
        open_database("a.db", migrations=folder)


@pytest.mark.parametrize("kind", ["folder", "fifo", "text", "missing folder", "file for a folder"])
def test_other_files_are_refused(place: Path, folder: Path, kind: str) -> None:
    """Files that are not databases stay as they are."""
    path = place / "x"
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "text":
            path.write_text("This is no database. " * 100, encoding="utf-8")
        case "missing folder":
            path = place / "none" / "x"
        case _:
            path.write_text("", encoding="utf-8")
            path = path / "x"
    before = sorted(place.rglob("*"))
    with pytest.raises(DatabaseFileError, match=str(path)):
        open_database(path, migrations=folder)
    assert sorted(place.rglob("*")) == before


def test_a_read_only_file_is_refused(shared: Path, folder: Path) -> None:
    """A read-only file can be read but not migrated; reading creates no WAL that its owner can't write to."""
    path = shared / "a.db"
    open_and_close(path, folder)
    path.chmod(0o444)
    with unprivileged():
        with pytest.raises(DatabaseFileError, match="read-only"):
            connect_file(path)
        with closing(open_read_only(path)) as connection:
            assert tables(connection) == {"parent", "child"}
    assert [file.name for file in shared.iterdir()] == ["a.db"]


@pytest.fixture
def readable() -> Iterator[Path]:
    """Return a folder that every user can read."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
@pytest.mark.parametrize("rights", [(0o444, 0o555), (0o666, 0o555), (0o444, 0o777)], ids=["both", "folder", "file"])
def test_a_read_only_database_at_head_is_opened_on_request(
    shared: Path, readable: Path, mode: str, rights: tuple[int, int]
) -> None:
    """A read-only database is opened with mode=ro, or with immutable=1 if a WAL can't be created.

    Messages say so, and nothing is written.
    """
    pragmas = (Pragma(name="journal_mode", value=mode), *PRAGMAS[1:])
    folder = write_folder(readable / "m", FAMILY, pragmas=pragmas)
    path = shared / "a.db"
    open_and_close(path, folder)
    before = path.read_bytes()
    path.chmod(rights[0])
    shared.chmod(rights[1])
    with unprivileged():
        open_and_close(f"file:{path}?immutable=1", folder)
        if mode == "DELETE":
            open_and_close(f"file:{path}?mode=ro", folder)
        if mode == "DELETE" and rights[0] == 0o666:
            open_and_close(path, folder)
        else:
            with pytest.raises(DatabaseFileError, match=r"mode=ro|immutable=1"):
                open_database(path, migrations=folder)
        if mode == "WAL" and rights[1] == 0o555:
            with pytest.raises(DatabaseFileError, match="immutable=1"):
                open_database(f"file:{path}?mode=ro", migrations=folder)
    shared.chmod(0o777)
    assert path.read_bytes() == before


@pytest.mark.parametrize("query", ["mode=ro", "immutable=1"])
@pytest.mark.parametrize("opening", [open_database, connect])
def test_what_a_read_only_connection_cannot_write(place: Path, query: str, opening: Callable[..., object]) -> None:
    """The message blames the connection, not the permissions."""
    open_and_close("a.db", write_folder(place / "m", FAMILY))
    pragmas = (*PRAGMAS, Pragma(name="user_version", value=7))
    added = "-- depends: 0003_age\nALTER TABLE child ADD COLUMN note TEXT;\n"
    write_folder(place / "m", {"0004_note.sql": added}, pragmas=pragmas)
    with pytest.raises(UsageError, match=r"open read-only.*Open it for writing"):
        opening(f"file:a.db?{query}", migrations=place / "m")


def files_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return owner, time and size of every file."""
    return {file.name: ((s := file.stat()).st_uid, s.st_mtime_ns, s.st_size) for file in folder.iterdir()}


@pytest.mark.skipif(not IS_ROOT, reason="another user can only be taken on by root")
@pytest.mark.parametrize("left", [(), ("-wal", "-shm")], ids=["closed", "killed"])
def test_only_the_owner_makes_files_by_reading(shared: Path, folder: Path, left: tuple[str, ...]) -> None:
    """Other users who may write create no files, so none is left if their process is killed."""
    path = shared / "a.db"
    open_and_close(path, folder)
    if left:
        code = (
            "import os, sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('INSERT INTO parent (id) VALUES (1)')"
        )
        run_python(f"{code}\nc.commit()\nos._exit(0)", path)
    for file in shared.iterdir():
        file.chmod(0o666)
    before = files_of(shared)
    assert set(before) == {"a.db", *(f"a.db{suffix}" for suffix in left)}
    with unprivileged(), closing(open_read_only(path)) as connection:
        assert connection.execute("SELECT count(*) FROM parent").fetchone() == (1 if left else 0,)
        assert files_of(shared) == before
    assert files_of(shared) == before
    with closing(connect_file(path)) as connection, connection:
        connection.execute("INSERT INTO parent (id) VALUES (2)")


@pytest.mark.skipif(not IS_ROOT, reason="another user can only be taken on by root")
def test_another_user_makes_no_index_of_a_wal(shared: Path, folder: Path) -> None:
    """A WAL without its index, as a copy may have, can only be opened by the owner; the error says so."""
    path = shared / "a.db"
    open_and_close(path, folder)
    code = "import os, sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('INSERT INTO parent (id) VALUES (1)')"
    run_python(f"{code}\nc.commit()\nos._exit(0)", path)
    (shared / "a.db-shm").unlink()
    for file in shared.iterdir():
        file.chmod(0o666)
    before = files_of(shared)
    with unprivileged(), pytest.raises(DatabaseFileError, match="as its owner"):
        open_read_only(path)
    assert files_of(shared) == before
    with closing(open_read_only(path)) as connection:
        assert connection.execute("SELECT count(*) FROM parent").fetchone() == (1,)


def test_a_new_file_in_a_read_only_folder_is_refused(shared: Path, folder: Path) -> None:
    """In a read-only folder, existing files can be read, but new ones are refused."""
    path = shared / "a.db"
    open_and_close(path, folder)
    path.chmod(0o666)
    shared.chmod(0o555)
    with unprivileged():
        with pytest.raises(DatabaseFileError, match="permission denied"):
            connect_file(shared / "b.db")
        with pytest.raises(DatabaseFileError, match="cannot be"):
            connect_file(path)
        with closing(open_read_only(path)) as connection:
            assert tables(connection) == {"parent", "child"}
    shared.chmod(0o777)
    assert [file.name for file in shared.iterdir()] == ["a.db"]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's here")
def test_a_full_disk_does_not_prevent_reading(place: Path, folder: Path) -> None:
    """On a full disk, the WAL's files can't be created, but the file can be read."""
    open_and_close("a.db", folder)
    code = (
        "import resource, signal, sys\nfrom waiaas_migrate.sqlite.database.connection import open_read_only\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "open_read_only(sys.argv[1]).execute('SELECT count(*) FROM parent').fetchall()"
    )
    done = run_python(code, place / "a.db")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_database_in_memory(place: Path, folder: Path) -> None:
    """A database in memory opens by its name and by a URI, and no file is created."""
    for name in (":memory:", "file::memory:", "file:x?mode=memory"):
        open_and_close(name, folder)
    assert list(place.iterdir()) == []


def test_uris_are_opened_as_sqlite_does(place: Path, folder: Path) -> None:
    """Percent-encoding and the mode are respected; a read-only database at head is opened."""
    open_and_close("file:a%20b%3F.db", folder)
    assert [file.name for file in place.iterdir()] == ["a b?.db"]
    with pytest.raises(DatabaseFileError):
        open_database("file:none.db?mode=rw", migrations=folder)
    with pytest.raises(MigrateError):
        open_database("file:none.db?mode=ro", migrations=folder)
    assert not (place / "none.db").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("", "a\0b", "sqlite:a.db", "sqlite:///a.db?x=1", "waiaas:///a.db", "https://example.com/a.db"),
        *("file:a.db?vfs=none", "file:a.db?mode=odd", "file:a.db?cache=odd", "file://host/a.db", "file:?vfs=none"),
    ],
)
def test_invalid_names_are_refused(place: Path, folder: Path, name: str) -> None:
    """Invalid names are refused before a file is created."""
    with pytest.raises(UsageError):
        open_database(name, migrations=folder)
    assert list(place.iterdir()) == []


def test_a_link_into_a_missing_folder(place: Path, folder: Path) -> None:
    """The error names the missing folder of the link's target."""
    (place / "link.db").symlink_to(place / "none" / "a.db")
    with pytest.raises(DatabaseFileError, match=f"the folder {place / 'none'} does not exist"):
        open_database("link.db", migrations=folder)


@pytest.mark.parametrize("opening", [connect_file, open_read_only])
def test_errors_of_the_system_are_reported(shared: Path, opening: Callable[[Path], sqlite3.Connection]) -> None:
    """A name that is too long, and a folder without permissions, are reported."""
    with pytest.raises(DatabaseFileError, match=r"xxx\.db: cannot be .*too long"):
        opening(shared / f"{'x' * 300}.db")
    (shared / "closed").mkdir(mode=0o600)
    with unprivileged(), pytest.raises(DatabaseFileError, match=r"permission denied in .*closed"):
        opening(shared / "closed" / "a.db")


@pytest.mark.parametrize("name", ["a.db/", "sqlite:///a.db/", "file:a.db/"])
def test_a_path_with_a_slash_at_its_end_is_refused(place: Path, folder: Path, name: str) -> None:
    """A path with a slash at its end is refused, since it can only be a folder."""
    open_and_close("a.db", folder)
    for opening in (connect_file, open_read_only):
        with pytest.raises(DatabaseFileError, match="is a folder"):
            opening(name)
    assert [file.name for file in place.iterdir()] == ["a.db"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_name_that_is_not_utf_8(place: Path, folder: Path) -> None:
    """A file whose name is not UTF-8 is opened, backed up and reported like any other."""
    name = os.fsdecode(b"bad\xff.db")
    for path in (name, os.fsencode(name)):
        open_and_close(path, folder)  # type: ignore[arg-type]  # as os.listdir gives them
    write_folder(folder, {"0004_tidy.sql": "-- depends: 0003_age\nDELETE FROM parent;\n"})
    open_database(name, migrations=folder, backup="always").close()
    assert len([file for file in place.iterdir() if ".backup-" in file.name]) == 1


def test_reading_respects_the_vfs_of_a_uri(place: Path, folder: Path) -> None:
    """An unknown VFS is an error."""
    open_and_close("a.db", folder)
    with pytest.raises(UsageError, match="no such vfs: none"):
        open_read_only("file:a.db?vfs=none")
    with closing(open_read_only("file:a.db?mode=rw&nolock=1#x")) as connection:
        assert tables(connection) == {"parent", "child"}
    assert [file.name for file in place.iterdir()] == ["a.db"]


# --- reading leaves nothing behind ------------------------------------------------------------------------------------


def test_reading_a_database_in_wal_mode_leaves_nothing_beside_it(place: Path, folder: Path) -> None:
    """Unlike SQLite by itself, reading leaves no -shm or -wal file."""
    open_and_close("a.db", folder)
    before = (place / "a.db").stat()
    with closing(open_read_only("a.db")) as connection:
        assert tables(connection) == {"parent", "child"}
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("CREATE TABLE x (x)")
    assert [file.name for file in place.iterdir()] == ["a.db"]
    assert (place / "a.db").stat().st_mtime_ns == before.st_mtime_ns


def test_reading_sees_the_wal_of_a_writer(place: Path, folder: Path) -> None:
    """Rows are read from the WAL before the writer moves them into the file."""
    writer = open_database("a.db", migrations=folder)
    writer.execute("INSERT INTO parent (id) VALUES (1)")
    writer.commit()
    with closing(open_read_only("a.db")) as connection:
        assert connection.execute("SELECT count(*) FROM parent").fetchone() == (1,)
    close_database(writer)
    assert [file.name for file in place.iterdir()] == ["a.db"]


def test_reading_sees_the_wal_of_a_killed_process(place: Path, folder: Path) -> None:
    """A killed process's WAL is read, and stays for the next writer."""
    writer = open_database("a.db", migrations=folder)
    writer.execute("INSERT INTO parent (id) VALUES (1)")
    writer.commit()
    for suffix in ("", "-wal"):
        (place / f"b.db{suffix}").write_bytes((place / f"a.db{suffix}").read_bytes())
    close_database(writer)
    with closing(open_read_only("b.db")) as connection:
        assert connection.execute("SELECT count(*) FROM parent").fetchone() == (1,)
    assert dump(place / "b.db") != []


def half_written(path: Path, folder: Path) -> Path:
    """Copy a database beside ``path`` in the middle of a write, with the journal that undoes it."""
    plain = write_folder(folder.parent / "plain", FAMILY, pragmas=())
    connection = open_database(path, migrations=plain)
    connection.executescript("INSERT INTO parent (id) VALUES (1);")
    connection.isolation_level = None
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
        "INSERT INTO parent (id, name) SELECT i, printf('%0100d', i) FROM n"
    )
    copy = path.with_name("half.db")
    for suffix in ("", "-journal"):
        copy.with_name(f"{copy.name}{suffix}").write_bytes(path.with_name(f"{path.name}{suffix}").read_bytes())
    connection.execute("ROLLBACK")
    connection.close()
    path.unlink()
    return copy


@pytest.mark.parametrize("opening", [connect_file, open_read_only])
def test_reading_rolls_back_a_half_written_file(
    place: Path, folder: Path, opening: Callable[[Path], sqlite3.Connection]
) -> None:
    """A hot journal isn't ignored, as it would be for an immutable file."""
    path = half_written(place / "a.db", folder)
    with closing(opening(path)) as recovered:
        assert recovered.execute("SELECT count(*) FROM parent").fetchone() == (1,)
    assert [file.name for file in place.iterdir()] == [path.name]


def test_only_users_who_may_write_can_read_a_half_written_file(shared: Path, folder: Path) -> None:
    """Other users get an error, and never see uncommitted data."""
    path = half_written(shared / "a.db", folder)
    for file in shared.iterdir():
        file.chmod(0o444)
    shared.chmod(0o555)
    with unprivileged(), pytest.raises(DatabaseFileError, match="left half-written by a killed process"):
        open_read_only(path)
    shared.chmod(0o777)
