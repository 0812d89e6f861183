"""PRAGMA values that are neither a plain word nor a number in ASCII digits."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import listing, run, write_project
from waiaas_migrate import open_database

SCHEMA = "version: 1\npragmas: {{{pragma}}}\ntables: {{t: {{columns: {{a: text}}}}}}\n"


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("UTF-8", "UTF-8"),
        ("utf-8", "UTF-8"),
        ("'UTF-8'", "UTF-8"),
        ("UTF8", "UTF-8"),
        ("UTF-16le", "UTF-16le"),
        ("UTF-16be", "UTF-16be"),
        ("UTF-16", "UTF-16"),
    ],
)
def test_encodings(tmp_path: Path, declared: str, found: str) -> None:
    """An encoding in any spelling of SQLite's applies to new databases of the command and of an application."""
    write_project(tmp_path, SCHEMA.format(pragma=f"encoding: {declared}"))
    assert run(tmp_path, "generate").status == 0
    assert run(tmp_path, "apply", "app.db").status == 0
    assert run(tmp_path, "apply", "app.db").status == 0
    with closing(open_database(tmp_path / "other.db", migrations=tmp_path / "migrations")):
        pass
    for name in ("app.db", "other.db"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            assert connection.execute("PRAGMA encoding").fetchone()[0].startswith(found)
    assert run(tmp_path, "check").status == 0


@pytest.mark.parametrize("value", ["²", "١²", "UTF 8", "a'b", "-x", '"²"'])
def test_bad_values_are_refused(tmp_path: Path, value: str) -> None:
    """A value that is not a word or a whole number is an error at its place."""
    write_project(tmp_path, SCHEMA.format(pragma=f"busy_timeout: {value}"))
    done = run(tmp_path, "generate")
    assert (done.status, done.err.startswith("Error: schema.yaml:2:25, pragmas.busy_timeout: ")) == (2, True)


#: PRAGMAs that SQLite ignores or changes without an error, and the messages about them.
FAULTY = {
    "journal: WAL": "does not know this PRAGMA, and would ignore it. Did you mean `journal_mode`?",
    "journal_mode: WALL": "journal_mode must be WAL, DELETE, TRUNCATE or PERSIST, not WALL. Without a journal on disk, a "
    "migration that fails or is interrupted corrupts the database. Did you mean `WAL`?",
    "synchronous: NORML": "after it was set to NORML, SQLite reports 1. Did you mean `NORMAL`?",
    "foreign_keys: ture": "after it was set to ture, SQLite reports 0. Write one of `ON`, `OFF`.",
    "locking_mode: EXCLUSIV": "after it was set to EXCLUSIV, SQLite reports normal. Did you mean `EXCLUSIVE`?",
    "page_size: 3000": "after it was set to 3000, SQLite reports 4096. Correct or remove it.",
    "encoding: UTF-9": "after it was set to UTF-9, SQLite reports an error, unsupported encoding: UTF-9. Did you mean `UTF-8`?",
    "cache_size: big": "after it was set to big, SQLite reports 0. Correct or remove it.",
    "optimize: 1": "SQLite reports no value for this PRAGMA, so it can't be verified when a database is opened. Correct or remove it.",
    "user_version: 99999999999": "after it was set to 99999999999, SQLite reports 0. Correct or remove it.",
}


@pytest.mark.parametrize("pragma", FAULTY)
def test_generate_and_check_try_pragmas(tmp_path: Path, pragma: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PRAGMA that SQLite ignores or changes is an error with its line and a fix; nothing is written or left."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    project = write_project(tmp_path / "p", SCHEMA.format(pragma="busy_timeout: 100"))
    assert run(project, "generate").status == 0
    text = f"version: 1\npragmas:\n  busy_timeout: 100\n  {pragma}\ntables: {{t: {{columns: {{a: text}}}}}}\n"
    (project / "schema.yaml").write_text(text, encoding="utf-8")
    before = listing(project)
    for command in ("generate", "check"):
        done = run(project, command)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("Error: schema.yaml:4:")
        assert f", pragmas.{pragma.partition(':')[0]}: " in done.err
        assert done.err.endswith(f"{FAULTY[pragma]}\n")
    assert listing(project) == before
    assert list(temporary.iterdir()) == []


def test_all_faulty_pragmas_are_reported_at_once(tmp_path: Path) -> None:
    """Every PRAGMA is tried, even after an error, and each error has its line."""
    pragmas = "\n  ".join(pragma for pragma in FAULTY if "WALL" not in pragma)
    text = f"version: 1\npragmas:\n  {pragmas}\n  journal_mode: WAL\ntables: {{t: {{columns: {{a: text}}}}}}\n"
    done = run(write_project(tmp_path, text), "generate")
    found = [line.partition(":")[2].partition(":")[0] for line in done.err.splitlines()[1:]]
    assert (done.status, found) == (2, [str(number) for number in range(3, 3 + len(FAULTY) - 1)])


@pytest.mark.parametrize(
    "pragma",
    [
        "journal_mode: wal",
        "page_size: 8192",
        "auto_vacuum: incremental",
        "synchronous: EXTRA",
        "locking_mode: exclusive",
        "mmap_size: 1048576",
        "query_only: ON",
        "hard_heap_limit: 1",
    ],
)
def test_good_pragmas_pass(tmp_path: Path, pragma: str) -> None:
    """A valid PRAGMA isn't reported. One that applies to the whole process isn't tried."""
    project = write_project(tmp_path, SCHEMA.format(pragma=pragma))
    assert run(project, "generate").status == 0
    assert run(project, "check").status == 0
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("PRAGMA hard_heap_limit").fetchone() == (0,)


@pytest.mark.parametrize("value", ["²", "5²", "٥²"])
@pytest.mark.parametrize("name", ["busy_timeout", "cache_size", "user_version"])
def test_a_bad_value_in_the_manifest(tmp_path: Path, name: str, value: str) -> None:
    """A bad value in an edited manifest is an error without a traceback."""
    write_project(tmp_path, SCHEMA.format(pragma=f"{name}: 5000"))
    assert run(tmp_path, "generate").status == 0
    path = tmp_path / "migrations" / "manifest.json"
    content = json.loads(path.read_text())
    content["pragmas"][name] = value
    path.write_text(json.dumps(content))
    done = run(tmp_path, "apply", "app.db")
    assert (done.status, f"PRAGMA {name} = {value}: a PRAGMA takes a plain name" in done.err) == (2, True), done.err
