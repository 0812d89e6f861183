"""The runner records the text of each migration that it applies, in the transaction of yoyo's record."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, run_yoyo, write_folder
from waiaas_migrate import ApplyError, DatabaseRefused, Extent, apply, rollback
from waiaas_migrate.files.migration_dir.migration_files import migration_hash, read_migrations
from waiaas_migrate.runner.yoyo.identity import read_identities

ROWS = "SELECT migration_id FROM _yoyo_migration_text JOIN _yoyo_migration USING (migration_hash, applied_at_utc) ORDER BY 1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of three migrations."""
    return write_folder(tmp_path / "m", FAMILY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a new database."""
    return tmp_path / "app.db"


def rows(path: Path, query: str = ROWS) -> list[tuple[object, ...]]:
    """Return the rows of ``query``."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_a_row_holds_the_text_and_the_place_in_the_chain(path: Path, folder: Path) -> None:
    """Both are recorded as they were when the migration ran."""
    migrations = read_migrations(folder)
    apply(str(path), folder)
    with closing(sqlite3.connect(path)) as connection:
        found = read_identities(connection)
    links = [entry["hash"] for entry in json.loads((folder / "manifest.json").read_text())["migrations"]]
    assert rows(path, "SELECT manifest_hash FROM _yoyo_migration_text ORDER BY rowid") == [(link,) for link in links]
    first = found[migration_hash(FAMILY_IDS[0])]
    assert first.text_hash == hashlib.sha256((folder / f"{FAMILY_IDS[0]}.sql").read_bytes()).hexdigest()
    assert (first.was_adopted, first.rollback) == (False, migrations[0].rollback)


def test_the_table_keeps_its_definition(path: Path, folder: Path) -> None:
    """Existing databases have a table with this definition, so another one would need an upgrade."""
    apply(str(path), folder)
    (text,) = rows(path, "SELECT sql FROM sqlite_master WHERE name = '_yoyo_migration_text'")[0]
    columns = "migration_hash TEXT NOT NULL PRIMARY KEY, applied_at_utc TEXT NOT NULL, content_hash TEXT NOT NULL"
    others = "manifest_hash TEXT, was_adopted INTEGER NOT NULL, rollback TEXT"
    assert " ".join(str(text).split()) == f"CREATE TABLE _yoyo_migration_text ( {columns}, {others} )"


def test_tables_that_appear_during_a_read(path: Path, folder: Path) -> None:
    """Tables that another connection creates between two statements are read, and not refused."""
    waiting = [folder]

    def create_tables(statement: str) -> None:
        if "sqlite_master" in statement and waiting:
            apply(str(path), waiting.pop())

    with closing(sqlite3.connect(path)) as connection:
        connection.set_trace_callback(create_tables)
        assert len(read_identities(connection)) == len(FAMILY_IDS)


def test_rolling_back_deletes_the_row(path: Path, folder: Path) -> None:
    """Rolling back deletes the row together with yoyo's record."""
    apply(str(path), folder)
    rollback(str(path), folder, Extent(to=FAMILY_IDS[0]))
    assert rows(path) == [(FAMILY_IDS[0],)]
    assert rows(path, "SELECT count(*) FROM _yoyo_migration_text") == [(1,)]


def test_a_failed_run_leaves_no_row(path: Path, folder: Path) -> None:
    """The row is written in the migration's transaction."""
    (folder / "manifest.json").unlink()
    (folder / "0009_wrong.sql").write_text("INSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(ApplyError):
        apply(str(path), folder)
    assert rows(path, "SELECT name FROM sqlite_master") == []


def test_the_yoyo_command_writes_and_deletes_rows_through_the_plugin(path: Path, folder: Path) -> None:
    """With the plugin, yoyo's command has the files at hand, as the runner does."""
    run_yoyo("apply", path, folder, scheme="waiaas")
    assert rows(path) == [(name,) for name in FAMILY_IDS]
    run_yoyo("rollback", path, folder, "-r", FAMILY_IDS[-1], scheme="waiaas")
    assert rows(path, "SELECT count(*) FROM _yoyo_migration_text") == [(len(FAMILY_IDS) - 1,)]


def test_marking_with_yoyo_writes_no_row(path: Path, folder: Path) -> None:
    """`yoyo mark` writes no row, since nobody knows which text was run before."""
    run_yoyo("mark", path, folder, scheme="waiaas")
    assert rows(path, "SELECT name FROM sqlite_master WHERE name = '_yoyo_migration_text'") == []


def test_a_row_that_plain_yoyo_outdated_does_not_count(path: Path, folder: Path) -> None:
    """Plain yoyo may roll a migration back and apply another text under its name. The old row then doesn't count."""
    apply(str(path), folder)
    run_yoyo("reapply", path, folder, "-r", FAMILY_IDS[-1])
    with closing(sqlite3.connect(path)) as connection:
        assert migration_hash(FAMILY_IDS[-1]) not in read_identities(connection)
    assert rows(path) == [(name,) for name in FAMILY_IDS[:-1]]


def test_rows_that_cannot_be_read(path: Path, folder: Path) -> None:
    """Text that isn't UTF-8 is refused, and rows without yoyo's tables don't count."""
    apply(str(path), folder)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE _yoyo_migration_text SET rollback = CAST(x'ff' AS TEXT)")
        with pytest.raises(DatabaseRefused, match="_yoyo_migration_text is not the table that waiaas-migrate makes"):
            read_identities(connection)
        connection.execute("DROP TABLE _yoyo_migration")
        assert read_identities(connection) == {}


def test_only_the_last_rollbacks_are_kept(path: Path, tmp_path: Path) -> None:
    """A database doesn't keep the rollback texts of its whole history."""
    folder = tmp_path / "many"
    for number in range(1, 13):
        sql = {f"{number:04}_t.sql": f"CREATE TABLE t{number} (a);\n"}
        write_folder(folder, {**sql, f"{number:04}_t.rollback.sql": f"DROP TABLE t{number};\n"})
        if number in (11, 12):
            apply(str(path), folder)
    kept = rows(path, "SELECT count(*), count(rollback), min(rollback) FROM _yoyo_migration_text")
    assert kept == [(12, 10, "DROP TABLE t10;\n")]
