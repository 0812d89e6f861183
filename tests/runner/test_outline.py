"""What a migration's text tells of it before it is run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from waiaas_migrate.files.migration_dir.reader import new_migration
from waiaas_migrate.runner.outline import Outline, outline

BRIEF = [
    "CREATE TABLE u (id INTEGER PRIMARY KEY, note TEXT CHECK (note <> ''))",
    "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t WHERE a = 1; END",
    "ALTER TABLE t ADD COLUMN c TEXT",
    "ALTER TABLE t ADD c INTEGER DEFAULT 7",
    "ALTER TABLE t ADD COLUMN c INTEGER REFERENCES t (id)",
    "-- depends: 0000_before\n/* why */ ALTER TABLE t\n  ADD COLUMN c TEXT",
]
LONG = [
    "CREATE TABLE u AS SELECT * FROM t",
    "create table u as with r as (select a from t) select * from r",
    "CREATE INDEX i ON t (a)",
    "ALTER TABLE t ADD COLUMN c TEXT DEFAULT 'x' CHECK (c <> '')",
    "ALTER TABLE t ADD COLUMN c TEXT NOT  NULL DEFAULT 'x' CHECK (length(c) > 0)",
    "ALTER TABLE t ADD COLUMN c INTEGER NOT NULL AS (a + 1)",
    "ALTER TABLE t DROP COLUMN b",
    "UPDATE t SET b = a",
    "DELETE FROM t WHERE a = 3",
    "INSERT INTO t (a) SELECT a FROM t",
]


def outline_of(*statements: str) -> Outline:
    """The outline of a migration of these statements."""
    sql = ";\n".join(statements) + ";\n"
    return outline(new_migration(Path("0001_it.sql"), depends=(), sql=sql, rollback=""))


def instructions(statement: str, rows: int) -> int:
    """How many instructions SQLite runs for it where a table has so many rows."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT)")
        connection.executemany("INSERT INTO t (a) VALUES (?)", [(number,) for number in range(rows)])
        connection.set_progress_handler(step, 1)
        connection.execute(statement)
    return steps


@pytest.mark.parametrize("statement", BRIEF)
def test_what_looks_at_no_row_is_brief(statement: str) -> None:
    """It takes as long with many rows as with few."""
    assert outline_of(statement).is_brief
    assert instructions(statement, 1000) == instructions(statement, 10)


@pytest.mark.parametrize("statement", LONG)
def test_what_looks_at_rows_is_not(statement: str) -> None:
    """One such statement is enough."""
    assert instructions(statement, 1000) > 5 * instructions(statement, 10) > 0
    assert not outline_of(statement).is_brief
    assert not outline_of(BRIEF[0], statement).is_brief
