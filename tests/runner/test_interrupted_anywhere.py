"""Ctrl-C at any point of a run: the command's message agrees with the database."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector
from tests.support.folders import FAMILY, FAMILY_IDS, run_python, write_folder
from waiaas_migrate import Interrupted
from waiaas_migrate.cli import main
from waiaas_migrate.runner.apply import apply_to

#: Raises Ctrl-C at some of the last lines that the command executes, each time in a child, and prints what it says.
INTERRUPTING = """
import os, signal, sqlite3, sys
from contextlib import closing
import waiaas_migrate.runner.apply, waiaas_migrate.runner.yoyo_backend, waiaas_migrate.files.migration_dir.python_migration
from waiaas_migrate.cli import main

folder, migrations = sys.argv[1:]

def lines(number):
    seen = 0

    def trace(frame, event, _):
        nonlocal seen
        if "waiaas_migrate" not in frame.f_code.co_filename and "contextlib" not in frame.f_code.co_filename:
            return None
        if event == "line":
            seen += 1
            if seen == number:
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return trace

    path = os.path.join(folder, f"{number}.db")
    sys.settrace(trace)
    try:
        main(["apply", path, "--migrations", migrations])
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
    finally:
        sys.settrace(None)
    return seen

def applied(number):
    with closing(sqlite3.connect(os.path.join(folder, f"{number}.db"))) as connection:
        try:
            return connection.execute("SELECT count(*) FROM _yoyo_migration").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

lines(-1)
total = lines(-2)
for number in range(total * 3 // 4, total, 13):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = os.fdopen(writing, "w")
        lines(number)
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        words = " ".join(said.read().split())
    os.waitpid(child, 0)
    print(applied(number), words, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="nothing forks there")
def test_the_message_is_true(tmp_path: Path) -> None:
    """The message names committed migrations, or says how to find out; it never denies a commit."""
    folder = write_folder(tmp_path / "m", FAMILY)
    done = run_python(INTERRUPTING, tmp_path, folder)
    points = [line.partition(" ")[::2] for line in done.stdout.splitlines() if line[:2] in ("0 ", "3 ")]
    assert len(points) > 20, done.stderr
    for number, said in points:
        if number == "0":
            assert "all was rolled back" in said or "status" in said
        else:
            assert "too late to stop" in said or "status" in said or f"applied {FAMILY_IDS[-1]}" in said


ROWS = {
    "0004_rows.sql": "-- depends: 0003_age\nUPDATE child SET parent_id = parent_id;\n",
    "0004_rows.rollback.sql": "UPDATE child SET parent_id = parent_id;\n",
}
#: What a message may say if nothing was done, and if all was.
UNDONE = ("all was rolled back", "waiaas-migrate status")
DONE = ("too late to stop", "waiaas-migrate status", "applied 0003_age", "applied 0004_rows", "rolled back 0004_rows")


def applied(database: Path) -> int:
    """Return how many migrations are recorded."""
    with closing(sqlite3.connect(database)) as connection, suppress(sqlite3.OperationalError):
        return int(connection.execute("SELECT count(*) FROM _yoyo_migration").fetchone()[0])
    return 0


def prepare(database: Path, folder: Path, command: str) -> None:
    """Make the database that ``command`` starts with; it has an old orphan."""
    if command == "apply new":
        return
    apply = ["apply", str(database), "--migrations", str(folder), "--backup", "never"]
    assert main(apply) == 0
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO child (parent_id) VALUES (7)")
    write_folder(folder, ROWS)
    if command == "rollback":
        assert main(apply) == 0


@pytest.mark.parametrize(("command", "step"), [("apply new", 2), ("apply", 3), ("rollback", 3)])
def test_the_message_is_true_at_file_operations(tmp_path: Path, faults: FaultInjector, command: str, step: int) -> None:
    """The message is also true after Ctrl-C at a file operation, such as the switch to WAL after the commit."""
    number, end = 1, 1
    while number <= end:
        folder, place = tmp_path / f"m{number}", tmp_path / str(number)
        place.mkdir()
        prepare(place / "a.db", write_folder(folder, FAMILY), command)
        before = 0 if command == "apply new" else applied(place / "a.db")
        words = [command.split(maxsplit=1)[0], str(place / "a.db"), "--migrations", str(folder), "--backup", "always"]
        done = faults.run_tool(*words, below=place, fault=Fault.INTERRUPT, at=number)
        end = max(end, len(done.operations), number + step if done.status == 130 else 0)
        said, changed = done.out + done.err, applied(place / "a.db") != before
        assert done.status in (0, 130), (number, said)
        assert any(words in said for words in (DONE if changed else UNDONE)), (number, said)
        assert not any(words in said for words in (UNDONE[:1] if changed else DONE[:1])), (number, said)
        assert len(list(place.glob("a.db.backup-*"))) <= 1
        assert not list(place.glob("*partial*"))
        number += step


def test_a_database_that_cannot_be_read_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message claims nothing about the database, and says how to find out."""
    database = tmp_path / "a.db"
    other = sqlite3.connect(database, isolation_level=None, timeout=0)

    def interrupted(*_: object) -> None:
        other.execute("BEGIN EXCLUSIVE")
        raise KeyboardInterrupt

    monkeypatch.setattr("waiaas_migrate.runner.apply.apply_pragmas", interrupted)
    with closing(other), pytest.raises(Interrupted) as caught:
        apply_to(str(database), write_folder(tmp_path / "m", FAMILY, pragmas=()))
    assert "status" in str(caught.value)
    assert "unchanged" not in str(caught.value)
