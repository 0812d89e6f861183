"""Carriage returns in texts are refused with their place.

yoyo reads a carriage return in a migration as a line feed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import run, write_project
from tests.support.transitions import apply_with_runner, apply_with_yoyo, rows_of, run_script

TABLE = "version: 1\nenums: kinds\ntables:\n  t:\n    columns:\n      a: text\n"
SAID = "the text contains a carriage return, which yoyo reads from a migration as a line feed. Remove it, or write"

REFUSED = {
    "default": ('      b: {type: text, default: "x\\ry"}\n', "columns.b.default"),
    "with a line feed": ('      b: {type: text, default: "x\\r\\ny"}\n', "columns.b.default"),
    "default_sql": ("      b: {type: text, default_sql: \"lower('x\\ry')\"}\n", "columns.b.default_sql"),
    "enum": ('      b: {type: text, enum: [x, "y\\r"]}\n', "columns.b.enum"),
    "enum of a module": ("      b: {type: text, enum: RETURNS}\n", "columns.b.enum"),
    "old value": (
        '      b: {type: text, enum: [x], enum_values: {renamed: {"y\\r": x}}}\n',
        'columns.b.enum_values.renamed."y"',
    ),
    "check": ("    checks: [\"a <> '\\r'\"]\n", "checks[0]"),
    "backfill": ("      b: {type: text, backfill: \"'\\r'\"}\n", "columns.b.backfill"),
    "view": ("views: {v: \"SELECT '\\r' AS r\"}\n", "v"),
}


@pytest.mark.parametrize(("more", "path"), REFUSED.values(), ids=REFUSED)
def test_carriage_returns_are_refused(tmp_path: Path, more: str, path: str) -> None:
    """The error names the place in schema.yaml; it is not a ProofError."""
    write_project(tmp_path, TABLE + more, kinds="RETURNS = ('a\\r', 'b')\n")
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert f"{path}: {SAID}" in done.err
    assert "fault of waiaas-migrate" not in done.err
    assert not (tmp_path / "migrations").exists()


def test_char_13_is_a_carriage_return(tmp_path: Path) -> None:
    """``char(13)`` works with the runner and yoyo; a carriage return between words is a space."""
    more = """\
      b: {type: text, default_sql: "'x' || char(13) || 'y'", check: "b\\r\\n <> ''"}
views: {v: "SELECT a,\\r\\n b\\r FROM t"}
"""
    write_project(tmp_path / "p", TABLE + more)
    assert run(tmp_path / "p", "generate").status == 0
    apply_with_runner(tmp_path / "p", tmp_path / "runner.db")
    apply_with_yoyo(tmp_path / "p", tmp_path / "yoyo.db")
    for name in ("runner.db", "yoyo.db"):
        run_script(tmp_path / name, "INSERT INTO t (a) VALUES ('a')")
        assert rows_of(tmp_path / name, "t", ["b"]) == [{"b": "x\ry"}]
    assert run(tmp_path / "p", "generate").out.startswith(("Nothing to generate", "No migration is needed"))
