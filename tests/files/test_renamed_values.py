"""Renamed enum values: to another case, and in a cycle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import edit, generated_project, run
from tests.support.transitions import (
    apply_with_runner,
    apply_with_yoyo,
    roll_back_with_runner,
    roll_back_with_yoyo,
    rows_of,
    run_script,
)

SCHEMA = """\
version: 1
tables:
  t:
    columns:
      id: {type: integer, primary_key: true}
      s: {type: text, enum: [open, done]COLLATE}
"""


@pytest.mark.parametrize("collation", ["", ", collate: nocase", ", collate: rtrim"])
def test_rename_changes_only_case(tmp_path: Path, collation: str) -> None:
    """Rows get the new case with any collation, and the old case after a rollback."""
    project = generated_project(tmp_path / "p", SCHEMA.replace("COLLATE", collation))
    for name, apply in (("runner.db", apply_with_runner), ("yoyo.db", apply_with_yoyo)):
        apply(project, tmp_path / name)
        run_script(tmp_path / name, "INSERT INTO t (s) VALUES ('open'), ('done'), (NULL)")
    edit(project / "schema.yaml", "[open, done]", "[OPEN, done], enum_values: {renamed: {open: OPEN}}")
    done = run(project, "generate")
    assert (done.status, "REMOVE_ENUM_VALUE" in done.out) == (0, False)
    for name, apply, roll_back in (
        ("runner.db", apply_with_runner, roll_back_with_runner),
        ("yoyo.db", apply_with_yoyo, roll_back_with_yoyo),
    ):
        apply(project, tmp_path / name)
        assert [row["s"] for row in rows_of(tmp_path / name, "t", ["s"])] == ["OPEN", "done", None]
        roll_back(project, tmp_path / name)
        assert [row["s"] for row in rows_of(tmp_path / name, "t", ["s"])] == ["open", "done", None]
    assert run(project, "generate").out.startswith(("Nothing to generate", "No migration is needed"))


@pytest.mark.parametrize(
    ("values", "renamed"),
    [
        ("[open, done]", "{open: done, done: open}"),
        ("[open, done, new]", "{open: done, done: new, new: open}"),
        ("[done, new]", "{open: done, done: new}"),
    ],
    ids=["swap", "circle", "chain"],
)
def test_swapped_values_are_refused(tmp_path: Path, values: str, renamed: str) -> None:
    """Swapped values are refused, since a second run would swap the rows back.

    The error has the statement to write by hand.
    """
    project = generated_project(tmp_path, SCHEMA.replace("COLLATE", ""))
    edit(project / "schema.yaml", "[open, done]", f"{values}, enum_values: {{renamed: {renamed}}}")
    done = run(project, "generate")
    assert done.status == 2
    assert "tables.t.columns.s.enum_values: renamed: 'done'" in done.err or "renamed: 'open', 'done'" in done.err
    assert "Write a migration by hand with `UPDATE … SET s = CASE s WHEN 'open' THEN 'done' WHEN 'done'" in done.err
