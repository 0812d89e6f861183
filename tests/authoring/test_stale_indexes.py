"""Full-text tables over a view stay up to date when a migration changes the rows under the view."""

from __future__ import annotations

import copy
import shutil
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
    roll_back_with_runner,
    roll_back_with_yoyo,
    run_script,
    write_schema,
)
from waiaas_migrate.schema.hazards.hazard import Code

Body = dict[str, Any]

OLD: Body = {
    "tables": {
        "notes": {
            "columns": {
                "id": {"type": "integer", "primary_key": True},
                "kind": {"type": "text", "nullable": False, "enum": ["old", "kept", "gone"]},
                "body": "text",
                "who": "integer",
                "low": {"type": "text", "generated": "lower(kind)"},
            }
        },
        "people": {"columns": {"id": {"type": "integer", "primary_key": True}, "name": "text", "other": "text"}},
    },
    "views": {
        "live": "SELECT notes.id, kind, body, name FROM notes LEFT JOIN people ON people.id = who WHERE kind <> 'gone'",
        "lower": "SELECT id, low AS kind, body FROM notes",
        "top": "SELECT id AS rowid, kind AS k FROM live",
        "cold": "SELECT id, other AS kind FROM people",
    },
    "virtual_tables": {
        "f_live": "CREATE VIRTUAL TABLE f_live USING fts5(kind, body, name, content='live', content_rowid='id')",
        "f_lower": 'CREATE VIRTUAL TABLE f_lower USING fts5(kind, content="lower", content_rowid=id)',
        "f_top": 'CREATE VIRTUAL TABLE f_top USING fts4(k, content="top")',
        "f_all": "CREATE VIRTUAL TABLE f_all USING fts4(content='people')",
        "f_cold": "CREATE VIRTUAL TABLE f_cold USING fts5(kind, content='cold', content_rowid='id')",
        "f_bare": "CREATE VIRTUAL TABLE f_bare USING fts5(kind, content='')",
    },
}
OVER_VIEWS = ("f_live", "f_lower", "f_top")
ROWS = """
INSERT INTO people VALUES (1, 'ann', 'x'), (2, 'bob', NULL);
INSERT INTO notes (id, kind, body, who) VALUES (1, 'old', 'alpha', 1), (2, 'kept', NULL, 2), (7, 'gone', 'beta', NULL);
INSERT INTO f_bare (rowid, kind) VALUES (1, 'old');
""" + "".join(f"INSERT INTO {name} ({name}) VALUES ('rebuild');" for name in (*OVER_VIEWS, "f_cold", "f_all"))


def prepared(folder: Path, *, catalog_edits: bool = True) -> Path:
    """Make a database of ``OLD`` with rows."""
    write_schema(folder, OLD, catalog_edits=catalog_edits)
    generate(folder)
    database = folder / "x.db"
    apply_with_runner(folder, database)
    run_script(database, ROWS)
    return database


def is_up_to_date(database: Path, table: str) -> bool:
    """Return whether indexing the rows of ``table`` again changes nothing."""
    with closing(sqlite3.connect(database)) as connection:

        def words() -> list[tuple[object, ...]]:
            if table in ("f_top", "f_all"):
                connection.execute(f"CREATE VIRTUAL TABLE temp.w USING fts4aux(main, {table})")
                select = "SELECT term, col, documents, occurrences FROM temp.w ORDER BY 1, 2"
            else:
                connection.execute(f"CREATE VIRTUAL TABLE temp.w USING fts5vocab(main, {table}, instance)")
                select = "SELECT term, doc, col, offset FROM temp.w ORDER BY 1, 2, 3, 4"
            found = connection.execute(select).fetchall()
            connection.execute("DROP TABLE temp.w")
            return found

        held = words()
        connection.execute(f"INSERT INTO {table} ({table}) VALUES ('rebuild')")
        return held == words()


def found(database: Path, table: str, word: str) -> list[int]:
    """Return the rows of ``table`` that contain ``word``."""
    with closing(sqlite3.connect(database)) as connection:
        query = f"SELECT rowid FROM {table} WHERE {table} MATCH ? ORDER BY 1"
        return [row[0] for row in connection.execute(query, (word,))]


def notes(body: Body) -> dict[str, Any]:
    """Return the columns of the table ``notes``."""
    columns: dict[str, Any] = body["tables"]["notes"]["columns"]
    return columns


def value_renamed(body: Body) -> None:
    """Rename an enum value."""
    notes(body)["kind"] |= {"enum": ["new", "kept", "gone"], "enum_values": {"renamed": {"old": "new"}}}


def value_removed(body: Body) -> None:
    """Remove an enum value, so that its rows get into the view."""
    notes(body)["kind"] |= {"enum": ["old", "kept"], "enum_values": {"removed": {"gone": "kept"}}}


def filled(body: Body) -> None:
    """Fill rows that have no value."""
    notes(body)["body"] = {"type": "text", "nullable": False, "backfill": "'filled'"}


def converted(body: Body) -> None:
    """Change the types of columns, so that values are converted."""
    notes(body)["body"] = "blob"
    notes(body)["who"] = "text"
    body["tables"]["people"]["columns"]["name"] = {"type": "text", "nullable": False, "backfill": "'nobody'"}


def renamed(body: Body) -> None:
    """Rename the table, a column and a value."""
    value_renamed(body)
    notes(body)["sort"] = {**notes(body).pop("kind"), "renamed_from": "kind"}
    notes(body)["low"]["generated"] = "lower(sort)"
    body["tables"]["papers"] = {**body["tables"].pop("notes"), "renamed_from": "notes"}
    body["views"]["live"] = (
        "SELECT papers.id, sort AS kind, body, name FROM papers LEFT JOIN people ON people.id = who "
        "WHERE sort <> 'gone'"
    )
    body["views"]["lower"] = "SELECT id, low AS kind, body FROM papers"


def view_changed(body: Body) -> None:
    """Change what the views select."""
    body["views"]["live"] = body["views"]["live"].replace(" WHERE kind <> 'gone'", " WHERE kind <> 'old'")
    body["views"]["lower"] = "SELECT id, low || ' more' AS kind, body FROM notes"


def joined_otherwise(body: Body) -> None:
    """Let a view read a column that the migration adds."""
    notes(body)["extra"] = {"type": "text", "backfill": "'extra' || id"}
    body["views"]["live"] = body["views"]["live"].replace("kind, body", "kind, extra AS body")


CHANGES = [value_renamed, value_removed, filled, converted, renamed, view_changed, joined_otherwise]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("catalog_edits", [True, False])
def test_an_index_over_a_view_follows_its_rows(
    tmp_path: Path, change: Callable[[Body], None], *, catalog_edits: bool
) -> None:
    """The index follows the rows forward and back, by the runner and by yoyo; unchanged rows stay as they are."""
    database = prepared(tmp_path, catalog_edits=catalog_edits)
    other = Path(shutil.copy(database, tmp_path / "yoyo.db"))
    body = copy.deepcopy(OLD)
    change(body)
    write_schema(tmp_path, body, catalog_edits=catalog_edits)
    migration = generate(tmp_path).migration
    assert "INTO f_cold" not in (tmp_path / "migrations" / f"{migration}.sql").read_text()
    apply_with_runner(tmp_path, database)
    apply_with_yoyo(tmp_path, other)
    for file in (database, other):
        assert [table for table in (*OVER_VIEWS, "f_all") if not is_up_to_date(file, table)] == []
    roll_back_with_runner(tmp_path, database)
    roll_back_with_yoyo(tmp_path, other)
    for file in (database, other):
        assert [table for table in (*OVER_VIEWS, "f_all") if not is_up_to_date(file, table)] == []


def test_a_mapped_value_is_found_under_its_new_name(tmp_path: Path) -> None:
    """A search finds the new value and not the old one; other indexes do not change."""
    database = prepared(tmp_path)
    body = copy.deepcopy(OLD)
    value_renamed(body)
    write_schema(tmp_path, body)
    generate(tmp_path)
    apply_with_runner(tmp_path, database)
    for table in OVER_VIEWS:
        assert (found(database, table, "new"), found(database, table, "old")) == ([1], [])
    assert found(database, "f_bare", "old") == [1]


@pytest.mark.parametrize("make", ["tables", "views", "virtual_tables"])
def test_a_change_elsewhere_indexes_nothing_again(tmp_path: Path, make: str) -> None:
    """A column that no view reads, a new view and a new full-text table do not make others stale."""
    write_schema(tmp_path, OLD)
    generate(tmp_path)
    body = copy.deepcopy(OLD)
    if make == "tables":
        notes(body)["extra"] = {"type": "text", "backfill": "'x'"}
    elif make == "views":
        body["views"]["another"] = "SELECT id, kind FROM notes"
    else:
        body["virtual_tables"]["own"] = "CREATE VIRTUAL TABLE own USING fts5(s)"
    write_schema(tmp_path, body)
    migration = generate(tmp_path).migration
    assert "rebuild" not in (tmp_path / "migrations" / f"{migration}.sql").read_text()


def test_a_new_index_over_a_view_is_filled(tmp_path: Path) -> None:
    """A search finds existing rows of the view at once."""
    body = copy.deepcopy(OLD)
    lone = body["virtual_tables"].pop("f_live")
    write_schema(tmp_path, body)
    generate(tmp_path)
    database = tmp_path / "x.db"
    apply_with_runner(tmp_path, database)
    run_script(database, ROWS.replace("INSERT INTO f_live (f_live) VALUES ('rebuild');", ""))
    body["virtual_tables"]["f_live"] = lone
    write_schema(tmp_path, body)
    generate(tmp_path)
    apply_with_runner(tmp_path, database)
    assert found(database, "f_live", "ann") == [1]


def test_a_view_that_becomes_a_table_empties_the_index(tmp_path: Path) -> None:
    """The new table has no rows, so a search finds none."""
    database = prepared(tmp_path)
    body = copy.deepcopy(OLD)
    del body["views"]["lower"]
    body["tables"]["lower"] = {"columns": {"id": {"type": "integer", "primary_key": True}, "kind": "text"}}
    write_schema(tmp_path, body)
    generate(tmp_path)
    apply_with_runner(tmp_path, database)
    assert found(database, "f_lower", "old") == []


def test_a_view_without_a_rowid_column_is_reported(tmp_path: Path) -> None:
    """A view has no rowid, so a full-text table over it needs a column instead."""
    body = copy.deepcopy(OLD)
    body["views"]["live"] = body["views"]["live"].replace("notes.id, ", "")
    write_schema(tmp_path, body)
    hazards = generate(tmp_path, allow=()).refused
    assert {(hazard.code, hazard.where) for hazard in hazards} == {
        (Code.BREAK_OBJECT, name) for name in ("f_live", "f_top", "top")
    }
