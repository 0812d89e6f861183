"""``lint``: findings and hazards, waivers, settings, formats and exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.git import commit_all, git
from tests.support.projects import edit, execute, generated_project, listing, run, write_project

SCHEMA = """\
version: 1
pragmas: {foreign_keys: ON}
tables:
  authors:
    columns:
      id: {type: integer, primary_key: true}
      name: {type: text, nullable: false}
  books:
    columns:
      id: {type: integer, primary_key: true}
      author_id: {type: integer, references: authors.id}
      order: integer
"""
NO_INDEX = "FOREIGN_KEY_WITHOUT_INDEX books.author_id: no index begins with author_id, so deleting from authors reads all of books."
ADD_INDEX = "Add `idx_books_author_id: [author_id]` to its `indexes`."
KEYWORD = "info: RESERVED_NAME books.order: ORDER is a keyword of SQL. Rename it with `renamed_from`."


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a foreign key that has no index, and a column that is named like a keyword."""
    return write_project(tmp_path, SCHEMA)


def codes(folder: Path, *arguments: str) -> list[str]:
    """Return the codes that ``lint`` finds."""
    return [finding["code"] for finding in json.loads(run(folder, "lint", *arguments, "--json").out)["findings"]]


def test_findings_in_schema_yaml(project: Path) -> None:
    """Each finding is a line with its place, severity, code and fix; nothing is written."""
    before = listing(project)
    done = run(project, "lint")
    assert (done.status, done.err) == (1, "")
    assert done.out == (
        f"schema.yaml:11:7: warning: {NO_INDEX} {ADD_INDEX}\n"
        f"schema.yaml:12:7: {KEYWORD}\n"
        "2 findings: 1 warning, 1 for information.\n"
    )
    assert listing(project) == before


def test_no_findings(tmp_path: Path) -> None:
    """Without findings, lint says so and exits with 0."""
    generated_project(tmp_path)
    edit(tmp_path / "schema.yaml", "      body: text\n", "      body: text\n    indexes: {idx_notes_task: [task_id]}\n")
    done = run(tmp_path, "lint")
    assert (done.status, done.out, done.err) == (0, "no findings.\n", "")


def test_the_least_severity(project: Path) -> None:
    """``--severity`` hides findings that are less severe; findings of severity "info" don't fail."""
    assert codes(project, "--severity", "warning") == ["FOREIGN_KEY_WITHOUT_INDEX"]
    assert run(project, "lint", "--severity", "error").status == 0
    edit(project / "schema.yaml", "      order: integer\n", "      order: integer\n    indexes: {i: [author_id]}\n")
    assert run(project, "lint").status == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1\n", "version: 1\nlint: {ignore: [FOREIGN_KEY_WITHOUT_INDEX]}\n"),
        ("  books:\n", "  books:\n    lint: {ignore: [FOREIGN_KEY_WITHOUT_INDEX]}\n"),
        ("references: authors.id}", "references: authors.id, lint: {ignore: [FOREIGN_KEY_WITHOUT_INDEX]}}"),
    ],
    ids=["everywhere", "table", "column"],
)
def test_waivers_in_schema_yaml(project: Path, old: str, new: str) -> None:
    """A waiver at a column or table, or for the whole file, hides its code there; the schema stays the same."""
    assert run(project, "generate").status == 0
    edit(project / "schema.yaml", old, new)
    assert codes(project) == ["RESERVED_NAME"]
    assert run(project, "check").status == 0


def test_waivers_elsewhere_do_not_count(project: Path) -> None:
    """A waiver at another table or column doesn't hide the finding."""
    edit(project / "schema.yaml", "  authors:\n", "  authors:\n    lint: {ignore: [FOREIGN_KEY_WITHOUT_INDEX]}\n")
    edit(
        project / "schema.yaml", "order: integer", "order: {type: integer, lint: {ignore: [FOREIGN_KEY_WITHOUT_INDEX]}}"
    )
    assert codes(project) == ["FOREIGN_KEY_WITHOUT_INDEX", "RESERVED_NAME"]


def test_a_waiver_of_an_unknown_rule(project: Path) -> None:
    """A misspelled code is an error with its place."""
    edit(project / "schema.yaml", "  books:\n", "  books:\n    lint: {ignore: [FOREIGN_KEY_WITHOUT_INDEXES]}\n")
    done = run(project, "lint")
    assert done.status == 2
    assert "schema.yaml:9:21, tables.books.lint.ignore[0]: unknown rule `FOREIGN_KEY_WITHOUT_INDEXES`." in done.err
    assert "Did you mean `FOREIGN_KEY_WITHOUT_INDEX`?" in done.err


@pytest.mark.parametrize("waiver", ["lint: yes", "lint: {ignore: 1}", "lint: {ignored: []}", "lint: {ignore: [[a]]}"])
def test_a_waiver_of_the_wrong_form(project: Path, waiver: str) -> None:
    """Every command refuses a waiver that isn't a list of codes."""
    edit(project / "schema.yaml", "  books:\n", f"  books:\n    {waiver}\n")
    done = run(project, "check")
    assert done.status == 2
    assert "schema.yaml:9:" in done.err


def test_settings(project: Path) -> None:
    """pyproject.toml selects and ignores rules, and sets severities."""
    settings = project / "pyproject.toml"
    settings.write_text("[tool.waiaas-migrate.lint]\nselect = ['RESERVED_NAME', 'REDUNDANT_INDEX']\n", encoding="utf-8")
    assert codes(project) == ["RESERVED_NAME"]
    settings.write_text("[tool.waiaas-migrate.lint]\nignore = ['RESERVED_NAME']\n", encoding="utf-8")
    assert codes(project) == ["FOREIGN_KEY_WITHOUT_INDEX"]
    severity = "severity = {RESERVED_NAME = 'error', FOREIGN_KEY_WITHOUT_INDEX = 'info'}"
    settings.write_text(f"[tool.waiaas-migrate.lint]\n{severity}\n", encoding="utf-8")
    assert codes(project, "--severity", "error") == ["RESERVED_NAME"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "ignore = ['REDUNDANT_INDICES']",
            "[tool.waiaas-migrate.lint]: unknown rule `REDUNDANT_INDICES`. Did you mean",
        ),
        ("ignore = 'RESERVED_NAME'", "`lint` must be a table with `select`, `ignore`"),
        ("severity = {RESERVED_NAME = 'fatal'}", "`lint` must be a table with `select`, `ignore`"),
        ("rules = []", "`lint` must be a table with `select`, `ignore`"),
    ],
)
def test_wrong_settings(project: Path, setting: str, message: str) -> None:
    """A mistake in the settings is an error."""
    (project / "pyproject.toml").write_text(f"[tool.waiaas-migrate.lint]\n{setting}\n", encoding="utf-8")
    done = run(project, "lint")
    assert (done.status, message in done.err) == (2, True)


def test_a_database(project: Path) -> None:
    """``lint DATABASE`` reads the database instead, even without a project."""
    execute(project / "app.db", "CREATE TABLE t (a INT PRIMARY KEY NOT NULL, b STRING)")
    (project / "schema.yaml").unlink()
    done = run(project, "lint", "app.db")
    assert done.status == 1
    alias, text, count = done.out.splitlines()
    assert alias.startswith("warning: INT_PRIMARY_KEY t.a: INT PRIMARY KEY is not an alias of the rowid")
    assert text.startswith("warning: MISLEADING_TYPE t.b: the type STRING stores text that looks like a number")
    assert count == "2 findings: 2 warnings."
    assert run(project, "lint", "app.db", "--since", "main").status == 2


def test_formats(project: Path) -> None:
    """Annotations have the severity and place, and SARIF the explanation of the rule."""
    github = run(project, "lint", "--format", "github").out
    assert github.startswith(
        "::warning file=schema.yaml,line=11,col=7,title=FOREIGN_KEY_WITHOUT_INDEX::books.author_id: "
    )
    assert "\n::notice file=schema.yaml,line=12" in github
    (log,) = json.loads(run(project, "lint", "--format", "sarif").out)["runs"]
    assert "[Required and suggested" in log["tool"]["driver"]["rules"][0]["help"]["markdown"]


# --- hazards of migrations ---


@pytest.fixture
def branch(tmp_path: Path) -> Path:
    """A project whose main branch has its first migration, on another branch."""
    generated_project(tmp_path)
    commit_all(tmp_path)
    git(tmp_path, "checkout", "--quiet", "-b", "branch")
    return tmp_path


def hazards(folder: Path) -> list[tuple[str, str, str]]:
    """Return the severity, code and place of the hazards since the main branch."""
    found = json.loads(run(folder, "lint", "--since", "main", "--json").out)["findings"]
    return [(one["severity"], one["code"], one["where"]) for one in found if one["subject"] == "migration"]


def test_hazards_of_a_generated_migration(branch: Path) -> None:
    """A hazard is reported at the line that announces it, but not for migrations that the main branch has."""
    assert hazards(branch) == []
    edit(branch / "schema.yaml", "      body: text\n", "      author: {type: text, unique: true}\n")
    assert run(branch, "generate", "-m", "more", "--allow", "all").status == 0
    assert hazards(branch) == [
        ("error", "DROP_COLUMN", "0002_more, notes.body"),
        ("info", "ADD_UNIQUE", "0002_more, notes"),
    ]
    done = run(branch, "lint", "--since", "main")
    text = (branch / "migrations" / "0002_more.sql").read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(text, 1) if "hazard DROP_COLUMN" in text)
    assert (
        f"0002_more.sql:{line}: error: DROP_COLUMN 0002_more, notes.body: deletes every value of notes.body."
        in done.out
    )
    commit_all(branch)
    git(branch, "checkout", "--quiet", "main")
    git(branch, "merge", "--quiet", "branch")
    assert hazards(branch) == []


@pytest.mark.parametrize(
    "renames",
    [
        "ALTER TABLE main.tasks RENAME TO jobs;\nALTER TABLE jobs RENAME COLUMN title TO name;",
        "ALTER TABLE main.tasks RENAME COLUMN title TO name;\nALTER TABLE tasks RENAME TO jobs;",
    ],
    ids=["table first", "column first"],
)
def test_hazards_of_a_migration_by_hand(branch: Path, renames: str) -> None:
    """Objects that hand-written SQL drops are found; renamed or rebuilt ones don't count as dropped."""
    sql = f"""\
-- depends: 0001_initial
{renames}
CREATE TABLE notes_new (id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE);
INSERT INTO notes_new (id, job_id) SELECT id, task_id FROM notes;
DROP TABLE notes;
ALTER TABLE notes_new RENAME TO notes;
"""
    (branch / "migrations" / "0002_hand.sql").write_text(sql, encoding="utf-8")
    found = {(code, where) for severity, code, where in hazards(branch) if severity == "error"}
    assert found == {("DROP_COLUMN", "0002_hand, notes.body"), ("DROP_COLUMN", "0002_hand, notes.task_id")}


def test_a_table_that_is_renamed_and_rebuilt(branch: Path) -> None:
    """A rebuild of a renamed table, which ends with another rename, doesn't hide the first rename."""
    sql = """\
-- depends: 0001_initial
ALTER TABLE notes RENAME TO remarks;
CREATE TABLE remarks_new (id INTEGER PRIMARY KEY, body TEXT NOT NULL, task_id INTEGER NOT NULL REFERENCES tasks (id));
INSERT INTO remarks_new (id, body, task_id) SELECT id, coalesce(body, ''), task_id FROM remarks;
DROP TABLE remarks;
ALTER TABLE remarks_new RENAME TO remarks;
"""
    (branch / "migrations" / "0002_hand.sql").write_text(sql, encoding="utf-8")
    found = {(code, where) for _, code, where in hazards(branch)}
    assert ("ADD_NOT_NULL", "0002_hand, remarks.body") in found
    assert "DROP_TABLE" not in {code for code, _ in found}


def test_an_edited_migration(branch: Path) -> None:
    """A hazard that a generated migration announces is reported once, also after it was edited by hand."""
    edit(branch / "schema.yaml", "      body: text\n", "")
    assert run(branch, "generate", "-m", "more", "--allow", "all").status == 0
    edit(branch / "migrations" / "0002_more.sql", "\n\n", "\n-- edited\n\n")
    assert run(branch, "record").status == 0
    assert hazards(branch) == [("error", "DROP_COLUMN", "0002_more, notes.body")]


def test_statements_of_a_migration_by_hand(branch: Path) -> None:
    """Statements are found at their line; names of tables that only the migration has are not mistaken for strings."""
    sql = """\
-- depends: 0001_initial

-- move them
CREATE TABLE "my tmp" ("a b" INTEGER);
INSERT INTO "my tmp" ("a b") SELECT "tasks"."id" AS "x y" FROM "tasks" ORDER BY "x y";
WITH "c t" AS (SELECT 1 AS one) UPDATE tasks SET "title" = "Title!" WHERE id IN (SELECT one FROM "c t");

-- all
DELETE FROM notes;
DROP TABLE "my tmp";
"""
    (branch / "migrations" / "0002_hand.sql").write_text(sql, encoding="utf-8")
    found = json.loads(run(branch, "lint", "--since", "main", "--json").out)["findings"]
    assert [(one["line"], one["code"]) for one in found if one["subject"] == "migration"] == [
        (6, "DOUBLE_QUOTED_VALUE"),
        (9, "DELETE_WITHOUT_WHERE"),
    ]


def test_waivers_in_a_migration(branch: Path) -> None:
    """A comment with the code and a reason ignores a hazard in its migration; without a reason it is an error."""
    migration = branch / "migrations" / "0002_hand.sql"
    migration.write_text("-- lint ignore DROP_TABLE: never used\nDROP TABLE notes;\n", encoding="utf-8")
    assert hazards(branch) == []
    edit(migration, ": never used", "")
    done = run(branch, "lint", "--since", "main")
    assert done.status == 2
    assert (
        "migrations/0002_hand.sql:1: the waiver has no reason. Write `-- lint ignore DROP_TABLE: REASON`." in done.err
    )
    edit(migration, "DROP_TABLE\n", "DROP_TABLES: x\n")
    assert "unknown rule `DROP_TABLES`. Did you mean `DROP_TABLE`?" in run(branch, "lint", "--since", "main").err


def test_since_what_git_does_not_know(branch: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A commit that git doesn't know, and a folder outside git, are usage errors."""
    done = run(branch, "lint", "--since", "origin/none")
    assert (done.status, "git has no commit origin/none." in done.err) == (2, True)
    assert run(branch, "lint", "--since", "--help").status == 2
    other = generated_project(tmp_path_factory.mktemp("other"))
    assert "is not in a git repository" in run(other, "lint", "--since", "main").err
