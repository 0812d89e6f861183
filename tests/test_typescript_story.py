"""The daemon's enums are in TypeScript; a change in the source reaches the database."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import run_yoyo
from tests.support.projects import edit, rows, run, shipped_project
from waiaas_migrate.files.enum_sources.load_enums import EnumSource, load_enums
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.waiaas import enums as python_enums

SOURCE = Path(__file__).parent / "support" / "daemon_enums"
AGENT = "INSERT INTO agents (id, name, chain, network, public_key, created_at, updated_at) VALUES (?, 'a', ?, 'mainnet', ?, 1, 1)"


@pytest.fixture
def daemon(tmp_path: Path) -> Path:
    """Make the shipped project with TypeScript enums, and a database with a row."""
    project = shipped_project(tmp_path)
    (project / "enums.py").unlink()
    shutil.copytree(SOURCE, project / "src" / "enums")
    edit(project / "schema.yaml", "\nenums: enums\n", "\nenums: src/enums/index.ts\n")
    assert run(project, "apply", "daemon.db").status == 0
    with closing(sqlite3.connect(project / "daemon.db")) as connection, connection:
        connection.execute(AGENT, ("1", "solana", "k1"))
    return project


def test_the_typescript_enums_are_those_of_the_daemon() -> None:
    """All twelve enums have the values of the shipped Python module, in order, and each value has its line."""
    found = load_enums([EnumSource("index.ts", Origin(file="schema.yaml"))], root=SOURCE)
    names = [name for name in vars(python_enums) if name.isupper()]
    assert len(names) == 12
    for name in names:
        enum = found.find(name)
        assert enum is not None
        assert enum.values == getattr(python_enums, name)
        for value, place in zip(enum.values, enum.places, strict=True):
            line = (SOURCE / place.file).read_text().splitlines()[(place.line or 0) - 1]
            assert f"'{value}'" in line or "Object.values" in line


def test_an_enum_changes_in_typescript(daemon: Path) -> None:
    """``check`` names the enum, the value and the line. After ``generate`` and ``apply``, the rows are still valid."""
    database = str(daemon / "daemon.db")
    assert run(daemon, "check").status == 0
    edit(daemon / "src" / "enums" / "chains.ts", "'ethereum']", "'ethereum', 'base']")
    done = run(daemon, "check")
    assert done.status == 1
    what = "value 'base' is in src/enums/chains.ts:1, but the migrations do not allow it in agents.chain."
    assert f"  CHAIN_TYPES: {what}\n" in done.out
    annotation = run(daemon, "check", "--format", "github")
    assert "file=src/enums/chains.ts,line=1," in annotation.out
    generated = run(daemon, "generate", "-m", "add base")
    assert (generated.status, generated.err.count("wrote ")) == (0, 3)
    assert run(daemon, "check").status == 0
    assert run(daemon, "apply", database).status == 0
    assert run(daemon, "drift", database).status == 0
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(AGENT, ("2", "base", "k2"))
    assert rows(daemon / "daemon.db", "SELECT id, chain FROM agents ORDER BY id") == [("1", "solana"), ("2", "base")]


def test_plain_yoyo_applies_what_typescript_changed(daemon: Path) -> None:
    """A value above a spread has its own line, and plain yoyo applies its migration to the database."""
    edit(daemon / "src" / "enums" / "transactions.ts", "  ...STARTED,\n", "  ...STARTED,\n  'STUCK',\n")
    done = run(daemon, "check")
    assert "  TRANSACTION_STATUSES: value 'STUCK' is in src/enums/transactions.ts:5, but " in done.out
    assert run(daemon, "generate", "-m", "stuck").status == 0
    run_yoyo("apply", daemon / "daemon.db", daemon / "migrations")
    assert run(daemon, "drift", "daemon.db").status == 0
    assert rows(daemon / "daemon.db", "SELECT id FROM agents") == [("1",)]


def test_a_mistake_in_typescript(daemon: Path) -> None:
    """A computed value is reported with its place, and nothing is written."""
    edit(daemon / "src" / "enums" / "chains.ts", "'ethereum']", "'ethereum', chain()]")
    for command in ("check", "generate"):
        done = run(daemon, command)
        assert (done.status, done.out) == (2, "")
        assert done.err == (
            "Error: src/enums/chains.ts:1:51, CHAIN_TYPES: can't be an enum: element 3 is not a string literal. "
            "Write text in quotes, or the name of a string constant.\n"
        )
