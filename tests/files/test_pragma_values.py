"""PRAGMA values that are neither a plain word nor a number in ASCII digits."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import run, write_project
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
