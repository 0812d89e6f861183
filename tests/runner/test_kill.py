"""After SIGKILL at any moment of a run, the database is exactly as before or as after, and the next open finishes.

``WAIAAS_KILLS`` sets how often each mode is tried; the default is low.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.transitions import generate, is_sound, write_schema
from waiaas_migrate import close_database, open_database
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog

KILLS = int(os.environ.get("WAIAAS_KILLS", "16"))
ROWS = 100_000

OLD: dict[str, dict[str, Any]] = {
    "agents": {"columns": {"id": {"type": "integer", "primary_key": True}, "name": "text"}},
    "payments": {
        "columns": {
            "id": {"type": "integer", "primary_key": True},
            "agent_id": {"type": "integer", "nullable": False, "references": "agents.id"},
            "state": {"type": "text", "nullable": False, "enum": ["open", "done"]},
            "amount": {"type": "integer", "nullable": False},
        },
        "indexes": {"payments_agent": ["agent_id"]},
    },
}
FILL = f"""
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) INSERT INTO agents SELECT i, 'a' FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
INSERT INTO payments SELECT i, i % 10 + 1, 'open', i * 7 FROM n;
"""

#: Waits to be told of a database and of how long it may live; its child, which does the work, is then killed.
KILLER = """
import os, select, signal, sys, time
import waiaas_migrate.runner.apply, waiaas_migrate.runner.yoyo_backend, waiaas_migrate.files.migration_dir.python_migration
from waiaas_migrate import close_database, open_database
print("ready", flush=True)
for line in sys.stdin:
    path, seconds = line.rstrip("\\n").split("\\t")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        close_database(open_database(path, migrations=sys.argv[1]))
        os._exit(0)
    handle = os.pidfd_open(child)
    select.select([handle], [], [], float(seconds))
    os.close(handle)
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    print(os.waitstatus_to_exitcode(status), time.monotonic() - began, flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The catalog, yoyo's records and the rows, all of which differ before and after the run."""

    catalog: str
    applied: tuple[str, ...]
    rows: tuple[object, ...]


def state_of(path: Path) -> State:
    """Return the state of a database; opening it recovers it, as the next user would."""
    with closing(sqlite3.connect(path)) as connection:
        return State(
            catalog=fingerprint(read_catalog(connection)),
            applied=tuple(row.id for row in read_applied(connection) or ()),
            rows=connection.execute(
                "SELECT count(*), sum(amount), sum(id * agent_id), min(state) FROM payments"
            ).fetchone(),
        )


def make_project(folder: Path, mode: str) -> Path:
    """Make a project with a database at the first of two migrations; the other rebuilds, edits an enum and adds a table."""
    pragmas = {"journal_mode": mode, "foreign_keys": "ON", "busy_timeout": 5000}
    write_schema(folder, {"pragmas": pragmas, "tables": OLD})
    generate(folder)
    connection = open_database(folder / "old.db", migrations=folder / "migrations")
    connection.executescript(FILL)
    close_database(connection)
    columns = {**OLD["payments"]["columns"], "amount": {"type": "text", "nullable": False}}
    tables = {**OLD, "payments": {**OLD["payments"], "columns": columns}}
    write_schema(folder, {"pragmas": pragmas, "tables": tables})
    generate(folder, name="rebuild")
    columns["state"] = {"type": "text", "nullable": False, "enum": ["open", "done", "failed"]}
    tables["notes"] = {"columns": {"id": {"type": "integer", "primary_key": True}, "body": "text"}}
    write_schema(folder, {"pragmas": pragmas, "tables": tables})
    generate(folder, name="enum")
    first, rebuild, enum = (path.read_text("utf-8") for path in sorted((folder / "migrations").glob("*[!k].sql")))
    assert "CHECK" in first
    assert "DROP TABLE _waiaas_old_payments" in rebuild
    assert "UPDATE sqlite_schema" in enum
    return folder


@contextmanager
def killer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the process that kills the others."""
    command = [sys.executable, "-c", KILLER, str(folder / "migrations")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.communicate()


def run_for(process: subprocess.Popen[str], path: Path, seconds: float) -> tuple[int, float]:
    """Open ``path`` in a process, kill it after ``seconds``; return its status and how long it ran."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{path}\t{seconds}\n")
    process.stdin.flush()
    status, took = process.stdout.readline().split()
    return int(status), float(took)


def fresh(folder: Path) -> Path:
    """Copy the old database, and remove files left beside it."""
    for left in folder.glob("new.db*"):
        left.unlink()
    return Path(shutil.copy(folder / "old.db", folder / "new.db"))


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_killed_run_is_before_or_after(tmp_path: Path, mode: str) -> None:
    """The file is undamaged and in one of two states, and the next opening completes the run."""
    folder = make_project(tmp_path, mode)
    before = state_of(folder / "old.db")
    chance = random.Random(5)
    ends: list[State] = []
    with killer(folder) as process:
        path = fresh(folder)
        status, whole = run_for(process, path, 60)
        assert status == 0
        after = state_of(path)
        assert (before.applied, len(after.applied)) == (after.applied[:1], 3)
        for number in range(KILLS):
            path = fresh(folder)
            # Spread over the run, and no two at the same place.
            run_for(process, path, whole * (number + chance.random()) / KILLS)
            found = state_of(path)
            assert found in (before, after)
            assert is_sound(path)
            ends.append(found)
            close_database(open_database(path, migrations=folder / "migrations"))
            assert state_of(path) == after
    assert before in ends
