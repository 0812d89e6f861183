"""A database in use: some processes write, another migrates it back and forth, and all check what they read.

Every committed row is there in the end. ``WAIAAS_SECONDS`` sets the duration; the default is short.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import write_folder
from tests.support.projects import CHECKOUT
from waiaas_migrate import close_database, open_database
from waiaas_migrate.sqlite.database.pragmas import Pragma

SECONDS = float(os.environ.get("WAIAAS_SECONDS", "2"))

REBUILT = (
    "CREATE TABLE new (id TEXT PRIMARY KEY, number INTEGER{});\n"
    "INSERT INTO new (id, number) SELECT id, number FROM item;\n"
    "DROP TABLE item;\nALTER TABLE new RENAME TO item;\nCREATE INDEX item_number ON item (number);\n"
)
FILES = {
    "0001_item.sql": (
        "CREATE TABLE item (id TEXT PRIMARY KEY, number INTEGER);\nCREATE INDEX item_number ON item (number);\n"
    ),
    "0001_item.rollback.sql": "DROP TABLE item;\n",
    "0002_rebuilt.sql": "-- depends: 0001_item\n" + REBUILT.format(" DEFAULT 5"),
    "0002_rebuilt.rollback.sql": REBUILT.format(""),
    "0003_note.sql": "-- depends: 0002_rebuilt\nALTER TABLE item ADD COLUMN note TEXT;\n",
    "0003_note.rollback.sql": "ALTER TABLE item DROP COLUMN note;\n",
}

#: What each of the processes begins with: the command, called within it, whose words are told where it fails.
BEGINNING = """
import contextlib, io, sqlite3, sys, threading, time
from waiaas_migrate.cli import main

database, folder, end = sys.argv[1], sys.argv[2], time.time() + float(sys.argv[3])
failed = set()

def command(*words, most=0):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        if main([*words, "--migrations", folder]) > most:
            failed.add(f"{words[0]}: {said.getvalue()}")

def look():
    while time.time() < end:
        command("status", database, most=1)  # where something is pending
        command("drift", database)
        command("apply", "--dry-run", database, most=1)
"""

#: Writes, now by one connection and now by another, and prints what was committed.
WRITING = """
def write(name):
    number = 0
    while time.time() < end:
        connection = sqlite3.connect(database, timeout=30, isolation_level=None)
        for _ in range(20):
            number += 1
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO item (id, number) VALUES (?, ?)", (f"{name}-{number}", number))
            connection.execute("COMMIT")
            done.append(f"{name}-{number}")
            time.sleep(0.001)
        connection.close()

done = []
threads = [threading.Thread(target=write, args=(f"{sys.argv[4]}-{n}",)) for n in range(2)]
for thread in threads: thread.start()
look()
for thread in threads: thread.join()
print(*done)
print(*failed)
"""

MIGRATING = """
while time.time() < end:
    command("rollback", database, "--count", "2", "--backup", "never", "--yes")
    command("apply", database, "--transaction", "each")
print()
print(*failed)
"""


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_no_committed_row_is_lost(tmp_path: Path, mode: str) -> None:
    """No process fails, and none reads a schema that doesn't match the records."""
    pragmas = [Pragma(name="journal_mode", value=mode), Pragma(name="busy_timeout", value=30_000)]
    folder, path = write_folder(tmp_path / "migrations", FILES, pragmas=pragmas), tmp_path / "a.db"
    close_database(open_database(path, migrations=folder))
    arguments = [str(path), str(folder), str(SECONDS)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BEGINNING + code, *arguments, str(number)],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, code in enumerate([WRITING, WRITING, MIGRATING])
    ]
    said = [process.communicate() for process in processes]
    assert [errors for _, errors in said] == ["", "", ""]
    printed = [output.split("\n", 1) for output, _ in said]
    assert [failed.strip() for _, failed in printed] == ["", "", ""]
    committed = {name for names, _ in printed for name in names.split()}
    assert committed
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert {name for (name,) in connection.execute("SELECT id FROM item")} == committed
