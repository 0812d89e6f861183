"""Every error and hazard about ``renamed_from`` or ``backfill`` has its line in schema.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import generated_project, run

SCHEMA = """\
version: 1
tables:
  Orders:
    columns:
      id: {type: integer, primary_key: true}
      Status: text
      total: integer
  people:
    columns: {id: {type: integer, primary_key: true}, name: text}
views:
  v: SELECT id FROM people
"""
NEW = "\n      more: {type: integer, nullable: false, backfill: "
#: What is replaced, by what, and the place and the key of the error.
ERRORS = {
    "neither column": ("Status: text", "state: {type: text, renamed_from: nope}", "6:41", "state.renamed_from"),
    "neither table": ("  people:", "  persons:\n    renamed_from: nope", "9:19", "persons.renamed_from"),
    "still declared": ("total: integer", "total: integer\n      t2: {renamed_from: total}", "8:26", "t2.renamed_from"),
    "not text": ("total: integer", "total: {type: integer, renamed_from: 3}", "7:44", "total.renamed_from"),
    "no such column": ("total: integer", f"total: integer{NEW}totl}}", "8:56", "more.backfill"),
    "a function of many rows": ("total: integer", f"total: integer{NEW}max(id)}}", "8:56", "more.backfill"),
    "not SQL": ("total: integer", f"total: integer{NEW}id +}}", "8:56", "more.backfill"),
    "a word in double quotes": ("total: integer", f"total: integer{NEW}'\"totl\"'}}", "8:56", "more.backfill"),
    "a number": ("total: integer", "total: {type: integer, backfill: [1]}", "7:40", "total.backfill"),
}


@pytest.mark.parametrize("table", ["Orders", "orders"])
@pytest.mark.parametrize("case", ERRORS)
@pytest.mark.parametrize("command", ["generate", "check"])
def test_errors_have_their_line(tmp_path: Path, command: str, case: str, table: str) -> None:
    """An error about a hint names its line, also if the migrations spell the table's name in another case."""
    project = generated_project(tmp_path, SCHEMA)
    old, new, place, key = ERRORS[case]
    text = SCHEMA.replace("Orders", table).replace(old, new)
    (project / "schema.yaml").write_text(text, encoding="utf-8")
    done = run(project, command)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"Error: schema.yaml:{place}, tables.")
    assert f".{key}: " in done.err


@pytest.mark.parametrize(
    ("new", "code", "place"),
    [
        ("total: {type: integer, nullable: false, backfill: nofunc(id)}", "UNKNOWN_FUNCTION", "7:57"),
        ("total: {type: text, nullable: false, backfill: id}", "NARROW_TYPE", "7:54"),
        (
            "total: {type: text, renamed_from: Status}\n      Status: {type: integer, renamed_from: total}",
            "SWAP_NAMES",
            "6:41",
        ),
    ],
)
def test_hazards_of_hints_have_their_line(tmp_path: Path, new: str, code: str, place: str) -> None:
    """A hazard that a hint causes names its line, in ``generate`` and in ``diff``."""
    project = generated_project(tmp_path, SCHEMA)
    text = SCHEMA.replace("total: integer", new)
    text = text.replace("      Status: text\n", "") if code == "SWAP_NAMES" else text
    (project / "schema.yaml").write_text(text, encoding="utf-8")
    assert f"{code} schema.yaml:{place}, Orders" in run(project, "diff", "migrations", "schema.yaml").err
    assert f"{code} schema.yaml:{place}, Orders" in run(project, "generate").out
