"""Other objects with the names of yoyo's tables are refused at once, and left as they are."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, run_python, write_folder
from waiaas_migrate import close_database, open_database
from waiaas_migrate.errors import DatabaseRefused

ENDLESS = "AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
VIEWS = {
    "_yoyo_migration": "i AS migration_hash, i AS migration_id, i AS applied_at_utc, i AS id FROM n WHERE i < 0",
    "_yoyo_version": "i AS version, i AS installed_at_utc FROM n",
    "_yoyo_log": "i AS id FROM n",
    "yoyo_lock": "i AS pid, i AS ctime, i AS locked FROM n WHERE i < 0",
}
COMMANDS = [["status"], ["apply"], ["apply", "--dry-run"], ["rollback"], ["drift"]]


def run(words: list[str], database: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would; one that hangs fails the test."""
    command = [sys.executable, "-m", "waiaas_migrate", *words, str(database), "--migrations", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with two more migrations than the database has run."""
    return write_folder(tmp_path / "m", FAMILY)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Make a database that has run the first migration."""
    first = write_folder(tmp_path / "first", {"0001_parents.sql": FAMILY["0001_parents.sql"]})
    close_database(open_database(tmp_path / "app.db", migrations=first))
    return tmp_path / "app.db"


def execute(database: Path, *statements: str) -> None:
    """Change the database on another connection."""
    with closing(sqlite3.connect(database)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", ["_yoyo_migration", "_yoyo_version"])
def test_endless_views_are_refused(database: Path, folder: Path, name: str, words: list[str]) -> None:
    """A view with the name of yoyo's table is never read."""
    execute(database, f"DROP TABLE {name}", f"CREATE VIEW {name} {ENDLESS} {VIEWS[name]}")

    done = run(words, database, folder)

    assert done.returncode == 3
    assert f"its {name} is not the table that yoyo makes" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["_yoyo_log", "yoyo_lock"])
def test_endless_logs_and_locks_are_refused(database: Path, folder: Path, name: str) -> None:
    """Only a run needs these tables: it is refused, and nothing is changed."""
    execute(database, f"DROP TABLE IF EXISTS {name}", f"CREATE VIEW {name} {ENDLESS} {VIEWS[name]}")

    done = run(["apply"], database, folder)

    assert done.returncode in (0, 3)
    assert "Traceback" not in done.stderr
    with closing(sqlite3.connect(database)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert ("child" in tables) == (done.returncode == 0)


@pytest.mark.parametrize("name", ["_yoyo_migration", "_yoyo_version"])
def test_an_endless_view_does_not_hang_opening(database: Path, folder: Path, name: str) -> None:
    """The application gets an error instead."""
    execute(database, f"DROP TABLE {name}", f"CREATE VIEW {name} {ENDLESS} {VIEWS[name]}")
    code = "import sys\nfrom waiaas_migrate import open_database\nopen_database(sys.argv[1], migrations=sys.argv[2])"
    assert "is not the table that yoyo makes" in run_python(code, database, folder).stderr.splitlines()[-1]


@pytest.mark.parametrize("column", ["migration_hash", "migration_id", "applied_at_utc"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_missing_column_is_refused(database: Path, folder: Path, column: str, words: list[str]) -> None:
    """Without that column nobody knows which migrations have run, and trying again doesn't help."""
    execute(database, f"ALTER TABLE _yoyo_migration RENAME COLUMN {column} TO other")

    done = run(words, database, folder)

    assert done.returncode == 3
    assert "_yoyo_migration" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "columns",
    [
        "migration_hash PRIMARY KEY, migration_id, username, hostname, applied_at_utc) WITHOUT ROWID",
        "id PRIMARY KEY, ctime) WITHOUT ROWID",
        "migration_hash, migration_id)",
        "id, applied_at_utc)",
    ],
)
def test_other_tables_are_refused(database: Path, folder: Path, columns: str) -> None:
    """Tables that differ from those that yoyo makes are refused."""
    execute(database, "DROP TABLE _yoyo_migration", f"CREATE TABLE _yoyo_migration ({columns}")
    with pytest.raises(DatabaseRefused, match="its _yoyo_migration is not the table that yoyo makes"):
        open_database(database, migrations=folder)


@pytest.mark.parametrize("name", ["_yoyo_migration", "_yoyo_version", "YOYO_lock"])
def test_virtual_tables_are_refused(database: Path, folder: Path, name: str) -> None:
    """A virtual table is refused, since its module decides what happens when it is read."""
    execute(database, f"DROP TABLE IF EXISTS {name}", f"CREATE VIRTUAL TABLE {name} USING fts5 (migration_hash)")
    done = run(["status"], database, folder)
    assert done.returncode == 3
    assert f"its {name} is not the table that yoyo makes" in done.stderr


def test_a_view_in_place_of_the_runners_table_is_refused(database: Path, folder: Path) -> None:
    """The message says which tool makes a table of that name."""
    name = "_yoyo_migration_text"
    execute(database, f"DROP TABLE {name}", f"CREATE VIEW {name} AS SELECT 1 AS migration_hash")
    done = run(["status"], database, folder)
    assert done.returncode == 3
    assert f"its {name} is not the table that waiaas-migrate makes" in done.stderr


@pytest.mark.parametrize("columns", ["migration_hash, migration_id, applied_at_utc"])
def test_a_copy_without_its_index_is_read(database: Path, folder: Path, columns: str) -> None:
    """Some tools that copy databases leave out primary keys."""
    execute(
        database,
        "ALTER TABLE _yoyo_migration RENAME TO old",
        f"CREATE TABLE _yoyo_migration ({columns})",
        f"INSERT INTO _yoyo_migration SELECT {columns} FROM old",
        "DROP TABLE old",
    )
    close_database(open_database(database, migrations=folder))
    assert run(["status"], database, folder).returncode == 0


def test_ctrl_c_ends_a_query_that_only_reads(database: Path) -> None:
    """Ctrl-C ends a read query that would never end."""
    code = """
import sqlite3, sys
from waiaas_migrate.sqlite.database.connection import open_read_only
connection = open_read_only(sys.argv[1])
try:
    print("begins", flush=True)
    connection.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")
except (KeyboardInterrupt, sqlite3.OperationalError):
    print("interrupted")
"""
    command = [sys.executable, "-c", code, str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        process.send_signal(signal.SIGINT)
        try:
            assert process.communicate(timeout=60)[0] == "interrupted\n"
        finally:
            process.kill()
