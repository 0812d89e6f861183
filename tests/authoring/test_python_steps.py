"""Steps in Python: `generate` and `apply` refuse the same things, and neither depends on the settings a step leaves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import run

SCHEMA = "version: 1\ntables:\n  t: {columns: {id: {type: integer, primary_key: true}, v: text}}\n"
HEAD = "import sqlite3\nfrom yoyo import step\n__depends__ = {'0001_initial'}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project and a database with a row, at the first migration."""
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    assert run(tmp_path, "generate").status == 0
    assert run(tmp_path, "apply", "a.db").status == 0
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("INSERT INTO t VALUES (1, 'a')")
        connection.commit()
    return tmp_path


def write_steps(project: Path, *lines: str, head: str = "") -> None:
    """Write a Python migration whose step does ``lines``."""
    body = "".join(f"    {line}\n" for line in lines)
    (project / "migrations" / "0002_py.py").write_text(f"{HEAD}{head}def f(c):\n{body}steps = [step(f, f)]\n")


def values(project: Path) -> list[tuple[str]]:
    """The values in the database."""
    with closing(sqlite3.connect(project / "a.db")) as connection:
        return connection.execute("SELECT v FROM t").fetchall()


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        ("COMMIT", "c.commit()"),
        ("COMMIT", "c.executescript('SELECT 1')"),
        ("COMMIT", "c.cursor().executescript('SELECT 1')"),
        ("COMMIT", "with c: c.execute('SELECT 1')"),
        ("COMMIT", "c.execute('END')"),
        ("COMMIT", "c.isolation_level = 'DEFERRED'; c.isolation_level = None; c.commit()"),
        ("ROLLBACK", "c.rollback()"),
        ("ROLLBACK", "c.execute('/* x */ rollback')"),
        ("BEGIN", "c.execute('BEGIN IMMEDIATE')"),
    ],
)
def test_a_step_that_ends_the_transaction_fails_at_generate(project: Path, verb: str, line: str) -> None:
    """Generate gives the reason that `apply` gives; nothing is recorded or changed."""
    write_steps(project, line)
    manifest = (project / "migrations" / "manifest.json").read_bytes()
    said = f"it tries to {verb}, but migrations run in one transaction of the runner's. Remove BEGIN, COMMIT, ROLLBACK"
    for command in (["generate"], ["check"]):
        done = run(project, *command)
        assert done.status == 2
        assert f"0002_py.py: it fails on an empty database after the migrations before it: {said}" in done.err
    assert (project / "migrations" / "manifest.json").read_bytes() == manifest
    (project / "migrations" / "manifest.json").unlink()
    done = run(project, "apply", "a.db")
    assert done.status == 3
    assert said in done.err
    assert values(project) == [("a",)]


def test_a_step_outside_a_transaction_may_commit(project: Path) -> None:
    """A migration that is not transactional has its own transactions."""
    line = "c.executescript(\"BEGIN; UPDATE t SET v = 'b'; COMMIT;\")"
    write_steps(project, line, head="__transactional__ = False\n")
    assert run(project, "generate").status == 0
    assert run(project, "apply", "a.db").status == 0
    assert values(project) == [("b",)]


@pytest.mark.parametrize(
    "line",
    [
        "c.row_factory = sqlite3.Row",
        "c.text_factory = bytes",
        "c.row_factory = lambda cursor, row: {'x': row}",
        "c.row_factory, c.text_factory = sqlite3.Row, lambda data: data.decode('latin-1') + '!'",
    ],
)
@pytest.mark.parametrize("head", ["", "__transactional__ = False\n"], ids=["together", "alone"])
def test_a_factory_set_in_a_step_is_reset(project: Path, line: str, head: str) -> None:
    """`generate`, `check`, `apply`, `drift` and `rollback` work although a step sets row and text factories."""
    write_steps(project, line, "c.execute(\"UPDATE t SET v = 'b'\")", head=head)
    with (project / "schema.yaml").open("a") as file:
        file.write("  u: {columns: {a: text}}\n")
    for command in (["generate"], ["check"], ["apply", "a.db"], ["drift", "a.db"], ["rollback", "a.db", "--yes"]):
        done = run(project, *command)
        assert (done.status, command) == (0, command), done.err
    assert values(project) == [("b",)]
    if not head:
        assert run(project, "rollback", "a.db", "--yes").status == 0
