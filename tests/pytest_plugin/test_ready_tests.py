"""The ready tests that a project switches on: each passes if all is well, and fails for its own reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pytest_plugin.conftest import IDS, RunPytest
from tests.support.projects import edit, run

pytest_plugins = "pytester"

ALL = "one_head check rollbacks upgrades"


def switch_on(project: Path, tests: str = ALL, **settings: str) -> None:
    """Write the settings of pytest."""
    lines = [f"{name} = {value}" for name, value in {"waiaas_migrate_tests": tests, **settings}.items()]
    (project / "pytest.ini").write_text("[pytest]\n" + "\n".join(lines) + "\n", encoding="utf-8")


def write_migration(project: Path, name: str, sql: str, rollback: str | None, *, after: str | None = IDS[-1]) -> None:
    """Write a migration by hand, and record it."""
    depends = "" if after is None else f"-- depends: {after}\n"
    (project / "migrations" / f"{name}.sql").write_text(depends + sql, encoding="utf-8")
    if rollback is not None:
        (project / "migrations" / f"{name}.rollback.sql").write_text(rollback, encoding="utf-8")
    done = run(project, "record")
    assert done.status == 0, done.err


def outcomes(done: pytest.RunResult) -> dict[str, str]:
    """Return the outcome of each ready test in the verbose report of a run without xdist."""
    prefix = "migrations/manifest.json::"
    lines = [line.removeprefix(prefix).split() for line in done.outlines if line.startswith(prefix)]
    return {name: outcome for name, outcome, *_ in lines}


def names(tests: str = ALL, ids: tuple[str, ...] = IDS) -> set[str]:
    """Return the names of the ready tests of a project with the migrations ``ids``."""
    each = {"rollbacks": ids, "upgrades": ids[:-1]}
    return {f"{test}[{one}]" if one else test for test in tests.split() for one in each.get(test, ("",))}


def failed(done: pytest.RunResult) -> set[str]:
    """Return the names of those that failed; all others passed, and none shows a traceback."""
    text = done.stdout.str()
    assert "Traceback" not in text
    assert "waiaas_migrate/" not in text
    found = outcomes(done)
    assert set(found.values()) <= {"PASSED", "FAILED"}
    return {name for name, outcome in found.items() if outcome == "FAILED"}


def test_all_pass_in_a_project_without_faults(project: Path, run_pytest: RunPytest) -> None:
    """All four tests pass; those of rollbacks and upgrades run once for each migration."""
    switch_on(project)
    assert outcomes(run_pytest("-v")) == dict.fromkeys(names(), "PASSED")
    run_pytest("-n", "2").assert_outcomes(passed=len(names()))


def test_two_heads(project: Path, run_pytest: RunPytest) -> None:
    """Two migrations that don't depend on each other, as after a merge, fail only ``one_head``."""
    sql, rollback = "CREATE TABLE tags (name TEXT);\n", "DROP TABLE tags;\n"
    write_migration(project, "0005_tags", sql, rollback, after=IDS[0])
    switch_on(project, "one_head rollbacks upgrades")
    done = run_pytest("-v")
    assert failed(done) == {"one_head"}
    done.stdout.fnmatch_lines(["2 heads: no migration depends on 0004_body or 0005_tags. *rebase*"])


def test_the_findings_of_check(project: Path, run_pytest: RunPytest) -> None:
    """A change of schema.yaml without a migration, and a new value of an enum, fail ``check`` with its findings."""
    edit(project / "schema.yaml", "due_at: timestamp", "due_at: timestamp\n      color: text")
    edit(project / "kinds.py", '"done")', '"done", "late")')
    switch_on(project)
    done = run_pytest("-v")
    assert failed(done) == {"check"}
    done.stdout.fnmatch_lines_random(["*missing migration: add column tasks.color*", "*'late'*"])


def test_rollbacks(project: Path, run_pytest: RunPytest) -> None:
    """A rollback fails the test of its migration if it is missing, fails, or doesn't restore the schema.

    It also fails if it deletes parents of rows from before the migration.
    """
    parts = {
        "0005_missing": ("CREATE TABLE a (x);\n", None),
        "0006_fails": ("CREATE TABLE b (x);\n", "DROP TABLE nobody;\n"),
        "0007_leaves": ("CREATE TABLE c (x);\nCREATE TABLE d (x);\n", "DROP TABLE c;\n"),
        "0008_good": ("CREATE TABLE e (x, y);\n", "DROP TABLE e;\n"),
        "0009_order": ("ALTER TABLE e DROP COLUMN x;\n", "ALTER TABLE e ADD COLUMN x;\n"),
        "0010_orphans": ("CREATE TABLE f (x);\n", "DROP TABLE f;\nDELETE FROM tasks;\n"),
    }
    last = IDS[-1]
    for name, (sql, rollback) in parts.items():
        write_migration(project, name, sql, rollback, after=last)
        last = name
    switch_on(project, "rollbacks")
    done = run_pytest("-v")
    assert outcomes(done).keys() == names("rollbacks", (*IDS, *parts))
    assert failed(done) == {f"rollbacks[{name}]" for name in parts if name != "0008_good"}
    done.stdout.fnmatch_lines(
        [
            "There is no rollback. Write 0005_missing.rollback.sql *",
            "The rollback fails: no such table: nobody*",
            "The rollback does not restore the schema. Missing:",
            "drop table d",
            "The rollback does not restore the schema. Missing:",
            "reorder columns of e*",
            "The rollback fails: * foreign key violations*",
        ]
    )


def test_rollbacks_that_refuse_rows(project: Path, run_pytest: RunPytest) -> None:
    """A rollback may refuse rows to protect them; then it must restore the schema of a database without rows."""
    sql = "ALTER TABLE notes ADD COLUMN kind TEXT CHECK (kind <> 'x');\nUPDATE notes SET kind = 'y';\n"
    guard = "CREATE TEMP TABLE guard (n CHECK (n = 0));\nINSERT INTO guard SELECT count(*) FROM notes;\n"
    rollback = f"{guard}DROP TABLE temp.guard;\nALTER TABLE notes DROP COLUMN kind;\n"
    write_migration(project, "0005_kind", sql, rollback)
    write_migration(project, "0006_kind", sql.replace("kind", "sort"), guard, after="0005_kind")
    switch_on(project, "rollbacks")
    done = run_pytest("-v")
    assert failed(done) == {"rollbacks[0006_kind]"}
    done.stdout.fnmatch_lines(["The rollback does not restore the schema*", "drop column notes.sort*"])


def test_python_migrations(project: Path, run_pytest: RunPytest) -> None:
    """Python migrations are tested like others; a step without a rollback is reported."""
    text = "from yoyo import step\n__depends__ = {'0004_body'}\nsteps = [step('CREATE TABLE a (x)'%s)]\n"
    (project / "migrations" / "0005_a.py").write_text(text % ", 'DROP TABLE a'", encoding="utf-8")
    other = text.replace("0004_body", "0005_a").replace("TABLE a", "TABLE b")
    (project / "migrations" / "0006_b.py").write_text(other % "", encoding="utf-8")
    assert run(project, "record").status == 0
    switch_on(project, "one_head rollbacks upgrades")
    done = run_pytest("-v")
    assert outcomes(done).keys() == names("one_head rollbacks upgrades", (*IDS, "0005_a", "0006_b"))
    assert failed(done) == {"rollbacks[0006_b]"}
    done.stdout.fnmatch_lines(["There is no rollback. *each step's second argument*"])


def test_migrations_outside_transactions(project: Path, run_pytest: RunPytest) -> None:
    """The rollback of a migration outside transactions is skipped: ``rollback`` refuses to run it."""
    write_migration(project, "0005_vacuum", "-- transactional: false\nVACUUM;\n", "-- transactional: false\nVACUUM;\n")
    switch_on(project, "rollbacks upgrades")
    done = run_pytest("-v", "-k", "0005 or 0004")
    assert outcomes(done) == {
        "rollbacks[0004_body]": "PASSED",
        "rollbacks[0005_vacuum]": "SKIPPED",
        "upgrades[0004_body]": "PASSED",
    }


def test_upgrades(project: Path, run_pytest: RunPytest) -> None:
    """A migration that refuses rows which earlier versions allow fails the tests of these versions.

    If it announces that as a hazard, the upgrades are tried without rows in that table.
    """
    unique = "CREATE UNIQUE INDEX only_one ON tasks (due_at IS NULL);\n"
    write_migration(project, "0005_one", f"-- hazard ADD_UNIQUE notes: one row\n{unique}", "DROP INDEX only_one;\n")
    switch_on(project, "upgrades")
    done = run_pytest("-v")
    assert failed(done) == names("upgrades", (*IDS, "0005_one"))
    line = "A database at 0002_due can't be upgraded: 0005_one fails: *UNIQUE constraint failed*"
    done.stdout.fnmatch_lines([line])

    edit(project / "migrations" / "0005_one.sql", "notes", "tasks")
    assert run(project, "record").status == 0
    assert failed(run_pytest("-v")) == set()


def test_upgrades_of_a_table_that_is_renamed(project: Path, run_pytest: RunPytest) -> None:
    """A hazard uses the table's name at that migration, which differs from the name in earlier versions."""
    rename = "ALTER TABLE tasks RENAME TO jobs;\n"
    write_migration(project, "0005_jobs", rename, "ALTER TABLE jobs RENAME TO tasks;\n")
    unique = "-- hazard ADD_UNIQUE jobs: one row\nCREATE UNIQUE INDEX only_one ON jobs (due_at IS NULL);\n"
    write_migration(project, "0006_one", unique, "DROP INDEX only_one;\n", after="0005_jobs")
    switch_on(project, "upgrades")
    assert failed(run_pytest("-v")) == set()


def test_which_are_collected(project: Path, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ready tests run with all tests of the project, or if their folder, file or name is given, and never twice."""
    (project / "tests").mkdir()
    (project / "tests" / "test_it.py").write_text("def test_it(): pass\n", encoding="utf-8")
    (project / "tests" / "manifest.json").write_text("{}", encoding="utf-8")
    (project / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n", encoding="utf-8")
    run_pytest().assert_outcomes(passed=1)
    for testpaths in ("tests", ".", "tests migrations"):
        switch_on(project, "one_head", testpaths=testpaths)
        run_pytest().assert_outcomes(passed=2)
    run_pytest("tests").assert_outcomes(passed=1)
    run_pytest("tests", "migrations").assert_outcomes(passed=2)
    run_pytest("migrations/manifest.json::one_head").assert_outcomes(passed=1)
    monkeypatch.chdir(project / "tests")
    run_pytest().assert_outcomes(passed=1)


def test_a_project_in_another_folder(project: Path, pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    """The setting ``waiaas_migrate_project`` names the folder of the project."""
    folder = project / "database" / "of" / "app"
    folder.mkdir(parents=True)
    for path in [path for path in project.iterdir() if path.name != "database"]:
        shutil.move(path, folder)
    pytester.makepyfile("def test_it(migrated_database): assert migrated_database.is_file()")
    (project / "pytest.ini").write_text("[pytest]\nwaiaas_migrate_project = database/of/app\n", encoding="utf-8")
    run_pytest().assert_outcomes(passed=1)
    switch_on(project, waiaas_migrate_project="database/of/app", testpaths="*.py")
    run_pytest().assert_outcomes(passed=1 + len(names()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tests": "one_head chekc"}, "ERROR: waiaas_migrate_tests: unknown test chekc. Did you mean `check`?"),
        ({"waiaas_migrate_project": "nowhere"}, "ERROR: waiaas_migrate_project: *nowhere is not a folder. *"),
        ({"waiaas_migrate_project": "empty"}, "ERROR: waiaas_migrate_tests: *manifest.json not found. *"),
        ({"waiaas_migrate_project": "broken"}, "ERROR: *pyproject.toml, tool.waiaas-migrate.setup: *"),
    ],
    ids=["test", "folder", "manifest", "settings"],
)
def test_wrong_settings(project: Path, run_pytest: RunPytest, settings: dict[str, str], message: str) -> None:
    """Wrong settings are reported at once, with pytest's exit status for wrong usage."""
    (project / "empty").mkdir()
    (project / "empty" / "pyproject.toml").write_text("[tool.waiaas-migrate]\n", encoding="utf-8")
    (project / "broken").mkdir()
    (project / "broken" / "pyproject.toml").write_text("tool.waiaas-migrate.setup = 1\n", encoding="utf-8")
    switch_on(project, **settings)
    done = run_pytest()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert len(done.errlines) == 1 + done.errlines.count("")
    done.stderr.fnmatch_lines([message])


def test_help_with_wrong_settings(project: Path, run_pytest: RunPytest) -> None:
    """``pytest --help`` works, and lists the settings, even if they are wrong."""
    switch_on(project, "chekc")
    done = run_pytest("--help")
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines(["*waiaas_migrate_tests*"])


def test_a_conflict_in_the_manifest(project: Path, run_pytest: RunPytest) -> None:
    """A manifest that can't be read is a collection error, with the message that the commands print."""
    with (project / "migrations" / "manifest.json").open("a") as file:
        file.write("<<<<<<< ours\n")
    switch_on(project)
    done = run_pytest()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*manifest.json:*: has a merge conflict. Run `waiaas-migrate rebase`."])
    assert "Traceback" not in done.stdout.str()
