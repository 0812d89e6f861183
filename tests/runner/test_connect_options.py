"""Open a database with the arguments of sqlite3.connect that an application chooses."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.folders import FAMILY, tables, write_folder
from tests.support.projects import CHECKOUT
from waiaas_migrate import close_database, connect, open_database, waiaas
from waiaas_migrate.errors import UsageError

MEMORIES = [":memory:", "file::memory:", "file:shared-options?mode=memory&cache=shared"]


class Odd(sqlite3.Connection):
    """A connection that returns dicts for any query, and never commits by itself."""

    def cursor(self, *_: object, **__: object) -> Any:  # noqa: ANN401
        """Return a cursor that makes each row a dict."""
        cursor = super().cursor()
        cursor.row_factory = lambda cursor, row: {
            name[0]: value for name, value in zip(cursor.description, row, strict=True)
        }
        return cursor

    def execute(self, *arguments: Any) -> Any:  # noqa: ANN401
        """Run one statement, and return rows as the cursor does."""
        return self.cursor().execute(*arguments)


@contextmanager
def opened(path: str | Path, folder: Path, **options: Any) -> Iterator[sqlite3.Connection]:  # noqa: ANN401
    """Open a database for a ``with`` block."""
    connection = open_database(path, migrations=folder, **options)
    try:
        yield connection
    finally:
        close_database(connection)


@pytest.fixture(params=["file", *MEMORIES])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the name of a new database: in a file, or in one of SQLite's kinds of memory."""
    return str(tmp_path / "a.db") if request.param == "file" else request.param


def test_another_thread_may_use_it(place: str, folder: Path) -> None:
    """With check_same_thread=False, another thread reads the migrated tables."""
    found: list[set[str]] = []
    with opened(place, folder, check_same_thread=False) as connection:
        worker = threading.Thread(target=lambda: found.append(tables(connection)))
        worker.start()
        worker.join()
    assert found == [{"parent", "child"}]


def test_the_factory_makes_the_connection(place: str, folder: Path) -> None:
    """The application gets the factory's connection, migrated and with its PRAGMAs, whatever it overrides."""
    with opened(place, folder, factory=Odd) as connection:
        assert type(connection) is Odd
        assert connection.execute("PRAGMA foreign_keys").fetchone() == {"foreign_keys": 1}
        assert connection.execute("PRAGMA busy_timeout").fetchone() == {"timeout": 5000}
        assert connection.execute("SELECT count(*) AS n FROM child").fetchone() == {"n": 0}


def test_transactions_are_begun_as_asked(place: str, folder: Path) -> None:
    """The isolation level is the one that the application chose."""
    with opened(place, folder, isolation_level=None) as connection:
        connection.execute("INSERT INTO parent (name) VALUES ('x')")
        assert not connection.in_transaction
    with opened(place, folder, isolation_level="IMMEDIATE") as connection:
        assert connection.isolation_level == "IMMEDIATE"


CONVERTED = """
import sqlite3, sys
from contextlib import closing
from pathlib import Path

import waiaas_migrate
from tests.support.folders import FAMILY, write_folder

for name in ("ODD", "TIMESTAMP", "VARCHAR", "TEXT"):
    sqlite3.register_converter(name, lambda value: f"<{value.decode()}>")
folder, options = write_folder(Path("m"), FAMILY), {"detect_types": sqlite3.PARSE_DECLTYPES}
with closing(waiaas_migrate.open_database("a.db", migrations=folder)) as connection, connection:
    connection.execute("INSERT INTO parent (name) VALUES ('x')")
write_folder(folder, {"0004_odd.sql": "-- depends: 0003_age\\nALTER TABLE parent ADD COLUMN odd ODD;\\n"})
with closing(waiaas_migrate.open_database("a.db", migrations=folder, **options)) as connection, connection:
    connection.execute("UPDATE parent SET odd = 'y'")
with closing(getattr(waiaas_migrate, sys.argv[1])("a.db", migrations=folder, **options)) as connection:
    print(connection.execute("SELECT name, odd FROM parent").fetchall())
"""


@pytest.mark.parametrize("function", ["open_database", "connect"])
def test_declared_types_are_converted_for_the_application_only(tmp_path: Path, function: str) -> None:
    """A converter for TEXT and TIMESTAMP converts the application's values, not the runner's.

    Converters belong to the whole process, and yoyo replaces them in its own way, so this runs in a new one.
    """
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", CONVERTED, function]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[('<x>', '<y>')]\n", "")


def test_pending_migrations_run_without_the_options(tmp_path: Path) -> None:
    """Later migrations of a file run, too, and a second connection leaves no files behind when it is closed."""
    folder, path = write_folder(tmp_path / "m", FAMILY), tmp_path / "a.db"
    with opened(path, folder, factory=Odd, isolation_level="EXCLUSIVE") as connection:
        connection.execute("INSERT INTO parent (name) VALUES ('x')")
        connection.commit()
    write_folder(folder, {"0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (a);\n"})
    with opened(path, folder, factory=Odd, isolation_level="EXCLUSIVE") as connection:
        assert connection.execute("SELECT * FROM more").fetchall() == []
        assert connection.execute("SELECT name FROM parent").fetchall() == [{"name": "x"}]
    assert sorted(file.name for file in tmp_path.glob("a.db*")) == ["a.db"]


def test_setup_is_called_with_the_application_s_connection(place: str, folder: Path) -> None:
    """The setup function registers what the application needs on the connection that it receives."""

    def setup(connection: sqlite3.Connection) -> None:
        connection.create_function("three", 0, lambda: 3)

    with opened(place, folder, setup=setup, check_same_thread=False) as connection:
        assert connection.execute("SELECT three()").fetchone() == (3,)


@pytest.mark.parametrize("open_it", [open_database, connect])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"timeout": 1}, "timeout is not an option of the connection. Instead, declare `busy_timeout`"),
        ({"uri": True}, "uri is not an option of the connection. Instead, give a path that begins with `file:`."),
        (
            {"chek_same_thread": False},
            "chek_same_thread is not an option .* Instead, use one of check_same_thread, ",
        ),
        ({"row_factory": sqlite3.Row}, "row_factory is not an option"),
    ],
)
def test_other_options_are_refused(
    tmp_path: Path, folder: Path, open_it: Callable[..., sqlite3.Connection], option: dict[str, object], message: str
) -> None:
    """An unknown option, or one that the application must not set, is refused before a file is created."""
    with pytest.raises(UsageError, match=message):
        open_it(tmp_path / "a.db", migrations=folder, **option)
    assert not (tmp_path / "a.db").exists()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 has it")
def test_autocommit_needs_a_newer_python(tmp_path: Path, folder: Path) -> None:
    """On an older Python, the error names the version as the reason."""
    with pytest.raises(UsageError, match=r"autocommit requires Python 3\.12"):
        open_database(tmp_path / "a.db", migrations=folder, autocommit=False)
    assert not (tmp_path / "a.db").exists()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12")
@pytest.mark.parametrize("autocommit", [True, False, -1])
def test_autocommit_is_the_application_s(place: str, folder: Path, autocommit: Any) -> None:  # noqa: ANN401
    """The PRAGMAs are set before the connection's first transaction, and closing the connection ends its last one."""
    with opened(place, folder, autocommit=autocommit) as connection:
        if sys.version_info >= (3, 12):  # for the type checker
            assert connection.autocommit == autocommit
        assert connection.in_transaction == (autocommit is False)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        connection.execute("INSERT INTO parent (name) VALUES ('x')")
        connection.commit()
        assert connection.execute("SELECT name FROM parent").fetchall() == [("x",)]


def test_the_daemon_s_database_takes_them(tmp_path: Path) -> None:
    """The functions bound to the daemon's schema pass the options on."""
    for open_it in (waiaas.open_database, waiaas.connect):
        connection = open_it(tmp_path / "d.db", isolation_level=None, cached_statements=10)
        assert connection.isolation_level is None
        assert "agents" in tables(connection)
        waiaas.close_database(connection)
