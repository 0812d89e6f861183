"""The foreign key check reads only rows that can violate a key, and finds all orphans with a few statements."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.runner.test_foreign_keys import apply
from tests.support.folders import write_folder
from tests.support.transitions import generate, write_schema
from waiaas_migrate.errors import ApplyError
from waiaas_migrate.runner.apply import ApplyResult, apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.proof.foreign_key_check import ForeignKeyCheck
from waiaas_migrate.runner.proof.violations import read_keys, violations
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.planning.effects import Effects


def test_a_parent_that_is_no_longer_unique_is_noticed() -> None:
    """The mismatch is found even if the recorded effects don't say that a foreign key can break."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        memory.executescript(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY, name); CREATE UNIQUE INDEX parent_name ON parent (name);"
            "CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent (name));"
        )
        check = ForeignKeyCheck(memory, [Effects()])
        assert check.finish("x") == ()
        memory.execute("DROP INDEX parent_name")
        with pytest.raises(ApplyError, match="child: foreign key mismatch"):
            check.finish("x")


def test_a_run_that_drops_what_made_parents_unique_fails(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """Dropping the parent's unique index fails, although no row changed."""
    files = {
        "1.sql": "CREATE TABLE p (a); CREATE UNIQUE INDEX p_a ON p (a); CREATE TABLE c (a REFERENCES p (a));",
        "2.sql": "-- depends: 1\nDROP INDEX p_a;",
    }
    folder = write_folder(tmp_path / "n", {"1.sql": files["1.sql"]})
    apply_pending(connection, read_folder(folder))
    write_folder(folder, files)
    with pytest.raises(ApplyError, match="foreign key mismatch"):
        apply_pending(connection, read_folder(folder))
    assert [row.id for row in read_applied(connection) or ()] == ["1"]


def test_rows_are_not_read_if_none_changed(connection: sqlite3.Connection, folder: Path) -> None:
    """If no row changed, old orphans are not even looked for, whatever their number."""
    apply_pending(connection, read_folder(folder))
    connection.executescript("PRAGMA foreign_keys = OFF; INSERT INTO child VALUES (1, 99);")
    write_folder(folder, {"0004_note.sql": "-- depends: 0003_age\nALTER TABLE child ADD COLUMN note TEXT;\n"})
    assert apply_pending(connection, read_folder(folder)) == ApplyResult(applied=("0004_note",))
    write_folder(folder, {"0005_rows.sql": "-- depends: 0004_note\nUPDATE child SET note = 'x';\n"})
    assert "row 1 of child" in "".join(apply_pending(connection, read_folder(folder)).notices)


def test_rows_of_other_tables_are_not_read(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """A rebuild checks only the foreign keys of its table and to its table: once before, once after."""
    numbered = {"type": "integer", "primary_key": True}
    tables: dict[str, Any] = {
        "parent": {"columns": {"id": numbered, "x": {"type": "integer", "default": 1}}},
        "child": {"columns": {"id": numbered, "p": {"type": "integer", "references": "parent.id"}}},
        "other": {"columns": {"id": numbered, "c": {"type": "integer", "references": "child.id"}}},
    }
    write_schema(tmp_path, {"tables": tables})
    generate(tmp_path, "first")
    apply(connection, tmp_path / "migrations")
    connection.executescript(
        "PRAGMA foreign_keys = OFF; INSERT INTO child VALUES (1, 9); INSERT INTO other VALUES (1, 9);"
    )
    tables["parent"]["columns"]["x"]["default"] = 2
    write_schema(tmp_path, {"tables": tables})
    generate(tmp_path, "second")
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    notices = "".join(apply(connection, tmp_path / "migrations").notices)
    connection.set_trace_callback(None)
    assert "row 1 of child" in notices
    assert "other" not in notices
    assert [sum(f"FROM main.{name} " in one for one in statements) for name in ("child", "other")] == [2, 0]
    assert sum(one.splitlines()[-1].startswith("ALTER TABLE parent RENAME") for one in statements) == 1


def test_an_interruption_is_not_a_violation(connection: sqlite3.Connection, folder: Path) -> None:
    """An interrupted check is reported as such."""
    apply_pending(connection, read_folder(folder))
    connection.execute("INSERT INTO parent (id) VALUES (1)")
    connection.executemany("INSERT INTO child VALUES (?, 1)", [(number,) for number in range(2000)])
    connection.set_progress_handler(lambda: 1, 2000)  # so many instructions takes the check alone
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        list(violations(connection, read_keys(connection)))


#: A table of orphans: of every kind of table, and with a key beside it that SQLite cannot enforce.
KINDS = {
    "plain": "CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT REFERENCES p (id))",
    "composite": "CREATE TABLE c (p TEXT, q TEXT, FOREIGN KEY (p, q) REFERENCES q (a, b))",
    "without rowid": "CREATE TABLE c (id PRIMARY KEY, p TEXT REFERENCES p (id)) WITHOUT ROWID",
    "rowid is taken": "CREATE TABLE c (rowid TEXT, _rowid_ TEXT, p TEXT REFERENCES p (id))",
    "beside a mismatch": "CREATE TABLE c (id INTEGER, p TEXT REFERENCES p (id), n TEXT REFERENCES p (name))",
}


def orphaned(connection: sqlite3.Connection, kind: str, number: int) -> None:
    """Make a table with ``number`` orphans, the first with a key that is not UTF-8."""
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
    """A few statements find all orphans, however many there are and whatever their keys."""
    asked = []
    for number in (3, 300):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
            orphaned(memory, kind, number)
            statements: list[str] = []
            memory.set_trace_callback(statements.append)
            found = [one for one in violations(memory, read_keys(memory)) if not one.error]
            asked.append(len(statements))
        assert len(found) == number
        assert len({one.values for one in found}) == number
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
    """Such an orphan doesn't count as damage, and doesn't stop a migration."""
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
    assert "existing foreign key violations" in "".join(result.notices)


def test_an_orphan_that_becomes_another_is_new(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """Keys that are not UTF-8 are compared byte by byte."""
    orphaned(connection, "plain", 3)
    connection.execute("CREATE TABLE _yoyo_migration (id VARCHAR(191) NOT NULL PRIMARY KEY, ctime TIMESTAMP)")
    connection.execute("INSERT INTO _yoyo_migration VALUES ('0001_first', '2015-01-01 00:00:00')")
    connection.commit()
    text = "-- depends: 0001_first\nUPDATE c SET p = CAST(x'fe41' AS TEXT) WHERE id = 1;\n"
    folder = write_folder(tmp_path / "others", {"0001_first.sql": "SELECT 1;\n", "0002_more.sql": text}, record=False)
    with pytest.raises(ApplyError, match="new foreign key violations: row 1 of c"):
        apply_pending(connection, read_folder(folder))
