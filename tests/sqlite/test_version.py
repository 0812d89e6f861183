"""A SQLite that is too old is refused before anything is read or written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.projects import CHECKOUT, generated_project, listing

OLD = "import sqlite3\nsqlite3.sqlite_version, sqlite3.sqlite_version_info = '3.36.0', (3, 36, 0)\n"
SAID = "SQLite 3.36.0 is too old: waiaas-migrate requires SQLite 3.37 or newer."


def run_old(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a process whose sqlite3 module reports an old version."""
    return subprocess.run(
        [sys.executable, "-c", OLD + code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )


@pytest.mark.parametrize(
    "command", ["apply a.db", "status a.db", "drift a.db", "generate", "check", "inspect a.db", "rollback a.db"]
)
def test_every_command_refuses_it(tmp_path: Path, command: str) -> None:
    """Commands exit with status 2, without a traceback, and write nothing."""
    generated_project(tmp_path)
    before = listing(tmp_path)
    done = run_old(
        tmp_path, f"from waiaas_migrate.cli import main\nsys_exit = main({command.split()!r})\nexit(sys_exit)"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert SAID in done.stderr
    assert "Traceback" not in done.stderr
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    "call",
    [
        "open_database('a.db', migrations='migrations')",
        "connect('a.db', migrations='migrations')",
        "push_schema(sqlite3.connect(':memory:'), migrations='migrations')",
    ],
)
def test_every_function_refuses_it(tmp_path: Path, call: str) -> None:
    """Functions raise UnsupportedError."""
    generated_project(tmp_path)
    before = listing(tmp_path)
    done = run_old(
        tmp_path,
        f"from waiaas_migrate import *\nfrom waiaas_migrate.errors import UnsupportedError\n"
        f"try:\n    {call}\nexcept UnsupportedError as error:\n    print(error)\n",
    )
    assert done.stdout.startswith(SAID), done.stderr
    assert listing(tmp_path) == before
