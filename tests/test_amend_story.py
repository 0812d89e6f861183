"""A developer changes a migration that their own database has run, until the main branch has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.git import commit_all, git
from tests.support.projects import edit, execute, generated_project, listing, rows, run
from waiaas_migrate import DatabaseRefused, close_database, open_database


def test_from_a_branch_to_the_main_branch(tmp_path: Path) -> None:
    """Commands alone amend, redo, undo, replace by a hand-written migration, and merge, without an editor."""
    project = generated_project(tmp_path / "project")
    (project / ".gitignore").write_text("*.db*\n__pycache__\n", encoding="utf-8")
    commit_all(project)
    git(project, "switch", "--quiet", "--create", "priorities")
    schema, start = project / "schema.yaml", (project / "schema.yaml").read_text(encoding="utf-8")

    # A first attempt runs on the developer's own database, and gets rows.
    edit(schema, "      title: {", "      priority: text\n      title: {")
    assert run(project, "generate", "-m", "priority").status == 0
    assert run(project, "apply", "dev.db").status == 0
    execute(project / "dev.db", "INSERT INTO tasks (title, priority) VALUES ('one', 'high'), ('two', NULL)")
    commit_all(project)

    # It should have been a number.
    edit(schema, "priority: text", "priority: {type: integer, nullable: false, default: 0}")
    amended = run(project, "generate", "--amend", "-m", "priority")
    assert (amended.status, "apply --redo DATABASE" in amended.err) == (0, True)
    with pytest.raises(DatabaseRefused, match=r"ran 0002_priority before the file changed\..* --redo"):
        open_database(project / "dev.db", migrations=project / "migrations")
    assert run(project, "status", "dev.db").status == 1
    refused = run(project, "apply", "--redo", "dev.db")
    assert (refused.status, "column tasks.priority (1 value)" in refused.err) == (3, True)
    assert run(project, "apply", "--redo", "dev.db", "--yes").status == 0
    assert rows(project / "dev.db", "SELECT title, priority FROM tasks") == [("one", 0), ("two", 0)]
    for command in (["check"], ["status", "dev.db"], ["drift", "dev.db"]):
        assert run(project, *command).status == 0
    close_database(open_database(project / "dev.db", migrations=project / "migrations"))

    # On second thoughts it goes, and a data migration comes instead, which is edited once more after it ran.
    schema.write_text(start, encoding="utf-8")
    assert run(project, "generate", "--amend").out == "deleted 0002_priority\n"
    assert run(project, "new", "-m", "shout").status == 0
    up, down = (project / "migrations" / f"0002_shout{ending}" for ending in (".sql", ".rollback.sql"))
    for path in (up, down):
        with path.open("a", encoding="utf-8") as file:
            file.write("UPDATE tasks SET title = upper(title);\n" if path == up else "SELECT 1;\n")
    assert run(project, "record").out == "recorded 0002_shout\n"
    assert run(project, "apply", "--redo", "dev.db", "--yes").out.endswith("applied 0002_shout\n")
    edit(up, "upper(title)", "upper(title) || '!'")
    assert run(project, "record").out == "recorded 0002_shout as it is now\n"
    assert run(project, "apply", "--redo", "dev.db").status == 0
    assert rows(project / "dev.db", "SELECT title FROM tasks") == [("ONE!",), ("TWO!",)]
    assert run(project, "check").status == 0
    commit_all(project)

    # Once the main branch has it, it stays.
    git(project, "switch", "--quiet", "main")
    git(project, "merge", "--quiet", "priorities")
    git(project, "switch", "--quiet", "--create", "later")
    edit(up, "'!'", "'?'")
    before = listing(project / "migrations")
    released = run(project, "record")
    assert (released.status, "is released: the branch main has it" in released.err) == (2, True)
    assert listing(project / "migrations") == before
