"""An application's locks on a database survive whatever this package does to it in the same process.

SQLite's locks belong to a process and not to a connection, and end when the process closes any descriptor of the file
(https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, write_folder
from waiaas_migrate import close_database, open_database
from waiaas_migrate.cli import main
from waiaas_migrate.errors import MigrateError
from waiaas_migrate.runner.fleet.fleet import apply_to_all
from waiaas_migrate.sqlite.database.pragmas import Pragma

#: No long wait for what is locked all the time.
BRIEF = [Pragma(name="busy_timeout", value=50)]
ADDED = {"0004_note.sql": "-- depends: 0003_age\nALTER TABLE child ADD COLUMN note TEXT;\n"}

Doing = Callable[[str, str], object]

COMMANDS = [
    ["status", "DB"],
    ["drift", "DB"],
    ["inspect", "DB"],
    ["diff", "DB", "FOLDER"],
    ["apply", "DB"],
    ["apply", "--dry-run", "DB"],
    ["apply", "--backup", "always", "DB"],
    ["rollback", "DB"],
    ["restore", "DB"],
]


def command(words: list[str]) -> Doing:
    """Return a function that calls the command in this process."""

    def call(database: str, folder: str) -> object:
        named = {"DB": database, "FOLDER": folder}
        return main([*(named.get(word, word) for word in words), "--migrations", folder])

    return call


def opened(database: str, folder: str) -> None:
    """Open and close the database, as an application does."""
    with suppress(MigrateError):  # it is locked
        close_database(open_database(database, migrations=folder))


def in_a_fleet(database: str, folder: str) -> None:
    """Apply migrations to the database as one of many."""
    list(apply_to_all([database], folder))


DOINGS = [
    *(pytest.param(command(words), id=" ".join(words)) for words in COMMANDS),
    pytest.param(opened, id="open"),
    pytest.param(in_a_fleet, id="fleet"),
]


@pytest.fixture(params=["at head", "behind"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Write a migrations folder, and a database ``a.db`` at head or one migration before it."""
    folder = write_folder(tmp_path / "m", FAMILY, pragmas=BRIEF)
    (tmp_path / "schema.yaml").write_text("version: 1\ntables: {}\n", encoding="utf-8")
    close_database(open_database(tmp_path / "a.db", migrations=folder))
    if request.param == "behind":
        write_folder(folder, ADDED, pragmas=BRIEF)
    before = Path.cwd()
    os.chdir(tmp_path)
    yield folder
    os.chdir(before)


def elsewhere(code: str, database: Path) -> str:
    """Return the output of another process, which has the database open as ``there``."""
    program = f"import sqlite3, sys\nthere = sqlite3.connect(sys.argv[1], timeout=0)\n{code}\nthere.close()\n"
    done = subprocess.run([sys.executable, "-c", program, str(database)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


INSERT = "there.execute(\"INSERT INTO parent (name) VALUES ('theirs')\")\nthere.commit()"
TRY = f"""
try:
    {INSERT.splitlines()[0]}
except sqlite3.OperationalError as error:
    print(error)
"""


@pytest.mark.parametrize("doing", DOINGS)
def test_a_wal_stays_while_a_connection_is_open(tmp_path: Path, folder: Path, doing: Doing) -> None:
    """If it didn't, the next process to close the database would remove the WAL, with everything written later."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as ours:
        ours.execute("PRAGMA journal_mode = WAL")
        ours.execute("INSERT INTO parent (name) VALUES ('before')")
        doing(str(path), str(folder))
        elsewhere(INSERT, path)
        ours.execute("INSERT INTO parent (name) VALUES ('after')")
        names = elsewhere('print(*(name for (name,) in there.execute("SELECT name FROM parent ORDER BY id")))', path)
    assert names == "before theirs after"


@pytest.mark.parametrize("doing", DOINGS)
def test_a_writer_keeps_its_lock(tmp_path: Path, folder: Path, doing: Doing) -> None:
    """If it didn't, two connections could write at once."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as ours:
        ours.execute("PRAGMA journal_mode = DELETE")
        ours.execute("BEGIN IMMEDIATE")
        doing(str(path), str(folder))
        assert elsewhere(TRY, path) == "database is locked"
        ours.execute("INSERT INTO parent (name) VALUES ('ours')")
        ours.execute("COMMIT")
    assert elsewhere('print(*there.execute("SELECT count(*), max(name) FROM parent").fetchone())', path) == "1 ours"
