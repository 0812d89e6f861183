"""``generate`` and ``check`` as commands: output, files, and exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.projects import SCHEMA, edit, generated_project, listing, run, write_project
from waiaas_migrate.cli.main import main

FILES = ["migrations/0001_initial.rollback.sql", "migrations/0001_initial.sql", "migrations/manifest.json"]
BOMB = (
    'a: &a ["x","x","x","x","x","x","x","x","x"]\n'
    + "".join(f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi"))  # noqa: B905
    + "version: 1\ntables: *i\n"
)


def test_generate_in_an_empty_project(tmp_path: Path) -> None:
    """The changes go to stdout, the files that were written to stderr, and the exit status is 0."""
    done = run(write_project(tmp_path), "generate")
    assert done.status == 0
    assert done.out == "add table tasks (3 columns)\nadd table notes (3 columns)\n"
    assert done.err == "".join(f"wrote {path}\n" for path in FILES)
    assert sorted(listing(tmp_path / "migrations")) == [Path(path).name for path in FILES]


def test_generate_again_writes_nothing(tmp_path: Path) -> None:
    """If the migrations already build the declared schema, generate reports that and touches no file."""
    generated_project(tmp_path)
    before = listing(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = run(tmp_path, "generate")
    assert (done.status, done.err) == (0, "")
    assert done.out == "Nothing to generate: the migrations build the schema in schema.yaml.\n"
    assert listing(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_generate_as_json(tmp_path: Path) -> None:
    """``--json`` prints the migration, its changes, and its files, or null and empty lists."""
    write_project(tmp_path)
    done = run(tmp_path, "generate", "--json", "-m", "The beginning")
    names = ["0001_the_beginning.rollback.sql", "0001_the_beginning.sql", "manifest.json"]
    assert (done.status, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["migration"] == "0001_the_beginning"
    assert found["changes"] == ["add table tasks (3 columns)", "add table notes (3 columns)"]
    assert found["written"] == [str(tmp_path / "migrations" / name) for name in names]
    again = json.loads(run(tmp_path, "generate", "--json").out)
    assert (again["migration"], again["changes"], again["written"]) == (None, [], [])


def test_a_name_without_letters_or_digits(tmp_path: Path) -> None:
    """A name without letters or digits exits with 2 and writes nothing."""
    write_project(tmp_path)
    before = listing(tmp_path)
    done = run(tmp_path, "generate", "-m", "!?")
    assert (done.status, done.out) == (2, "")
    assert done.err == "Error: --name '!?': has no character that can be used in a file name. Use letters or digits.\n"
    assert listing(tmp_path) == before


def test_a_name_becomes_a_files_name(tmp_path: Path) -> None:
    """No name leads out of the migrations folder, whatever characters it contains."""
    write_project(tmp_path)
    assert run(tmp_path, "generate", "-m", "../../Ünder ‘quotes’").status == 0
    assert (tmp_path / "migrations" / "0001_under_quotes.sql").is_file()


def test_hand_written_migrations_are_recorded(tmp_path: Path) -> None:
    """After a migration was written by hand, generate records it in the manifest, and writes nothing else."""
    generated_project(tmp_path)
    folder = tmp_path / "migrations"
    (folder / "0002_nickname.sql").write_text(
        "-- depends: 0001_initial\nALTER TABLE tasks ADD COLUMN nickname TEXT;\n", encoding="utf-8"
    )
    edit(tmp_path / "schema.yaml", "      title: {", "      nickname: text\n      title: {")
    before = listing(tmp_path)
    done = run(tmp_path, "generate")
    assert (done.status, done.err) == (0, "wrote migrations/manifest.json\n")
    said = "No migration is needed: the migrations build the schema in schema.yaml.\nrecorded 0002_nickname\n"
    assert done.out == said
    after = listing(tmp_path)
    assert {name for name in after if after[name] != before.get(name)} == {"migrations/manifest.json"}
    ids = [entry["id"] for entry in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["migrations"]]
    assert ids == ["0001_initial", "0002_nickname"]
    assert run(tmp_path, "check").status == 0


def test_check_without_findings(tmp_path: Path) -> None:
    """If everything agrees, check reports that and exits with 0; as JSON, the list is empty."""
    generated_project(tmp_path)
    before = listing(tmp_path)
    done = run(tmp_path, "check")
    assert (done.status, done.err) == (0, "")
    assert done.out == "schema.yaml, the enums, and the migrations agree.\n"
    as_json = run(tmp_path, "check", "--json")
    assert (as_json.status, json.loads(as_json.out)) == (0, {"findings": []})
    assert listing(tmp_path) == before


def test_check_with_findings(tmp_path: Path) -> None:
    """Findings are printed in groups, with each fix once; the exit status is 1 and nothing is written."""
    generated_project(tmp_path)
    (tmp_path / "kinds.py").write_text('STATES = ("open", "done", "late")\n', encoding="utf-8")
    before = listing(tmp_path)
    what = "value 'late' is in kinds.py:1, but the migrations do not allow it in tasks.state."
    fix = "Run `waiaas-migrate generate`, review what it writes, and commit it."
    done = run(tmp_path, "check")
    assert (done.status, done.out, done.err) == (1, f"enum (1 finding)\n  STATES: {what}\nFix: {fix}\n", "")
    as_json = run(tmp_path, "check", "--json")
    assert (as_json.status, as_json.err) == (1, "")
    assert json.loads(as_json.out) == {
        "findings": [
            {
                "code": "ENUM_CHANGED",
                "severity": "error",
                "subject": "enum",
                "where": "STATES",
                "what": what,
                "fix": fix,
                "file": "kinds.py",
                "line": 1,
                "column": 27,
            }
        ],
    }
    assert listing(tmp_path) == before


def test_another_column_order_is_no_finding_unless_asked_for(tmp_path: Path) -> None:
    """Another column order is a finding only with ``--column-order``."""
    generated_project(tmp_path)
    text = SCHEMA.replace("      body: text\n", "").replace(
        "  notes:\n    columns:\n", "  notes:\n    columns:\n      body: text\n"
    )
    (tmp_path / "schema.yaml").write_text(text, encoding="utf-8")
    assert run(tmp_path, "check").status == 0
    done = run(tmp_path, "check", "--column-order")
    assert done.status == 1
    assert "\n  notes: " in done.out
    assert "columns" in done.out


TASKS = "version: 1\nenums: kinds\ntables:\n  tasks:\n    columns:\n      id: integer\n"

DAMAGES: dict[str, tuple[str | bytes, str]] = {
    "unknown key": (TASKS.replace("columns:", "colums:"), "schema.yaml:5:5, tables.tasks.colums: "),
    "a number for a mapping": (
        "version: 1\ntables: {tasks: {columns: 7}}\n",
        "schema.yaml:2:27, tables.tasks.columns: ",
    ),
    "wrong type": (TASKS + "    strict: maybe\n", "schema.yaml:7:13, tables.tasks.strict: "),
    "duplicate key": (TASKS + "      id: text\n", "schema.yaml:7:7, tables.tasks.columns.id: "),
    "duplicate table": (TASKS + "  tasks: {columns: {a: text}}\n", "schema.yaml:7:3, tables.tasks: "),
    "missing table in a reference": (
        TASKS + "      owner: {type: integer, references: people.id}\n",
        "schema.yaml:7:42, tables.tasks.columns.owner.references: ",
    ),
    "unknown enum": (TASKS + "      state: {type: text, enum: STATUSES}\n", "unknown enum `STATUSES`"),
    "unknown module": (TASKS.replace("kinds", "nowhere"), "schema.yaml:2:8, enums: no module `nowhere`"),
    "a module that fails": (
        TASKS.replace("kinds", "broken") + "      a: {type: text, enum: A}\n",
        "can't import the module `broken`: ValueError: no",
    ),
    "empty enum": (
        TASKS + "      state: {type: text, enum: NOTHING}\n",
        "kinds.py:2:11, NOTHING: can't be an enum: it has no values",
    ),
    "a value with a quote, not closed": (TASKS + "      name: {type: text, default: 'it's}\n", "schema.yaml:7:"),
    "SQL that is broken by a quote": (TASKS + "      n: {type: text, check: n <> 'it''s' '}\n", "schema.yaml"),
    "tabs": ("version: 1\ntables:\n\ttasks:\n", "schema.yaml:3:1"),
    "alias bomb": (BOMB, "schema.yaml"),
    "not UTF-8": (b"version: 1\ntables: {\xff: 1}\n", "schema.yaml:2:10: the byte 0xFF here is not UTF-8."),
    "UTF-16": ("version: 1\n".encode("utf-16"), "schema.yaml: the file is UTF-16 or UTF-32, not UTF-8."),
    "nothing": ("", "schema.yaml"),
    "no mapping": ("- version\n", "schema.yaml:1:1: "),
    "no version": (TASKS.replace("version: 1\n", ""), "`version` is missing. Begin the file with `version: 1`."),
    "NUL": ("version: 1\n\0", "schema.yaml:2:1: the character U+0000 here is not text."),
}


@pytest.mark.parametrize("command", ["generate", "check"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("has_history", [False, True], ids=["new", "with migrations"])
def test_damaged_schema(tmp_path: Path, damage: str, command: str, *, has_history: bool) -> None:
    """For any fault in schema.yaml, the message says where, the exit status is 2, and no file changes."""
    (generated_project if has_history else write_project)(tmp_path)
    content, said = DAMAGES[damage]
    (tmp_path / "schema.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "kinds.py").write_text('STATES = ("open",)\nNOTHING = ()\n', encoding="utf-8")
    (tmp_path / "broken.py").write_text('raise ValueError("no")\n', encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, command)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert listing(tmp_path) == before


@pytest.mark.parametrize("command", ["generate", "check"])
def test_schema_that_is_missing_or_a_folder(tmp_path: Path, command: str) -> None:
    """If schema.yaml is missing or a folder, the message says so, the exit status is 2, and no file changes."""
    schema = write_project(tmp_path) / "schema.yaml"
    schema.unlink()
    before = listing(tmp_path)
    missing = run(tmp_path, command)
    assert (missing.status, missing.out) == (2, "")
    assert "schema.yaml: no such file." in missing.err
    assert listing(tmp_path) == before
    schema.mkdir()
    folder = run(tmp_path, command)
    assert (folder.status, folder.err) == (2, "Error: schema.yaml: this is a directory, not a file. Name a file.\n")


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    """Three errors in a file are reported on three lines, in the order of the file."""
    write_project(tmp_path, "version: 2\ntables:\n  a: {columns: {x: {nulable: true}}}\n  b: {columns: 3}\n")
    lines = run(tmp_path, "check").err.splitlines()
    assert lines[0] == "Error:"
    assert [line.partition(": ")[0] for line in lines[1:]] == [
        "schema.yaml:1:10, version",
        "schema.yaml:3:21, tables.a.columns.x.nulable",
        "schema.yaml:4:16, tables.b.columns",
    ]
    assert "Did you mean `nullable`?" in lines[2]


def test_main_returns_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    """``main`` runs the command in this process: it returns the status and never exits the interpreter."""
    assert main(["--version"]) == 0
    assert main(["nonsense"]) == 2
    assert "No such command" in capsys.readouterr().err
