"""Ctrl-C at any point of a run: the command's message agrees with the database."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, run_python, write_folder

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
    """It names committed migrations, or says how to find out; it never denies what was done."""
    folder = write_folder(tmp_path / "m", FAMILY)
    done = run_python(INTERRUPTING, tmp_path, folder)
    points = [line.partition(" ")[::2] for line in done.stdout.splitlines() if line[:2] in ("0 ", "3 ")]
    assert len(points) > 20, done.stderr
    for number, said in points:
        if number == "0":
            assert "all was rolled back" in said or "status" in said
        else:
            assert "too late to stop" in said or "status" in said or f"applied {FAMILY_IDS[-1]}" in said
