"""``check`` on a copy of the WAIaaS project finds and names every difference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.projects import Run, edit, generated_project, listing, run, shipped_project

GENERATE = "Run `waiaas-migrate generate`, review what it writes, and commit it."


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a copy of the shipped project whose enums are a module of its own."""
    return shipped_project(tmp_path)


def report(subject: str, *lines: str, fix: str = GENERATE) -> str:
    """Return the output of ``check`` with findings about one subject."""
    count = "1 finding" if len(lines) == 1 else f"{len(lines)} findings"
    return "".join([f"{subject} ({count})\n", *(f"  {line}\n" for line in lines), f"Fix: {fix}\n"])


def checked(project: Path) -> Run:
    """Run ``check``, and assert that it wrote nothing."""
    before = listing(project)
    done = run(project, "check")
    assert listing(project) == before
    assert done.err == "" or done.status == 2
    return done


def test_the_shipped_project_agrees(project: Path) -> None:
    """The shipped schema.yaml, enums, migrations and manifest agree."""
    assert checked(project) == Run(status=0, out="schema.yaml, the enums, and the migrations agree.\n", err="")


# --- enums ---


def test_a_value_added_to_an_enum(project: Path) -> None:
    """A value that only the enum has is a finding with the enum, the value, and the column."""
    edit(project / "enums.py", '    TESTNET = "testnet"\n', '    TESTNET = "testnet"\n    BASE = "base"\n')
    done = checked(project)
    assert done.status == 1
    what = "value 'base' is in enums.py:26, but the migrations do not allow it in agents.network."
    assert done.out == report("enum", f"NETWORK_TYPES: {what}")


def test_a_value_added_to_an_enum_of_several_columns(project: Path) -> None:
    """If several columns use an enum, one finding names all of them."""
    for name in ("constraints", "usage_stats"):
        edit(
            project / "schema.yaml", f"      {name}: json\n", f"      {name}: {{type: text, enum: SESSION_STATUSES}}\n"
        )
    assert run(project, "generate", "-m", "states", "--allow", "all").status == 0
    assert checked(project).status == 0
    edit(project / "enums.py", '    REVOKED = "REVOKED"\n', '    REVOKED = "REVOKED"\n    PAUSED = "PAUSED"\n')
    done = checked(project)
    assert done.status == 1
    line = done.out.splitlines()[1]
    assert line.startswith(
        "  SESSION_STATUSES: value 'PAUSED' is in enums.py:92, but the migrations do not allow it in "
    )
    assert "sessions.constraints, sessions.usage_stats." in line


def test_a_value_removed_from_an_enum(project: Path) -> None:
    """A value that the migrations allow, but the enum no longer has, is a finding."""
    edit(project / "enums.py", '    DEVNET = "devnet"\n', "")
    done = checked(project)
    assert done.status == 1
    what = "value 'devnet' is not in enums.py:159, but the migrations still allow it in agents.network."
    assert done.out == report("enum", f"NETWORK_TYPES: {what}")


def test_a_value_renamed_in_an_enum(project: Path) -> None:
    """A value that was renamed without a hint is reported as one added and one removed value."""
    edit(project / "enums.py", '"devnet"', '"dev-net"')
    _, *lines, _ = checked(project).out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("  NETWORK_TYPES: value 'dev-net' is in enums.py:24, but")
    assert lines[1].startswith("  NETWORK_TYPES: value 'devnet' is not in enums.py:160, but")


def test_the_values_of_an_enum_in_another_order(project: Path) -> None:
    """Another order of an enum's values is not a finding."""
    edit(
        project / "enums.py",
        '    SOLANA = "solana"\n    ETHEREUM = "ethereum"\n',
        '    ETHEREUM = "ethereum"\n    SOLANA = "solana"\n',
    )
    assert checked(project).status == 0


def test_an_enum_on_a_nullable_column(project: Path) -> None:
    """The CHECK of a nullable column, which also allows NULL, is linked to its enum like any other."""
    edit(project / "enums.py", '    APPROVAL = "APPROVAL"\n', '    APPROVAL = "APPROVAL"\n    REFUSAL = "REFUSAL"\n')
    done = checked(project)
    assert done.status == 1
    assert done.out.startswith(
        "enum (1 finding)\n  POLICY_TIERS: value 'REFUSAL' is in enums.py:84, but the migrations do not allow it in transactions.tier."
    )


def test_an_enum_in_no_column(project: Path) -> None:
    """A change to an enum that no column uses is not a finding."""
    edit(project / "enums.py", '    RECOVERING = "RECOVERING"\n', '    RECOVERING = "RECOVERING"\n    X = "X"\n')
    assert checked(project).status == 0


def test_generate_puts_an_enum_right(project: Path) -> None:
    """``generate`` resolves the finding about an enum with a new value."""
    edit(project / "enums.py", '    TESTNET = "testnet"\n', '    TESTNET = "testnet"\n    BASE = "base"\n')
    assert run(project, "generate", "-m", "base").status == 0
    assert checked(project).status == 0


# --- schema.yaml ---


def test_a_table_that_no_migration_makes(project: Path) -> None:
    """A change of schema.yaml without a migration is a finding that describes the change."""
    with (project / "schema.yaml").open("a", encoding="utf-8") as file:
        file.write("\n  webhooks:\n    columns: {id: {type: text, primary_key: true}}\n")
    done = checked(project)
    assert done.status == 1
    assert done.out == report("schema", "webhooks: missing migration: add table webhooks (1 column).")


def test_pragmas_changed(project: Path) -> None:
    """A PRAGMA with different values in schema.yaml and the manifest is a finding with both values."""
    edit(project / "schema.yaml", "  synchronous: NORMAL", "  synchronous: FULL")
    edit(project / "schema.yaml", "  busy_timeout: 5000", "  #")
    edit(project / "schema.yaml", "  temp_store: MEMORY", "  recursive_triggers: ON\n  temp_store: MEMORY")
    done = checked(project)
    assert done.status == 1
    where = Path("migrations", "manifest.json")
    assert done.out == report(
        "pragma",
        f"{where}: PRAGMA synchronous is FULL in schema.yaml and NORMAL here.",
        f"{where}: PRAGMA recursive_triggers is ON in schema.yaml and absent here.",
        f"{where}: PRAGMA busy_timeout is absent in schema.yaml and 5000 here.",
    )


def test_pragmas_in_another_order(project: Path) -> None:
    """Another order of the PRAGMAs is a finding, since they are set in this order."""
    schema = project / "schema.yaml"
    edit(schema, "  journal_mode: WAL # readers go on while one writes\n", "")
    edit(schema, "\ntables:\n", "  journal_mode: WAL\n\ntables:\n")
    done = checked(project)
    assert done.status == 1
    assert "manifest.json: the PRAGMAs are in a different order than in schema.yaml." in done.out


# --- the migrations folder ---


def add_by_hand(project: Path) -> Path:
    """A migration that changes no schema, which generate has recorded."""
    path = project / "migrations" / "0002_seed.sql"
    path.write_text(
        "-- depends: 0001_initial\nINSERT INTO key_value_store VALUES ('seed', '1', 0);\n", encoding="utf-8"
    )
    path.with_name("0002_seed.rollback.sql").write_text("DELETE FROM key_value_store;\n", encoding="utf-8")
    assert run(project, "generate").status == 0
    assert checked(project).status == 0
    return path


@pytest.mark.parametrize("name", ["0002_seed.sql", "0002_seed.rollback.sql"])
def test_an_edited_migration(project: Path, name: str) -> None:
    """A migration or rollback that was edited after it was recorded is a finding, even if the schema is the same."""
    path = add_by_hand(project).with_name(name)
    path.write_text(path.read_text(encoding="utf-8") + "-- a remark\n", encoding="utf-8")
    done = checked(project)
    assert done.status == 1
    assert (
        f"{Path('migrations', '0002_seed.sql')}: was edited after it was recorded (or its rollback or its" in done.out
    )
    assert "If it is released, restore them from git" in done.out


def test_a_migration_with_other_newlines(project: Path) -> None:
    """Windows newlines are not an edit: git may have written them."""
    path = project / "migrations" / "0001_initial.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert checked(project).status == 0


def test_a_missing_migration(project: Path) -> None:
    """A migration that the manifest lists but the folder lacks is a finding."""
    add_by_hand(project).unlink()
    (project / "migrations" / "0002_seed.rollback.sql").unlink()
    done = checked(project)
    assert done.status == 1
    assert (
        "manifest.json: lists migration 0002_seed, which is not in the folder.\nFix: If it is released, restore the file from git"
        in done.out
    )


def test_a_migration_that_another_depends_on_is_missing(project: Path) -> None:
    """A missing migration is a broken project, with exit status 2, if the others can't be replayed without it."""
    add_by_hand(project)
    for name in ("0001_initial.sql", "0001_initial.rollback.sql"):
        (project / "migrations" / name).unlink()
    done = checked(project)
    assert (done.status, done.out) == (2, "")
    assert "0001_initial" in done.err


def test_a_migration_that_is_not_in_the_manifest(project: Path) -> None:
    """A migration that the manifest doesn't list is a finding."""
    (project / "migrations" / "0002_more.sql").write_text("-- depends: 0001_initial\nSELECT 1;\n", encoding="utf-8")
    done = checked(project)
    assert done.status == 1
    assert "0002_more.sql: is not listed in manifest.json.\nFix: Run `waiaas-migrate record`.\n" in done.out


def test_a_missing_manifest(project: Path) -> None:
    """Migrations without a manifest are a finding, which ``generate`` resolves."""
    (project / "migrations" / "manifest.json").unlink()
    done = checked(project)
    assert done.status == 1
    assert done.out == report("manifest", "migrations: manifest.json is missing.")
    assert run(project, "generate").status == 0
    assert checked(project).status == 0


def test_a_fingerprint_of_another_schema(project: Path) -> None:
    """A manifest whose fingerprint doesn't match the schema at head is a finding."""
    path = project / "migrations" / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(path, content["fingerprint"], "sha256:" + "0" * 64)
    done = checked(project)
    assert done.status == 1
    assert "manifest.json: the fingerprint doesn't match the schema" in done.out


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"version": 99}', "<<<<<<< ours\n", "\N{LATIN SMALL LETTER E WITH ACUTE}"]
)
def test_a_broken_manifest(project: Path, text: str) -> None:
    """A manifest that can't be read exits with 2, and the message says what to do."""
    (project / "migrations" / "manifest.json").write_bytes(text.encode("latin-1"))
    done = checked(project)
    assert (done.status, done.out) == (2, "")
    assert "manifest.json" in done.err
    assert "Traceback" not in done.err


def test_findings_name_their_object(tmp_path: Path) -> None:
    """``where`` is the object as it is spelled, whether it is new, changed, renamed or dropped."""
    old = """\
version: 1
tables:
  Kept: {columns: {a: text}}
  Gone: {columns: {b: text}}
  Before: {columns: {c: text}}
views: {Old: SELECT 1 AS one, Changed: SELECT 1 AS one}
"""
    new = """\
version: 1
tables:
  Kept: {columns: {a: text}, indexes: {By_a: [a]}}
  New: {columns: {d: text, e: text}}
  After: {renamed_from: Before, columns: {c: text}}
views: {Changed: SELECT 2 AS one, Fresh: SELECT 3 AS one}
triggers: {Tr: CREATE TRIGGER Tr AFTER INSERT ON Kept BEGIN SELECT 1; END}
virtual_tables: {Words: CREATE VIRTUAL TABLE Words USING fts5 (word)}
"""
    generated_project(tmp_path, old)
    (tmp_path / "schema.yaml").write_text(new, encoding="utf-8")
    found = json.loads(run(tmp_path, "check", "--json").out)["findings"]
    assert {finding["where"] for finding in found} == {
        *("Kept", "Gone", "New", "After", "Old", "Changed", "Fresh", "Tr", "Words")
    }


def test_findings_by_subject(project: Path) -> None:
    """As JSON, each finding has a subject; all kinds are reported at once."""
    edit(project / "enums.py", '    TESTNET = "testnet"\n', '    TESTNET = "testnet"\n    BASE = "base"\n')
    edit(project / "schema.yaml", "  synchronous: NORMAL", "  synchronous: FULL")
    edit(project / "schema.yaml", "      owner_address: text\n", "      owner_address: text\n      nickname: text\n")
    (project / "migrations" / "0002_more.sql").write_text("-- depends: 0001_initial\nSELECT 1;\n", encoding="utf-8")
    done = run(project, "check", "--json")
    assert done.status == 1
    assert [finding["subject"] for finding in json.loads(done.out)["findings"]] == [
        "enum",
        "schema",
        "manifest",
        "pragma",
    ]


# --- mistakes in schema.yaml, and rollbacks ---

MISTAKES = """\
version: 1
tables:
  t:
    columns:
      id: {type: integer, primary_key: true}
      a: {type: interger}
      b: {type: integer, default: abc}
      c: {type: timestamp, default: CURRENT_TIMESTAMP}
      d: {type: integer, default: 1.5}
"""


def test_mistakes_in_schema_yaml(tmp_path: Path) -> None:
    """Misspelled types, and defaults that don't fit their type, are findings with their line."""
    generated_project(tmp_path, MISTAKES)
    done = run(tmp_path, "check", "--json")
    assert done.status == 1
    found = [(one["code"], one["line"], one["fix"]) for one in json.loads(done.out)["findings"]]
    assert found == [
        ("DEFAULT_TYPE", 7, "Write a number."),
        ("DEFAULT_TYPE", 8, "For Unix seconds, write `default_sql: unixepoch()`."),
        ("UNKNOWN_TYPE", 6, "Did you mean `integer`?"),
    ]


def test_a_waived_mistake(tmp_path: Path) -> None:
    """A waiver for ``lint`` also applies to ``check``."""
    text = MISTAKES.replace("type: interger", "type: interger, lint: {ignore: [UNKNOWN_TYPE]}")
    generated_project(tmp_path, text)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.waiaas-migrate.lint]\nignore = ['DEFAULT_TYPE']\n", encoding="utf-8"
    )
    assert run(tmp_path, "check").status == 0


@pytest.mark.parametrize(
    ("rollback", "code", "what", "status"),
    [
        ("DROP TABLE missing;\n", "FAILING_ROLLBACK", "fails: no such table: missing", 1),
        ("SELECT 1;\n", "INCOMPLETE_ROLLBACK", "does not restore the schema from before the migration. Missing:", 1),
        (None, "MISSING_ROLLBACK", "the migration has no rollback.", 0),
    ],
)
def test_a_rollback_by_hand(tmp_path: Path, rollback: str | None, code: str, what: str, status: int) -> None:
    """A rollback that fails or doesn't restore the schema is a finding; a missing one is reported as information."""
    folder = generated_project(tmp_path) / "migrations"
    edit(tmp_path / "schema.yaml", "      body: text\n", "      body: text\n      more: text\n")
    sql = "-- depends: 0001_initial\nALTER TABLE notes ADD COLUMN more TEXT;\n"
    (folder / "0002_more.sql").write_text(sql, encoding="utf-8")
    if rollback is not None:
        (folder / "0002_more.rollback.sql").write_text(rollback, encoding="utf-8")
    assert run(tmp_path, "record").status == 0
    done = run(tmp_path, "check", "--json")
    (finding,) = json.loads(done.out)["findings"]
    file = "0002_more.sql" if rollback is None else "0002_more.rollback.sql"
    assert (done.status, finding["code"], finding["file"]) == (status, code, f"migrations/{file}")
    assert finding["what"].startswith(what)
    (folder / "0002_more.sql").write_text(f"-- lint ignore {code}: only forward\n{sql}", encoding="utf-8")
    assert run(tmp_path, "record").status == 0
    assert run(tmp_path, "check").out == "schema.yaml, the enums, and the migrations agree.\n"


def test_a_view_on_a_missing_table(tmp_path: Path) -> None:
    """A view that reads a missing table is a finding at its line, with or without a migration for the view."""
    generated_project(tmp_path)
    edit(tmp_path / "schema.yaml", "tables:\n", "views:\n  v: SELECT x FROM missing\ntables:\n")
    assert run(tmp_path, "generate", "--allow", "all").status == 0
    (migration,) = (tmp_path / "migrations").glob("0002_*v.sql")
    text = "".join(
        line for line in migration.read_text(encoding="utf-8").splitlines(keepends=True) if "hazard" not in line
    )
    migration.write_text(text, encoding="utf-8")
    assert run(tmp_path, "record").status == 0
    found = json.loads(run(tmp_path, "check", "--json").out)["findings"]
    assert [(one["code"], one["where"], one["line"]) for one in found if one["severity"] == "error"] == [
        ("BROKEN_OBJECT", "v", 6)
    ]
