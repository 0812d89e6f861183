"""``squash`` replaces several migrations with one that makes the same database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.folders import dump, write_folder
from tests.support.projects import Run, listing, rows, run
from waiaas_migrate.sqlite.database.pragmas import Pragma

FIRST = """CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, doubled AS (name || name));
CREATE TABLE note (body TEXT);
CREATE TABLE pair (a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE VIEW named AS SELECT name FROM account;
CREATE TRIGGER noted AFTER INSERT ON account BEGIN INSERT INTO note VALUES ('inserted ' || new.id); END;
"""
SECOND = """-- depends: 0001_first
INSERT INTO account (name) VALUES ('one'), ('back\\slash'), ('two' || char(13, 10) || 'lines'), ('it''s');
DELETE FROM account WHERE id = 4;
INSERT INTO note VALUES (1.5), (NULL), (x'00ff'), (9e999);
DELETE FROM note WHERE rowid = 2;
INSERT INTO pair VALUES (2, 1), (1, 2);
PRAGMA user_version = 7;
"""
THIRD = "-- depends: 0002_second\nALTER TABLE account RENAME TO holder;\nCREATE INDEX by_name ON holder (name);\n"
FOURTH = "-- depends: 0003_third\nALTER TABLE holder ADD COLUMN age INTEGER DEFAULT 18;\n"
FILES = {"0001_first": FIRST, "0002_second": SECOND, "0003_third": THIRD, "0004_fourth": FOURTH}


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write and record migrations by hand."""
    write_folder(folder / "migrations", {f"{name}.sql": sql for name, sql in files.items()}, pragmas=())
    return folder


def squash(folder: Path, *options: str) -> Run:
    """Squash, and require that it succeeds."""
    done = run(folder, "squash", *options)
    assert done.status == 0, done.err
    return done


@pytest.mark.parametrize("to", ["0002_second", "0003_third", "0004_fourth"])
def test_a_new_database_is_the_same(tmp_path: Path, to: str) -> None:
    """A database made by the squashed migration has the same catalog, rows, rowids and counters."""
    write(tmp_path, FILES)
    assert run(tmp_path, "apply", "old.db").status == 0
    squash(tmp_path, "--to", to)
    assert run(tmp_path, "apply", "new.db").status == 0
    names = sorted(path.name for path in (tmp_path / "migrations").glob("*.sql") if "rollback" not in path.name)
    assert names == [f"{name}.sql" for name in FILES if name >= to]
    assert without_records(dump(tmp_path / "old.db")) == without_records(dump(tmp_path / "new.db"))
    assert rows(tmp_path / "new.db", "PRAGMA user_version") == [(7,)]
    assert rows(tmp_path / "new.db", "SELECT rowid FROM note") == rows(tmp_path / "old.db", "SELECT rowid FROM note")
    assert run(tmp_path, "drift", "new.db").status == 0


def without_records(lines: list[str]) -> list[str]:
    """Return the catalog without the tables that record migrations."""
    return sorted(line for line in lines if "yoyo" not in line and "_yoyo_migration_text" not in line)


def test_the_squashed_migration_can_be_rolled_back(tmp_path: Path) -> None:
    """The squashed migration's rollback drops everything that it makes; afterwards it can be applied again."""
    write(tmp_path, FILES)
    squash(tmp_path)
    assert run(tmp_path, "apply", "a.db").status == 0
    assert run(tmp_path, "rollback", "a.db", "--yes").status == 0
    assert rows(tmp_path / "a.db", "SELECT name FROM sqlite_master WHERE name IN ('holder', 'note', 'named')") == []
    assert run(tmp_path, "apply", "a.db").status == 0


def test_any_text_in_any_encoding(tmp_path: Path) -> None:
    """Any text is reproduced in a UTF-16 database. It may be long, or impossible to write literally in a file."""
    rows_sql = "-- depends: 0001_t\nINSERT INTO t VALUES ('é\\' || char(0, 13, 10) || 'z'), (replace(hex(zeroblob(700)), '0', 'a' || char(10)));\n"
    files = {"0001_t.sql": "CREATE TABLE t (a TEXT);\n", "0002_rows.sql": rows_sql}
    write_folder(tmp_path / "migrations", files, pragmas=(Pragma(name="encoding", value="UTF-16le"),))
    assert run(tmp_path, "apply", "old.db").status == 0
    squash(tmp_path)
    assert run(tmp_path, "apply", "new.db").status == 0
    there = rows(tmp_path / "new.db", "SELECT hex(a) FROM t")
    assert there == rows(tmp_path / "old.db", "SELECT hex(a) FROM t")
    assert str(there[0][0]).startswith("E9005C000000")


def test_squashing_twice(tmp_path: Path) -> None:
    """A squashed migration can be squashed with those after it."""
    write(tmp_path, FILES)
    assert run(tmp_path, "apply", "old.db").status == 0
    squash(tmp_path, "--to", "0002_second")
    squash(tmp_path)
    assert run(tmp_path, "apply", "new.db").status == 0
    assert without_records(dump(tmp_path / "old.db")) == without_records(dump(tmp_path / "new.db"))
    manifest = json.loads((tmp_path / "migrations" / "manifest.json").read_text(encoding="utf-8"))
    replaced = [text.partition(" ")[2] for text in manifest["migrations"][0]["replaces"]]
    assert replaced == ["0001_first", "0002_second", "0002_second", "0003_third", "0004_fourth"]


@pytest.mark.parametrize(
    ("files", "options", "said"),
    [
        ({"0001_a": "CREATE TABLE t (x);\n"}, (), "0001_a is the only migration"),
        (FILES, ("--to", "0001_first"), "--to 0001_first: is the first migration. Name a later one"),
        (FILES, ("--to", "0002_secnd"), "Did you mean 0002_second?"),
        (
            {**FILES, "0005_e": "-- depends: 0002_second\nSELECT 1;\n"},
            ("--to", "0003_third"),
            "0002_second, which would",
        ),
        ({**FILES, "0005_e": "INSERT INTO note VALUES (random());\n"}, (), "different rows each time they run: note"),
        (
            {"0001_a": "CREATE VIRTUAL TABLE f USING fts5(x);\n", "0002_b": "INSERT INTO f VALUES ('word');\n"},
            (),
            "can't make what the old ones make: f_content, f_data, f_docsize, f_idx would differ",
        ),
    ],
)
def test_refusals(tmp_path: Path, files: dict[str, str], options: tuple[str, ...], said: str) -> None:
    """``squash`` refuses what one migration can't do, and changes nothing."""
    write(tmp_path, files)
    before = listing(tmp_path)
    done = run(tmp_path, "squash", *options)
    assert done.status == 2
    assert said in done.err
    assert listing(tmp_path) == before


def test_an_edited_migration_is_refused(tmp_path: Path) -> None:
    """Databases may have run what the manifest records, so files that differ from it are not squashed."""
    write(tmp_path, FILES)
    with (tmp_path / "migrations" / "0002_second.sql").open("a", encoding="utf-8") as file:
        file.write("DELETE FROM note;\n")
    done = run(tmp_path, "squash")
    assert (done.status, "was edited" in done.err) == (2, True)
