"""``restore``: what it restores, what it keeps, and when it refuses."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, PRAGMAS, dump, run_python, write_folder
from tests.support.projects import Run, execute, held_by_another_process, listing, rows, run
from tests.support.rights import IS_ROOT, unprivileged
from waiaas_migrate.errors import DatabaseFileError
from waiaas_migrate.runner.backups.restore import restore
from waiaas_migrate.sqlite.database.pragmas import Pragma


@pytest.fixture(params=["WAL", "DELETE"])
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Make a folder with ``app.db`` and its backup, in both journal modes."""
    pragmas = (Pragma(name="journal_mode", value=str(request.param)), *PRAGMAS[1:])
    write_folder(tmp_path / "migrations", FAMILY, pragmas=pragmas)
    assert run(tmp_path, "apply", "app.db").status == 0
    execute(tmp_path / "app.db", "INSERT INTO parent (name) VALUES ('one'), ('two')")
    sql = "-- depends: 0003_age\nDELETE FROM parent;\n"
    write_folder(tmp_path / "migrations", {"0004_tidy.sql": sql}, pragmas=pragmas)
    done = run(tmp_path, "apply", "app.db")
    assert (done.status, done.out) == (0, "applied 0004_tidy\n")
    assert done.err.startswith("backup ")
    return tmp_path


def backups(project: Path) -> list[Path]:
    """Return the backups in the folder."""
    return sorted(project.glob("*.backup-*"))


def kept(project: Path) -> list[Path]:
    """Return the files that ``restore`` kept."""
    return sorted(path for path in project.glob("*.replaced-*") if not path.name.endswith(("-wal", "-shm")))


def refused(done: Run, status: int, said: str) -> None:
    """Assert that the command refused with this message and printed nothing else."""
    assert (done.status, done.out) == (status, ""), done.err
    assert said in done.err
    assert "Traceback" not in done.err


def test_the_newest_backup_is_restored(project: Path) -> None:
    """The rows are as in the backup, the replaced file and the backup stay, and the migration is pending again."""
    (backup,) = backups(project)
    before = dump(project / "app.db")
    done = run(project, "restore", "app.db")
    assert (done.status, done.out) == (0, f"restored {backup}\n")
    assert rows(project / "app.db", "SELECT name FROM parent") == [("one",), ("two",)]
    (old,) = kept(project)
    assert done.err == f"kept the replaced file as {old}\n"
    assert dump(old) == before
    assert backups(project) == [backup]
    assert run(project, "status", "app.db").out.endswith("app.db: 1 pending.\n")
    assert run(project, "apply", "app.db").status == 0


def test_a_restore_can_be_undone(project: Path) -> None:
    """The kept file is a database, and can be restored by its name."""
    before = dump(project / "app.db")
    assert run(project, "restore", "app.db").status == 0
    (old,) = kept(project)
    assert run(project, "restore", "app.db", old.name).status == 0
    assert dump(project / "app.db") == before
    assert len(kept(project)) == 2


def test_list(project: Path) -> None:
    """``--list`` lists the backups and changes nothing."""
    (backup,) = backups(project)
    before = listing(project)
    done = run(project, "restore", "app.db", "--list")
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith(f"  {backup}\n")
    (row,) = json.loads(run(project, "restore", "app.db", "--list", "--json").out)["backups"]
    assert (row["path"], row["head"], row["bytes"]) == (str(backup), "0003_age", backup.stat().st_size)
    assert run(project, "restore", "other.db", "--list").out == "other.db: no backups.\n"
    assert listing(project) == before


def test_json(project: Path) -> None:
    """``--json`` names the restored backup and the kept file."""
    (backup,) = backups(project)
    done = run(project, "restore", "app.db", str(backup), "--json")
    (old,) = kept(project)
    found = {"database": str(project / "app.db"), "restored": str(backup), "kept": str(old), "notices": []}
    assert json.loads(done.out) == found


@pytest.mark.parametrize("statement", ["BEGIN EXCLUSIVE", "SELECT count(*) FROM parent"], ids=["locked", "idle"])
def test_refused_while_it_is_open(project: Path, statement: str) -> None:
    """A database that a process has open is refused, even if the process is idle."""
    if statement.startswith("SELECT") and not Path("/proc/self/fd").is_dir():
        pytest.skip("an idle process holds no lock, and this system does not show which files it has open")
    before = dump(project / "app.db")
    with held_by_another_process(project / "app.db", statement):
        refused(run(project, "restore", "app.db"), 3, " has it open. Nothing was changed; stop that process")
        assert kept(project) == []
    assert dump(project / "app.db") == before


def test_refused_while_this_process_has_it_open(project: Path) -> None:
    """A database that this process has open is refused too."""
    with closing(sqlite3.connect(project / "app.db")) as connection:
        connection.execute("SELECT count(*) FROM parent").fetchone()
        refused(run(project, "restore", "app.db"), 3, f"app.db: process {os.getpid()} has it open.")
    assert run(project, "restore", "app.db").status == 0


def test_a_leftover_wal(project: Path) -> None:
    """The WAL that a killed process left is kept with the replaced file."""
    code = (
        "import os, sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA journal_mode = WAL')\nc.execute(\"INSERT INTO parent (name) VALUES ('in the WAL')\")\n"
        "os._exit(1)"
    )
    run_python(code, project / "app.db")
    assert (project / "app.db-wal").stat().st_size > 0
    assert run(project, "restore", "app.db").status == 0
    assert not (project / "app.db-wal").exists()
    assert rows(project / "app.db", "SELECT name FROM parent") == [("one",), ("two",)]
    assert rows(kept(project)[0], "SELECT name FROM parent") == [("in the WAL",)]


def test_a_wal_beside_the_backup_is_not_restored(project: Path) -> None:
    """Files that a reader left beside the backup sort after it by name, and are not restored."""
    (backup,) = backups(project)
    for ending in ("-wal", "-shm"):
        backup.with_name(backup.name + ending).write_bytes(b"")
    assert run(project, "restore", "app.db").out == f"restored {backup}\n"
    assert rows(project / "app.db", "SELECT name FROM parent") == [("one",), ("two",)]


@pytest.mark.parametrize("what", ["overwritten", "emptied", "removed"])
def test_an_unreadable_database(project: Path, what: str) -> None:
    """A damaged, empty or missing database is replaced by the backup; its WAL is moved along with it."""
    database = project / "app.db"
    if what == "overwritten":
        database.write_bytes(b"no database, whatever its name says" * 1000)
        (project / "app.db-wal").write_bytes(b"x" * 5000)
    elif what == "emptied":
        database.write_bytes(b"")
    else:
        database.unlink()
    assert run(project, "restore", "app.db").status == 0
    assert rows(database, "SELECT name FROM parent") == [("one",), ("two",)]
    assert len(kept(project)) == (0 if what == "removed" else 1)


def test_a_damaged_backup_is_refused(project: Path) -> None:
    """A backup is checked completely before anything is changed."""
    (backup,) = backups(project)
    content = bytearray(backup.read_bytes())
    content[4096 * 2 : 4096 * 3] = b"\xff" * 4096
    backup.write_bytes(content)
    before = listing(project)
    refused(run(project, "restore", "app.db"), 2, "is damaged")
    assert listing(project) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["other.db"], "other.db: no backup found beside it."),
        (["app.db", "nowhere.db"], "nowhere.db: backup not found."),
        (["app.db", "app.db"], "app.db: is the database itself."),
        (["app.db", "empty.db"], "empty.db: is empty"),
        (["app.db", "migrations/0001_parents.sql"], "is not a SQLite database"),
        ([":memory:"], "has no backups"),
    ],
)
def test_wrong_names(project: Path, arguments: list[str], said: str) -> None:
    """Wrong names exit with 2 and change nothing."""
    (project / "empty.db").write_bytes(b"")
    before = listing(project)
    refused(run(project, "restore", *arguments), 2, said)
    assert listing(project) == before


def test_the_mode_of_the_file_stays(project: Path) -> None:
    """The restored file has the mode of the replaced one."""
    (project / "app.db").chmod(0o640)
    assert run(project, "restore", "app.db").status == 0
    assert stat.S_IMODE((project / "app.db").stat().st_mode) == 0o640


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a file away")
def test_a_folder_where_this_user_may_not_replace_the_file(project: Path, shared: Path) -> None:
    """The restore is refused and changes nothing."""
    for path in (project / "app.db", *backups(project)):
        shutil.copy(path, shared)
        (shared / path.name).chmod(0o666)
    shared.chmod(0o1777)
    before = listing(shared)
    with unprivileged(), pytest.raises(DatabaseFileError, match=r"cannot be replaced.*Nothing was changed"):
        restore(str(shared / "app.db"))
    assert listing(shared) == before


def test_a_link_stays_a_link(project: Path) -> None:
    """Restoring through a link replaces the file that it points to."""
    (project / "link.db").symlink_to("app.db")
    assert run(project, "restore", "link.db").status == 0
    assert (project / "link.db").is_symlink()
    assert rows(project / "app.db", "SELECT name FROM parent") == [("one",), ("two",)]
