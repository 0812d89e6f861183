"""The user and host in yoyo's log are looked up without a lock, and recorded whatever their names are."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, run_python, write_folder

#: Runs code with a resolver that tries to write to the database on another connection while it looks up a name.
WITH_RESOLVER = """
import socket, sqlite3, sys
from contextlib import suppress

database, folder = sys.argv[1], sys.argv[2]
outcomes = []

def look_up(name=""):
    other = sqlite3.connect(database, timeout=0, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        outcomes.append(str(error))
    else:
        outcomes.append("could write")
    other.close()
    return "host.example"

socket.getfqdn = look_up

{}

print(outcomes)
"""

OPENED = "from waiaas_migrate import open_database\nopen_database(database, migrations=folder).close()"
COMMAND = (
    "from waiaas_migrate.cli import main\n"
    "with suppress(SystemExit):\n    assert main(['{}', database, '--migrations', folder]) == 0"
)
YOYO = (
    "from yoyo.scripts.main import main\n"
    "main(['{}', '--batch', '--no-config-file', '--database', 'waiaas:///' + database, folder])"
)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(OPENED, id="open_database"),
        pytest.param(COMMAND.format("apply"), id="apply"),
        pytest.param(YOYO.format("apply"), id="yoyo apply"),
        pytest.param(YOYO.format("mark"), id="yoyo mark"),
    ],
)
def test_others_can_write_during_a_lookup(tmp_path: Path, code: str) -> None:
    """A slow resolver delays only the migration, not other writers."""
    folder = write_folder(tmp_path / "migrations", FAMILY)
    database = tmp_path / "app.db"

    run = run_python(WITH_RESOLVER.format(code), database, folder)

    assert run.stdout.splitlines()[-1:] == ["['could write']"], run.stderr


def test_others_can_write_during_a_lookup_for_a_rollback(tmp_path: Path) -> None:
    """The same applies to rollbacks, which also record names."""
    folder = write_folder(tmp_path / "migrations", FAMILY)
    database = tmp_path / "app.db"
    assert run_python(WITH_RESOLVER.format(OPENED), database, folder).returncode == 0

    run = run_python(WITH_RESOLVER.format(COMMAND.format("rollback")), database, folder)

    assert run.stdout.splitlines()[-1:] == ["['could write']"], run.stderr


def test_others_can_write_during_a_lookup_for_hooks_and_outside_transactions(tmp_path: Path) -> None:
    """The same applies to migrations outside transactions, and to hooks."""
    files = {
        **FAMILY,
        "0004_vacuum.sql": "-- transactional: false\n-- depends: 0003_age\nVACUUM;\n",
        "post-apply.sql": "SELECT 1;\n",
    }
    folder = write_folder(tmp_path / "migrations", files)

    run = run_python(WITH_RESOLVER.format(OPENED), tmp_path / "app.db", folder)

    assert run.stdout.splitlines()[-1:] == ["['could write']"], run.stderr


@pytest.mark.parametrize("user", [b"na\xefve", "名".encode(), b"a\nb"], ids=["not UTF-8", "not ASCII", "two lines"])
def test_any_user_name_can_be_recorded(tmp_path: Path, user: bytes) -> None:
    """``USER`` and ``LOGNAME`` may hold any bytes."""
    folder = write_folder(tmp_path / "migrations", FAMILY)
    command = [sys.executable, "-m", "waiaas_migrate", "apply", "app.db", "--migrations", str(folder)]
    environment = {**os.environb, b"LOGNAME": user, b"USER": user}

    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)

    assert run.returncode == 0, run.stderr
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        (name,) = connection.execute("SELECT DISTINCT username FROM _yoyo_log").fetchone()
    assert name == user.decode(errors="surrogateescape").encode(errors="backslashreplace").decode()


def test_a_host_name_that_dns_cannot_have_is_recorded(tmp_path: Path) -> None:
    """``socket.getfqdn`` raises UnicodeError for an empty or an overlong label."""
    folder = write_folder(tmp_path / "migrations", FAMILY)
    code = "import socket\nsocket.gethostname = lambda: 'a..b'\nimport sys\ndatabase, folder = sys.argv[1:]\n" + OPENED

    run = run_python(code, tmp_path / "app.db", folder)

    assert run.returncode == 0, run.stderr
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        assert connection.execute("SELECT DISTINCT hostname FROM _yoyo_log").fetchall() == [("a..b",)]
