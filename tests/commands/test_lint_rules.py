"""Every rule of ``lint`` finds something in its bad example, and nothing in its good one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.git import commit_all
from tests.support.projects import generated_project
from waiaas_migrate.commands.findings import Finding
from waiaas_migrate.commands.lint.lint import lint, lint_database
from waiaas_migrate.commands.lint.rule import Rule, all_rules
from waiaas_migrate.files.project import find_project

SCHEMA = """\
pragmas: {foreign_keys: ON}
tables:
  sessions:
    columns:
      id: {type: integer, primary_key: true}
      status: {type: text, enum: [closed]}
      expires_at: timestamp
"""


def findings(folder: Path, example: str) -> tuple[Finding, ...]:
    """Return the findings of all rules in an example.

    It is a schema.yaml, a database if it creates one, or a hand-written migration.
    """
    if example.startswith(("DELETE", "UPDATE")):
        generated_project(folder, f"version: 1\n{SCHEMA}")
        commit_all(folder)
        (folder / "migrations" / "0002_hand.sql").write_text(f"-- depends: 0001_initial\n{example}", encoding="utf-8")
        return lint(find_project(folder), since="main")
    if not example.startswith("CREATE"):
        pragmas = "" if example.startswith("pragmas") else "pragmas: {foreign_keys: ON}\n"
        (folder / "schema.yaml").write_text(f"version: 1\n{pragmas}{example}", encoding="utf-8")
        return lint(find_project(folder))
    with closing(sqlite3.connect(folder / "app.db")) as connection:
        connection.executescript(example)
    return lint_database(find_project(folder), str(folder / "app.db"))


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_the_bad_example(rule: Rule, tmp_path: Path) -> None:
    """The rule finds something in its bad example, with a place if it is a file; other rules find nothing."""
    found = findings(tmp_path, rule.bad)
    assert {one.code for one in found} == {rule.code}
    for one in found:
        assert one.severity == rule.severity
        assert one.what.endswith(".")
        assert one.fix.endswith((".", "?"))
        assert rule.bad.startswith("CREATE") or one.line is not None


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_the_good_example(rule: Rule, tmp_path: Path) -> None:
    """No rule finds anything in the good example."""
    assert findings(tmp_path, rule.good) == ()


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_the_explanation(rule: Rule) -> None:
    """Each rule's text says in its first line what is wrong, then why, and finally what to do."""
    first, *paragraphs = rule.explanation.split("\n\n")
    assert "\n" not in first
    assert first.endswith(".")
    assert len(paragraphs) >= 2
