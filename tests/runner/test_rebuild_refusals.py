"""Manual schema changes before a run: a changed table is not rebuilt, but other objects may differ."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, dump, write_folder
from tests.support.yoyo_plugin import install_entry_points, yoyo_process
from waiaas_migrate import close_database, open_database
from waiaas_migrate.cli import main
from waiaas_migrate.errors import DatabaseRefused
from waiaas_migrate.runner.apply import apply_to
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.yoyo.applied import read_applied

REBUILD = """-- depends: 0003_age
CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);
INSERT INTO new (id, name, age) SELECT id, name, age FROM parent;
DROP TABLE parent;
ALTER TABLE new RENAME TO parent;
"""
#: Manual changes of ``parent``, and how they are reported.
CHANGES = {
    "ALTER TABLE parent ADD COLUMN own TEXT": "added column parent.own",
    "CREATE INDEX own ON parent (name)": "added index own on parent",
    "CREATE TRIGGER own AFTER INSERT ON parent BEGIN SELECT 1; END": "added trigger own on parent",
    "ALTER TABLE parent RENAME COLUMN name TO label": "parent.name",
}
PENDING = {
    "rebuild": REBUILD,
    "unclear": "-- depends: 0003_age\nPRAGMA foreign_keys = OFF;\n",
}
HARMLESS = {
    "column": "-- depends: 0003_age\nALTER TABLE parent ADD COLUMN more TEXT;\n",
    "rows": "-- depends: 0003_age\nUPDATE parent SET age = 5;\n",
    "another table": "-- depends: 0003_age\nCREATE TABLE more (x);\n",
}

Way = Callable[[Path, Path], str]


def by_command(database: Path, folder: Path) -> str:
    """Run ``apply``, and return the words of the refusal, if any."""
    try:
        apply_to(str(database), folder)
    except DatabaseRefused as error:
        return str(error) if error.exit_code == 3 else ""
    return ""


def by_application(database: Path, folder: Path) -> str:
    """Call ``open_database``, and return the words of the refusal, if any."""
    try:
        close_database(open_database(database, migrations=folder))
    except DatabaseRefused as error:
        return str(error)
    return ""


def by_yoyo(database: Path, folder: Path) -> str:
    """Run ``yoyo apply`` with the plugin, and return the words of the refusal, if any."""
    site = install_entry_points(database.parent)
    done = yoyo_process(site, "apply", f"waiaas:///{database}?migrations={folder}", folder)
    return "" if done.returncode == 0 else done.stderr


WAYS = pytest.mark.parametrize("way", [by_command, by_application, by_yoyo])


def prepared(tmp_path: Path, by_hand: str, files: dict[str, str]) -> tuple[Path, Path]:
    """Make a database with rows and a manual change, and a folder in which ``files`` are pending."""
    folder, database = write_folder(tmp_path / "m", FAMILY), tmp_path / "a.db"
    close_database(open_database(database, migrations=folder))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO parent (id, name) VALUES (1, 'a'), (2, 'b')")
        connection.execute("INSERT INTO child VALUES (1, 1)")
        connection.execute(by_hand)
    write_folder(folder, files)
    return database, folder


def ids(database: Path) -> tuple[str, ...]:
    """Return the ids of the applied migrations."""
    with closing(sqlite3.connect(database)) as connection:
        return tuple(row.id for row in read_applied(connection) or ())


@WAYS
@pytest.mark.parametrize("by_hand", CHANGES)
@pytest.mark.parametrize("pending", PENDING)
def test_a_table_that_was_changed_by_hand_is_not_rebuilt(tmp_path: Path, way: Way, by_hand: str, pending: str) -> None:
    """The refusal says what differs and what to do; nothing is written, and no backup is made."""
    database, folder = prepared(tmp_path, by_hand, {"0004_it.sql": PENDING[pending]})
    before = dump(database)
    said = way(database, folder)
    assert CHANGES[by_hand] in said
    assert "Nothing was changed. Undo the manual change, then try again" in said
    assert dump(database) == before
    assert not list(tmp_path.glob("a.db.backup*"))


@WAYS
@pytest.mark.parametrize("by_hand", list(CHANGES)[:3])
@pytest.mark.parametrize("pending", HARMLESS)
def test_a_migration_that_leaves_a_manual_change_alone_is_applied(
    tmp_path: Path, way: Way, by_hand: str, pending: str
) -> None:
    """The change is kept."""
    database, folder = prepared(tmp_path, by_hand, {"0004_it.sql": HARMLESS[pending]})
    assert way(database, folder) == ""
    assert ids(database) == (*FAMILY_IDS, "0004_it")
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM sqlite_master WHERE instr(sql, 'own')"
        assert connection.execute(query).fetchone() == (1,)
        assert connection.execute("SELECT id, name FROM parent").fetchall() == [(1, "a"), (2, "b")]


@WAYS
@pytest.mark.parametrize(
    "by_hand",
    [
        "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)",
        "CREATE INDEX own ON child (id)",
        "CREATE VIEW own AS SELECT name FROM child, parent",
    ],
)
def test_objects_that_are_not_rebuilt_may_differ(tmp_path: Path, way: Way, by_hand: str) -> None:
    """Another tool's table, an index on another table, or a view may differ."""
    database, folder = prepared(tmp_path, by_hand, {"0004_it.sql": REBUILD})
    if "VIEW" in by_hand:  # its table is missing until the new one gets the name
        assert "own" in by_command(database, folder) or ids(database)[-1] == "0004_it"
        return
    assert way(database, folder) == ""
    assert ids(database) == (*FAMILY_IDS, "0004_it")
    assert any("own" in line or "_litestream_seq" in line for line in dump(database))


def test_a_table_of_another_tool_does_not_stop_a_migration_of_unknown_effects(tmp_path: Path) -> None:
    """Everything that the migrations created is unchanged, so the migration runs."""
    by_hand = "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)"
    database, folder = prepared(tmp_path, by_hand, {"0004_it.sql": PENDING["unclear"]})
    assert by_command(database, folder) == ""


@WAYS
def test_a_table_with_another_spelling_is_rebuilt(tmp_path: Path, way: Way) -> None:
    """A table that means the same as the migrations' is rebuilt."""
    database, folder = prepared(tmp_path, "SELECT 1", {"0004_it.sql": REBUILD})
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(
            'PRAGMA foreign_keys = OFF; CREATE TABLE n("id" integer PRIMARY KEY,"name" text, "age" integer);'
            "INSERT INTO n SELECT * FROM parent; DROP TABLE parent; ALTER TABLE n RENAME TO parent;"
        )
    assert way(database, folder) == ""
    assert ids(database)[-1] == "0004_it"


def test_no_verify_compares_nothing(tmp_path: Path) -> None:
    """With ``--no-verify``, manual changes are lost, since hand-written SQL has no guards."""
    database, folder = prepared(tmp_path, "CREATE INDEX own ON parent (name)", {"0004_it.sql": REBUILD})
    assert apply_to(str(database), folder, options=RunOptions(verify=False)).applied == ("0004_it",)


def test_a_whole_run_is_checked_first(tmp_path: Path) -> None:
    """The rebuild is the second migration, in its own transaction; the first one isn't applied either."""
    files = {
        "0004_more.sql": HARMLESS["another table"],
        "0005_it.sql": REBUILD.replace("0003_age", "0004_more"),
    }
    database, folder = prepared(tmp_path, "CREATE INDEX own ON parent (name)", files)
    with pytest.raises(DatabaseRefused, match="added index own"):
        apply_to(str(database), folder, options=RunOptions(transaction="each"))
    assert ids(database) == FAMILY_IDS


def test_a_dry_run_refuses_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--dry-run`` prints the same refusal as ``apply``."""
    database, folder = prepared(tmp_path, "CREATE INDEX own ON parent (name)", {"0004_it.sql": REBUILD})
    monkeypatch.chdir(tmp_path)
    assert main(["apply", str(database), "--dry-run", "--migrations", str(folder)]) == 3
    assert "added index own" in capsys.readouterr().err
