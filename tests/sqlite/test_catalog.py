"""The objects in a catalog, and their fingerprint."""

from __future__ import annotations

import sqlite3

import pytest

from waiaas_migrate.sqlite.database.catalog import CatalogRow, fingerprint, is_internal, read_catalog, read_facts


@pytest.mark.parametrize(
    "name",
    ["sqlite_sequence", "SQLITE_STAT1", "_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "yoyo_tmp_abc"],
)
def test_bookkeeping_is_internal(name: str) -> None:
    """SQLite's and yoyo's own tables are not part of the schema."""
    assert is_internal(name)


@pytest.mark.parametrize("name", ["agents", "yoyo", "_yoyo_mine", "sqlite", "yoyo_locks"])
def test_other_names_are_not_internal(name: str) -> None:
    """An object belongs to the user if its name only resembles one of SQLite's or yoyo's."""
    assert not is_internal(name)


def test_the_catalog_holds_what_was_declared(connection: sqlite3.Connection) -> None:
    """Every declared object is read in order, without SQLite's and yoyo's own."""
    connection.executescript(
        "CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT, u TEXT UNIQUE);"
        "CREATE TABLE _yoyo_log (id TEXT PRIMARY KEY); CREATE VIEW a AS SELECT 1;"
        "CREATE INDEX i ON b (u); CREATE TRIGGER t AFTER INSERT ON b BEGIN SELECT 1; END;"
    )
    rows = read_catalog(connection)
    assert [(row.kind, row.name, row.table) for row in rows] == [
        ("table", "b", "b"),
        ("view", "a", "a"),
        ("index", "i", "b"),
        ("trigger", "t", "b"),
    ]


def test_the_catalog_is_read_with_any_row_factory(connection: sqlite3.Connection) -> None:
    """The caller's row factory has no effect."""
    connection.execute("CREATE TABLE a (x)")
    connection.row_factory = lambda _cursor, row: list(row)
    assert read_catalog(connection) == (CatalogRow(kind="table", name="a", table="a", sql="CREATE TABLE a (x)"),)


def test_the_fingerprint_depends_on_text_and_not_on_order(connection: sqlite3.Connection) -> None:
    """The order of objects doesn't change the fingerprint; their text does."""
    connection.executescript("CREATE TABLE a (x); CREATE TABLE b (x);")
    rows = read_catalog(connection)
    assert fingerprint(rows) == fingerprint(rows[::-1])
    assert fingerprint(rows).startswith("sha256:")
    assert fingerprint(rows) != fingerprint(rows[:1])
    connection.execute("ALTER TABLE b ADD COLUMN y")
    assert fingerprint(rows) != fingerprint(read_catalog(connection))


@pytest.mark.parametrize("begin", ["", "BEGIN"])
def test_facts_follow_every_change(connection: sqlite3.Connection, begin: str) -> None:
    """The facts follow every change, in a transaction and outside."""
    connection.execute(begin)
    seen = set()
    for statement in (
        "SELECT 1",
        """CREATE TABLE a (x CHECK (x <> 'it''s "quoted" \u00e9 \\ [1, null]'))""",
        "CREATE TABLE b (x UNIQUE, y REFERENCES a (x))",
        "CREATE TABLE yoyo_lock (pid)",
        "CREATE INDEX i ON _yoyo_log (x)",
        "DROP INDEX i",
    ):
        if "_yoyo_log" in statement:
            connection.execute("CREATE TABLE _yoyo_log (x)")
        connection.execute(statement)
        facts, catalog = read_facts(connection), read_catalog(connection)
        assert facts.fingerprint == fingerprint(catalog)
        assert facts.names == {row.name for row in catalog}
        assert facts.may_have_foreign_keys == any("REFERENCES" in row.sql for row in catalog)
        seen.add((facts.fingerprint, facts.has_lock_table))
    assert len(seen) == 5  # the last is as that before the index


def test_facts_are_read_with_any_row_factory(connection: sqlite3.Connection) -> None:
    """The caller's row factory has no effect."""
    connection.execute("CREATE TABLE a (x)")
    connection.row_factory = lambda _cursor, _row: None
    assert read_facts(connection).names == {"a"}
