"""``--json`` prints the keys that docs/cli.md documents, all of them each time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.projects import edit, execute, generated_project, run
from tests.support.reference_pages import REFERENCE


def documented_keys(what: str) -> set[str]:
    """Return the keys that docs/cli.md lists after a name."""
    (line,) = re.findall(rf"^- {re.escape(what)}: (.*)$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    without_remarks = re.sub(r"\((?:[^()]|\([^()]*\))*\)", "", line.partition(";")[0])
    return set(re.findall(r"`(\w+)`", without_remarks))


@pytest.fixture
def evolving(tmp_path: Path) -> Path:
    """Make a project with a hazard in schema.yaml.

    One of its two migrations is applied to ``a.db``, which has a backup.
    """
    folder = generated_project(tmp_path)
    edit(folder / "schema.yaml", "      body: text\n", "")
    assert run(folder, "generate", "--allow", "all").status == 0
    assert run(folder, "apply", "a.db").status == 0
    assert run(folder, "rollback", "a.db").status == 0
    edit(folder / "schema.yaml", "      title: {type: text, nullable: false}\n", "")
    return folder


@pytest.mark.parametrize(
    ("arguments", "what", "inner"),
    [
        ("apply new.db", "`apply`", {}),
        ("apply a.db --dry-run", "`apply --dry-run`", {"migrations": "`migrations` of `apply --dry-run`"}),
        ("check", "`check`", {"findings": "`findings`"}),
        ("diff migrations schema.yaml", "`diff`", {"hazards": "`hazards`"}),
        ("drift a.db", "`drift`", {}),
        ("generate", "`generate`", {"hazards": "`hazards`"}),
        ("restore a.db --list", "`restore --list`", {"backups": "`backups`"}),
        ("restore a.db", "`restore`", {}),
        ("rollback a.db", "`rollback`", {}),
        ("status a.db", "`status`", {"migrations": "`migrations` of `status`"}),
        ("status a.db none.db", "several databases", {}),
        ("status none.db", "a failure", {}),
    ],
    ids=lambda value: value if isinstance(value, str) and "`" not in value else "",
)
def test_the_keys_are_documented(evolving: Path, arguments: str, what: str, inner: dict[str, str]) -> None:
    """docs/cli.md names every key of every result, and no other."""
    found = json.loads(run(evolving, *arguments.split(), "--json").out)
    assert set(found) == documented_keys(what)
    for key, documented in inner.items():
        assert found[key]
        assert all(set(row) == documented_keys(documented) for row in found[key])


def test_the_keys_of_nested_values_are_documented(evolving: Path) -> None:
    """docs/cli.md names every key of migrations, errors, problems, and the entries for several databases."""
    (migration,) = json.loads(run(evolving, "apply", "a.db", "--dry-run", "--json").out)["migrations"]
    assert set(migration["tables"][0]) == documented_keys("`tables`")
    error = json.loads(run(evolving, "check", "--schema", "nowhere.yaml", "--json").out)["error"]
    assert set(error) == documented_keys("`error`")
    assert set(error["problems"][0]) == documented_keys("`problems`")
    good, bad = json.loads(run(evolving, "status", "a.db", "none.db", "--json").out)["databases"]
    assert set(good) == documented_keys("`databases`") | documented_keys("`status`")
    assert set(bad) == {*documented_keys("`databases`"), "error"}
    assert set(bad["error"]) == documented_keys("`error`")


def write_migrations(project: Path, **files: str) -> None:
    """Write migrations by hand, and delete a manifest that would not list them."""
    for name, text in files.items():
        (project / "migrations" / f"{name}.sql").write_text(text, encoding="utf-8")
    (project / "migrations" / "manifest.json").unlink(missing_ok=True)


@pytest.mark.parametrize("databases", [["a.db"], ["a.db", "b.db"]], ids=["one", "two"])
def test_what_a_failed_run_leaves_is_told(tmp_path: Path, databases: list[str]) -> None:
    """The error has the committed migrations and the backup, for one database and for many."""
    project = generated_project(tmp_path)
    assert run(project, "apply", *databases).status == 0
    write_migrations(
        project,
        **{"0002_goes": "-- depends: 0001_initial\nDROP TABLE notes;\n"},
        **{"0003_bad": "-- depends: 0002_goes\nINSERT INTO nowhere VALUES (1);\n"},
    )
    done = run(project, "apply", *databases, "--transaction", "each", "--json")
    assert done.status == 3
    found = json.loads(done.out)
    for row in found.get("databases", [found]):
        assert row["error"]["kind"] == "ApplyError"
        assert row["error"]["committed"] == ["0002_goes"]
        assert Path(row["error"]["backup"]).is_file()
        assert row["error"]["backup"] in row["error"]["message"]
        assert row["error"]["problems"] == []


def test_every_problem_of_a_file_is_an_item(tmp_path: Path) -> None:
    """Each problem of a file has its place, so that an editor can mark it."""
    project = generated_project(tmp_path)
    more = "      other: {typ: text}\n      more: {type: 3}\n"
    edit(project / "schema.yaml", "      body: text\n", f"      body: text\n{more}")
    problems = json.loads(run(project, "check", "--json").out)["error"]["problems"]
    assert len(problems) == 2
    assert {problem["file"] for problem in problems} == {"schema.yaml"}
    assert all(problem["line"] > 1 and problem["what"] and problem["fix"] for problem in problems)
    assert "tables.notes.columns.other.typ" in {problem["path"] for problem in problems}


def test_dry_run_has_the_kind_of_a_migration(tmp_path: Path) -> None:
    """The kind is in the plan, since a Python migration may change any table."""
    project = generated_project(tmp_path)
    write_migrations(project, **{"0002_empty": "-- depends: 0001_initial\n"})
    code = "from yoyo import step\n__depends__ = {'0002_empty'}\nstep('SELECT 1')\n"
    (project / "migrations" / "0003_code.py").write_text(code, encoding="utf-8")
    found = json.loads(run(project, "apply", "a.db", "--dry-run", "--json").out)["migrations"]
    assert [migration["kind"] for migration in found] == ["sql", "sql", "python"]
    said = run(project, "apply", "a.db", "--dry-run").out.splitlines()
    assert "0002_empty" in said
    assert said[said.index("0003_code") + 1] == "  may change any table: Python migrations are not analyzed"
    assert [migration["tables"] for migration in found][2:] == [None]


def test_generate_lists_unrecorded_migrations(tmp_path: Path) -> None:
    """Like the text output, JSON lists unrecorded migrations. ``generate`` may be about to drop their objects."""
    project = generated_project(tmp_path)
    manifest = (project / "migrations" / "manifest.json").read_text(encoding="utf-8")
    write_migrations(project, **{"0002_by_hand": "-- depends: 0001_initial\nCREATE TABLE more (a);\n"})
    (project / "migrations" / "manifest.json").write_text(manifest, encoding="utf-8")
    found = json.loads(run(project, "generate", "--json").out)
    assert (found["unrecorded"], found["refused"]) == (["0002_by_hand"], ["DROP_TABLE"])


def test_drift_lists_pending_migrations(tmp_path: Path) -> None:
    """JSON lists pending migrations, for one of many databases, too.

    There is no drift, but the database is not at head.
    """
    project = generated_project(tmp_path)
    execute(project / "a.db", "PRAGMA user_version = 1")
    assert run(project, "drift", "*.db").out == "a.db: no drift, 1 pending.\n"
    (row,) = json.loads(run(project, "drift", "*.db", "--json").out)["databases"]
    assert (row["pending"], row["unrecorded_tables"]) == (["0001_initial"], False)
