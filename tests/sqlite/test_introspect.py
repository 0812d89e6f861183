"""Reading a schema back: a case for everything that SQLite's DDL can express."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.files.schema_file.schema_text import schema_text
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import (
    Action,
    Conflict,
    Deferral,
    ForeignKey,
    IndexPart,
    PrimaryKey,
    Schema,
    Table,
)
from waiaas_migrate.sqlite.database.memory import execute, open_memory
from waiaas_migrate.sqlite.reading.introspect import introspect


def read(*statements: str) -> Schema:
    """Return the schema that ``statements`` make."""
    with closing(open_memory()) as connection:
        for statement in statements:
            execute(connection, statement)
        return introspect(connection)


def read_table(statement: str) -> Table:
    """Return the table that ``statement`` makes."""
    (table,) = read(statement).tables
    return table


def read_catalog_row(kind: str, name: str, sql: str) -> Schema:
    """Return the schema of a database whose catalog has a row that this SQLite would not write."""
    with closing(open_memory()) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        row = (kind, name, name, 0, sql)
        connection.execute(
            "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)", row
        )
        connection.execute("PRAGMA writable_schema = OFF")
        return introspect(connection)


@pytest.mark.parametrize(
    ("column", "written"),
    [
        ("a", "a: null"),
        ("a TEXT NOT NULL", "a: {type: text, nullable: false}"),
        ('"a b" VARCHAR(50)', "a b: VARCHAR(50)"),
        ("[select] text", "select: text"),
        ("`it's #1` BLOB", "'it''s #1': blob"),
        ("no INTEGER PRIMARY KEY", "'no': {type: integer, primary_key: true}"),
        ("日本 INT -- of what", "日本: {type: INT, comment: of what}"),
        ("a INTEGER PRIMARY KEY AUTOINCREMENT", "a: {type: integer, primary_key: true, autoincrement: true}"),
        ("a INTEGER PRIMARY KEY DESC", "a: {type: integer, primary_key: {order: desc}}"),
        (
            "a INT CONSTRAINT k PRIMARY KEY ON CONFLICT FAIL",
            "a: {type: INT, primary_key: {name: k}, on_conflict: fail}",
        ),
        ("a CONSTRAINT n NOT NULL", "a: {nullable: false, not_null_name: n}"),
        (
            "a NOT NULL ON CONFLICT IGNORE CONSTRAINT u UNIQUE ON CONFLICT REPLACE",
            "a: {nullable: false, unique: {name: u}, on_conflict: {not_null: ignore, unique: replace}}",
        ),
        ("a DEFAULT 'it''s'", "a: {default: it's}"),
        ("a DEFAULT ''", "a: {default: ''}"),
        ("a DEFAULT X'00ff'", "a: {default_sql: X'00ff'}"),
        ("a DEFAULT -5", "a: {default: -5}"),
        ("a DEFAULT 0x1F", "a: {default_sql: '0x1F'}"),
        ("a DEFAULT NULL", "a: {default: null}"),
        ("a DEFAULT TRUE", "a: {default_sql: 'TRUE'}"),
        ("a DEFAULT CURRENT_TIMESTAMP", "a: {default_sql: CURRENT_TIMESTAMP}"),
        ("a DEFAULT (datetime('now'))", "a: {default_sql: datetime('now')}"),
        ('a DEFAULT "Some text"', "a: {default_sql: '\"Some text\"'}"),
        ("a DEFAULT word", "a: {default_sql: word}"),
        ("a DEFAULT '0777'", "a: {default: '0777'}"),
        ("a COLLATE nocase", "a: {collate: nocase}"),
        (
            "a COLLATE \"of the app's\" CHECK (a COLLATE other <> 'x')",
            "a: {collate: of the app's, check: a COLLATE other <> 'x'}",
        ),
        ("a INTEGER CHECK (a IN (0, 1))", "a: boolean"),
        ("a INTEGER NOT NULL DEFAULT 0 CHECK (a in (0,1))", "a: {type: boolean, nullable: false, default: false}"),
        ("a INTEGER DEFAULT 2 CHECK (a IN (0, 1))", "a: {type: boolean, default_sql: '2'}"),
        ("a BOOLEAN CHECK (a IN (0, 1))", "a: {type: BOOLEAN, check: 'a IN (0, 1)'}"),
        ("a boolean", "a: BOOLEAN"),
        ("a TEXT NOT NULL CHECK (a IN ('x', 'no'))", "a: {type: text, nullable: false, enum: [x, 'no']}"),
        ("a TEXT CHECK (a IS NULL OR a IN ('x'))", "a: {type: text, enum: [x]}"),
        ("a CONSTRAINT c CHECK (app_valid(a, 'x'))", "a:\n{check: {check: app_valid(a, 'x'), name: c}}"),
        ("a REFERENCES t", "a: {references: {table: t, external: true}}"),
        (
            "a REFERENCES gone (b) ON DELETE SET NULL ON UPDATE CASCADE MATCH FULL NOT DEFERRABLE",
            (
                "a:\n{references: {table: gone, column: b, external: true, on_delete: set null, on_update: cascade, "
                "match: FULL, deferrable: false}}"
            ),
        ),
        (
            "a UNIQUE REFERENCES t (a) DEFERRABLE",
            "a: {unique: true, references: {table: t, column: a, deferrable: true}}",
        ),
        ("a DECIMAL( 10 , 2 )", "a: DECIMAL( 10 , 2 )"),
        ("b, a AS (b || 'x')", "b: null\na: {generated: b || 'x'}"),
        ("b, a AS (b) VIRTUAL", "b: null\na: {generated: {expression: b, stored: false}}"),
        (
            "a INT GENERATED ALWAYS AS (b + 1) STORED UNIQUE, b",
            "a: {type: INT, unique: true, generated: {expression: b + 1, stored: true}}\nb: null",
        ),
    ],
)
def test_a_column_is_read_and_written(column: str, written: str) -> None:
    """A column in SQL becomes the shortest form with the same meaning in schema.yaml."""
    text = schema_text(read(f"CREATE TABLE t ({column}\n)")).partition("    columns:\n")[2]
    assert _unfolded(text) == _unfolded(written)


def _unfolded(text: str) -> str:
    """Return YAML without its lines and braces, so that a case doesn't depend on line breaks."""
    return " ".join(text.replace("{", " ").replace("}", " ").replace(",", " ").split())


def test_keys_of_every_kind_are_read() -> None:
    """A composite key has its own order, directions and collations; a key may be a table constraint."""
    table = read_table(
        "CREATE TABLE t (a, b COLLATE NOCASE, PRIMARY KEY (b COLLATE RTRIM DESC, a) ON CONFLICT REPLACE) WITHOUT ROWID"
    )
    parts = (IndexPart(column="b", collation="RTRIM", descending=True), IndexPart(column="a"))
    assert table.primary_key == PrimaryKey(parts=parts, on_conflict=Conflict.REPLACE)
    assert table.without_rowid


def test_a_descending_integer_key_on_its_column_is_not_the_rowid() -> None:
    """INTEGER PRIMARY KEY DESC is an ordinary column; as a table constraint it is the rowid, and DESC has no effect."""
    inline = read_table("CREATE TABLE t (a INTEGER PRIMARY KEY DESC)")
    on_table = read_table("CREATE TABLE t (a INTEGER, PRIMARY KEY (a DESC))")
    assert inline.primary_key is not None
    assert on_table.primary_key is not None
    assert inline.primary_key.parts[0].descending
    assert not on_table.primary_key.parts[0].descending


def test_foreign_keys_of_every_form_are_read() -> None:
    """Foreign keys may be composite, refer to their own or a missing table, and have actions and deferrability."""
    table = read_table(
        'CREATE TABLE t (a, b, CONSTRAINT "both" FOREIGN KEY (a, b) REFERENCES gone (x, y) ON DELETE RESTRICT '
        "ON UPDATE NO ACTION DEFERRABLE INITIALLY DEFERRED, FOREIGN KEY (b) REFERENCES t)"
    )
    assert table.foreign_keys == (
        ForeignKey(
            columns=("a", "b"),
            table="gone",
            targets=("x", "y"),
            on_delete=Action.RESTRICT,
            deferral=Deferral.DEFERRED,
            name="both",
        ),
        ForeignKey(columns=("b",), table="t"),
    )


def test_indexes_of_every_form_are_read() -> None:
    """Indexes may be unique, partial, descending, on expressions, and with collations; those of constraints are left out."""
    (table,) = read(
        "CREATE TABLE t (a UNIQUE, b)",
        "CREATE UNIQUE INDEX i ON t (a DESC, lower(b) COLLATE NOCASE DESC, b COLLATE unknown) WHERE a > 0",
    ).tables
    (index,) = table.indexes
    first, second, third = index.parts
    assert (index.unique, index.where and index.where.sql) == (True, "a > 0")
    assert first == IndexPart(column="a", descending=True)
    assert (second.expression and second.expression.sql, second.descending) == ("lower(b) COLLATE NOCASE", True)
    assert third == IndexPart(column="b", collation="unknown")


def test_asc_is_written_only_with_an_expression() -> None:
    """ASC is the default, and a name is shorter without it."""
    text = schema_text(
        read("CREATE TABLE t (a, b)", "CREATE INDEX i ON t (a ASC)", "CREATE INDEX j ON t (lower(b) ASC, a ASC, b)")
    )
    assert _unfolded(text).endswith("i: [a] j: [ expression: lower(b) order: asc column: a order: asc b]")


def test_table_options_are_read() -> None:
    """STRICT and WITHOUT ROWID are read in either order."""
    table = read_table("CREATE TABLE t (a INT PRIMARY KEY) WITHOUT ROWID, STRICT")
    assert (table.strict, table.without_rowid) == (True, True)


def test_comments_stay_with_what_they_describe() -> None:
    """A comment after an item describes that item; one on its own line describes the next.

    Other comments are left out.
    """
    table = read_table(
        "CREATE TABLE t ( -- All of them\n"
        "  a TEXT, -- the first\n"
        "  -- the second,\n"
        "  -- in two lines\n"
        "  b INT DEFAULT (1 /* one */),\n"
        "  c /* the third */\n"
        "  -- no more\n"
        ")"
    )
    assert table.comment == "All of them"
    assert [column.comment for column in table.columns] == ["the first", "the second,\nin two lines\none", "the third"]


def test_views_and_triggers_are_read_whole() -> None:
    """Views with column lists and triggers of every kind keep their text, comments included."""
    statements = (
        "CREATE TABLE t (a, b)",
        'CREATE VIEW "the view" (x, "y z") AS SELECT a, b FROM t -- all\nWHERE a > 0',
        "CREATE TRIGGER r1 BEFORE UPDATE OF a, b ON t FOR EACH ROW WHEN new.a > 0 BEGIN SELECT 1; SELECT ';'; END",
        "CREATE TRIGGER r2 AFTER DELETE ON t BEGIN DELETE FROM t WHERE a = CASE WHEN old.a THEN 1 ELSE 2 END; END",
        'CREATE TRIGGER r3 INSTEAD OF INSERT ON "the view" BEGIN INSERT INTO t VALUES (new.x, new."y z"); END',
    )
    schema = read(*statements)
    assert [view.statement.sql for view in schema.views] == [statements[1]]
    assert [trigger.statement.sql for trigger in schema.triggers] == list(statements[2:])
    assert [trigger.table for trigger in schema.triggers] == ["t", "t", "the view"]


@pytest.mark.parametrize("module", ["fts4(body)", "fts5(body)", "rtree(id, low, high)"])
def test_a_virtual_table_owns_its_shadow_tables(module: str) -> None:
    """The shadow tables of a virtual table are not in the schema."""
    try:
        schema = read(f"CREATE VIRTUAL TABLE search USING {module}")
    except sqlite3.OperationalError:
        pytest.skip(f"this SQLite has no {module.partition('(')[0]}")
    assert (len(schema.virtual_tables), schema.tables) == (1, ())


def test_a_virtual_table_without_its_module_is_read() -> None:
    """A virtual table is read even if this SQLite doesn't have its module."""
    sql = "CREATE VIRTUAL TABLE box USING moon_phases(a, 'b;')"
    schema = read_catalog_row("table", "box", sql)
    (table,) = schema.virtual_tables
    assert (table.name, table.module, table.statement.sql) == ("box", "moon_phases", sql)
    assert "virtual_tables:" in schema_text(schema)


def test_shadow_tables_are_known_without_the_module() -> None:
    """The shadow tables of SQLite's own modules are known even if the module is missing."""
    with closing(open_memory()) as connection:
        connection.execute("CREATE TABLE 'search_content'(docid INTEGER PRIMARY KEY, 'c0a')")
        connection.execute("CREATE TABLE search_other (a)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) "
            "VALUES ('table', 'search', 'search', 0, 'CREATE VIRTUAL TABLE search USING fts3(nonsense=1 x y z)')"
        )
        schema = introspect(connection)
    assert [table.name for table in schema.tables] == ["search_other"]


def test_sqlites_own_tables_are_left_out() -> None:
    """sqlite_sequence, the tables of ANALYZE, and yoyo's bookkeeping are not part of the schema."""
    schema = read(
        "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, b)",
        "CREATE INDEX i ON t (b)",
        "INSERT INTO t (b) VALUES (1)",
        "ANALYZE",
        "CREATE TABLE _yoyo_migration (id)",
        "CREATE TABLE _yoyo_log (id)",
        "CREATE TABLE _yoyo_version (id)",
        "CREATE TABLE yoyo_lock (id)",
    )
    assert [table.name for table in schema.tables] == ["t"]


def test_a_schema_is_read_without_the_applications_functions() -> None:
    """A schema is read without the application's collations and functions."""
    with closing(open_memory()) as connection:
        for statement in (
            "CREATE TABLE t (a COLLATE app UNIQUE CHECK (app_valid(a)), b AS (app_key(a)) STORED)",
            "CREATE INDEX i ON t (app_key(a), a COLLATE other) WHERE app_valid(a)",
            "CREATE VIEW v AS SELECT app_shown(a) FROM t ORDER BY a COLLATE app",
        ):
            execute(connection, statement)
        plain = sqlite3.connect(":memory:", isolation_level=None)
        plain.deserialize(connection.serialize())
    with closing(plain):
        schema = introspect(plain)
    assert schema.tables[0].indexes[0].parts[1].collation == "other"
    assert diff(schema, schema) == ()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a, b",
        "CREATE TABLE t (a CHECK)",
        "CREATE TABLE other AS SELECT 1",
        "nonsense",
    ],
)
def test_unreadable_text_is_refused_by_name(sql: str) -> None:
    """A catalog with text that isn't SQL is refused, and the table is named."""
    with pytest.raises(UnsupportedError, match="table t"):
        read_catalog_row("table", "t", sql)
