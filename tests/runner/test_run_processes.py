"""Processes that run at the same time, wait, are killed, or fill the disk."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, run_python, tables, write_folder
from tests.support.runs import apply
from waiaas_migrate import push_schema
from waiaas_migrate.errors import (
    ApplyError,
    UsageError,
)
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.yoyo.applied import read_pending
from waiaas_migrate.sqlite.database.connection import connect_file

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
    """Whenever the process is killed, the next run finds the database as before or as after, and completes it."""
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
            done = not read_pending(connection, read_folder(folder).ids)
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
    """The second process waits, finds nothing to do, and succeeds."""
    processes = [
        subprocess.Popen([sys.executable, "-c", APPLY, str(path), str(folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    counts = [process.communicate(timeout=60)[0].split()[-1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(counts) == ["0", "3"]


def test_a_run_waits_for_a_writer(path: Path, folder: Path) -> None:
    """A writing application delays the run, but doesn't make it fail."""
    with closing(sqlite3.connect(path, check_same_thread=False)) as writer, closing(connect_file(path)) as connection:
        writer.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, writer.rollback)
        timer.start()
        assert apply(connection, folder).applied == FAMILY_IDS
        timer.join()


def test_a_full_disk_leaves_the_database_before_or_after(path: Path, folder: Path) -> None:
    """At whatever size the file can't grow further, the database is as before or as after."""
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
        assert read_pending(connection, read_folder(folder).ids) == ()


def test_a_run_without_pending_migrations_imports_no_yoyo(path: Path, folder: Path) -> None:
    """A run that finds nothing to do imports nothing slow."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
    code = APPLY + "print({'yoyo', 'sqlparse', 'yaml', 'jinja2', 'click', 'syntaqlite'} & set(sys.modules))"
    assert run_python(code, path, folder).stdout == "ready\n0\nset()\n"


@pytest.mark.parametrize("applied", [0, 1], ids=["new", "old"])
def test_a_query_only_connection_is_refused(path: Path, folder: Path, applied: int) -> None:
    """The error names the PRAGMA instead of file permissions."""
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
