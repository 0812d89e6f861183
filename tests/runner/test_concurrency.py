"""Sixteen processes open the same file at once: each migration runs once, and no process fails.

``WAIAAS_ROUNDS`` sets how often; the default is for every day.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, PRAGMAS, write_folder
from waiaas_migrate import close_database, open_database
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.rollback import Extent, roll_back_in
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.database.pragmas import Pragma

ROUNDS = int(os.environ.get("WAIAAS_ROUNDS", "12"))
PROCESSES = 16
BUSY_TIMEOUT = 5.0

MORE = {
    "0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (x);\nINSERT INTO more SELECT id FROM parent;\n",
    "0005_most.sql": "-- depends: 0004_more\nCREATE INDEX more_x ON more (x);\n",
}

#: Opens what it is told to, at the time that it is told; says how long it took, or what went wrong.
OPENER = """
import sys, time
import waiaas_migrate.runner.apply, waiaas_migrate.runner.yoyo_backend, waiaas_migrate.files.migration_dir.python_migration
from waiaas_migrate import close_database, open_database
print("ready", flush=True)
for line in sys.stdin:
    path, folder, at = line.rstrip("\\n").split("\\t")
    time.sleep(max(0, float(at) - time.time()))
    began = time.monotonic()
    try:
        close_database(open_database(path, migrations=folder))
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    else:
        print(time.monotonic() - began, flush=True)
"""


@contextmanager
def openers() -> Iterator[list[subprocess.Popen[str]]]:
    """Start the processes."""
    with ExitStack() as stack:
        command = [sys.executable, "-c", OPENER]
        processes = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(PROCESSES)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield processes
        for process in processes:
            process.communicate()


def open_at_once(processes: list[subprocess.Popen[str]], path: Path, folder: Path) -> list[str]:
    """Have all processes open ``path`` at once; return what each prints."""
    at = time.time() + 0.02
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{path}\t{folder}\t{at}\n")
        process.stdin.flush()
    return [process.stdout.readline() for process in processes if process.stdout is not None]


def assert_opened(said: list[str], path: Path, ids: tuple[str, ...]) -> None:
    """Assert that no process failed, and that each migration was applied and logged once."""
    times = [float(words) if words[0].isdigit() else words for words in said]
    assert [found for found in times if isinstance(found, str)] == []
    with closing(sqlite3.connect(path)) as connection:
        assert tuple(row.id for row in read_applied(connection) or ()) == ids
        logged = connection.execute("SELECT migration_id, count(*) FROM _yoyo_log GROUP BY 1 ORDER BY 1").fetchall()
    assert logged == [(name, 1) for name in ids]


@pytest.mark.parametrize("kind", ["new", "old"])
def test_sixteen_processes_at_once(tmp_path: Path, kind: str) -> None:
    """Sixteen processes open a new file, and an old one for which two migrations are pending."""
    folder = write_folder(tmp_path / "m", FAMILY)
    if kind == "old":
        plain = write_folder(tmp_path / "plain", FAMILY, pragmas=())
        close_database(open_database(tmp_path / "old.db", migrations=plain))
        write_folder(folder, MORE)
    ids = (*FAMILY_IDS, *(("0004_more", "0005_most") if kind == "old" else ()))
    with openers() as processes:
        for number in range(ROUNDS):
            path = tmp_path / f"{number}.db"
            if kind == "old":
                shutil.copy(tmp_path / "old.db", path)
            assert_opened(open_at_once(processes, path, folder), path, ids)


def test_an_application_keeps_writing(tmp_path: Path) -> None:
    """The application loses no row, and never waits longer than its own busy timeout."""
    folder = write_folder(tmp_path / "m", FAMILY, pragmas=PRAGMAS)
    path = tmp_path / "a.db"
    close_database(open_database(path, migrations=folder))
    write_folder(folder, MORE)
    written, stop = [0], threading.Event()

    def write() -> None:
        with closing(connect_file(path, timeout=BUSY_TIMEOUT)) as connection:
            while not stop.is_set():
                connection.execute("INSERT INTO parent (name) VALUES ('x')")
                connection.commit()
                written[0] += 1

    writer = threading.Thread(target=write)
    with openers() as processes:
        writer.start()
        try:
            said = open_at_once(processes, path, folder)
            seen = written[0]
            time.sleep(0.2)
            assert writer.is_alive()
            assert written[0] > seen
        finally:
            stop.set()
            writer.join()
    assert_opened(said, path, (*FAMILY_IDS, "0004_more", "0005_most"))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM parent").fetchone() == (written[0],)


#: Longer than anybody's patience: what it writes spills into the file, so that in rollback-journal mode none can read.
LONG = """
import time
from yoyo import step

__depends__ = {"0003_age"}


def work(connection):
    cursor = connection.cursor()
    cursor.execute("PRAGMA cache_size = 1")
    cursor.executemany("INSERT INTO parent (name) VALUES (?)", [("x" * 500,)] * 200)
    time.sleep(1.5)


steps = [step(work, work)]
"""


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_processes_wait_for_a_long_run(tmp_path: Path, mode: str) -> None:
    """Every process that opens the database during the run finds it migrated; the migration ran once."""
    pragmas = [Pragma(name="journal_mode", value=mode), Pragma(name="busy_timeout", value=300)]
    folder = write_folder(tmp_path / "m", FAMILY, pragmas=pragmas)
    path = tmp_path / "a.db"
    close_database(open_database(path, migrations=folder))
    write_folder(folder, {"0004_long.py": LONG}, pragmas=pragmas)
    with openers() as processes:
        assert_opened(open_at_once(processes[:3], path, folder), path, (*FAMILY_IDS, "0004_long"))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM parent").fetchone() == (200,)


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_processes_wait_for_a_long_rollback(tmp_path: Path, mode: str) -> None:
    """A second rollback that begins during the first continues from where the first ends."""
    pragmas = [Pragma(name="journal_mode", value=mode), Pragma(name="busy_timeout", value=300)]
    folder = write_folder(tmp_path / "m", {**FAMILY, "0004_long.py": LONG}, pragmas=pragmas)
    path = tmp_path / "a.db"
    close_database(open_database(path, migrations=folder))
    with ThreadPoolExecutor(1) as other:
        first = other.submit(
            roll_back_in, str(path), folder, Extent(), options=RunOptions(backup="never"), confirm=lambda _: True
        )
        while not is_locked(path):
            time.sleep(0.01)
        second = roll_back_in(str(path), folder, Extent(), options=RunOptions(backup="never"), confirm=lambda _: True)
        # Whichever came first, each took one, and they took them in turn.
        assert sorted([first.result().rolled_back, second.rolled_back]) == [("0003_age",), ("0004_long",)]


def is_locked(path: Path) -> bool:
    """Return whether another connection writes."""
    with closing(sqlite3.connect(path, timeout=0)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False
