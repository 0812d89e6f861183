"""Commands finish whatever happens to stdout and stderr, and no text of a database can control a terminal."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, write_folder
from waiaas_migrate.cli import main
from waiaas_migrate.cli.streams import safe
from waiaas_migrate.runner.yoyo.applied import read_applied

PRINTS = """
import sys
from yoyo import step
__depends__ = {"0003_age"}

def work(connection):
    for stream in sys.stdout, sys.stderr:
        print("working", "\\u540d", file=stream, flush=True)

steps = [step(work, work)]
"""
IDS = [*FAMILY_IDS, "0004_prints"]
COMMAND = f"{sys.executable} -m waiaas_migrate"
ORDERS = "\x1b]0;mine\x07\x1b[2J\x00\r\x9b31m\u202egpj.exe\u2028"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a folder with migrations, the last of which prints."""
    write_folder(tmp_path / "migrations", {**FAMILY, "0004_prints.py": PRINTS})
    return tmp_path


def shell(project: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Let bash run ``line``, in which ``migrate`` is the command.

    The exit status is that of the first command of a pipe.
    """
    line = f'migrate() {{ {COMMAND} "$@"; }}; set -o pipefail; {line}'
    return subprocess.run(
        ["/bin/bash", "-c", line],
        cwd=project,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        check=False,
    )


def applied(database: Path) -> list[str]:
    """Return the migrations that ``database`` has run."""
    with closing(sqlite3.connect(database)) as connection:
        return [row.id for row in read_applied(connection) or ()]


@pytest.mark.parametrize(
    "line",
    [
        "migrate apply app.db 2>&-",
        "migrate apply app.db >&-",
        "migrate apply app.db >&- 2>&- <&-",
        "migrate apply app.db --json 2>&-",
        "migrate apply app.db | true",
        "migrate apply app.db 2>&1 | true",
        "migrate apply app.db 2>/dev/full",
        "migrate apply app.db | (exec <&-; sleep 2)",
        "PYTHONIOENCODING=ascii migrate apply app.db",
        "PYTHONIOENCODING=latin-1 migrate apply app.db",
        "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 migrate apply app.db",
    ],
)
def test_apply_applies_and_says_so_by_its_status(project: Path, line: str) -> None:
    """The run and its exit status don't depend on who reads the output, even if a migration prints."""
    done = shell(project, line)
    assert (done.returncode, applied(project / "app.db")) == (0, IDS)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_stderr_does_not_become_the_database(project: Path) -> None:
    """The first file that a process opens gets the number of a closed stream; this must not be the database."""
    done = shell(project, "migrate apply app.db 2>&- && migrate rollback nothing.db 2>&-; migrate status app.db")
    assert done.returncode == 0
    with closing(sqlite3.connect(project / "app.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_all_of_many_databases_are_applied_though_nobody_reads_along(project: Path) -> None:
    """With ``| head -1``, all databases are applied."""
    names = [project / f"t{number}.db" for number in range(40)]
    for name in names:
        name.touch()
    done = shell(project, 'migrate apply "t*.db" --jobs 2 | head -1')
    assert done.returncode == 0
    assert [name for name in names if applied(name) != IDS] == []


@pytest.mark.parametrize("words", ["status app.db", "apply app.db --dry-run", "--help", "apply --help"])
def test_other_commands_do_not_mind_either(project: Path, words: str) -> None:
    """The exit status of other commands is the same without a reader."""
    shell(project, "migrate apply app.db")
    assert shell(project, f"migrate {words} | true").returncode == shell(project, f"migrate {words}").returncode


@pytest.mark.parametrize("words", ["apply app.db", "apply a.db b.db", "status app.db"])
def test_a_result_that_is_lost_is_an_error_after_the_work(project: Path, words: str) -> None:
    """If stdout is a full disk, the work is done, and the lost result is an error."""
    shell(project, "migrate apply app.db" if "status" in words else "true")
    done = shell(project, f"migrate {words} >/dev/full")
    assert done.returncode == 2
    assert done.stderr.endswith("The work is done, but not all of the output was written.\n")
    assert {name.name: applied(name) for name in project.glob("*.db")}.popitem()[1] == IDS


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-16"])
@pytest.mark.parametrize("options", ["", " --json"])
def test_names_that_the_output_cannot_write(project: Path, encoding: str, options: str) -> None:
    """Names that the output's encoding lacks are escaped; JSON stays valid."""
    for name in ("名.db", os.fsdecode(b"\xff.db")):
        shell(project, "rm -f *.db")
        line = f'PYTHONIOENCODING={encoding} migrate apply "$NAME"{options} && ls *.db'
        done = shell(project, line, NAME=name)
        assert (done.returncode, applied(project / name)) == (0, IDS)
        assert "Traceback" not in done.stderr


def test_a_document_is_what_a_file_would_be(project: Path) -> None:
    """``inspect`` prints the same UTF-8 text that it would write to a file."""
    with closing(sqlite3.connect(project / "app.db")) as connection:
        connection.execute('CREATE TABLE "名" (id INTEGER PRIMARY KEY)')
    plain, latin = (
        shell(project, f"PYTHONIOENCODING={encoding} migrate inspect app.db") for encoding in ("utf-8", "latin-1")
    )
    assert "名" in plain.stdout
    assert latin.stdout == plain.stdout


def test_safe_text() -> None:
    """Escaped text keeps its number of lines and has no control characters."""
    assert safe(ORDERS) == "\\x1b]0;mine\\x07\\x1b[2J\\x00\\r\\x9b31m\\u202egpj.exe\\u2028"
    assert safe("naïve 名 👩‍👩‍👧\tx\ny") == "naïve 名 👩‍👩‍👧\tx\ny"
    assert safe("\udcff") == "\\udcff"


def recorded(project: Path) -> None:
    """Record a migration of such a name in the database."""
    main(["apply", str(project / "app.db"), "--migrations", str(project / "migrations")])
    with closing(sqlite3.connect(project / "app.db")) as connection:
        connection.execute("INSERT INTO _yoyo_migration VALUES ('x', ?, '2026-01-01')", (ORDERS,))
        connection.commit()


def table(project: Path) -> None:
    """Create a table of such a name."""
    with closing(sqlite3.connect(project / "app.db")) as connection:
        connection.execute('CREATE TABLE "{}" (id INTEGER PRIMARY KEY)'.format(ORDERS.replace("\0", "")))


def key(project: Path) -> None:
    """Insert a row that blocks a migration and has such a key."""
    text = "-- depends: 0004_prints\nCREATE UNIQUE INDEX parent_age ON parent (age);\n"
    main(["apply", str(project / "app.db"), "--migrations", str(project / "migrations")])
    write_folder(project / "migrations", {"0005_unique.sql": text})
    with closing(sqlite3.connect(project / "app.db")) as connection:
        connection.executescript("DROP TABLE child; DROP TABLE parent; CREATE TABLE parent (id PRIMARY KEY, age);")
        connection.executemany("INSERT INTO parent VALUES (?, 1)", [(ORDERS,), (f"{ORDERS}2",), ("x" * 10_000,)])
        connection.commit()


@pytest.mark.parametrize("made", [recorded, table, key])
@pytest.mark.parametrize("words", [["status"], ["apply"], ["drift"], ["apply", "--dry-run"]], ids=" ".join)
def test_no_text_of_a_database_gives_a_terminal_orders(
    project: Path, capsys: pytest.CaptureFixture[str], made: Callable[[Path], None], words: list[str]
) -> None:
    """Neither stdout nor stderr has a control sequence from the database."""
    made(project)
    capsys.readouterr()
    main([*words, str(project / "app.db"), "--migrations", str(project / "migrations")])
    found = capsys.readouterr()
    if made is key and words == ["apply"]:
        assert "\\x1b]0;mine" in found.err
    assert [character for character in found.out + found.err if not character.isprintable() and character != "\n"] == []
    assert max(map(len, (found.out + found.err).splitlines())) < 2000


def test_json_is_exact(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has its own escapes, so no text is changed."""
    recorded(project)
    capsys.readouterr()
    main(["status", str(project / "app.db"), "--migrations", str(project / "migrations"), "--json"])
    states = json.loads(capsys.readouterr().out)["migrations"]
    assert ORDERS in [state["id"] for state in states]
