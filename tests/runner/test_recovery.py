"""Recovery after plain yoyo was killed, or after somebody made a migration's objects by hand."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY_IDS, dump, run_yoyo, write_folder
from tests.support.projects import run
from tests.support.yoyo_plugin import install_entry_points, yoyo_process
from waiaas_migrate import close_database, open_database
from waiaas_migrate.errors import ApplyError, DatabaseRefused
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.connection import connect_file

#: Plain yoyo, killed before a migration runs; after it has committed; or after it was logged. Its record comes last.
CRASH = """
import os, sys
from yoyo import get_backend, read_migrations
from yoyo.backends.core.sqlite3 import SQLiteBackend
path, folder, at, when = sys.argv[1:]
method = {"before": "ensure_internal_schema_updated", "committed": "log_migration", "logged": "mark_one"}[when]
def die(self, *arguments, **options):
    if started and (arguments[0].id if arguments else at) == at:
        os.kill(os.getpid(), 9)
    return original(self, *arguments, **options)
original, started = getattr(SQLiteBackend, method), False
setattr(SQLiteBackend, method, die)
backend = get_backend("sqlite:///" + path)
with backend.lock():
    pending = backend.to_apply(read_migrations(folder))
    started = True
    backend.apply_migrations(pending)
"""

FILLED = "-- depends: 0003_age\nALTER TABLE parent ADD COLUMN low TEXT;\nUPDATE parent SET low = lower(name);\n"
ROWS = "-- depends: 0003_age\nUPDATE parent SET age = age + 1;\n"
INDEXED = "-- depends: 0003_age\nCREATE INDEX IF NOT EXISTS i ON parent (name);\nUPDATE parent SET age = age + 1;\n"
KINDS = "-- depends: 0003_age\nCREATE TABLE IF NOT EXISTS kinds (k TEXT);\nINSERT INTO kinds VALUES ('a'), ('b');\n"
COPIED = "-- depends: 0003_age\nCREATE TABLE copied AS SELECT id, name FROM parent;\n"
PYTHON = (
    "from yoyo import step\n__depends__ = {'0003_age'}\n"
    "step('ALTER TABLE parent ADD COLUMN low TEXT')\nstep('UPDATE parent SET low = lower(name)')\n"
)
CHANGING_ROWS = {"0004_next.sql": FILLED}, {"0004_next.sql": INDEXED}, {"0004_next.sql": KINDS}
SCHEMA_ONLY = (
    "-- depends: 0003_age\nALTER TABLE parent ADD COLUMN low TEXT AS (lower(name));\n"
    "CREATE TRIGGER tr AFTER INSERT ON parent BEGIN UPDATE parent SET age = 1; END;\n"
    "CREATE VIEW v AS SELECT id FROM parent;\nDROP INDEX child_parent;\n"
)


@pytest.fixture
def path(tmp_path: Path, folder: Path) -> Path:
    """Make a database at head, with a row."""
    path = tmp_path / "a.db"
    connection = open_database(path, migrations=folder)
    connection.execute("INSERT INTO parent VALUES (1, 'Ann', 30)")
    connection.commit()
    close_database(connection)
    return path


def crash(path: Path, folder: Path, at: str, when: str = "committed") -> None:
    """Kill plain yoyo around the migration ``at``."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CRASH, str(path), str(folder), at, when],
        check=False,
        timeout=60,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Return the rows of ``query``."""
    with closing(sqlite3.connect(path)) as connection:
        found: list[tuple[object, ...]] = connection.execute(query).fetchall()
        return found


# --- after a crash ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", FAMILY_IDS)
@pytest.mark.parametrize("when", ["committed", "logged"])
def test_an_unrecorded_migration_is_recorded(tmp_path: Path, folder: Path, at: str, when: str) -> None:
    """If the schema is exactly what the migration makes, the migration is recorded.

    The lock row is removed, and the run continues.
    """
    path = tmp_path / "a.db"
    crash(path, folder, at, when)
    with closing(connect_file(path)) as connection:
        result = apply_pending(connection, read_folder(folder))
        assert result.applied == FAMILY_IDS[FAMILY_IDS.index(at) + 1 :]
        assert f"killed after it ran {at} and before it recorded it" in "".join(result.notices)
        assert "lock row" in "".join(result.notices)
        assert [row.id for row in read_applied(connection) or ()] == list(FAMILY_IDS)
        assert apply_pending(connection, read_folder(folder)).applied == ()
    assert run_yoyo("list", path, folder).count("A ") == 3


def test_a_migration_that_only_changes_the_schema_is_recorded(path: Path, folder: Path) -> None:
    """A migration of triggers, views and generated columns is recorded, since it changes no row."""
    write_folder(folder, {"0004_next.sql": SCHEMA_ONLY})
    crash(path, folder, "0004_next")
    close_database(open_database(path, migrations=folder))
    assert run_yoyo("list", path, folder).count("A ") == 4


@pytest.mark.parametrize("when", ["committed", "logged"])
@pytest.mark.parametrize(
    "files",
    [*CHANGING_ROWS, {"0004_next.sql": ROWS}, {"0004_next.sql": COPIED}, {"0004_next.py": PYTHON}],
    ids=["column", "index", "table", "rows", "copy", "python"],
)
def test_a_migration_of_rows_is_neither_recorded_nor_run_twice(
    path: Path, folder: Path, files: dict[str, str], when: str
) -> None:
    """The error says what to do, and one ``adopt`` is enough."""
    write_folder(folder, files)
    crash(path, folder, "0004_next", when)
    before = dump(path)
    with pytest.raises(DatabaseRefused, match="0004_next may have run already") as refused:
        open_database(path, migrations=folder)
    assert run(folder.parent, "apply", str(path), "--migrations", str(folder)).status == 3
    assert dump(path) == before
    site = install_entry_points(folder.parent)
    url = f"waiaas:///{path}"
    done = yoyo_process(site, "apply", url, folder)
    assert "0004_next may have run already" in done.stderr
    assert dump(path) == before
    assert "waiaas-migrate adopt FILE --at 0004_next" in str(refused.value)
    adopt = ("adopt", str(path), "--at", "0004_next", "--migrations", str(folder))
    assert run(folder.parent, *adopt).status == 0
    close_database(open_database(path, migrations=folder))
    assert run_yoyo("list", path, folder).count("A ") == 4


@pytest.mark.parametrize("files", CHANGING_ROWS, ids=["column", "index", "table"])
@pytest.mark.parametrize("tool", ["runner", "plugin"])
def test_a_migration_that_had_not_begun_is_run(path: Path, folder: Path, files: dict[str, str], tool: str) -> None:
    """If the schema is still as before the migration, the migration is run."""
    write_folder(folder, files)
    crash(path, folder, "0004_next", "before")
    if tool == "runner":
        close_database(open_database(path, migrations=folder))
    else:
        assert yoyo_process(install_entry_points(folder.parent), "apply", f"waiaas:///{path}", folder).returncode == 0
    assert run_yoyo("list", path, folder).count("A ") == 4
    assert rows(path, "SELECT count(*) FROM yoyo_lock") == [(0,)]


def test_break_lock_lets_a_migration_of_rows_run(path: Path, folder: Path) -> None:
    """The schema doesn't show whether the migration has run, so it is refused until the lock row is deleted."""
    write_folder(folder, {"0004_next.sql": ROWS})
    crash(path, folder, "0004_next", "before")
    with pytest.raises(DatabaseRefused, match="yoyo break-lock"):
        open_database(path, migrations=folder)
    site = install_entry_points(folder.parent)
    assert yoyo_process(site, "break-lock", f"waiaas:///{path}", folder).returncode == 0
    close_database(open_database(path, migrations=folder))
    assert rows(path, "SELECT age FROM parent") == [(31,)]


def test_the_plugin_records_an_unrecorded_migration(path: Path, folder: Path) -> None:
    """``yoyo apply`` through the plugin does the same as the runner."""
    write_folder(folder, {"0004_next.sql": SCHEMA_ONLY})
    crash(path, folder, "0004_next")
    done = yoyo_process(install_entry_points(folder.parent), "apply", f"waiaas:///{path}", folder)
    assert done.returncode == 0, done.stderr
    assert "before it recorded it" in done.stderr
    assert run_yoyo("list", path, folder).count("A ") == 4


def test_an_uncertain_case_is_an_error(tmp_path: Path, folder: Path) -> None:
    """If somebody also made an index by hand, the error says what to do."""
    path = tmp_path / "a.db"
    crash(path, folder, "0002_children")
    with closing(connect_file(path)) as connection:
        connection.execute("CREATE INDEX by_hand ON parent (name)")
        before = path.read_bytes()
        with pytest.raises(ApplyError, match=r"already exists.*`waiaas-migrate adopt FILE --at 0002_children`"):
            apply_pending(connection, read_folder(folder))
    assert path.read_bytes() == before
    run_yoyo("break-lock", path, folder)
    run_yoyo("mark", path, folder, "-r", "0002_children")
    with closing(connect_file(path)) as connection:
        assert apply_pending(connection, read_folder(folder), RunOptions(verify=False)).applied == ("0003_age",)


# --- a change by hand, and no crash -----------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["ALTER TABLE parent ADD COLUMN low TEXT", "CREATE INDEX i ON parent (name)"])
def test_a_manual_change_is_never_taken_for_a_migration(path: Path, folder: Path, statement: str) -> None:
    """The migration fails with the runner and with plain yoyo, and the error names the likely cause."""
    write_folder(folder, {"0004_next.sql": f"-- depends: 0003_age\n{statement};\nUPDATE parent SET age = 1;\n"})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    shutil.copy(path, path.with_name("yoyo.db"))
    with pytest.raises(ApplyError, match="If somebody created it by hand"):
        open_database(path, migrations=folder)
    assert run(folder.parent, "apply", str(path), "--migrations", str(folder)).status == 3
    assert rows(path, "SELECT age FROM parent") == [(30,)]
    with pytest.raises(AssertionError):
        run_yoyo("apply", path.with_name("yoyo.db"), folder)
    assert rows(path.with_name("yoyo.db"), "SELECT age FROM parent") == [(30,)]


@pytest.mark.parametrize(
    ("migration", "by_hand", "query", "expected"),
    [
        (INDEXED, "CREATE INDEX i ON parent (name)", "SELECT age FROM parent", [(31,)]),
        (KINDS, "CREATE TABLE kinds (k TEXT)", "SELECT k FROM kinds", [("a",), ("b",)]),
    ],
    ids=["index", "table"],
)
@pytest.mark.parametrize("tool", ["runner", "command", "yoyo"])
def test_a_migration_with_if_not_exists_runs(  # noqa: PLR0913, PLR0917 — the parts of a case
    path: Path, folder: Path, migration: str, by_hand: str, query: str, expected: list[tuple[object, ...]], tool: str
) -> None:
    """Existing objects are skipped; rows are still changed, and the migration is recorded."""
    write_folder(folder, {"0004_next.sql": migration})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(by_hand)
    match tool:
        case "runner":
            close_database(open_database(path, migrations=folder))
        case "command":
            assert run(folder.parent, "apply", str(path), "--migrations", str(folder)).status == 0
        case _:
            run_yoyo("apply", path, folder)
    assert rows(path, query) == expected
    assert run_yoyo("list", path, folder).count("A ") == 4


def test_a_migration_that_only_changes_rows_is_run(path: Path, folder: Path) -> None:
    """Such a migration leaves the schema unchanged, so the schema doesn't show whether it has run."""
    write_folder(folder, {"0004_next.sql": ROWS})
    close_database(open_database(path, migrations=folder))
    assert rows(path, "SELECT age FROM parent") == [(31,)]


# --- something else under the names of yoyo's tables ------------------------------------------------------------------

ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
ODD_RECORDS = {
    "no id": ("_yoyo_migration", "CREATE TABLE {0} (migration_hash, applied_at_utc)"),
    "no time": ("_yoyo_migration", "CREATE TABLE {0} (migration_hash, migration_id)"),
    "no rowid": (
        "_yoyo_migration",
        "CREATE TABLE {0} (migration_hash PRIMARY KEY, migration_id, applied_at_utc) WITHOUT ROWID",
    ),
    "view": ("_yoyo_migration", "CREATE VIEW {0} AS SELECT 'x' migration_hash, 'y' migration_id, 1 applied_at_utc"),
    "broken view": ("_yoyo_migration", "CREATE VIEW {0} AS SELECT * FROM nowhere"),
    "endless view": (
        "_yoyo_migration",
        f"CREATE VIEW {{0}} AS {ENDLESS} SELECT x migration_hash, x migration_id, x applied_at_utc FROM n",
    ),
    "virtual": (
        "_yoyo_migration",
        "CREATE VIRTUAL TABLE {0} USING fts5 (migration_hash, migration_id, applied_at_utc)",
    ),
    "endless version": ("_yoyo_version", f"CREATE VIEW {{0}} AS {ENDLESS} SELECT x AS version FROM n"),
    "endless lock": ("yoyo_lock", f"CREATE VIEW {{0}} AS {ENDLESS} SELECT x pid, 1 ctime FROM n WHERE x < 0"),
}


@pytest.mark.parametrize("case", ODD_RECORDS)
def test_other_objects_with_the_names_of_yoyos_tables_are_refused(path: Path, folder: Path, case: str) -> None:
    """Every command reports an error, and none hangs."""
    name, text = ODD_RECORDS[case]
    write_folder(folder, {"0004_next.sql": SCHEMA_ONLY})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {name}")
        connection.execute(text.format(name))
    before = path.read_bytes()
    for command in ("apply", "status"):
        done = run(folder.parent, command, str(path), "--migrations", str(folder))
        assert (done.status, f"{name} is not the table that yoyo makes" in done.err) == (3, True)
    with pytest.raises(DatabaseRefused, match=name):
        open_database(path, migrations=folder)
    assert path.read_bytes() == before


@pytest.mark.parametrize("column", ["type", "name", "sql"])
def test_a_blob_in_the_catalog_is_damage(path: Path, folder: Path, column: str) -> None:
    """A blob in the catalog is reported as damage, although SQLite reads it as text."""
    write_folder(folder, {"0004_next.sql": SCHEMA_ONLY})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"UPDATE sqlite_master SET {column} = CAST({column} AS BLOB) WHERE name = 'child'")
    for command in ("apply", "drift"):
        done = run(folder.parent, command, str(path), "--migrations", str(folder))
        assert (done.status, "holds a BLOB" in done.err) == (2, True)


def test_a_version_that_only_looks_like_a_number(path: Path, folder: Path) -> None:
    """A superscript is a digit to Python, but it isn't read as a version."""
    write_folder(folder, {"0004_next.sql": SCHEMA_ONLY})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE _yoyo_version SET version = '\N{SUPERSCRIPT TWO}'")
    assert run(folder.parent, "apply", str(path), "--migrations", str(folder)).status == 3


@pytest.mark.parametrize(("old", "new"), [("0001_parents", "\\ud800"), ("5000", '"\N{SUPERSCRIPT TWO}"')])
def test_a_manifest_with_broken_text_or_an_invalid_number(path: Path, folder: Path, old: str, new: str) -> None:
    """Broken text and invalid numbers are reported like other errors in a manifest."""
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    for command in ("apply", "drift"):
        assert run(folder.parent, command, str(path), "--migrations", str(folder)).status in {0, 2}
    assert run(folder.parent, "apply", str(path), "--migrations", str(folder)).status == 2
