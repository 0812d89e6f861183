"""Foreign keys are off during a run. New violations fail, and old ones are left alone."""

from __future__ import annotations

import inspect
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import run_yoyo, write_folder
from waiaas_migrate.errors import ApplyError
from waiaas_migrate.runner.apply import ApplyResult, apply_pending, apply_to
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.rollback import roll_back
from waiaas_migrate.runner.watching.events import Listener
from waiaas_migrate.sqlite.database.connection import connect_file


def apply(connection: sqlite3.Connection, folder: Path, listener: Listener | None = None) -> ApplyResult:
    """Apply pending migrations."""
    return apply_pending(connection, read_folder(folder), RunOptions(listener=listener, backup="never"))


REBUILD = (
    "-- depends: 0003_age\n"
    "CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, extra TEXT);\n"
    "INSERT INTO new_parent (id, name, age) SELECT id, name, age FROM parent;\n"
    "DROP TABLE parent;\n"
    "ALTER TABLE new_parent RENAME TO parent;\n"
)


def add_family(connection: sqlite3.Connection) -> None:
    """Add a parent with two children, and an orphan."""
    connection.executescript(
        "PRAGMA foreign_keys = OFF; INSERT INTO parent (id) VALUES (1);"
        "INSERT INTO child VALUES (1, 1), (2, 1), (3, 99); PRAGMA foreign_keys = ON;"
    )


def test_foreign_keys_are_off_while_migrations_run_and_back_afterwards(
    connection: sqlite3.Connection, folder: Path
) -> None:
    """DROP TABLE in a rebuild deletes no children, and the old orphan is left alone, with a notice."""
    apply(connection, folder)
    add_family(connection)
    write_folder(folder, {"0004_rebuild.sql": REBUILD})
    result = apply(connection, folder)
    assert result.applied == ("0004_rebuild",)
    assert "row 3 of child (parent_id) has no parent in parent" in "".join(result.notices)
    assert connection.execute("SELECT * FROM child").fetchall() == [(1, 1), (2, 1), (3, 99)]
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM parent WHERE id = 1;", "row 1 of child (parent_id)"),
        ("DELETE FROM child WHERE id = 3; INSERT INTO child VALUES (4, 98);", "row 4 of child"),
        ("UPDATE child SET parent_id = 98 WHERE id = 3;", "row 3 of child"),
        ("UPDATE child SET parent_id = 100 - parent_id WHERE id IN (2, 3);", "row 2 of child"),
        ("CREATE TABLE odd (x REFERENCES parent (name)); INSERT INTO odd VALUES (1);", "odd: foreign key mismatch"),
    ],
    ids=["parent gone", "one for another", "another value", "two that swap", "mismatch"],
)
def test_a_new_violation_fails_and_is_named(connection: sqlite3.Connection, folder: Path, sql: str, words: str) -> None:
    """A new violation fails even if an old one was removed, so that the count stays the same."""
    apply(connection, folder)
    add_family(connection)
    before = list(connection.iterdump())
    write_folder(folder, {"0004_x.sql": f"-- depends: 0003_age\n{sql}"})
    with pytest.raises(ApplyError, match="new foreign key violations") as caught:
        apply(connection, folder)
    assert words in str(caught.value)
    assert list(connection.iterdump()) == before
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


ANNOUNCED = "-- hazard FOREIGN_KEY_MISMATCH odd: its foreign key on x refers to parent (name)\n-- depends: 0003_age\n"
ODD = "CREATE TABLE odd (x REFERENCES parent (name), y REFERENCES parent (id)); INSERT INTO odd VALUES (1, 1);\n"


def test_a_mismatch_that_is_announced_passes(connection: sqlite3.Connection, folder: Path) -> None:
    """An announced mismatch is reported, even if a later migration renames the table.

    Later runs report it as an old one.
    """
    apply(connection, folder)
    add_family(connection)
    rename = "-- depends: 0004_odd\nALTER TABLE odd RENAME TO even;\n"
    write_folder(folder, {"0004_odd.sql": ANNOUNCED + ODD, "0005_rename.sql": rename})
    came, _ = apply(connection, folder).notices
    assert "0004_odd to 0005_rename added foreign keys that SQLite cannot enforce, as announced: even: foreign" in came
    write_folder(folder, {"0006_rename.sql": "-- depends: 0005_rename\nALTER TABLE even RENAME TO odd;\n"})
    (left,) = apply(connection, folder).notices
    assert left.startswith("existing foreign key violations were left")
    assert "odd: foreign key mismatch" in left


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE TABLE more (x REFERENCES parent (name));", "more: foreign key mismatch"),
        ("INSERT INTO odd VALUES ('nobody', 77);", "row 2 of odd (y) has no parent in parent"),
        ("DELETE FROM parent WHERE id = 1;", "row 1 of odd (y) has no parent in parent"),
    ],
    ids=["another table", "a row of the other key", "a parent by the other key"],
)
def test_an_announcement_excuses_nothing_else(
    connection: sqlite3.Connection, folder: Path, sql: str, words: str
) -> None:
    """Other mismatches are still refused, and so are orphans by the table's other foreign key."""
    apply(connection, folder)
    add_family(connection)
    before = list(connection.iterdump())
    write_folder(folder, {"0004_odd.sql": ANNOUNCED + ODD + sql})
    with pytest.raises(ApplyError, match=re.escape(words)):
        apply(connection, folder)
    assert list(connection.iterdump()) == before


def test_a_mismatch_outside_transactions_and_back(connection: sqlite3.Connection, folder: Path) -> None:
    """An announced mismatch passes; a rollback that adds one must announce it in its own file."""
    apply(connection, folder)
    write_folder(folder, {"0004_odd.sql": "-- transactional: false\n" + ANNOUNCED + ODD.partition(" INSERT")[0]})
    assert "0004_odd added foreign keys" in "".join(apply(connection, folder).notices)
    mend = "-- depends: 0004_odd\nCREATE UNIQUE INDEX by_name ON parent (name);\n"
    write_folder(folder, {"0005_mend.sql": mend, "0005_mend.rollback.sql": "DROP INDEX by_name;\n"})
    apply(connection, folder)
    with pytest.raises(ApplyError, match="odd: foreign key mismatch"):
        roll_back(connection, read_folder(folder))
    write_folder(folder, {"0005_mend.rollback.sql": ANNOUNCED + "DROP INDEX by_name;\n"})
    assert "0005_mend added foreign keys" in "".join(roll_back(connection, read_folder(folder)).notices)


OTHER = {
    "0004_other.sql": (
        "-- depends: 0003_age\nCREATE TABLE other (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id));\n"
    )
}
RENAME = (
    "ALTER TABLE parent RENAME TO elder; ALTER TABLE child RENAME TO junior;"
    "ALTER TABLE junior RENAME COLUMN parent_id TO elder_id;"
)
SWAP = (
    "ALTER TABLE child RENAME TO aside; ALTER TABLE other RENAME TO child; ALTER TABLE aside RENAME TO other;"
    "UPDATE parent SET age = 1;"
)
REBUILD_CHILD = (
    "CREATE TABLE new (id INTEGER PRIMARY KEY, parent_id TEXT REFERENCES parent (id)) WITHOUT ROWID;"
    "INSERT INTO new SELECT id + 10, parent_id FROM child; DROP TABLE child; ALTER TABLE new RENAME TO child;"
)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (RENAME, "row 3 of junior (elder_id) has no parent in elder"),
        ("UPDATE child SET id = id + 10;", "row 13 of child (parent_id) has no parent in parent"),
        (SWAP, "row 3 of other (parent_id) has no parent in parent"),
        (REBUILD_CHILD, "a row of child (parent_id) has no parent in parent"),
    ],
    ids=["other names", "other rowids", "swapped names", "another type and no rowid"],
)
def test_an_old_orphan_is_recognized(connection: sqlite3.Connection, folder: Path, sql: str, words: str) -> None:
    """An old orphan is recognized by its row and missing parent. Its table, column and rowid may have changed."""
    apply(connection, write_folder(folder, OTHER))
    add_family(connection)
    write_folder(folder, {"0005_change.sql": f"-- depends: 0004_other\n{sql}"})
    assert words in "".join(apply(connection, folder).notices)


def test_an_old_orphan_that_goes_excuses_no_other(connection: sqlite3.Connection, folder: Path) -> None:
    """A new orphan in another table is a violation, even if an old orphan with the same value was removed."""
    apply(connection, write_folder(folder, OTHER))
    add_family(connection)
    sql = "DELETE FROM child WHERE parent_id = 99; INSERT INTO other VALUES (7, 99);"
    write_folder(folder, {"0005_change.sql": f"-- depends: 0004_other\n{sql}"})
    with pytest.raises(ApplyError, match=r"new foreign key violations: row 7 of other"):
        apply(connection, folder)


def test_an_old_orphan_that_goes_with_a_rebuild_excuses_no_other(connection: sqlite3.Connection, folder: Path) -> None:
    """The same holds if the rebuilt table has no rowids any more."""
    apply(connection, write_folder(folder, OTHER))
    add_family(connection)
    sql = f"UPDATE child SET parent_id = 98 WHERE id = 3; {REBUILD_CHILD}"
    write_folder(folder, {"0005_change.sql": f"-- depends: 0004_other\n{sql}"})
    with pytest.raises(ApplyError, match=r"new foreign key violations: a row of child"):
        apply(connection, folder)


def test_an_old_mismatch_is_left_alone(connection: sqlite3.Connection, folder: Path) -> None:
    """SQLite refuses to check such a table; this neither stops the run nor hides other violations."""
    apply(connection, folder)
    odd = "-- depends: 0003_age\nCREATE TABLE odd (x REFERENCES parent (name));\n"
    write_folder(folder, {"0004_odd.sql": odd})
    with pytest.raises(ApplyError, match="mismatch"):
        apply(connection, folder)
    run_yoyo("apply", Path(connection.execute("PRAGMA database_list").fetchone()[2]), folder)
    connection.execute("INSERT INTO odd VALUES (1)")
    connection.commit()
    write_folder(
        folder, {"0005_more.sql": "-- depends: 0004_odd\nCREATE TABLE more (x);\nINSERT INTO more VALUES (1);"}
    )
    result = apply(connection, folder)
    assert result.applied == ("0005_more",)
    assert "odd: foreign key mismatch" in "".join(result.notices)
    write_folder(folder, {"0006_bad.sql": "-- depends: 0005_more\nINSERT INTO child VALUES (9, 9);"})
    with pytest.raises(ApplyError, match="row 9 of child"):
        apply(connection, folder)


def compare(one: str, other: str) -> int:
    """Compare without case, for all letters; SQLite's own NOCASE knows only ASCII letters."""
    return (one.casefold() > other.casefold()) - (one.casefold() < other.casefold())


@pytest.mark.parametrize("collation", ["NOCASE", "unicode"])
def test_collations_of_the_connection_decide(connection: sqlite3.Connection, tmp_path: Path, collation: str) -> None:
    """The caller's collation decides whether a row has a parent, before the run and after it."""
    connection.create_collation(collation, compare)
    first = f"CREATE TABLE p (n TEXT COLLATE {collation} PRIMARY KEY); CREATE TABLE c (n REFERENCES p (n));"
    folder = write_folder(tmp_path / "n", {"1.sql": first}, record=False)
    apply_pending(connection, read_folder(folder))
    connection.executescript("INSERT INTO p VALUES ('\u00c9'), ('b'); INSERT INTO c VALUES ('\u00e9'), ('nobody');")
    write_folder(folder, {"2.sql": "-- depends: 1\nDELETE FROM p WHERE n <> 'b';"}, record=False)
    with pytest.raises(ApplyError, match=r"new foreign key violations: row 1 of c \(n\) has no parent"):
        apply_pending(connection, read_folder(folder))
    write_folder(folder, {"2.sql": "-- depends: 1\nUPDATE p SET n = n;"}, record=False)
    (left,) = apply_pending(connection, read_folder(folder)).notices
    assert left.startswith("existing foreign key violations were left")
    assert "row 2 of c" in left


def test_collations_of_a_migration_in_python_decide(tmp_path: Path) -> None:
    """A Python migration may register a collation, also for later migrations with their own transactions."""
    first = "CREATE TABLE p (n TEXT COLLATE NOCASE PRIMARY KEY); CREATE TABLE c (n REFERENCES p (n));"
    first += "INSERT INTO p VALUES ('\u00c9'), ('b'); INSERT INTO c VALUES ('\u00e9'), ('nobody');"
    python = f"from yoyo import step\n__depends__ = {{'1'}}\n{inspect.getsource(compare)}"
    python += "steps = [step(lambda connection: connection.create_collation('NOCASE', compare))]\n"
    files = {"2.py": python, "3.sql": "-- depends: 2\nREINDEX; DELETE FROM p WHERE n <> 'b';"}
    folder = write_folder(tmp_path / "n", {"1.sql": first}, record=False)
    with closing(connect_file(tmp_path / "a.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = OFF")
    run_yoyo("apply", tmp_path / "a.db", folder)
    write_folder(folder, files, record=False)
    with pytest.raises(ApplyError, match=r"new foreign key violations: row 1 of c \(n\) has no parent"):
        apply_to(str(tmp_path / "a.db"), folder, options=RunOptions(transaction="each"))
