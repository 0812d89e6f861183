"""An index on an expression that is only a column is an index on that column, as in SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import run, write_project
from tests.support.transitions import apply_with_runner, apply_with_yoyo, schema_of

SCHEMA = """\
version: 1
tables:
  t:
    columns: {{id: integer, org: text, "two words": text}}
    indexes:
      i: [{{{term}}}]
"""


@pytest.mark.parametrize(
    ("expression", "column", "collation"),
    [
        ("expression: org", "org", None),
        ("expression: (org)", "org", None),
        ("expression: ( ( ORG ) )", "org", None),
        ("expression: '\"org\"'", "org", None),
        ("expression: '[org]'", "org", None),
        ("expression: '`two words`'", "two words", None),
        ("expression: \"'org'\"", "org", None),
        ("expression: org COLLATE NOCASE", "org", "NOCASE"),
        ("expression: (org COLLATE NOCASE)", "org", "NOCASE"),
        ("expression: (org) COLLATE nocase", "org", "nocase"),
        ("expression: org COLLATE rtrim, collate: nocase", "org", "nocase"),
        ("expression: org, order: desc", "org", None),
        ("expression: org /* the owner */", "org", None),
    ],
)
def test_a_column_as_an_expression(tmp_path: Path, expression: str, column: str, collation: str | None) -> None:
    """The runner and yoyo both create an index on the column, and ``generate`` finds no difference."""
    project = write_project(tmp_path / "project", SCHEMA.format(term=expression))
    done = run(project, "generate")
    assert (done.status, done.err.count("wrote")) == (0, 3)
    apply_with_runner(project, tmp_path / "runner.db")
    apply_with_yoyo(project, tmp_path / "yoyo.db")
    for database in (tmp_path / "runner.db", tmp_path / "yoyo.db"):
        (table,) = (table for table in schema_of(database).tables if table.name == "t")
        ((part,),) = (index.parts for index in table.indexes)
        assert (part.column, part.expression, part.collation) == (column, None, collation)
    assert run(project, "generate").out.startswith(("Nothing to generate", "No migration is needed"))
    assert run(project, "check").status == 0
