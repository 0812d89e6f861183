"""On a full disk, or with a file that can't grow, the database is exactly as before or as after."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector
from tests.support.folders import FAMILY, dump, write_folder
from tests.support.transitions import is_sound
from waiaas_migrate import close_database, open_database
from waiaas_migrate.errors import MigrateError
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.database.pragmas import Pragma

ROWS = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO parent (name) SELECT printf('%0400d', i) FROM n;
"""
#: A rebuild, rows, an index and a table, in two migrations.
MORE = {
    "0004_rebuild.sql": "-- depends: 0003_age\n"
    "CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER);\n"
    "INSERT INTO new_parent (id, name, age) SELECT id, name, age FROM parent;\n"
    "DROP TABLE parent;\nALTER TABLE new_parent RENAME TO parent;\n",
    "0005_rows.sql": "-- depends: 0004_rebuild\nCREATE INDEX parent_name ON parent (name);\n"
    "CREATE TABLE last (x);\n" + ROWS.format(rows=20),
}


def make(folder: Path, mode: str, rows: int = 60) -> tuple[Path, Path]:
    """Make a migrations folder, and a database for which two of its migrations are pending."""
    folder.mkdir(exist_ok=True)
    pragmas = [Pragma(name="page_size", value=512), Pragma(name="journal_mode", value=mode)]
    migrations = write_folder(folder / "m", FAMILY, pragmas=pragmas)
    connection = open_database(folder / "a.db", migrations=migrations)
    connection.executescript(ROWS.format(rows=rows))
    close_database(connection)
    write_folder(migrations, MORE, pragmas=pragmas)
    return folder / "a.db", migrations


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_every_limit_on_the_number_of_pages(tmp_path: Path, mode: str) -> None:
    """The first limit that suffices gives the database as after; every smaller one, as before."""
    path, migrations = make(tmp_path, mode)
    before = dump(path)
    folder = read_folder(migrations)
    failed = 0
    with closing(connect_file(path)) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        for limit in range(pages, pages * 4):
            connection.execute(f"PRAGMA max_page_count = {limit}")
            try:
                apply_pending(connection, folder)
            except MigrateError as error:
                assert "full" in str(error)  # noqa: PT017 — which limit suffices is not known beforehand
                assert error.exit_code == 3  # noqa: PT017
                failed += 1
                assert not connection.in_transaction
                assert list(connection.iterdump()) == before
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            else:
                break
        assert failed > 50
        assert connection.execute("SELECT count(*) FROM parent").fetchone() == (80,)
        assert connection.execute("SELECT count(*) FROM last").fetchone() == (0,)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount a file system")
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_every_size_of_a_disk(tmp_path: Path, mode: str) -> None:
    """The exit status is the same whether a statement or the COMMIT fills the disk."""
    path, migrations = make(tmp_path / "from", mode)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = [shutil.which("mount") or "", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    found = []
    try:
        for left in range(0, 200, 4):
            shutil.copy(path, disk / "a.db")
            free = shutil.disk_usage(disk).free - left * 1024
            (disk / "filler").write_bytes(b"x" * max(free, 0))
            try:
                close_database(open_database(disk / "a.db", migrations=migrations, backup="never"))
            except MigrateError as error:
                found.append(f"{error.exit_code}: {error}")
            for file in disk.iterdir():
                file.unlink()
    finally:
        subprocess.run([shutil.which("umount") or "", str(disk)], check=True)
    assert [line for line in found if not line.startswith("3: ")] == []
    assert found != []


#: Many limits in one process: a child of it lowers its own, and says what came of it.
LIMITED = """
import os, resource, signal, sys
import waiaas_migrate.runner.apply, waiaas_migrate.runner.yoyo_backend, waiaas_migrate.files.migration_dir.python_migration
from waiaas_migrate import close_database, open_database
from waiaas_migrate.errors import MigrateError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
print("ready", flush=True)
for line in sys.stdin:
    path, limit = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
        try:
            close_database(open_database(path, migrations=sys.argv[1]))
        except MigrateError:
            os._exit(3)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's here")
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_every_limit_on_the_size_of_files(tmp_path: Path, mode: str) -> None:
    """The limit also applies to the journal and the WAL."""
    path, migrations = make(tmp_path, mode)
    before, content = dump(path), path.read_bytes()
    command = [sys.executable, "-c", LIMITED, str(migrations)]
    statuses: list[int] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for limit in [0, 100, 512, *range(1024, 250_000, 8192 + 512)]:
            for left in tmp_path.glob("a.db*"):
                left.unlink()
            path.write_bytes(content)
            process.stdin.write(f"{path}\t{limit}\n")
            process.stdin.flush()
            statuses.append(int(process.stdout.readline()))
            found = dump(path)
            assert is_sound(path)
            with closing(sqlite3.connect(path)) as connection:
                is_after = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'last'").fetchone()[0]
                assert found == before or (
                    is_after and connection.execute("SELECT count(*) FROM parent").fetchone() == (80,)
                )
            assert is_after or statuses[-1] == 3
        process.communicate()
    assert {3, 0} == set(statuses)


def test_a_disk_that_fails_after_the_commit(tmp_path: Path, faults: FaultInjector) -> None:
    """The switch to WAL fails after the commit, so the message doesn't say that nothing was changed."""
    folder = write_folder(tmp_path / "m", FAMILY)
    (place := tmp_path / "data").mkdir()
    command = ["apply", str(place / "a.db"), "--migrations", str(folder)]
    whole = faults.run_tool(*command, below=place)
    committed = next(one.number for one in whole.operations if one.kind == "unlink" and one.path.endswith("-journal"))
    (place / "a.db").unlink()
    done = faults.run_tool(*command, below=place, fault=Fault.ENOSPC, at=committed + 3, lasting=True)
    assert done.status == 3
    assert "Nothing else was changed. Make room; try again. Committed before that, and kept: 0001_parents" in done.err
