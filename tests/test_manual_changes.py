"""Migrations of tables that were changed by hand, and on connections with unusual settings."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.transitions import (
    apply_with_runner,
    apply_with_yoyo,
    generate,
    is_sound,
    rows_of,
    run_script,
    write_schema,
)
from waiaas_migrate.files.migration_dir.statements import split_statements

Spec = dict[str, Any]
Apply = Callable[[Path, Path], None]
BOTH = pytest.mark.parametrize("apply", [apply_with_runner, apply_with_yoyo], ids=["runner", "yoyo"])

PARENT: Spec = {"columns": {"id": {"type": "integer", "primary_key": True}, "x": {"type": "integer", "default": 1}}}


CHILD: Spec = {
    "columns": {"p": {"type": "integer", "references": {"table": "p", "column": "id", "on_delete": "cascade"}}}
}


def prepared(folder: Path, **column: object) -> Path:
    """Make a database with a parent and a child, and a pending migration that changes the column ``x``."""
    database = folder / "a.db"
    write_schema(folder, {"tables": {"p": PARENT, "c": CHILD}})
    generate(folder, "first")
    apply_with_runner(folder, database)
    run_script(database, "INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1);")
    changed = {"columns": {**PARENT["columns"], "x": {**PARENT["columns"]["x"], **column}}}
    write_schema(folder, {"tables": {"p": changed, "c": CHILD}})
    generate(folder, "second")
    return database


def run_pending(folder: Path, connection: sqlite3.Connection) -> None:
    """Run the pending migration by hand."""
    for statement in split_statements((folder / "migrations" / "0002_second.sql").read_text(encoding="utf-8")):
        connection.execute(statement)


def test_a_rebuild_does_not_run_while_foreign_keys_are_enforced(tmp_path: Path) -> None:
    """If foreign keys are enforced, a rebuild that is run by hand fails before it drops a table, and keeps all rows."""
    database = prepared(tmp_path, default=2)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN")
        with pytest.raises(sqlite3.IntegrityError, match="run PRAGMA foreign_keys = OFF before this migration"):
            run_pending(tmp_path, connection)
        connection.execute("ROLLBACK")
    assert rows_of(database, "c", ["p"]) == [{"p": 1}]


@BOTH
def test_a_column_added_by_hand_stops_a_rebuild(tmp_path: Path, apply: Apply) -> None:
    """A rebuild would not copy a column that was added by hand, so it fails."""
    database = prepared(tmp_path, default=2)
    run_script(database, "ALTER TABLE p ADD COLUMN by_hand; UPDATE p SET by_hand = 5;")
    with pytest.raises(Exception, match=r"p: its definition differs|p\.by_hand"):
        apply(tmp_path, database)
    assert rows_of(database, "p", ["id", "x", "by_hand"]) == [{"id": 1, "x": 1, "by_hand": 5}]


@BOTH
def test_a_column_added_by_hand_survives_an_edit(tmp_path: Path, apply: Apply) -> None:
    """An edit replaces one piece of the definition and keeps everything else, values included."""
    database = prepared(tmp_path, check="x > 0")
    run_script(database, "ALTER TABLE p ADD COLUMN by_hand; UPDATE p SET by_hand = 5;")
    apply(tmp_path, database)
    assert rows_of(database, "p", ["id", "x", "by_hand"]) == [{"id": 1, "x": 1, "by_hand": 5}]
    assert is_sound(database)
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
        run_script(database, "INSERT INTO p (x) VALUES (-7);")


def test_an_edit_keeps_the_order_of_keys(tmp_path: Path) -> None:
    """SQLite numbers the indexes of keys in their order, so a primary key after a UNIQUE must stay there."""
    write_schema(tmp_path, {"tables": {}})
    generate(tmp_path)
    path = tmp_path / "migrations" / "0001_by_hand.sql"
    path.write_text("CREATE TABLE t (a TEXT, b TEXT, UNIQUE (b), PRIMARY KEY (a));\nINSERT INTO t VALUES ('a', 'b');\n")
    table = {"columns": {"a": "text", "b": "text"}, "unique": [["b"]], "primary_key": ["a"], "checks": ["a <> b"]}
    write_schema(tmp_path, {"tables": {"t": table}})
    generate(tmp_path)
    database = tmp_path / "a.db"
    apply_with_runner(tmp_path, database)
    assert is_sound(database)
    assert rows_of(database, "t", ["a", "b"]) == [{"a": "a", "b": "b"}]
    with (
        closing(sqlite3.connect(database)) as connection,
        pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE .*t\.b"),
    ):
        connection.execute("INSERT INTO t VALUES ('c', 'b')")


@BOTH
def test_keys_reordered_by_hand_keep_their_indexes(tmp_path: Path, apply: Apply) -> None:
    """SQLite finds the index of a key by its place in the definition, which an edit must not change."""
    table = {"columns": {"a": "text", "b": "text"}, "unique": [["a"], ["b"]]}
    write_schema(tmp_path, {"tables": {"t": table}})
    generate(tmp_path)
    database = tmp_path / "app.db"
    apply_with_yoyo(tmp_path, database)
    run_script(
        database,
        "DROP TABLE t; CREATE TABLE t (a TEXT, b TEXT, UNIQUE (b), UNIQUE (a)); INSERT INTO t VALUES ('a', 'b');",
    )
    write_schema(tmp_path, {"tables": {"t": {**table, "checks": ["a <> b"]}}})
    generate(tmp_path)
    apply(tmp_path, database)
    assert is_sound(database)
    assert rows_of(database, "t", ["a", "b"]) == [{"a": "a", "b": "b"}]
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE .*t\.b"):
        run_script(database, "INSERT INTO t VALUES ('c', 'b');")


@BOTH
def test_other_connections_see_an_edit(tmp_path: Path, apply: Apply) -> None:
    """A connection that was already open enforces the new rule at once (https://www.sqlite.org/pragma.html#pragma_schema_version)."""
    database = prepared(tmp_path, check="x > 0")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("INSERT INTO p VALUES (2, 7)")
        apply(tmp_path, database)
        with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
            other.execute("INSERT INTO p VALUES (3, -7)")
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_default_collation_costs_nothing(tmp_path: Path) -> None:
    """Adding or dropping COLLATE BINARY, which every column has, edits only the text."""
    write_schema(tmp_path, {"tables": {"t": {"columns": {"a": {"type": "text", "collate": "BINARY"}}}}})
    assert generate(tmp_path, "first").migration is not None
    write_schema(tmp_path, {"tables": {"t": {"columns": {"a": "text"}}}})
    changed = generate(tmp_path, "second", allow=())
    assert (changed.hazards, len(changed.changes)) == ((), 1)
    text = (tmp_path / "migrations" / "0002_second.sql").read_text(encoding="utf-8")
    assert "reads every row" not in text
    assert "rewrites the table" not in text
