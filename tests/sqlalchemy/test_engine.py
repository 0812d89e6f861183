"""Engines for migrated databases, on real files, from several threads, tasks and processes."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Engine,
    NullPool,
    StaticPool,
    column,
    event,
    func,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from tests.support.folders import FAMILY, FAMILY_IDS, tables, write_folder
from tests.support.projects import CHECKOUT
from waiaas_migrate import open_database, waiaas
from waiaas_migrate.errors import (
    DatabaseFileError,
    MigrateError,
    MigrationsError,
    PragmaError,
    UnknownMigrationsError,
    UsageError,
)
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlalchemy import create_async_engine, create_engine
from waiaas_migrate.sqlite.database.pragmas import Pragma

ADD = text("UPDATE parent SET age = :age")
AGE = text("SELECT age FROM parent")
ONE = text("INSERT INTO parent (name, age) VALUES ('x', 0)")


Make = Callable[..., Engine]


def pragma(engine: Engine, name: str) -> object:
    """Return the value of a PRAGMA on a pooled connection."""
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def run(work: Callable[[], Awaitable[object]]) -> None:
    """Run a coroutine in its own event loop."""

    async def main() -> None:
        await work()

    asyncio.run(main())


def test_an_engine_migrates_at_once(tmp_path: Path, folder: Path, engines: Make) -> None:
    """Pending migrations are applied when the engine is created, in a file with mode 0600."""
    engine = engines(tmp_path / "a.db", migrations=folder)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert tables(connection) == {"parent", "child"}
        assert [one.id for one in read_applied(connection) or ()] == [*FAMILY_IDS]
    assert (tmp_path / "a.db").stat().st_mode & 0o777 == 0o600
    assert engine.url.database == str(tmp_path / "a.db")
    assert set(inspect(engine).get_table_names()) >= {"parent", "child"}


def test_every_pooled_connection_has_the_pragmas(place: str, folder: Path, engines: Make) -> None:
    """Each of several connections has the declared PRAGMAs, and what the setup function registers."""
    engine = engines(place, migrations=folder, setup=lambda one: one.create_function("three", 0, lambda: 3))
    at_once = 1 if place == ":memory:" else 4
    connections = [engine.connect() for _ in range(at_once)]
    for connection in connections:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")  # noqa: PLW2901
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == ("memory" if at_once == 1 else "wal")
        assert connection.scalar(select(func.three())) == 3
        connection.close()
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), engine.begin() as connection:
        connection.execute(text("INSERT INTO child (parent_id) VALUES (99)"))


@pytest.mark.parametrize("name", ["a b?#%.db", "./x.db", "file:x%20y.db", "sqlite:///z.db", "ü.db"])
def test_later_connections_find_the_same_file(
    tmp_path: Path, folder: Path, engines: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path, URI or URL keeps naming the same file, even if the process changes its current folder."""
    monkeypatch.chdir(tmp_path)
    engine = engines(name, migrations=folder.name, poolclass=NullPool)
    if not name.startswith("file:"):  # SQLite reads the URI again
        monkeypatch.chdir(folder)
    for _ in range(2):
        with engine.begin() as connection:
            connection.execute(ONE)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM parent")) == 2
    assert len([*tmp_path.iterdir()]) == 2


def test_threads_lose_no_update(place: str, folder: Path, engines: Make) -> None:
    """Threads that read a value and then write it overwrite no other thread's update, and get no lock errors."""
    engine = engines(place, migrations=folder)
    with engine.begin() as connection:
        connection.execute(ONE)

    def work(_: int) -> None:
        for _ in range(10):
            with Session(engine) as session, session.begin():
                session.execute(ADD, {"age": session.execute(AGE).scalar_one() + 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    with engine.connect() as connection:
        assert connection.scalar(AGE) == 80


def test_tasks_lose_no_update(place: str, folder: Path) -> None:
    """Tasks of an event loop overwrite no other task's update either."""

    async def main() -> None:
        engine = create_async_engine(place, migrations=folder)
        async with engine.begin() as connection:
            await connection.execute(ONE)

        async def work() -> None:
            for _ in range(10):
                async with AsyncSession(engine) as session, session.begin():
                    await session.execute(ADD, {"age": (await session.execute(AGE)).scalar_one() + 1})

        await asyncio.gather(*(work() for _ in range(8)))
        async with engine.connect() as connection:
            assert await connection.scalar(AGE) == 80
            assert (await connection.exec_driver_sql("PRAGMA foreign_keys")).scalar() == 1
        await engine.dispose()

    run(main)


_ADD_TEN = """
import sys
from sqlalchemy import text
from sqlalchemy.orm import Session
from waiaas_migrate.sqlalchemy import create_engine

engine = create_engine(sys.argv[1], migrations=sys.argv[2])
for _ in range(10):
    with Session(engine) as session, session.begin():
        age = session.execute(text("SELECT age FROM parent")).scalar_one()
        session.execute(text("UPDATE parent SET age = :age"), {"age": age + 1})
"""


def test_processes_that_start_together_migrate_once(tmp_path: Path, folder: Path, engines: Make) -> None:
    """Of several processes that create an engine for an old database, one migrates it, and all then work on it."""
    earlier = write_folder(
        tmp_path / "earlier", {name: sql for name, sql in FAMILY.items() if not name.startswith("0003")}
    )
    with closing(open_database(tmp_path / "a.db", migrations=earlier)) as old, old:
        old.execute("INSERT INTO parent (name) VALUES ('x')")
    more = write_folder(folder, {"0004_zero.sql": "-- depends: 0003_age\nUPDATE parent SET age = coalesce(age, 0);\n"})
    started = [
        subprocess.Popen([sys.executable, "-c", _ADD_TEN, str(tmp_path / "a.db"), str(more)], cwd=CHECKOUT)
        for _ in range(4)
    ]
    assert [process.wait(60) for process in started] == [0] * 4
    with engines(tmp_path / "a.db", migrations=more).connect() as connection:
        assert connection.scalar(AGE) == 40


def test_the_size_of_a_pool_is_ignored_in_memory(folder: Path, engines: Make) -> None:
    """An application that asks for a larger pool still finds its rows in a database in memory."""
    engine = engines(":memory:", migrations=folder, pool_size=5, max_overflow=10, pool_timeout=0.01)
    with engine.begin() as connection:
        connection.execute(ONE)
        with pytest.raises(PoolTimeoutError), engine.connect():
            pass
    with engine.connect() as connection:
        assert connection.scalars(AGE).all() == [0]


def test_threads_share_a_database_in_memory(folder: Path, engines: Make) -> None:
    """Another thread finds the rows of a database in memory; a thread that would wait for itself gets an error."""
    engine = engines(":memory:", migrations=folder, pool_timeout=0.01)
    with engine.begin() as connection:
        connection.execute(ONE)
    found: list[object] = []

    def read() -> None:
        with engine.connect() as connection:
            found.append(connection.scalar(AGE))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert found == [0]
    with engine.connect(), pytest.raises(PoolTimeoutError):
        engine.connect()
    engine.dispose()
    assert pragma(engine, "foreign_keys") == 1
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM parent")) == 0  # a new database, migrated again


def test_the_pool_is_the_application_s_choice(folder: Path, engines: Make) -> None:
    """A given pool is used, also for a database in memory."""
    assert isinstance(engines(":memory:", migrations=folder, poolclass=StaticPool).pool, StaticPool)


def test_a_deleted_file_is_not_made_again(tmp_path: Path, folder: Path, engines: Make) -> None:
    """If the file is deleted while the engine lives, new connections are errors, not empty databases."""
    engine = engines(tmp_path / "a.db", migrations=folder, poolclass=NullPool)
    (tmp_path / "a.db").unlink()
    with pytest.raises(DatabaseFileError, match="no longer exists"):
        engine.connect()
    assert not (tmp_path / "a.db").exists()


@pytest.mark.parametrize("make", [create_engine, create_async_engine])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"begin": "EXCLUSIVE"}, UsageError, "begin='EXCLUSIVE': unknown value"),
        ({"creator": sqlite3.connect}, UsageError, "creator: an engine for a migrated database sets this itself"),
        ({"connect_args": {"isolation_level": None}}, UsageError, "isolation_level: an engine"),
        ({"connect_args": {"check_same_thread": True}}, UsageError, "check_same_thread: an engine"),
        ({"connect_args": {"timeout": 5}}, UsageError, "declare `busy_timeout`"),
        ({"migrations": "nowhere"}, MigrationsError, "no such folder"),
        ({"path": "postgresql://x/y"}, UsageError, "is not a database URL"),
    ],
)
def test_wrong_use_is_refused_at_once(
    tmp_path: Path,
    folder: Path,
    make: Callable[..., object],
    options: dict[str, Any],
    error: type[MigrateError],
    message: str,
) -> None:
    """An invalid argument is an error before a file is created."""
    with pytest.raises(error, match=message):
        make(**{"path": tmp_path / "a.db", "migrations": folder, **options})
    assert not (tmp_path / "a.db").exists()


@pytest.mark.parametrize("make", [create_engine, create_async_engine])
def test_errors_of_migrating_appear_at_once(tmp_path: Path, folder: Path, make: Callable[..., object]) -> None:
    """A database that is ahead, or a PRAGMA that can't be set, is an error when the engine is made."""
    ahead = write_folder(
        tmp_path / "ahead", {**FAMILY, "0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (a);\n"}
    )
    open_database(tmp_path / "a.db", migrations=ahead).close()
    with pytest.raises(UnknownMigrationsError):
        make(tmp_path / "a.db", migrations=folder)
    odd = write_folder(tmp_path / "odd", FAMILY, pragmas=[Pragma(name="no_such_pragma", value=1)])
    with pytest.raises(PragmaError):
        make(tmp_path / "b.db", migrations=odd)


def test_a_wrong_begin_is_refused_later_too(tmp_path: Path, folder: Path, engines: Make) -> None:
    """An invalid execution option is an error, and not a transaction of another kind."""
    engine = engines(tmp_path / "a.db", migrations=folder)
    with pytest.raises(UsageError, match="unknown value"), engine.execution_options(begin="now").begin():
        pass


def test_options_are_those_of_sqlalchemy(tmp_path: Path, folder: Path, engines: Make) -> None:
    """Options and events reach SQLAlchemy, and connect_args reach sqlite3."""

    class Mine(sqlite3.Connection):
        pass

    engine = engines(tmp_path / "a.db", migrations=folder, pool_size=2, connect_args={"factory": Mine})
    begun: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: begun.append(arguments[2]))
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        assert isinstance(connection.connection.driver_connection, Mine)
    assert begun == ["BEGIN IMMEDIATE", "SELECT 1"]
    assert engine.pool.size() == 2  # type: ignore[attr-defined]


def test_json_has_no_nan(tmp_path: Path, folder: Path, engines: Make) -> None:
    """NaN is refused, since it isn't valid JSON and SQLite couldn't read it."""
    engine = engines(tmp_path / "a.db", migrations=folder)
    with engine.connect() as connection:
        assert connection.scalar(select(literal({"a": 1}, JSON))) == {"a": 1}
        with pytest.raises(StatementError, match="not JSON compliant"):
            connection.scalar(select(literal({"a": math.nan}, JSON)))


def test_the_daemon_has_its_own(tmp_path: Path) -> None:
    """``waiaas.create_engine`` needs only a path."""
    engine = waiaas.create_engine(tmp_path / "d.db", pool_size=1)
    try:
        with engine.connect() as connection:
            assert connection.execute(select(column("id")).select_from(text("agents"))).all() == []
        assert pragma(engine, "mmap_size") == 268435456
    finally:
        engine.dispose()


_AFTER_OPENING = """
import sys
from waiaas_migrate import waiaas
before = set(sys.modules)
waiaas.close_database(waiaas.open_database(sys.argv[1]))
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("sqlalchemy", "aiosqlite", "yoyo", "yaml", "jinja2")))
"""


def test_opening_loads_no_sqlalchemy(tmp_path: Path) -> None:
    """Opening a database at head loads neither SQLAlchemy nor yoyo; an engine loads no aiosqlite."""
    waiaas.close_database(waiaas.open_database(tmp_path / "d.db"))
    done = subprocess.run(
        [sys.executable, "-c", _AFTER_OPENING, str(tmp_path / "d.db")],
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
    )
    assert done.stdout == "[]\n"
