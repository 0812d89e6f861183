"""The fixtures of the pytest plugin, in a project's own tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pytest_plugin.conftest import RunPytest
from tests.support.projects import edit, run

pytest_plugins = "pytester"

MIGRATED = """
import sqlite3
from contextlib import closing

import pytest
from waiaas_migrate import connect, status, find_project


@pytest.mark.parametrize("number", range(3))
def test_each_has_a_database_of_its_own(migrated_database, tmp_path, number, request):
    assert migrated_database.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["database.db"]
    assert status(find_project(request.config.rootpath), str(migrated_database)).is_at_head
    with closing(connect(migrated_database, migrations="migrations")) as connection, connection:
        connection.execute("INSERT INTO tasks (title) VALUES ('x')")
        assert connection.execute("SELECT count(*) FROM tasks").fetchall() == [(1,)]


when = set()


@pytest.mark.parametrize("number", range(2))
def test_all_are_copies_of_one(migrated_database, number):
    with closing(sqlite3.connect(migrated_database)) as connection:
        when.update(connection.execute("SELECT applied_at_utc FROM _yoyo_migration"))
    assert len(when) == 4
"""

AT = """
import sqlite3
from contextlib import closing

import pytest
from waiaas_migrate import find_project, status


def test_it_has_run_some_migrations(database_at, tmp_path, request):
    path = database_at("0002_due")
    assert path.parent == tmp_path
    found = status(find_project(request.config.rootpath), str(path))
    assert found.ids("applied") == ("0001_initial", "0002_due")
    assert found.manual_changes == ()


def test_its_rows_keep_the_constraints(database_at):
    with closing(sqlite3.connect(database_at("0002_due"))) as connection:
        assert connection.execute("SELECT count(*) FROM tasks").fetchone()[0] > 1
        assert connection.execute("SELECT count(*) FROM notes WHERE body IS NULL").fetchone()[0] > 0
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_each_is_another_copy(database_at):
    first, second = database_at("0001_initial"), database_at("0001_initial")
    assert first != second
    with closing(sqlite3.connect(first)) as connection, connection:
        connection.execute("DELETE FROM notes")
    with closing(sqlite3.connect(second)) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone()[0] > 0


def test_no_such_migration(database_at):
    database_at("0002_du")
"""


def test_a_migrated_database_is_copied_for_each_test(project: Path, run_pytest: RunPytest) -> None:
    """Each test gets its own copy of one migrated database, also in the processes of xdist."""
    (project / "test_it.py").write_text(MIGRATED, encoding="utf-8")
    run_pytest("-n", "1").assert_outcomes(passed=5)


def test_a_database_at_a_migration_has_rows(project: Path, run_pytest: RunPytest) -> None:
    """``database_at`` makes databases of earlier versions with rows, and suggests the right name for a wrong one."""
    (project / "test_it.py").write_text(AT, encoding="utf-8")
    done = run_pytest()
    done.assert_outcomes(passed=3, failed=1)
    assert "There is no migration 0002_du. Did you mean `0002_due`?" in done.outlines
    assert "Error" not in done.stdout.str()


def test_rows_without_their_parents_are_left_out(project: Path, run_pytest: RunPytest) -> None:
    """If a CHECK refuses the made-up parents, neither their children nor those children's children are inserted."""
    (project / "migrations" / "0005_family.sql").write_text(
        "-- depends: 0004_body\n"
        "CREATE TABLE parent (id INTEGER PRIMARY KEY CHECK (id > 100));\n"
        "CREATE TABLE child (id INTEGER PRIMARY KEY REFERENCES parent (id));\n"
        "CREATE TABLE baby (id INTEGER PRIMARY KEY REFERENCES child (id));\n"
    )
    assert run(project, "record").status == 0
    (project / "test_it.py").write_text("""
import sqlite3
from contextlib import closing


def test_it(database_at):
    with closing(sqlite3.connect(database_at("0005_family"))) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT count(*) FROM tasks").fetchone()[0] > 1
""")
    run_pytest().assert_outcomes(passed=1)


def test_hooks_run_only_at_head(project: Path, run_pytest: RunPytest) -> None:
    """Post-apply hooks run after all migrations, so a database of an earlier version lacks their objects."""
    (project / "migrations" / "post-apply.sql").write_text(
        "CREATE VIEW IF NOT EXISTS due AS SELECT due_at FROM tasks;\n"
    )
    (project / "test_it.py").write_text("""
import sqlite3
from contextlib import closing


def views(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall()


def test_it(migrated_database, database_at):
    assert views(migrated_database) == [("due",)]
    assert views(database_at("0001_initial")) == []
""")
    run_pytest().assert_outcomes(passed=1)


def test_setup_is_called(project: Path, pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    """A project whose schema needs a collation of its own names the function that registers it."""
    (project / "app.py").write_text(
        "def prepare(connection):\n    connection.create_collation('backwards', lambda a, b: (a < b) - (a > b))\n"
    )
    edit(project / "pyproject.toml", "[tool.waiaas-migrate]\n", '[tool.waiaas-migrate]\nsetup = "app:prepare"\n')
    edit(project / "schema.yaml", "idx_tasks_state: [state]", "idx_tasks_state: [{column: state, collate: backwards}]")
    assert run(project, "generate").status == 0
    pytester.makepyfile("def test_both(migrated_database, database_at): database_at('0004_body')")
    pytester.makeini("[pytest]\nwaiaas_migrate_tests = check rollbacks upgrades\n")
    run_pytest().assert_outcomes(passed=1 + 1 + 5 + 4)


def test_a_broken_folder_is_reported_without_a_traceback(
    project: Path, pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    """If the migrations can't be used, each test fails with the message that the commands print."""
    with (project / "migrations" / "0002_due.sql").open("a") as file:
        file.write("SELECT 1;\n")
    pytester.makepyfile("def test_head(migrated_database): pass\ndef test_due(database_at): database_at('0002_due')\n")
    done = run_pytest()
    done.assert_outcomes(failed=1, errors=1)
    done.stdout.fnmatch_lines(["*0002_due.sql: was edited after *, *", "*0002_due.sql: was edited after *, *"])
    assert "Traceback" not in done.stdout.str()
    assert "databases.py" not in done.stdout.str()


def test_the_plugin_imports_nothing_until_it_is_used(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    """In a project that doesn't use the plugin, it imports neither the package's rooms nor third-party packages."""
    pytester.makeini("[pytest]\n")
    pytester.makepyfile("""
        import sys

        def test_it():
            ours = {name for name in sys.modules if name.startswith("waiaas_migrate")}
            assert ours == {"waiaas_migrate", "waiaas_migrate.api", "waiaas_migrate.pytest_plugin"}
            assert not {"yoyo", "yaml", "jinja2", "syntaqlite"} & set(sys.modules)
    """)
    run_pytest("-n", "1").assert_outcomes(passed=1)


def test_the_plugin_can_be_blocked(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    """``-p no:waiaas_migrate`` turns it off."""
    pytester.makepyfile("def test_it(migrated_database): pass")
    done = run_pytest("-p", "no:waiaas_migrate")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*fixture 'migrated_database' not found*"])
