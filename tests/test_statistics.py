"""The statistics of ANALYZE, which SQLite uses to choose indexes (https://www.sqlite.org/lang_analyze.html)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import transitions as t

COLUMNS: dict[str, Any] = {"a": {"type": "text", "unique": True}, "b": {"type": "integer", "default": 1}}
INDEXES: dict[str, Any] = {"by_b": ["b"], "by_a_b": ["a", "b"]}
#: Kinds of table: their other columns and options.
TABLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "counted": ({"id": {"type": "integer", "primary_key": True, "autoincrement": True}}, {}),
    "without rowid": ({"id": {"type": "text", "primary_key": True, "nullable": False}}, {"without_rowid": True}),
}
ROWS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t ({0}) SELECT {1} FROM n;"


def table(kind: str, *, default: int, indexes: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose table is of ``kind``."""
    columns, options = TABLES[kind]
    columns = {**columns, **COLUMNS, "b": {"type": "integer", "default": default}}
    return {"tables": {"t": {"columns": columns, "indexes": indexes, **options}}}


def statistics(database: Path) -> list[tuple[str, str, str]]:
    """Return the statistics of ``database``, which SQLite must be able to use."""
    with closing(sqlite3.connect(database)) as connection:
        return sorted(connection.execute("SELECT * FROM sqlite_stat1").fetchall())


@pytest.mark.parametrize("with_runner", [True, False], ids=["runner", "yoyo"])
@pytest.mark.parametrize("kind", TABLES)
def test_a_rebuild_keeps_the_statistics(tmp_path: Path, kind: str, *, with_runner: bool) -> None:
    """A rebuild keeps the statistics of all indexes that stay, forward and back, by the runner and by plain yoyo.

    Others are deleted.
    """
    database = tmp_path / "a.db"
    apply = t.apply_with_runner if with_runner else t.apply_with_yoyo
    roll_back = t.roll_back_with_runner if with_runner else t.roll_back_with_yoyo
    t.write_schema(tmp_path, table(kind, default=1, indexes=INDEXES))
    t.generate(tmp_path, "first")
    apply(tmp_path, database)
    names = [*TABLES[kind][0], "a", "b"]
    values = ", ".join("i % 7" if name == "b" else "i" for name in names)
    t.run_script(database, f"{ROWS.format(', '.join(names), values)} ANALYZE;")
    before = statistics(database)
    assert {name for _, name, _ in before} >= {"by_b", "by_a_b"}

    changed = {"by_b": [{"column": "b", "order": "desc"}], "by_a_b": ["a", "b"]}
    t.write_schema(tmp_path, table(kind, default=2, indexes=changed))
    t.generate(tmp_path, "second")
    assert "(rewrites the table)" in (tmp_path / "migrations" / "0002_second.sql").read_text(encoding="utf-8")
    apply(tmp_path, database)
    assert statistics(database) == [row for row in before if row[1] != "by_b"]
    assert t.is_sound(database)
    roll_back(tmp_path, database)
    assert statistics(database) == [row for row in before if row[1] != "by_b"]
    assert t.is_sound(database)


@pytest.mark.parametrize("with_runner", [True, False], ids=["runner", "yoyo"])
def test_other_changes_keep_the_statistics(tmp_path: Path, *, with_runner: bool) -> None:
    """ALTER TABLE and edits of a definition keep the statistics."""
    database = tmp_path / "a.db"
    apply = t.apply_with_runner if with_runner else t.apply_with_yoyo
    body = table("plain", default=1, indexes=INDEXES)
    body["tables"]["t"]["columns"] |= {"c": "text", "d": "text"}
    t.write_schema(tmp_path, body)
    t.generate(tmp_path, "first")
    apply(tmp_path, database)
    t.run_script(database, f"{ROWS.format('a, b', 'i, i % 7')} ANALYZE;")
    before = statistics(database)
    columns = body["tables"]["t"]["columns"]
    del columns["c"]
    columns |= {"d": {"type": "text", "check": "d <> ''"}, "e": "text"}
    columns["f"] = {**columns.pop("b"), "renamed_from": "b"}
    body["tables"]["t"]["indexes"] = {"by_b": ["f"], "by_a_b": ["a", "f"]}
    t.write_schema(tmp_path, body)
    t.generate(tmp_path, "second")
    text = (tmp_path / "migrations" / "0002_second.sql").read_text(encoding="utf-8")
    assert {"RENAME COLUMN", "ADD COLUMN", "DROP COLUMN", "UPDATE sqlite_schema"} <= {
        words for words in ("RENAME COLUMN", "ADD COLUMN", "DROP COLUMN", "UPDATE sqlite_schema") if words in text
    }
    apply(tmp_path, database)
    assert statistics(database) == before
