"""Opening a database at head loads only the standard library, writes nothing and takes no lock."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import record_folder, run_python, run_yoyo
from waiaas_migrate import close_database, open_database

LOADED = """
import sys
from waiaas_migrate import open_database, close_database
close_database(open_database(sys.argv[1], migrations=sys.argv[2]))
print(sorted({"yoyo", "sqlparse", "yaml", "jinja2", "click", "rich", "syntaqlite"} & set(sys.modules)))
"""


def test_opening_at_head_loads_only_the_standard_library(path: Path, folder: Path) -> None:
    """The first opening, which applies, needs yoyo; the second doesn't."""
    assert run_python(LOADED, path, folder).stdout == "['sqlparse', 'yoyo']\n"
    assert run_python(LOADED, path, folder).stdout == "[]\n"


@pytest.fixture(params=["runner", "plain yoyo", "runner, then another chain"])
def at_head(request: pytest.FixtureRequest, path: Path, folder: Path) -> Path:
    """Return a database at head, migrated by the runner, by plain yoyo, or with the same texts of another manifest."""
    if request.param == "plain yoyo":
        run_yoyo("apply", path, folder)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    else:
        close_database(open_database(path, migrations=folder))
    if "chain" in request.param:
        (folder / "0001_parents.rollback.sql").write_text("DROP TABLE IF EXISTS parent;\n")
        record_folder(folder)
    return path


def test_opening_at_head_needs_no_yoyo(at_head: Path, folder: Path) -> None:
    """The record of texts, the catalog's fingerprint, or the texts in the folder prove that the database is at head."""
    assert run_python(LOADED, at_head, folder).stdout == "[]\n"


def test_opening_the_daemons_database_loads_only_the_standard_library(path: Path) -> None:
    """The functions that are bound to the shipped schema load nothing else."""
    code = LOADED.replace("open_database, close_database", "waiaas").replace(", migrations=sys.argv[2]", "")
    code = code.replace("close_database(open_database", "waiaas.close_database(waiaas.open_database")
    assert run_python(code, path).stdout == "['sqlparse', 'yoyo']\n"
    assert run_python(code, path).stdout == "[]\n"


def test_opening_at_head_writes_nothing_and_takes_no_lock(at_head: Path, path: Path, folder: Path) -> None:
    """Opening succeeds while another connection writes, and the file stays the same."""
    assert at_head == path
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        before = path.read_bytes()
        connection = open_database(path, migrations=folder)
        assert connection.execute("SELECT count(*) FROM parent").fetchone() == (0,)
        connection.close()
        assert path.read_bytes() == before
