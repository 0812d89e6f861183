"""No migration runs without a journal on disk: a rollback or a crash would corrupt the database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, write_folder
from tests.support.projects import run
from tests.support.yoyo_plugin import install_entry_points, yoyo_process
from waiaas_migrate import close_database, open_database, push_schema
from waiaas_migrate.errors import ApplyError, MigrationsError, UsageError
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.folder import read_folder

UNSAFE = ["OFF", "off", "MEMORY", "Memory", "o", "m", "nonsense"]
SCHEMA = "version: 1\npragmas:\n  journal_mode: {mode}\ntables: {{t: {{columns: {{id: integer}}}}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a recorded folder of three migrations."""
    return write_folder(tmp_path / "migrations", FAMILY)


@pytest.mark.parametrize("mode", [*UNSAFE, "0", "false"])
def test_schema_yaml_cannot_turn_the_journal_off(tmp_path: Path, mode: str) -> None:
    """The error names the line and the fix; nothing is generated."""
    (tmp_path / "schema.yaml").write_text(SCHEMA.format(mode=mode), encoding="utf-8")
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert "schema.yaml:3" in done.err
    assert not (tmp_path / "migrations").exists()


def test_schema_yaml_cannot_set_the_schema_version(tmp_path: Path) -> None:
    """If every connection set it, schema changes would be hidden from other connections."""
    text = SCHEMA.format(mode="WAL").replace("journal_mode: WAL", "schema_version: 7")
    (tmp_path / "schema.yaml").write_text(text, encoding="utf-8")
    done = run(tmp_path, "generate")
    assert (done.status, "schema.yaml:3" in done.err) == (2, True)


@pytest.mark.parametrize("mode", ["WAL", "wal", "DELETE", "truncate", "Persist"])
def test_safe_journal_modes_are_set(tmp_path: Path, mode: str) -> None:
    """Safe journal modes are set on a new file and on one at head."""
    (tmp_path / "schema.yaml").write_text(SCHEMA.format(mode=mode), encoding="utf-8")
    assert run(tmp_path, "generate").status == 0
    for _ in range(2):
        connection = open_database(tmp_path / "a.db", migrations=tmp_path / "migrations")
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode.lower(),)
        close_database(connection)


@pytest.mark.parametrize("mode", [*UNSAFE, 0])
def test_a_manifest_cannot_turn_the_journal_off(tmp_path: Path, folder: Path, mode: str | int) -> None:
    """No file is created, and every command reports the same error."""
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["pragmas"]["journal_mode"] = mode
    manifest.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MigrationsError, match="journal_mode must be WAL"):
        open_database(tmp_path / "a.db", migrations=folder)
    done = run(tmp_path, "apply", "a.db")
    assert (done.status, "Without a journal on disk" in done.err) == (2, True)
    url = f"waiaas:///{tmp_path}/a.db?migrations={folder}"
    plugin = yoyo_process(install_entry_points(tmp_path), "apply", url, folder)
    assert "Without a journal on disk" in plugin.stderr
    assert not (tmp_path / "a.db").exists()


@pytest.mark.parametrize("mode", ["OFF", "MEMORY"])
def test_a_callers_connection_without_a_journal_is_refused(tmp_path: Path, folder: Path, mode: str) -> None:
    """Nothing is written; with another mode, the run succeeds."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE other (x)")
        connection.execute("DROP TABLE other")
        connection.execute(f"PRAGMA journal_mode = {mode}")
        before = (tmp_path / "a.db").read_bytes()
        with pytest.raises(UsageError, match=f"journal_mode {mode.lower()}.*Nothing was changed"):
            push_schema(connection, migrations=folder)
        assert (tmp_path / "a.db").read_bytes() == before
        assert not connection.in_transaction
        connection.execute("PRAGMA journal_mode = DELETE")
        push_schema(connection, migrations=folder)
        connection.execute(f"PRAGMA journal_mode = {mode}")
        push_schema(connection, migrations=folder)
        assert connection.execute("SELECT count(*) FROM _yoyo_migration").fetchone() == (3,)


@pytest.mark.parametrize("place", [":memory:", "file::memory:?cache=shared", "file:/journal?vfs=memdb", ""])
def test_a_database_in_memory_keeps_its_journal_in_memory(folder: Path, place: str) -> None:
    """A database in memory may have a journal in memory, but not none, or nothing could be rolled back."""
    with closing(sqlite3.connect(place, uri=True)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        with pytest.raises(UsageError, match="journal_mode off"):
            push_schema(connection, migrations=folder)
        connection.execute("PRAGMA journal_mode = MEMORY")
        push_schema(connection, migrations=folder)
        assert connection.execute("SELECT count(*) FROM _yoyo_migration").fetchone() == (3,)


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA journal_mode = OFF",
        "pragma main . journal_mode=memory",
        "PRAGMA journal_mode('off')",
        'PRAGMA "main"."journal_mode" = "OFF"',
        "-- a remark\n/* another */ PRAGMA [journal_mode] = o",
    ],
)
@pytest.mark.parametrize("head", ["", "-- transactional: false\n"], ids=["transactional", "outside"])
@pytest.mark.parametrize("tool", ["open", "apply", "plugin"])
def test_a_migration_cannot_turn_the_journal_off(
    tmp_path: Path, folder: Path, statement: str, head: str, tool: str
) -> None:
    """SQLite would allow it before the first write, so the run is rolled back."""
    path = tmp_path / "a.db"
    close_database(open_database(path, migrations=folder))
    text = f"{head}-- depends: 0003_age\n{statement};\nCREATE TABLE x (y);\nINSERT INTO nowhere VALUES (1);\n"
    write_folder(folder, {"0004_off.sql": text.replace("INSERT INTO nowhere VALUES (1);\n", "")})
    match tool:
        case "open":
            with pytest.raises(ApplyError, match="Without a journal on disk"):
                open_database(path, migrations=folder)
        case "apply":
            done = run(tmp_path, "apply", str(path))
            assert (done.status, "Without a journal on disk" in done.err) == (3, True)
        case _ if head:
            return  # outside transactions nobody stands between yoyo and the statement
        case _:
            url = f"waiaas:///{path}?migrations={folder}"
            assert yoyo_process(install_entry_points(tmp_path), "apply", url, folder).returncode != 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'x'").fetchone() == (0,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_python_migration_cannot_turn_the_journal_off(tmp_path: Path, folder: Path) -> None:
    """A Python migration can't turn the journal off with any method."""
    path = tmp_path / "a.db"
    close_database(open_database(path, migrations=folder))
    code = "from yoyo import step\n__depends__ = {'0003_age'}\nstep(lambda c: c.execute('PRAGMA journal_mode = OFF'))\n"
    write_folder(folder, {"0004_off.py": code})
    with pytest.raises(ApplyError, match="Without a journal on disk"):
        open_database(path, migrations=folder)


def test_a_migration_outside_transactions_may_set_a_safe_mode(tmp_path: Path, folder: Path) -> None:
    """To change the page size, a migration sets the journal mode DELETE temporarily."""
    text = "-- transactional: false\n-- depends: 0003_age\nPRAGMA journal_mode = DELETE;\nVACUUM;\n"
    write_folder(folder, {"0004_vacuum.sql": text})
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        assert apply_pending(connection, read_folder(folder)).applied == (*FAMILY_IDS, "0004_vacuum")
