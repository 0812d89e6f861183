"""How an engine's transactions begin, and what they contain."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError, ResourceClosedError
from sqlalchemy.orm import Session

from tests.support.folders import FAMILY, PRAGMAS, write_folder
from tests.support.projects import held_by_another_process
from waiaas_migrate import open_database
from waiaas_migrate.sqlite.database.pragmas import Pragma

AGE = text("SELECT age FROM parent")
ONE = text("INSERT INTO parent (name, age) VALUES ('x', 0)")

Make = Callable[..., Engine]


def test_a_transaction_that_only_reads_waits_for_nobody(tmp_path: Path, folder: Path, engines: Make) -> None:
    """With begin="DEFERRED", a reader sees the last committed state while another process writes, and does not wait."""
    engine = engines(tmp_path / "a.db", migrations=folder)
    reading = engine.execution_options(begin="DEFERRED")
    with held_by_another_process(tmp_path / "a.db", "BEGIN IMMEDIATE"):
        with Session(reading) as session:
            assert session.scalars(text("SELECT name FROM parent")).all() == []
        with Session(engine) as session:
            session.connection(execution_options={"begin": "DEFERRED"})
            assert session.scalars(text("SELECT name FROM parent")).all() == []


def test_a_read_only_database_is_read(tmp_path: Path, folder: Path, engines: Make) -> None:
    """With begin="DEFERRED", an engine reads a database at head that it may not write."""
    open_database(tmp_path / "a.db", migrations=folder).close()
    engine = engines(f"file:{tmp_path}/a.db?mode=ro", migrations=folder, begin="DEFERRED")
    with engine.connect() as connection:
        assert connection.scalars(AGE).all() == []
        with pytest.raises(OperationalError, match="readonly"):
            connection.execute(ONE)


def test_a_transaction_that_cannot_begin_runs_nothing(tmp_path: Path, engines: Make) -> None:
    """If BEGIN meets a lock, that is an error, and nothing runs outside of a transaction afterwards."""
    quick = (*PRAGMAS[:2], Pragma(name="busy_timeout", value=10))
    engine = engines(tmp_path / "a.db", migrations=write_folder(tmp_path / "m", FAMILY, pragmas=quick))
    with engine.connect() as connection:
        with held_by_another_process(tmp_path / "a.db"), pytest.raises(OperationalError, match="locked"):
            connection.execute(ONE)
        with pytest.raises(ResourceClosedError):
            connection.execute(ONE)
    with Session(engine) as session:
        with held_by_another_process(tmp_path / "a.db"), pytest.raises(OperationalError, match="locked"):
            session.execute(ONE)
        session.rollback()
        session.execute(ONE)
        session.rollback()
        assert session.scalar(text("SELECT count(*) FROM parent")) == 0


def test_transactions_are_real(place: str, folder: Path, engines: Make) -> None:
    """SELECT begins a transaction, DDL is rolled back, and savepoints keep what came before them."""
    engine = engines(place, migrations=folder)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        assert connection.connection.driver_connection.in_transaction  # type: ignore[union-attr]
        connection.execute(text("CREATE TABLE more (a)"))
        connection.execute(ONE)
        connection.rollback()
        assert connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'more'")) == 0
        assert connection.scalar(text("SELECT count(*) FROM parent")) == 0
    with Session(engine) as session, session.begin():
        session.execute(ONE)
        inner = session.begin_nested()
        session.execute(ONE)
        inner.rollback()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM parent")) == 1


@pytest.mark.parametrize("on", ["engine", "connection"])
def test_autocommit_begins_nothing(tmp_path: Path, folder: Path, engines: Make, on: str) -> None:
    """With the isolation level AUTOCOMMIT, each statement commits by itself, as VACUUM needs; later ones do not."""
    if on == "engine":
        with engines(tmp_path / "a.db", migrations=folder, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("VACUUM"))
            connection.execute(ONE)
    else:
        engine = engines(tmp_path / "a.db", migrations=folder, pool_size=1, max_overflow=0)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))
            connection.execute(ONE)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            assert connection.connection.driver_connection.in_transaction  # type: ignore[union-attr]
    with closing(sqlite3.connect(tmp_path / "a.db")) as other:
        assert other.execute("SELECT count(*) FROM parent").fetchone() == (1,)
