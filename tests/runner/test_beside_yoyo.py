"""The runner and plain yoyo take turns on the same database."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, run_yoyo, write_folder
from tests.support.runs import apply
from waiaas_migrate.errors import (
    ApplyError,
    DatabaseRefused,
    UnknownMigrationsError,
    UnsupportedError,
)
from waiaas_migrate.runner.apply import ApplyResult
from waiaas_migrate.runner.yoyo.applied import read_pending
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import connect_file


def test_yoyo_continues_after_the_runner(path: Path, folder: Path) -> None:
    """Yoyo lists, rolls back and applies what the runner recorded; then the runner continues."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        head = read_catalog(connection)
    assert run_yoyo("list", path, folder).count("A ") == 3
    run_yoyo("rollback", path, folder)
    with closing(connect_file(path)) as connection:
        assert read_pending(connection, FAMILY_IDS) == ("0003_age",)
        assert apply(connection, folder).applied == ("0003_age",)
    run_yoyo("rollback", path, folder, "--all")
    run_yoyo("apply", path, folder)
    with closing(connect_file(path)) as connection:
        assert apply(connection, folder) == ApplyResult()
        assert read_catalog(connection) == head


def test_the_runner_continues_after_yoyo(path: Path, folder: Path, tmp_path: Path) -> None:
    """Records, catalog and the types of recorded values are the same as after runs of only one tool."""
    first = write_folder(tmp_path / "first", {k: v for k, v in FAMILY.items() if "0001" in k}, record=False)
    run_yoyo("apply", path, first)
    with closing(connect_file(path)) as connection:
        assert apply(connection, folder).applied == FAMILY_IDS[1:]
        rows = connection.execute("SELECT typeof(migration_hash), applied_at_utc FROM _yoyo_migration").fetchall()
        assert all(kind == "text" and re.fullmatch(r"[\d-]{10}T[\d:.]+", when) for kind, when in rows)
        books = {row for row in connection.execute("SELECT name, sql FROM sqlite_master") if row[0].startswith("_yoyo")}
    with closing(connect_file(tmp_path / "b.db")) as connection:
        apply(connection, folder)
        mine = {row for row in connection.execute("SELECT name, sql FROM sqlite_master") if row[0].startswith("_yoyo")}
    assert mine == books
    assert run_yoyo("list", path, folder).count("A ") == 3


def test_yoyo_mark_changes_pending_migrations(path: Path, folder: Path) -> None:
    """``yoyo mark`` and ``unmark`` change which migrations are pending."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        run_yoyo("unmark", path, folder, "-r", "0003_age")
        assert read_pending(connection, FAMILY_IDS) == ("0003_age",)
        run_yoyo("mark", path, folder)
        assert read_pending(connection, FAMILY_IDS) == ()


def test_a_stale_yoyo_lock_does_not_stop_the_runner(path: Path, folder: Path) -> None:
    """The lock row of a dead process is removed, with a notice."""
    run_yoyo("list", path, folder)
    with closing(connect_file(path)) as connection:
        connection.execute("INSERT INTO yoyo_lock VALUES (1, '2026-01-01', 4242)")
        connection.commit()
        result = apply(connection, folder)
    assert result.applied == FAMILY_IDS
    assert "process 4242" in "".join(result.notices)


def test_tables_of_an_old_yoyo_are_upgraded(path: Path, folder: Path) -> None:
    """Before version 6 yoyo recorded only ids; its own upgrade runs within the transaction."""
    with closing(connect_file(path)) as connection:
        connection.executescript(
            FAMILY["0001_parents.sql"]
            + "CREATE TABLE _yoyo_migration (id VARCHAR(191) NOT NULL PRIMARY KEY, ctime TIMESTAMP);"
            "INSERT INTO _yoyo_migration VALUES ('0001_parents', '2015-01-01 00:00:00');"
        )
        assert read_pending(connection, FAMILY_IDS) == FAMILY_IDS[1:]
        assert apply(connection, folder).applied == FAMILY_IDS[1:]
    assert run_yoyo("list", path, folder).count("A ") == 3


@pytest.mark.parametrize(
    "row",
    [
        *("NULL, NULL", "x'ff', x'00fe'", "'hash', NULL", "7, 1.5", "9e999, 'infinite'"),
        *("'hash', CAST(x'ff' AS TEXT)", "CAST(x'fe' AS TEXT), 'no UTF-8'"),
    ],
)
def test_rows_that_yoyo_did_not_write_are_unknown_migrations(path: Path, folder: Path, row: str) -> None:
    """Whatever yoyo's tables contain, the error is easy to understand."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        connection.execute(f"INSERT INTO _yoyo_migration VALUES ({row}, '2026-01-01')")
        connection.commit()
        with pytest.raises(UnknownMigrationsError):
            apply(connection, folder)


@pytest.mark.parametrize("sql", ["CREATE TABLE _yoyo_migration (a)", "CREATE VIEW _yoyo_migration AS SELECT 1 AS id"])
def test_another_table_with_the_name_of_yoyos(path: Path, folder: Path, sql: str) -> None:
    """Such a table is refused without reading columns that it lacks."""
    with closing(connect_file(path)) as connection:
        connection.execute(sql)
        with pytest.raises(DatabaseRefused, match="not the table that yoyo makes"):
            apply(connection, folder)


def test_tables_of_a_newer_yoyo_are_refused(path: Path, folder: Path) -> None:
    """This version doesn't know how to write to them."""
    with closing(connect_file(path)) as connection:
        apply(connection, write_folder(folder.parent / "old", {"0001_parents.sql": FAMILY["0001_parents.sql"]}))
        connection.execute("INSERT INTO _yoyo_version VALUES (99, '2099-01-01')")
        connection.commit()
        with pytest.raises(UnsupportedError, match=r"version 99.*Upgrade yoyo-migrations"):
            apply(connection, folder)


def test_a_yoyo_lock_without_a_process(path: Path, folder: Path) -> None:
    """A row that names no process is removed like that of a dead one."""
    run_yoyo("list", path, folder)
    with closing(connect_file(path)) as connection:
        connection.execute("INSERT INTO yoyo_lock VALUES (1, 'some time', 'nobody')")
        connection.commit()
        assert apply(connection, folder).applied == FAMILY_IDS
        assert connection.execute("SELECT * FROM yoyo_lock").fetchall() == []


def test_a_migration_that_yoyo_ran_without_recording_it(path: Path, folder: Path) -> None:
    """If yoyo is killed between its two transactions, it leaves a table and no record. The error says what to do."""
    with closing(connect_file(path)) as connection:
        apply(connection, folder)
        connection.execute("DELETE FROM _yoyo_migration WHERE migration_id <> '0001_parents'")
        connection.commit()
        with pytest.raises(ApplyError, match="waiaas-migrate adopt"):
            apply(connection, folder)
