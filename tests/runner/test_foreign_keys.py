"""Foreign keys across a run: off, and back; what is new fails, what is old is left alone, and where it is looked at."""

from __future__ import annotations

import inspect
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, run_yoyo, write_folder
from waiaas_migrate.errors import ApplyError
from waiaas_migrate.runner.apply import ApplyResult, apply_pending, apply_to
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.proof.foreign_keys import ForeignKeyCheck, KeysChanged, violations
from waiaas_migrate.runner.rollback import roll_back
from waiaas_migrate.runner.watching.events import Event, Listener, MigrationStarted
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.planning.effects import Effects
from waiaas_migrate.sqlite.planning.sql_effects import effects_of_sql


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recorded folder of three migrations."""
    return write_folder(tmp_path / "m", FAMILY)


@pytest.fixture(params=["DELETE", "WAL"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a new file, in either journal mode: in the one, readers see what is committed, at any time."""
    with closing(connect_file(tmp_path / "a.db")) as connection:
        connection.execute(f"PRAGMA journal_mode = {request.param}")
        yield connection


def apply(connection: sqlite3.Connection, folder: Path, listener: Listener | None = None) -> ApplyResult:
    """Apply what is pending, on a connection that is like any other."""
    return apply_pending(
        connection, read_folder(folder), RunOptions(listener=listener, backup="never"), owns_connection=True
    )


def applied_ids(connection: sqlite3.Connection) -> tuple[str, ...]:
    """What the books say."""
    return tuple(row.id for row in read_applied(connection) or ())


REBUILD = (
    "-- depends: 0003_age\n"
    "CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, extra TEXT);\n"
    "INSERT INTO new_parent (id, name, age) SELECT id, name, age FROM parent;\n"
    "DROP TABLE parent;\n"
    "ALTER TABLE new_parent RENAME TO parent;\n"
)


def add_family(connection: sqlite3.Connection) -> None:
    """A parent with two children, and an orphan."""
    connection.executescript(
        "PRAGMA foreign_keys = OFF; INSERT INTO parent (id) VALUES (1);"
        "INSERT INTO child VALUES (1, 1), (2, 1), (3, 99); PRAGMA foreign_keys = ON;"
    )


def test_foreign_keys_are_off_while_migrations_run_and_back_afterwards(
    connection: sqlite3.Connection, folder: Path
) -> None:
    """DROP TABLE in a rebuild would delete the children; and the old orphan is left alone, with a notice."""
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
        ("CREATE TABLE odd (x REFERENCES parent (name)); INSERT INTO odd VALUES (1);", "odd: foreign key mismatch"),
    ],
    ids=["parent gone", "one for another", "another value", "mismatch"],
)
def test_a_new_violation_fails_and_is_named(connection: sqlite3.Connection, folder: Path, sql: str, words: str) -> None:
    """Violations are told apart by what they are: that their number stays the same is no excuse."""
    apply(connection, folder)
    add_family(connection)
    before = list(connection.iterdump())
    write_folder(folder, {"0004_x.sql": f"-- depends: 0003_age\n{sql}"})
    with pytest.raises(ApplyError, match="foreign keys that held before") as caught:
        apply(connection, folder)
    assert words in str(caught.value)
    assert list(connection.iterdump()) == before
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


ANNOUNCED = "-- hazard FOREIGN_KEY_MISMATCH odd: its foreign key on x refers to parent (name)\n-- depends: 0003_age\n"
ODD = "CREATE TABLE odd (x REFERENCES parent (name), y REFERENCES parent (id)); INSERT INTO odd VALUES (1, 1);\n"


def test_a_mismatch_that_is_announced_passes(connection: sqlite3.Connection, folder: Path) -> None:
    """It is told, also where the table has another name by the end of the run; and again as an old one later."""
    apply(connection, folder)
    add_family(connection)
    rename = "-- depends: 0004_odd\nALTER TABLE odd RENAME TO even;\n"
    write_folder(folder, {"0004_odd.sql": ANNOUNCED + ODD, "0005_rename.sql": rename})
    came, _ = apply(connection, folder).notices
    assert "came with 0004_odd to 0005_rename, which says so: even: foreign key mismatch, no key of parent" in came
    write_folder(folder, {"0006_rename.sql": "-- depends: 0005_rename\nALTER TABLE even RENAME TO odd;\n"})
    (left,) = apply(connection, folder).notices
    assert left.startswith("foreign keys did not hold before")
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
def test_what_is_announced_excuses_nothing_else(
    connection: sqlite3.Connection, folder: Path, sql: str, words: str
) -> None:
    """Another mismatch is refused as ever, and so are rows without a parent by the table's other foreign key."""
    apply(connection, folder)
    add_family(connection)
    before = list(connection.iterdump())
    write_folder(folder, {"0004_odd.sql": ANNOUNCED + ODD + sql})
    with pytest.raises(ApplyError, match=re.escape(words)):
        apply(connection, folder)
    assert list(connection.iterdump()) == before


def test_a_mismatch_outside_transactions_and_back(connection: sqlite3.Connection, folder: Path) -> None:
    """What is announced passes there too; and a rollback that brings one is asked to announce it in its own file."""
    apply(connection, folder)
    write_folder(folder, {"0004_odd.sql": "-- transactional: false\n" + ANNOUNCED + ODD.partition(" INSERT")[0]})
    assert "came with 0004_odd" in "".join(apply(connection, folder).notices)
    mend = "-- depends: 0004_odd\nCREATE UNIQUE INDEX by_name ON parent (name);\n"
    write_folder(folder, {"0005_mend.sql": mend, "0005_mend.rollback.sql": "DROP INDEX by_name;\n"})
    apply(connection, folder)
    with pytest.raises(ApplyError, match="odd: foreign key mismatch"):
        roll_back(connection, read_folder(folder))
    write_folder(folder, {"0005_mend.rollback.sql": ANNOUNCED + "DROP INDEX by_name;\n"})
    assert "came with 0005_mend" in "".join(roll_back(connection, read_folder(folder)).notices)


def test_an_old_orphan_may_be_renamed_with_its_table(connection: sqlite3.Connection, folder: Path) -> None:
    """It is the same row with the same missing parent, whatever its table and column are called now."""
    apply(connection, folder)
    add_family(connection)
    renames = (
        "-- depends: 0003_age\nALTER TABLE parent RENAME TO elder;\nALTER TABLE child RENAME TO junior;\n"
        "ALTER TABLE junior RENAME COLUMN parent_id TO elder_id;\n"
    )
    write_folder(folder, {"0004_rename.sql": renames})
    assert "row 3 of junior (elder_id) has no parent in elder" in "".join(apply(connection, folder).notices)


def test_an_old_mismatch_is_left_alone(connection: sqlite3.Connection, folder: Path) -> None:
    """SQLite gives up checking such a table, which neither stops the run nor hides other violations."""
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


# --- what was before is looked at afterwards, where it can be ---------------------------------------------------------


def runs(connection: sqlite3.Connection, folder: Path) -> tuple[ApplyResult, int]:
    """What a run did, and how often it began its first migration."""
    events: list[Event] = []
    result = apply(connection, folder, events.append)
    return result, sum(isinstance(event, MigrationStarted) and event.number == 1 for event in events)


@pytest.mark.parametrize(("locking", "often"), [("NORMAL", 1), ("EXCLUSIVE", 2)])
def test_old_orphans_are_told_whoever_may_read(
    connection: sqlite3.Connection, folder: Path, locking: str, often: int
) -> None:
    """Where no other connection can see what was before, the run is repeated, and looks at it first."""
    apply(connection, folder)
    add_family(connection)
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    connection.execute(f"PRAGMA locking_mode = {locking}")
    connection.execute("UPDATE parent SET name = 'x'")
    connection.commit()
    write_folder(folder, {"0004_rebuild.sql": REBUILD})
    result, began = runs(connection, folder)
    assert result.applied == ("0004_rebuild",)
    assert "row 3 of child (parent_id) has no parent in parent" in "".join(result.notices)
    assert began == (often if mode == "wal" else 1)
    assert connection.execute("SELECT name FROM parent").fetchall() == [("x",)]


def test_a_new_orphan_beside_an_old_one_where_nobody_else_may_read(
    connection: sqlite3.Connection, folder: Path
) -> None:
    """It is found in the repeated run, of which nothing stays."""
    apply(connection, folder)
    add_family(connection)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    before = list(connection.iterdump())
    write_folder(folder, {"0004_x.sql": "-- depends: 0003_age\nDELETE FROM parent;"})
    with pytest.raises(ApplyError, match="row 1 of child"):
        apply(connection, folder)
    assert list(connection.iterdump()) == before


WRITE = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("DELETE FROM child")
except sqlite3.OperationalError as error:
    print(error)
"""


def test_looking_back_keeps_the_lock(connection: sqlite3.Connection, folder: Path, tmp_path: Path) -> None:
    """Another process can write no sooner than before: what reads meanwhile drops no lock when it is closed."""
    apply(connection, folder)
    add_family(connection)
    connection.isolation_level = None
    connection.execute("BEGIN IMMEDIATE")
    check = ForeignKeyCheck(connection, effects("DELETE FROM child WHERE id = 1"), attach=lambda _: None)
    connection.execute("DELETE FROM child WHERE id = 1")
    assert "row 3 of child" in "".join(check.finish("x"))
    said = subprocess.run(
        [sys.executable, "-c", WRITE, str(tmp_path / "a.db")], capture_output=True, text=True, check=True
    )
    assert said.stdout == "database is locked\n"
    connection.execute("COMMIT")
    assert connection.execute("SELECT id FROM child").fetchall() == [(2,), (3,)]


def effects(*statements: str) -> list[Effects]:
    """What these statements do."""
    return [effects_of_sql(statements)]


def compare(one: str, other: str) -> int:
    """Whatever the letters are: SQLite's own NOCASE knows the English ones only."""
    return (one.casefold() > other.casefold()) - (one.casefold() < other.casefold())


@pytest.mark.parametrize("collation", ["NOCASE", "unicode"])
def test_what_the_connection_takes_for_the_same(connection: sqlite3.Connection, tmp_path: Path, collation: str) -> None:
    """A collation of the caller's decides whether a row has a parent, before the run and after it."""
    connection.create_collation(collation, compare)
    first = f"CREATE TABLE p (n TEXT COLLATE {collation} PRIMARY KEY); CREATE TABLE c (n REFERENCES p (n));"
    folder = write_folder(tmp_path / "n", {"1.sql": first}, record=False)
    apply_pending(connection, read_folder(folder))
    connection.executescript("INSERT INTO p VALUES ('\u00c9'), ('b'); INSERT INTO c VALUES ('\u00e9'), ('nobody');")
    write_folder(folder, {"2.sql": "-- depends: 1\nDELETE FROM p WHERE n <> 'b';"}, record=False)
    with pytest.raises(ApplyError, match=r"do not hold afterwards: row 1 of c \(n\) has no parent"):
        apply_pending(connection, read_folder(folder))
    write_folder(folder, {"2.sql": "-- depends: 1\nUPDATE p SET n = n;"}, record=False)
    (left,) = apply_pending(connection, read_folder(folder)).notices
    assert left.startswith("foreign keys did not hold before")
    assert "row 2 of c" in left


def test_what_a_migration_in_python_takes_for_the_same(tmp_path: Path) -> None:
    """It may give the connection a collation, for the migrations after it too, where each has its own transaction."""
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
    with pytest.raises(ApplyError, match=r"do not hold afterwards: row 1 of c \(n\) has no parent"):
        apply_to(str(tmp_path / "a.db"), folder, options=RunOptions(transaction="each"))


def times_asked(tmp_path: Path, orphans: int) -> int:
    """How often a run is asked whether it shall stop, where so many of many rows have no parent."""
    folder = write_folder(tmp_path / "m", FAMILY)
    path = tmp_path / f"{orphans}.db"
    apply_to(str(path), folder)
    with closing(connect_file(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("INSERT INTO parent (id) VALUES (1)")
        numbers = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 100000)"
        connection.execute(f"INSERT INTO child {numbers} SELECT n, 1 + (n <= {orphans}) FROM r")
        connection.commit()
    write_folder(tmp_path / "n", {**FAMILY, "0004_x.sql": "-- depends: 0003_age\nDELETE FROM child WHERE id = 99;"})
    asked: list[int] = []

    class Stop:
        def is_set(self) -> bool:
            asked.append(1)
            return False

    apply_to(str(path), tmp_path / "n", options=RunOptions(backup="never", stop=Stop()))
    return len(asked)


def test_looking_back_can_be_stopped(tmp_path: Path) -> None:
    """A run is asked meanwhile as it is while it looks at the rows as they are now."""
    assert times_asked(tmp_path, 1) > 1.5 * times_asked(tmp_path, 0) > 15


def test_looking_back_that_is_stopped(connection: sqlite3.Connection, folder: Path) -> None:
    """It is no reason to repeat the run."""
    apply(connection, folder)
    add_family(connection)
    connection.isolation_level = None
    connection.execute("BEGIN IMMEDIATE")
    check = ForeignKeyCheck(
        connection, effects("DELETE FROM child"), attach=lambda other: other.set_progress_handler(lambda: 1, 1)
    )
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            check.finish("x")
    else:
        assert "row 3 of child" in "".join(check.finish("x"))


# --- foreign keys are looked at where they could have changed ---------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "DROP INDEX parent_name",
        "CREATE UNIQUE INDEX other ON parent (name)",
        "UPDATE sqlite_master SET sql = replace(sql, 'REFERENCES parent (name)', '') WHERE name = 'child'",
    ],
)
def test_keys_and_parents_that_changed_are_noticed(statement: str) -> None:
    """Though no row did: a parent that is no longer unique, one more unique index, a foreign key edited away."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        memory.executescript(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY, name); CREATE UNIQUE INDEX parent_name ON parent (name);"
            "CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent (name)); PRAGMA writable_schema = ON;"
        )
        check = ForeignKeyCheck(memory, [Effects()])
        assert check.finish("x") == ()
        memory.execute(statement)
        memory.execute("PRAGMA writable_schema = RESET")
        with pytest.raises(KeysChanged):
            check.finish("x")


def test_a_run_that_drops_what_made_parents_unique_fails(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """It looked harmless, turned out not to be, and was repeated with an eye on the rows."""
    files = {
        "1.sql": "CREATE TABLE p (a); CREATE UNIQUE INDEX p_a ON p (a); CREATE TABLE c (a REFERENCES p (a));",
        "2.sql": "-- depends: 1\nDROP INDEX p_a;",
    }
    folder = write_folder(tmp_path / "n", {"1.sql": files["1.sql"]})
    apply_pending(connection, read_folder(folder))
    write_folder(folder, files)
    with pytest.raises(ApplyError, match="foreign key mismatch"):
        apply_pending(connection, read_folder(folder))
    assert applied_ids(connection) == ("1",)


def test_rows_are_not_read_where_none_changed(connection: sqlite3.Connection, folder: Path) -> None:
    """Orphans that were there before are not even looked for, whatever their number."""
    apply_pending(connection, read_folder(folder))
    connection.executescript("PRAGMA foreign_keys = OFF; INSERT INTO child VALUES (1, 99);")
    write_folder(folder, {"0004_note.sql": "-- depends: 0003_age\nALTER TABLE child ADD COLUMN note TEXT;\n"})
    assert apply_pending(connection, read_folder(folder)) == ApplyResult(applied=("0004_note",))
    write_folder(folder, {"0005_rows.sql": "-- depends: 0004_note\nUPDATE child SET note = 'x';\n"})
    assert "row 1 of child" in "".join(apply_pending(connection, read_folder(folder)).notices)


def test_an_interruption_is_no_violation(connection: sqlite3.Connection, folder: Path) -> None:
    """Where the check of foreign keys is interrupted, it says so, and not that a key does not hold."""
    apply_pending(connection, read_folder(folder))
    connection.execute("INSERT INTO parent (id) VALUES (1)")
    connection.executemany("INSERT INTO child VALUES (?, 1)", [(number,) for number in range(2000)])
    connection.set_progress_handler(lambda: 1, 2000)  # so many instructions takes the check alone
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        violations(connection)


#: What makes a table of orphans: of every kind of table, and with a key that SQLite cannot follow beside it.
KINDS = {
    "plain": "CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT REFERENCES p (id))",
    "composite": "CREATE TABLE c (p TEXT, q TEXT, FOREIGN KEY (p, q) REFERENCES q (a, b))",
    "without rowid": "CREATE TABLE c (id PRIMARY KEY, p TEXT REFERENCES p (id)) WITHOUT ROWID",
    "rowid is taken": "CREATE TABLE c (rowid TEXT, _rowid_ TEXT, p TEXT REFERENCES p (id))",
    "beside a mismatch": "CREATE TABLE c (id INTEGER, p TEXT REFERENCES p (id), n TEXT REFERENCES p (name))",
}


def orphaned(connection: sqlite3.Connection, kind: str, number: int) -> None:
    """Make a table with so many rows that have no parent, the first with a key that is not UTF-8."""
    connection.executescript(
        f"CREATE TABLE p (id TEXT PRIMARY KEY, name TEXT); CREATE TABLE q (a, b, UNIQUE (a, b)); {KINDS[kind]};"
    )
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(c)") if name != "n"]
    values = ", ".join("i" if name == "id" else "iif(i = 1, CAST(x'ff41' AS TEXT), 'none ' || i)" for name in columns)
    connection.execute(
        f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) "
        f"INSERT INTO c ({', '.join(columns)}) SELECT {values} FROM n"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_old_orphans_cost_no_statement_each(kind: str) -> None:
    """However many there are, and however strange their keys, a few statements find them all."""
    asked = []
    for number in (3, 300):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
            orphaned(memory, kind, number)
            statements: list[str] = []
            memory.set_trace_callback(statements.append)
            found = [one for one in violations(memory) if not one.error]
            asked.append(len(statements))
        assert len(found) == number
        assert len({one.values for one in found}) == (1 if kind == "without rowid" else number)
    assert asked[0] == asked[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE new (x); INSERT INTO new VALUES (1); DROP TABLE new;",
        "ALTER TABLE p RENAME TO old; ALTER TABLE old RENAME TO p; UPDATE p SET name = 'x';",
    ],
)
def test_an_old_orphan_whose_key_is_not_utf_8_is_left_alone(
    connection: sqlite3.Connection, tmp_path: Path, kind: str, sql: str
) -> None:
    """It is no damage, and holds up no migration."""
    orphaned(connection, kind, 3)
    first = {"0001_first.sql": "CREATE TABLE first (x);\n"}
    connection.execute("CREATE TABLE first (x)")
    connection.execute("CREATE TABLE _yoyo_migration (id VARCHAR(191) NOT NULL PRIMARY KEY, ctime TIMESTAMP)")
    connection.execute("INSERT INTO _yoyo_migration VALUES ('0001_first', '2015-01-01 00:00:00')")
    connection.commit()
    folder = write_folder(tmp_path / "others", first, record=False)
    write_folder(folder, {"0002_more.sql": f"-- depends: 0001_first\n{sql}\n"}, record=False)
    result = apply_pending(connection, read_folder(folder))
    assert result.applied == ("0002_more",)
    assert "did not hold before" in "".join(result.notices)


def test_an_orphan_that_becomes_another_is_new(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are told apart."""
    orphaned(connection, "plain", 3)
    connection.execute("CREATE TABLE _yoyo_migration (id VARCHAR(191) NOT NULL PRIMARY KEY, ctime TIMESTAMP)")
    connection.execute("INSERT INTO _yoyo_migration VALUES ('0001_first', '2015-01-01 00:00:00')")
    connection.commit()
    text = "-- depends: 0001_first\nUPDATE c SET p = CAST(x'fe41' AS TEXT) WHERE id = 1;\n"
    folder = write_folder(tmp_path / "others", {"0001_first.sql": "SELECT 1;\n", "0002_more.sql": text}, record=False)
    with pytest.raises(ApplyError, match="do not hold afterwards: row 1 of c"):
        apply_pending(connection, read_folder(folder))
