"""The rows that violate a new unique key or index are named exactly."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import write_folder
from waiaas_migrate import open_database
from waiaas_migrate.errors import ApplyError

ROWS = [
    (1, "x", 1, None),
    (2, "X", 1, 5),
    (3, "y", 0, 5),
    (4, "y", 0, 6),
    (5, "z", 1, None),
    (6, "é, (", 1, 7),
    (7, None, 1, 8),
    (8, None, 1, 9),
]
T = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, live INTEGER, n INTEGER);"


def copied(columns: str) -> str:
    """Return a rebuild of the table, written as the templates write it."""
    return (
        f"CREATE TABLE _waiaas_new_t ({columns});\n"
        "INSERT INTO _waiaas_new_t (id, name, live, n)\nSELECT id, name, live, n FROM t;\n"
        "DROP TABLE t;\nALTER TABLE _waiaas_new_t RENAME TO t;\n"
    )


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("CREATE UNIQUE INDEX i ON t (name);", "2 rows: id 3, 4"),
        ('create unique index if not exists "i" on "t"("name" desc) ;', "2 rows: id 3, 4"),
        ("CREATE UNIQUE INDEX main.i ON t (name COLLATE NOCASE);", "4 rows: id 1, 2, 3, 4"),
        ("CREATE UNIQUE INDEX i ON t (name COLLATE NOCASE) WHERE live = 1 -- ends\n;", "2 rows: id 1, 2"),
        ("CREATE UNIQUE INDEX i ON t (lower(name) DESC) WHERE live;", "2 rows: id 1, 2"),
        ("CREATE UNIQUE INDEX i ON t (substr(name, 1, 1) /* a, b) */, live) WHERE name <> '(,x';", "2 rows: id 3, 4"),
        ("CREATE UNIQUE INDEX [i] ON [t] (n);", "2 rows: id 2, 3"),
        ("CREATE UNIQUE INDEX i ON t (live, iif(name = ',)', 1, n));", None),
        (copied("id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, live, n"), "4 rows: id 1, 2, 3, 4"),
        (copied("id INTEGER PRIMARY KEY, name TEXT UNIQUE, live, n"), "2 rows: id 3, 4"),
        (
            copied("id INTEGER PRIMARY KEY, name, live, n, UNIQUE (name COLLATE NOCASE, live)"),
            "4 rows: id 1, 2, 3, 4",
        ),
    ],
)
def test_duplicates_are_named(tmp_path: Path, sql: str, rows: str | None) -> None:
    """Rows with equal keys are named, except keys with NULL, which are never duplicates."""
    folder = write_folder(tmp_path / "m", {"0001_t.sql": f"{T}\n"}, record=False)
    open_database(tmp_path / "app.db", migrations=folder).close()
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", ROWS)
        connection.commit()
    write_folder(folder, {"0002_unique.sql": f"-- depends: 0001_t\n{sql}\n"}, record=False)
    if rows is None:
        open_database(tmp_path / "app.db", migrations=folder).close()
        return
    with pytest.raises(ApplyError) as refused:
        open_database(tmp_path / "app.db", migrations=folder)
    assert f"({rows})" in str(refused.value)


#: A copy with its rowids, as the templates write it for such tables.
COPIED = (
    "CREATE TABLE _waiaas_new_t (k, j, name CHECK (name <> 'x'));\n"
    "INSERT INTO _waiaas_new_t (rowid, k, j, name)\nSELECT rowid, k, j, name FROM t;\n"
)


@pytest.mark.parametrize(
    "key", ["k TEXT PRIMARY KEY, j", "k TEXT, j, PRIMARY KEY (k, j)", "k, j INTEGER, PRIMARY KEY (j, k)"]
)
@pytest.mark.parametrize("sql", ["CREATE UNIQUE INDEX i ON t (name);", COPIED])
def test_rows_without_a_key_are_named_by_their_rowid(tmp_path: Path, key: str, sql: str) -> None:
    """If a primary key is NULL, which a table with rowids allows, the row is named by its rowid."""
    folder = write_folder(
        tmp_path / "m", {"0001_t.sql": f"CREATE TABLE t ({key.replace('j', 'j, name', 1)});\n"}, record=False
    )
    open_database(tmp_path / "app.db", migrations=folder).close()
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        connection.execute("INSERT INTO t (k, j, name) VALUES (NULL, 1, 'x'), (NULL, 2, 'x'), ('q', 3, 'y')")
        connection.commit()
    write_folder(folder, {"0002_x.sql": f"-- depends: 0001_t\n{sql}"}, record=False)
    with pytest.raises(ApplyError, match="2 rows: rowid 1, 2"):
        open_database(tmp_path / "app.db", migrations=folder)
