"""Guards of a migration, on databases that differ from what it was made for: which of them it refuses or accepts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.transitions import (
    apply_with_runner,
    apply_with_yoyo,
    generate,
    is_sound,
    roll_back_with_runner,
    roll_back_with_yoyo,
    rows_of,
    run_script,
    schema_of,
    write_schema,
)
from waiaas_migrate.errors import ApplyError, DatabaseRefused
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.folder import read_folder

Spec = dict[str, Any]
Apply = Callable[[Path, Path], None]
BOTH = pytest.mark.parametrize("apply", [apply_with_runner, apply_with_yoyo], ids=["runner", "yoyo"])

#: What the runner or a guard says about a table that was changed by hand.
REFUSED = r"its definition differs from what the migrations made|is not what the migrations made|were changed by hand|would differ from the one"

UNASKED = "PRAGMA ignore_check_constraints = ON;"

#: A table with a rule on each column.
LOTS: Spec = {
    "columns": {
        "id": {"type": "integer", "primary_key": True},
        "size": {"type": "integer", "check": "size > 0"},
        "state": {"type": "text", "default": "new", "enum": ["new", "old"]},
    }
}


def changed(table: Spec, column: str, **spec: object) -> Spec:
    """Return ``table`` with a column changed or added."""
    columns = {**table["columns"], column: {**table["columns"].get(column, {}), **spec}}
    return {**table, "columns": columns}


def prepared(folder: Path, old: Spec, new: Spec, rows: str = "", *, catalog_edits: bool = True) -> Path:
    """Make a database with the tables ``old`` and ``rows``, and a pending migration to ``new``."""
    database = folder / "a.db"
    write_schema(folder, {"tables": old}, catalog_edits=catalog_edits)
    generate(folder, "first")
    apply_with_runner(folder, database)
    run_script(database, rows)
    write_schema(folder, {"tables": new}, catalog_edits=catalog_edits)
    assert generate(folder, "second").migration is not None
    return database


def text_of(folder: Path, ending: str = ".sql") -> str:
    """Return the text of the second migration."""
    return (folder / "migrations" / f"0002_second{ending}").read_text(encoding="utf-8")


def edit_text(database: Path, table: str, old: str, new: str) -> None:
    """Edit a table's text in the catalog by hand."""
    run_script(
        database,
        f"PRAGMA writable_schema = ON;"
        f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = '{table}';"
        f"PRAGMA writable_schema = RESET;",
    )


# --- CHECKs that a copy does not test again ----------------------------------------------------------------------------


@BOTH
def test_a_copy_does_not_test_unchanged_checks(tmp_path: Path, apply: Apply) -> None:
    """A row that already broke a CHECK is copied, forward and back, and the CHECK applies to new rows."""
    rows = f"{UNASKED} INSERT INTO lots VALUES (1, 5, 'new'), (2, -5, 'torn');"
    database = prepared(tmp_path, {"lots": LOTS}, {"lots": changed(LOTS, "state", default="old")}, rows)
    before = rows_of(database, "lots", ["id", "size", "state"])
    apply(tmp_path, database)
    assert rows_of(database, "lots", ["id", "size", "state"]) == before
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
        run_script(database, "INSERT INTO lots (size) VALUES (0)")
    (roll_back_with_runner if apply is apply_with_runner else roll_back_with_yoyo)(tmp_path, database)
    assert rows_of(database, "lots", ["id", "size", "state"]) == before
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
        run_script(database, "INSERT INTO lots (size) VALUES (0)")


@pytest.mark.parametrize(
    ("new", "is_asked"),
    [
        (changed(LOTS, "state", default="old"), False),
        (changed(LOTS, "more", type="text", default_sql="lower('X')"), False),
        ({**changed(LOTS, "state", default="old"), "checks": ["id > 0"]}, True),
        (changed(changed(LOTS, "state", default="old"), "size", check="size > 1"), True),
        (changed(LOTS, "size", type="text"), True),
        (changed(LOTS, "state", collate="nocase"), True),
        (changed(LOTS, "state", default="next", enum=["next", "old"], enum_values={"renamed": {"new": "next"}}), True),
        (changed(changed(LOTS, "state", default="old"), "size", nullable=False, backfill="1"), True),
        ({**LOTS, "strict": True}, False),
    ],
    ids="default new-column new-check other-check type collation enum-renamed backfill strict".split(),
)
def test_a_copy_tests_changed_checks(tmp_path: Path, new: Spec, is_asked: bool) -> None:  # noqa: FBT001
    """The CHECKs are tested if one is new, or if a value that it reads changes or is compared differently."""
    prepared(tmp_path, {"lots": LOTS}, {"lots": new})
    text = text_of(tmp_path)
    assert "ALTER TABLE _waiaas_new_lots RENAME TO lots" in text
    assert (UNASKED not in text) is is_asked


@BOTH
def test_a_table_with_a_check_changed_by_hand_is_not_rebuilt(tmp_path: Path, apply: Apply) -> None:
    """The migration fails and keeps all rows, until the CHECK is as the migrations made it."""
    database = prepared(tmp_path, {"lots": LOTS}, {"lots": changed(LOTS, "state", default="old")})
    edit_text(database, "lots", "CHECK (size > 0)", "CHECK (size > -9)")
    run_script(database, "INSERT INTO lots (size) VALUES (-5), (7)")
    with pytest.raises(Exception, match=REFUSED):
        apply(tmp_path, database)
    assert rows_of(database, "lots", ["size"]) == [{"size": -5}, {"size": 7}]
    edit_text(database, "lots", "CHECK (size > -9)", "CHECK (size > 0)")
    run_script(database, "DELETE FROM lots WHERE size < 0")
    apply(tmp_path, database)
    assert rows_of(database, "lots", ["size"]) == [{"size": 7}]


def test_a_table_with_another_spelling(tmp_path: Path) -> None:
    """The runner first restores the spelling of the migrations; plain yoyo refuses the table."""
    database = prepared(tmp_path, {"lots": LOTS}, {"lots": changed(LOTS, "state", default="old")})
    edit_text(database, "lots", "CHECK (size > 0)", "check\n(  size>0 ) /* in stock */")
    run_script(database, "INSERT INTO lots (size) VALUES (7)")
    with pytest.raises(sqlite3.IntegrityError, match=REFUSED):
        apply_with_yoyo(tmp_path, database)
    apply_with_runner(tmp_path, database)
    assert rows_of(database, "lots", ["size", "state"]) == [{"size": 7, "state": "new"}]


@pytest.mark.parametrize("rule", [{"check": "size > 1"}, {"unique": True}], ids=["edit", "rebuild"])
def test_a_table_with_other_white_space(tmp_path: Path, rule: Spec) -> None:
    """Tabs and Windows line ends are white space, and the case of CURRENT_TIMESTAMP does not matter."""
    old = changed(LOTS, "at", type="double precision", default_sql="CURRENT_TIMESTAMP")
    database = prepared(tmp_path, {"lots": old}, {"lots": changed(old, "size", **rule)})
    edit_text(database, "lots", "CHECK (size > 0)", "CHECK\t(size\t>\r\n0)")
    edit_text(database, "lots", "double precision", "double\tprecision")
    edit_text(database, "lots", "CURRENT_TIMESTAMP", "current_timestamp")
    run_script(database, "INSERT INTO lots (size) VALUES (7)")
    with pytest.raises(sqlite3.IntegrityError, match=REFUSED):
        apply_with_yoyo(tmp_path, database)
    apply_with_runner(tmp_path, database)
    assert rows_of(database, "lots", ["size", "state"]) == [{"size": 7, "state": "new"}]


def test_a_failed_copy_restores_the_testing_of_checks(tmp_path: Path) -> None:
    """A migration that fails leaves the PRAGMAs of the connection as they were."""
    new = changed(changed(LOTS, "state", default="old"), "size", unique=True)
    database = prepared(tmp_path, {"lots": LOTS}, {"lots": new}, "INSERT INTO lots (size) VALUES (5), (5)")
    assert UNASKED in text_of(tmp_path)
    with closing(sqlite3.connect(database)) as connection:
        with pytest.raises(ApplyError, match="UNIQUE constraint failed"):
            apply_pending(connection, read_folder(tmp_path / "migrations"))
        assert connection.execute("PRAGMA ignore_check_constraints").fetchone() == (0,)
    assert len(rows_of(database, "lots", ["size"])) == 2


def test_guards_work_if_the_caller_ignores_checks(tmp_path: Path) -> None:
    """A guard is a CHECK, and works on a connection that ignores CHECKs; its PRAGMA is restored afterwards."""
    new = changed(LOTS, "size", check="size > 1")
    database = prepared(tmp_path, {"lots": LOTS}, {"lots": new}, "INSERT INTO lots (size) VALUES (1)")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(UNASKED)
        with pytest.raises(ApplyError, match="rows break the new CHECK"):
            apply_pending(connection, read_folder(tmp_path / "migrations"))
        assert connection.execute("PRAGMA ignore_check_constraints").fetchone() == (1,)


def test_renames_work_if_the_caller_uses_legacy_alter_table(tmp_path: Path) -> None:
    """With legacy_alter_table on, a foreign key would keep the old name of the table."""
    child = {"columns": {"lot": {"type": "integer", "references": {"table": "lots", "column": "id"}}}}
    renamed = {"columns": {"lot": {"type": "integer", "references": {"table": "goods", "column": "id"}}}}
    new = {"goods": {"renamed_from": "lots", **LOTS}, "bids": renamed}
    database = prepared(tmp_path, {"lots": LOTS, "bids": child}, new, "INSERT INTO lots (size) VALUES (1)")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        apply_pending(connection, read_folder(tmp_path / "migrations"))
        assert connection.execute("SELECT \"table\" FROM pragma_foreign_key_list('bids')").fetchone() == ("goods",)
        assert connection.execute("PRAGMA legacy_alter_table").fetchone() == (1,)


# --- tables that somebody changed by hand -----------------------------------------------------------------------------

ITEMS: Spec = {
    "columns": {
        "id": {"type": "integer", "primary_key": True},
        "name": {"type": "text", "default": "x", "collate": "nocase"},
        "code": {"type": "text", "unique": True},
        "owner": {"type": "integer"},
        "seller": {"type": "integer", "references": {"table": "owners", "column": "id", "on_delete": "cascade"}},
    },
    "indexes": {"i": ["name"]},
}
OWNERS: Spec = {"columns": {"id": {"type": "integer", "primary_key": True}}}

_ITEMS = (
    "id INTEGER PRIMARY KEY, name TEXT DEFAULT 'x' COLLATE nocase, code TEXT UNIQUE, owner INTEGER, "
    "seller INTEGER REFERENCES owners (id) ON DELETE CASCADE"
)
#: What somebody may have done to it: words of the above, and what stands there instead.
BY_HAND = {
    "type": ("name TEXT", "name INTEGER"),
    "default": ("'x'", "'y'"),
    "key": ("PRIMARY KEY", ""),
    "collation": ("COLLATE nocase", ""),
    "not null": ("owner INTEGER", "owner INTEGER NOT NULL"),
    "generated": ("code TEXT", "code TEXT AS ('c')"),
    "unique": ("CASCADE", "CASCADE, UNIQUE (name, code)"),
    "descending": (_ITEMS[_ITEMS.index(" UNIQUE") :], f"{_ITEMS[_ITEMS.index(', owner') :]}, UNIQUE (code DESC)"),
    "check": ("COLLATE nocase", "COLLATE nocase CHECK(name <> '')"),
    "rowid": (_ITEMS, f"{_ITEMS}) WITHOUT  ROWID; CREATE TABLE other (x"),
    "foreign key": ("owner INTEGER", "owner INTEGER REFERENCES owners"),
    "action": ("CASCADE", "SET NULL"),
}


def changed_by_hand(folder: Path, by_hand: str, *, edits: bool) -> Path:
    """Make a database with a table that was changed by hand, and a pending migration that adds a CHECK to it."""
    new = changed(ITEMS, "owner", check="owner > 0")
    tables = {"owners": OWNERS}
    database = prepared(folder, {"items": ITEMS, **tables}, {"items": new, **tables}, catalog_edits=edits)
    columns = _ITEMS.replace(*BY_HAND[by_hand])
    again = f"DROP TABLE items; CREATE TABLE items ({columns}); CREATE INDEX i ON items (name);"
    run_script(database, f"{again} INSERT INTO items (id, name, owner) VALUES (1, 'a', 1)")
    return database


@BOTH
@pytest.mark.parametrize("by_hand", BY_HAND)
def test_a_table_changed_by_hand_is_not_rebuilt(tmp_path: Path, by_hand: str, apply: Apply) -> None:
    """A rebuild would silently lose a rule, type or default that was changed by hand, so it fails."""
    database = changed_by_hand(tmp_path, by_hand, edits=False)
    before = schema_of(database)
    with pytest.raises(Exception, match=REFUSED):
        apply(tmp_path, database)
    assert schema_of(database).by_name()["items"] == before.by_name()["items"]
    assert rows_of(database, "items", ["name", "owner"]) == [{"name": "a", "owner": 1}]


@BOTH
@pytest.mark.parametrize("by_hand", BY_HAND)
def test_an_edit_keeps_what_was_changed_by_hand(tmp_path: Path, by_hand: str, apply: Apply) -> None:
    """An edit adds its CHECK and keeps everything else in the definition."""
    database = changed_by_hand(tmp_path, by_hand, edits=True)
    before = schema_of(database).by_name()["items"]
    apply(tmp_path, database)
    after = schema_of(database).by_name()["items"]
    assert next(check for check in after.checks if check not in before.checks).expression.sql == "owner > 0"
    assert replace(after, checks=before.checks) == before
    assert is_sound(database)
    assert rows_of(database, "items", ["name", "owner"]) == [{"name": "a", "owner": 1}]


@BOTH
@pytest.mark.parametrize("edits", [True, False], ids=["edit", "rebuild"])
def test_columns_reordered_by_hand(tmp_path: Path, edits: bool, apply: Apply) -> None:  # noqa: FBT001
    """An edit keeps the order of columns; a rebuild would change it, so it fails."""
    new = changed(ITEMS, "owner", check="owner > 0")
    tables = {"owners": OWNERS}
    database = prepared(tmp_path, {"items": ITEMS, **tables}, {"items": new, **tables}, catalog_edits=edits)
    columns = _ITEMS.replace("code TEXT UNIQUE, owner INTEGER", "owner INTEGER, code TEXT UNIQUE")
    again = f"DROP TABLE items; CREATE TABLE items ({columns}); CREATE INDEX i ON items (name);"
    run_script(database, f"{again} INSERT INTO items (name, owner, code) VALUES ('a', 1, 'c')")
    if edits:
        apply(tmp_path, database)
        assert is_sound(database)
    else:
        with pytest.raises(Exception, match=REFUSED):
            apply(tmp_path, database)
    assert rows_of(database, "items", ["name", "owner", "code"]) == [{"name": "a", "owner": 1, "code": "c"}]


@pytest.mark.parametrize(
    "hidden",
    [
        "TABLE lots (x)",
        "VIEW lots AS SELECT 1",
        "TABLE LOTS (x)",
        "TRIGGER g AFTER INSERT ON main.lots BEGIN SELECT 1; END",
    ],
    ids=["table", "view", "other-case", "trigger"],
)
def test_a_temporary_table_that_hides_another(tmp_path: Path, hidden: str) -> None:
    """Statements would use the temporary object instead, so the connection is refused, and nothing changes."""
    database = prepared(tmp_path, {"lots": LOTS}, {"lots": changed(LOTS, "state", default="old")})
    run_script(database, "CREATE TRIGGER g AFTER INSERT ON lots BEGIN SELECT 2; END")
    before = schema_of(database)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"CREATE TEMP {hidden}")
        connection.commit()
        with pytest.raises(DatabaseRefused, match=r"this connection has temporary objects of these names: (?i:lots|g)"):
            apply_pending(connection, read_folder(tmp_path / "migrations"))
    assert schema_of(database) == before


def test_a_temporary_table_that_hides_nothing(tmp_path: Path) -> None:
    """A temporary table with the name of a column alias in a guard's query does no harm."""
    database = prepared(tmp_path, {"lots": LOTS}, {"lots": changed(LOTS, "state", default="old")})
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TEMP TABLE part (place)")
        connection.commit()
        assert apply_pending(connection, read_folder(tmp_path / "migrations")).applied == ("0002_second",)


@BOTH
@pytest.mark.parametrize(
    "by_hand",
    ["CREATE INDEX own ON lots (state)", "CREATE TRIGGER own AFTER INSERT ON lots BEGIN SELECT 1; END"],
    ids=["index", "trigger"],
)
def test_a_rebuild_does_not_lose_an_index_or_trigger_made_by_hand(tmp_path: Path, by_hand: str, apply: Apply) -> None:
    """A rebuild would drop such an index or trigger with the old table, so it fails until it is dropped."""
    new = {**changed(LOTS, "state", default="old"), "indexes": {"sizes": ["size"]}}
    database = prepared(tmp_path, {"lots": {**LOTS, "indexes": {"states": ["state"]}}}, {"lots": new})
    run_script(database, by_hand)
    before = schema_of(database)
    with pytest.raises(Exception, match=rf"has an index or trigger that no migration made|{REFUSED}"):
        apply(tmp_path, database)
    assert schema_of(database).by_name()["lots"] == before.by_name()["lots"]
    run_script(database, f"DROP {by_hand.split()[1]} own")
    apply(tmp_path, database)
    assert [index.name for index in schema_of(database).by_name()["lots"].indexes] == ["sizes"]


@BOTH
def test_a_trigger_made_by_hand_does_not_fire_during_a_migration(tmp_path: Path, apply: Apply) -> None:
    """A migration drops known triggers while it updates rows; an unknown one would fire, so it is refused."""
    values = {"enum": ["fresh", "old"], "default": None, "enum_values": {"renamed": {"new": "fresh"}}}
    plain = changed(LOTS, "state", default=None)
    database = prepared(tmp_path, {"lots": plain}, {"lots": changed(LOTS, "state", **values)})
    run_script(database, "INSERT INTO lots (size, state) VALUES (1, 'new')")
    run_script(database, "CREATE TRIGGER own AFTER UPDATE ON lots BEGIN UPDATE lots SET size = 9; END")
    with pytest.raises(Exception, match=rf"has a trigger that no migration made|{REFUSED}"):
        apply(tmp_path, database)
    assert rows_of(database, "lots", ["size", "state"]) == [{"size": 1, "state": "new"}]
    run_script(database, "DROP TRIGGER own")
    apply(tmp_path, database)
    assert rows_of(database, "lots", ["size", "state"]) == [{"size": 1, "state": "fresh"}]


@BOTH
def test_an_edit_does_not_change_a_column_with_a_similar_name(tmp_path: Path, apply: Apply) -> None:
    """The piece ``name TEXT`` also occurs in ``surname TEXT``; the migration fails."""
    columns: Spec = {"id": {"type": "integer", "primary_key": True}, "name": {"type": "text"}}
    new = {"columns": {**columns, "name": {"type": "text", "nullable": False, "backfill": "'?'"}}}
    database = prepared(tmp_path, {"t": {"columns": columns}}, {"t": new}, "INSERT INTO t (name) VALUES (NULL), ('a')")
    run_script(database, "ALTER TABLE t RENAME COLUMN name TO surname; ALTER TABLE t ADD COLUMN name INTEGER;")
    with pytest.raises(Exception, match=REFUSED):
        apply(tmp_path, database)
    assert is_sound(database)
    assert rows_of(database, "t", ["surname", "name"]) == [
        {"surname": None, "name": None},
        {"surname": "a", "name": None},
    ]
