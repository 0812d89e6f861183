"""Shadow tables and ordinary tables of the same name are told apart."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import execute, rows, run
from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.ownership import OtherTools
from waiaas_migrate.sqlite.reading.virtual_tables import known_shadow_names

SUFFIXES = "content data idx docsize config segments segdir stat node rowid parent vocab extra".split()

DECLARATIONS = (
    "fts5(a)",
    "fts5(a, content='')",
    "fts5(a, content='n_content')",
    'fts5(a, CONTENT = "n_content" /* content */, content_rowid=id)',
    "fts5(content=n_content, a)",
    "fts5(a, c='n_content')",
    "fts5(a, content='', contentless_delete=1)",
    "fts5(a, b UNINDEXED, content='', contentless_unindexed=1)",
    "fts5(a, content='', contentless_unindexed=1)",
    "fts5(a, columnsize=0)",
    "fts5(a, columnsize = '0', detail=none)",
    "fts5(a, col=0)",
    "fts5(a, columnsize=1, detail=column, prefix='2 3')",
    "fts5(content, b)",
    "fts5(a /* , content='x' */, b)",
    "fts5(a, tokenize=\"unicode61 tokenchars ',content='\")",
    "'FTS5'(a, -- content=''\n content=x)",
    "fts3(a, b)",
    "fts3(a, content='x')",
    "fts4(a)",
    "fts4(a, content='n_content')",
    'fts4(a, content="")',
    "fts4(a, content= n_content)",
    "fts4(a, matchinfo=fts3)",
    'fts4(a, matchinfo="FTS3", prefix="2")',
    "fts4(content, b)",
    "rtree(id, x0, x1, +label)",
    "rtree_i32(id, x0, x1)",
    "geopoly(a)",
    "dbstat",
    "fts3tokenize(simple)",
)


@pytest.mark.parametrize("declaration", DECLARATIONS)
def test_shadow_tables_are_those_that_the_module_made(connection: sqlite3.Connection, declaration: str) -> None:
    """Of all tables with a matching name, only those that the module made belong to the virtual table."""
    try:
        connection.execute(f'CREATE VIRTUAL TABLE "A n" USING {declaration}')
    except sqlite3.OperationalError as error:
        pytest.skip(f"SQLite {sqlite3.sqlite_version}: {error}")
    made = {row.name.lower() for row in read_catalog(connection) if not row.is_virtual}
    for suffix in SUFFIXES:
        connection.execute(f'CREATE TABLE IF NOT EXISTS "A N_{suffix}" (mine)')
    assert known_shadow_names(read_catalog(connection)) == made
    ordinary = {table.name.lower() for table in introspect(connection).tables}
    assert ordinary == {f"a n_{suffix}" for suffix in SUFFIXES} - made


def test_the_stat_table_that_fts3_makes_later_is_its_own(connection: sqlite3.Connection) -> None:
    """An FTS3 table creates ``_stat`` only if it merges automatically.

    Otherwise, a table of that name is an ordinary one.
    """
    connection.executescript(
        "CREATE VIRTUAL TABLE a USING fts3(x); INSERT INTO a (a) VALUES ('automerge=8');"
        "CREATE VIRTUAL TABLE b USING fts3(x); CREATE TABLE b_stat (mine);"
    )
    assert [table.name for table in introspect(connection).tables] == ["b_stat"]


def test_an_ordinary_content_table_is_inspected_compared_and_migrated(tmp_path: Path) -> None:
    """A table that is named like a shadow table is declared, migrated and checked like any other."""
    database = tmp_path / "old.db"
    execute(
        database,
        "CREATE TABLE notes_content (id INTEGER PRIMARY KEY, body TEXT)",
        "CREATE VIRTUAL TABLE notes USING fts5(body, content='notes_content', content_rowid='id')",
        "CREATE TRIGGER t AFTER INSERT ON notes_content BEGIN INSERT INTO notes (rowid, body) VALUES (new.id, new.body);"
        " END",
        "INSERT INTO notes_content VALUES (1, 'hello')",
    )
    text = run(tmp_path, "inspect", "old.db").out
    assert "notes_content:" in text
    assert "  t: " in text
    (tmp_path / "schema.yaml").write_text(text)
    assert run(tmp_path, "generate").status == 0
    assert run(tmp_path, "diff", "old.db", "migrations").out == "No differences.\n"
    assert run(tmp_path, "apply", "new.db").status == 0
    assert run(tmp_path, "drift", "new.db").status == 0
    execute(tmp_path / "new.db", "INSERT INTO notes_content VALUES (1, 'hello')")
    (tmp_path / "schema.yaml").write_text(text.replace("body: text", "body: {type: text, unique: true}"))
    assert run(tmp_path, "generate", "-m", "unique", "--allow", "all").status == 0
    assert run(tmp_path, "apply", "new.db").status == 0
    assert rows(tmp_path / "new.db", "SELECT rowid FROM notes WHERE notes MATCH 'hello'") == [(1,)]
    assert rows(tmp_path / "new.db", "SELECT * FROM notes_content") == [(1, "hello")]
    execute(tmp_path / "new.db", "ALTER TABLE notes_content ADD COLUMN by_hand")
    assert "by_hand" in run(tmp_path, "drift", "new.db").out


def _declare_unloaded(database: Path, name: str, module: str, *tables: str) -> None:
    """Write into ``database`` the catalog entries of an extension that is not loaded."""
    execute(
        database,
        *(f'CREATE TABLE "{name}_{table}" (rowid PRIMARY KEY, x)' for table in tables),
        "PRAGMA writable_schema = ON",
        "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) "
        f"VALUES ('table', '{name}', '{name}', 0, 'CREATE VIRTUAL TABLE {name} USING {module}(a float[4])')",
    )


VEC0 = ("info", "chunks", "rowids", "auxiliary", "vector_chunks00", "metadatachunks01", "metadatatext01")


def test_tables_of_a_known_extension_belong_to_it(tmp_path: Path) -> None:
    """sqlite-vec owns its shadow tables, and no tables with similar names."""
    execute(tmp_path / "a.db", "CREATE TABLE v_chunks_mine (x)", "CREATE TABLE v_vector_chunks (x)")
    _declare_unloaded(tmp_path / "a.db", "v", "vec0", *VEC0)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        schema = introspect(connection, other_tools=OtherTools())
    assert [table.name for table in schema.tables] == ["v_chunks_mine", "v_vector_chunks"]
    assert [table.name for table in schema.virtual_tables] == ["v"]


def test_tables_that_may_belong_to_an_unknown_module_are_refused(tmp_path: Path) -> None:
    """Tables that may be ordinary ones are refused; the error names them and the setting that ignores them."""
    execute(tmp_path / "a.db", "CREATE TABLE other (x)")
    _declare_unloaded(tmp_path / "a.db", "v", "mystery", "one", "two")
    for arguments in (["inspect", "a.db"], ["diff", "a.db", "a.db"]):
        found = run(tmp_path, *arguments)
        assert found.status == UnsupportedError.exit_code
        assert "table v_one, v_two: may belong to virtual table v, whose module mystery is not loaded" in found.err
        assert 'ignore = ["v", "v_one", "v_two"]' in found.err
    (tmp_path / "pyproject.toml").write_text('[tool.waiaas-migrate]\nignore = ["v"]\n')
    assert run(tmp_path, "inspect", "a.db").status == UnsupportedError.exit_code
    (tmp_path / "pyproject.toml").write_text('[tool.waiaas-migrate]\nignore = ["v", "v_one", "v_two"]\n')
    found = run(tmp_path, "inspect", "a.db")
    assert found.status == 0
    assert found.out.startswith("# Left out, because other tools own them: v_one, v_two, v.\n\nversion: 1\n")
    assert "other:" in found.out
