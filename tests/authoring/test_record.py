"""The facts that ``generate`` records: from the plan for its own migrations, from the SQL for others."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.folders import write_folder
from tests.support.transitions import generate, write_schema
from waiaas_migrate.errors import MigrationsError
from waiaas_migrate.files.migration_dir.facts import short_fingerprint
from waiaas_migrate.files.migration_dir.manifest import read_manifest
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.planning.effects import Cost

PARENT = {"columns": {"id": {"type": "integer", "primary_key": True}, "a": "text", "b": {"type": "text"}}}


def entry(folder: Path, number: int = -1) -> str:
    """Return the facts in a line of the manifest."""
    content = json.loads((folder / "migrations" / "manifest.json").read_text("utf-8"))
    facts: str = content["migrations"][number]["facts"]
    return facts


def changed(**columns: object) -> dict[str, Any]:
    """Return the table with other columns; None removes one."""
    found = {**PARENT["columns"], **columns}
    return {"columns": {name: column for name, column in found.items() if column is not None}}


@pytest.mark.parametrize(
    ("table", "facts"),
    [
        (changed(c="text"), "constant=t | scan=t changes_rows"),
        (changed(c={"type": "text", "renamed_from": "b"}, b=None), "constant=t changes_keys | constant=t changes_keys"),
        ({**PARENT, "indexes": {"i": ["a"]}}, "scan=t | scan=t"),
        (changed(a={"type": "text", "unique": True}), "rebuild=t hazards=ADD_UNIQUE%20t | rebuild=t"),
        (changed(a="integer"), "rebuild=t hazards=NARROW_TYPE%20t.a | rebuild=t"),
        (changed(b=None), "scan=t changes_rows loses hazards=DROP_COLUMN%20t.b | constant=t"),
    ],
    ids=["add column", "rename column", "add index", "unique", "type", "drop column"],
)
def test_facts_of_a_generated_migration(tmp_path: Path, table: dict[str, Any], facts: str) -> None:
    """Each kind of change is recorded with the cost of its cheapest way, forward and back."""
    write_schema(tmp_path, {"tables": {"t": PARENT}})
    generate(tmp_path)
    write_schema(tmp_path, {"tables": {"t": table}})
    generate(tmp_path)
    assert entry(tmp_path) == facts


@pytest.mark.parametrize("name", ["two words", "a,b", "x|y", "50%", "a=b", "Ünï"])
def test_names_of_any_kind_are_read_back(tmp_path: Path, name: str) -> None:
    """Facts are read back correctly whatever characters a table's name has."""
    write_schema(tmp_path, {"tables": {name: PARENT}})
    generate(tmp_path)
    folder = read_folder(tmp_path / "migrations")
    assert folder.forward(folder.migrations)[0].tables == ((name, Cost.CONSTANT),)


def test_a_backfill_of_a_new_column_loses_nothing(tmp_path: Path) -> None:
    """A backfill changes rows, but only in a column that was empty."""
    write_schema(tmp_path, {"tables": {"t": PARENT}})
    generate(tmp_path)
    write_schema(tmp_path, {"tables": {"t": changed(c={"type": "text", "nullable": False, "backfill": "'x'"})}})
    generate(tmp_path)
    (effects,) = read_folder(tmp_path / "migrations").forward(read_folder(tmp_path / "migrations").migrations[1:])
    assert effects.may_change_rows
    assert not effects.may_lose


def test_hand_written_migrations_are_recorded(tmp_path: Path) -> None:
    """Facts are derived from SQL; the worst case is recorded for Python. Recorded facts stay as they are."""
    write_schema(tmp_path, {"tables": {"t": PARENT}})
    generate(tmp_path)
    first = entry(tmp_path)
    code = "from yoyo import step\n__depends__ = {'0002_more'}\nsteps = [step('SELECT 1')]\n"
    files = {"0002_more.sql": "-- depends: 0001_change\n-- t [constant]\nDELETE FROM t;\n", "0003_code.py": code}
    write_folder(tmp_path / "migrations", files, record=False)
    generate(tmp_path)
    assert entry(tmp_path, 0) == first
    assert entry(tmp_path, 1) == "scan=t changes_rows loses"
    assert entry(tmp_path, 2) == "any"


def test_the_catalog_after_each_migration_is_recorded(tmp_path: Path) -> None:
    """The recorded catalog equals that of a database that has run as many migrations."""
    write_schema(tmp_path, {"tables": {"t": PARENT}})
    generate(tmp_path)
    write_folder(
        tmp_path / "migrations", {"0002_more.sql": "-- depends: 0001_change\nUPDATE t SET a = b;\n"}, record=False
    )
    write_schema(tmp_path, {"tables": {"t": changed(c="text")}})
    generate(tmp_path)
    manifest = read_manifest(tmp_path / "migrations")
    assert manifest is not None
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        for migration in read_folder(tmp_path / "migrations").migrations:
            for statement in migration.statements:
                memory.execute(statement)
            facts = manifest.facts[migration.id]
            assert facts is not None
            assert facts.catalog == short_fingerprint(fingerprint(read_catalog(memory)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" loses", ""),
        ("scan=t", "constant=t"),
        ('"catalog": "', '"catalog": "0'),
        (" changes_rows", ""),
    ],
)
def test_edited_facts_are_found(tmp_path: Path, old: str, new: str) -> None:
    """Facts are part of the hash chain."""
    write_schema(tmp_path, {"tables": {"t": PARENT}})
    generate(tmp_path)
    write_folder(tmp_path / "migrations", {"0002_x.sql": "-- depends: 0001_change\nDELETE FROM t;\n"}, record=False)
    generate(tmp_path)
    manifest = tmp_path / "migrations" / "manifest.json"
    text = manifest.read_text("utf-8")
    head, last = text.rsplit('{"id": "0002_x"', 1)
    assert old in last
    manifest.write_text(f'{head}{{"id": "0002_x"{last.replace(old, new, 1)}', encoding="utf-8")
    with pytest.raises(
        MigrationsError, match=r"was edited after it was recorded \(or its rollback or its line in manifest\.json\)"
    ):
        read_folder(tmp_path / "migrations")
