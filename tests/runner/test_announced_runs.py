"""Runs that announce themselves with the lock file, depending on the recorded facts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import run_python, write_folder
from waiaas_migrate.runner.apply import apply_to
from waiaas_migrate.sqlite.database.pragmas import Pragma
from waiaas_migrate.sqlite.planning.sql_effects import effects_of_sql

BRIEF = [
    "CREATE TABLE u (id INTEGER PRIMARY KEY, note TEXT CHECK (note <> ''))",
    "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t WHERE a = 1; END",
    "ALTER TABLE t ADD COLUMN c TEXT",
    "ALTER TABLE t ADD c INTEGER DEFAULT 7",
    'ALTER TABLE "main"."t" ADD COLUMN c TEXT DEFAULT NULL',
    "CREATE TABLE u (a INTEGER, b INTEGER GENERATED ALWAYS AS (a + 1))",
    "-- depends: 0000_before\n/* why */ ALTER TABLE t\n  ADD COLUMN c TEXT",
]
LONG = [
    "CREATE TABLE u AS SELECT * FROM t",
    "create table u as with r as (select a from t) select * from r",
    "CREATE TABLE u AS -- those that are there\nSELECT * FROM t",
    "CREATE INDEX i ON t (a)",
    "ALTER TABLE t ADD COLUMN c TEXT DEFAULT 'x' CHECK (c <> '')",
    "ALTER TABLE t ADD COLUMN c TEXT NOT  NULL DEFAULT 'x' CHECK (length(c) > 0)",
    "ALTER TABLE t ADD COLUMN c INTEGER NOT NULL AS (a + 1)",
    "ALTER TABLE t ADD COLUMN c TEXT NOT /* ever */ NULL DEFAULT 'x' CHECK (length(c) > 0)",
    "ALTER TABLE t DROP COLUMN b",
    "ALTER TABLE t /* and then ADD another */ DROP COLUMN b",
    "UPDATE t SET b = a",
    "DELETE FROM t WHERE a = 3",
    "INSERT INTO t (a) SELECT a FROM t",
]


def instructions(statement: str, rows: int) -> int:
    """Return the instructions that SQLite runs for ``statement`` if a table has ``rows`` rows."""
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
def test_a_statement_that_reads_no_rows_is_constant(statement: str) -> None:
    """Such a statement takes as long with many rows as with few."""
    assert effects_of_sql([statement]).is_constant
    assert instructions(statement, 1000) == instructions(statement, 10)


@pytest.mark.parametrize("statement", LONG)
def test_a_statement_that_reads_rows_is_not_constant(statement: str) -> None:
    """One statement that reads rows makes the migration not constant."""
    assert instructions(statement, 1000) > 5 * instructions(statement, 10) > 0
    assert not effects_of_sql([statement]).is_constant
    assert not effects_of_sql([BRIEF[0], statement]).is_constant


def test_a_new_foreign_key_is_not_constant() -> None:
    """The column is added at once, but then all rows of the table are checked."""
    assert not effects_of_sql(["ALTER TABLE t ADD COLUMN c INTEGER REFERENCES t (id)"]).is_constant


# --- whether a run announces others that it is at work --------------------------------------------------------------------

TOLD = """
import os, sys
from pathlib import Path
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.apply import apply_to
file, opened = sys.argv[1] + "-migrating", []
sys.addaudithook(lambda event, given: opened.append(given[0]) if event == "open" else None)
apply_to(sys.argv[1], Path(sys.argv[2]), options=RunOptions(backup=sys.argv[3]))
print(file in opened)
"""


def announces(
    tmp_path: Path, first: str, second: str, *, backup: str = "never", hook: str = "", timeout: int = 1000
) -> bool:
    """Return whether applying ``second`` locks the file beside a database that has run ``first``."""
    pragmas = [Pragma(name="busy_timeout", value=timeout)]
    folder = write_folder(tmp_path / "m", {"1.sql": first}, pragmas=pragmas)
    place = tmp_path / "there"
    place.mkdir()
    apply_to(str(place / "a.db"), folder)
    files = {"2.sql": f"-- depends: 1\n{second}", **({"post-apply.sql": hook} if hook else {})}
    write_folder(folder, files, pragmas=pragmas)
    done = run_python(TOLD, place / "a.db", folder, backup)
    assert done.stderr == ""
    return done.stdout == "True\n"


PARENT = "CREATE TABLE p (id INTEGER PRIMARY KEY);"
FAMILY = f"{PARENT} CREATE TABLE c (p REFERENCES p (id), q REFERENCES q (id));"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FAMILY, "ALTER TABLE p ADD COLUMN note TEXT;"),
        (FAMILY, "CREATE TABLE d (x);"),
        (PARENT, "CREATE TABLE c (p REFERENCES p (id));"),
        (FAMILY, "CREATE TABLE d (p REFERENCES p (id));"),
        (FAMILY, "CREATE TRIGGER tr AFTER INSERT ON p BEGIN SELECT 1; END;"),
        (FAMILY, "CREATE TABLE new (x); CREATE INDEX new_x ON new (x);"),
    ],
)
def test_a_short_run_is_not_announced(tmp_path: Path, first: str, second: str) -> None:
    """Other processes wait for longer than a short run takes."""
    assert not announces(tmp_path, first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FAMILY, "CREATE TABLE q (id INTEGER PRIMARY KEY);"),
        (PARENT, "ALTER TABLE p ADD COLUMN q REFERENCES p (id);"),
        ("CREATE TABLE s (a TEXT) STRICT;", "ALTER TABLE s ADD COLUMN b TEXT;"),
        (PARENT, "".join(f"ALTER TABLE p ADD COLUMN a{number};\n" for number in range(101))),
    ],
    ids=["a missing parent", "its own key", "strict", "many statements"],
)
def test_a_run_that_may_take_long_is_announced(tmp_path: Path, first: str, second: str) -> None:
    """The statements read no rows, but the runner or SQLite does, or there are many statements."""
    assert announces(tmp_path, first, second)


@pytest.mark.parametrize(("backup", "hook"), [("never", "SELECT 1;"), ("always", "")], ids=["hook", "backup"])
def test_a_run_with_a_hook_or_a_backup_is_announced(tmp_path: Path, backup: str, hook: str) -> None:
    """A hook may do anything, and a backup takes longer the larger the database is."""
    assert announces(tmp_path, PARENT, "CREATE TABLE d (x);", backup=backup, hook=hook)


def test_a_run_with_a_short_busy_timeout_is_announced(tmp_path: Path) -> None:
    """With a short declared busy timeout, every run is announced."""
    assert announces(tmp_path, PARENT, "CREATE TABLE d (x);", timeout=999)
