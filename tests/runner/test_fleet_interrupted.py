"""After an interrupted or killed fleet, each database is reported, and is as before or as after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runner.test_fleet import make_fleet
from tests.runner.test_progress import make_database as make_slow
from tests.support.folders import FAMILY, FAMILY_IDS, dump, run_python, write_folder
from tests.support.projects import CHECKOUT, rows
from waiaas_migrate.runner.fleet.fleet import apply_to_all
from waiaas_migrate.sqlite.database.pragmas import Pragma


def test_ctrl_c_twice_and_with_a_handler() -> None:
    """KeyboardInterrupt follows the last outcome; a second Ctrl-C raises at once; the application's handler stays."""
    done = run_python(
        """
import os, signal, sys, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each
interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)
work = lambda name: time.sleep(0.05)
def outcomes_of(times):
    given = 0
    try:
        for outcome in each(work, list("abcdefgh"), Fleet(jobs=1)):
            given += 1
            if given <= times:
                interrupt()
    except KeyboardInterrupt:
        print(given, "interrupted")
    else:
        print(given)
outcomes_of(1)
outcomes_of(2)
outcomes_of(0)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
signal.signal(signal.SIGINT, lambda *_: print("heard"))
outcomes_of(1)
"""
    )
    assert (done.stdout.split("\n"), done.stderr) == (["8 interrupted", "2 interrupted", "8", "heard", "8", ""], "")


def test_ctrl_c_starts_nothing_new() -> None:
    """After Ctrl-C during the work, every database is reported, and no further one is started."""
    done = run_python(
        """
import os, signal, threading
from waiaas_migrate.runner.fleet.fleet import Fleet, each
stop = threading.Event()
def work(name):
    os.kill(os.getpid(), signal.SIGINT)
    assert stop.wait(30)
    return name
outcomes = []
try:
    for outcome in each(work, map(str, range(240)), Fleet(jobs=1), stop=stop):
        outcomes.append(outcome)
except KeyboardInterrupt:
    print([one.result for one in outcomes if one.was_begun], len(outcomes))
"""
    )
    assert (done.stdout, done.stderr) == ("['0'] 240\n", "")


@pytest.mark.parametrize("which", [0, 1])
def test_ctrl_c_while_waiting_for_another_process(tmp_path: Path, which: int) -> None:
    """Ctrl-C also ends a wait for the migrations of another process."""
    pragmas = (Pragma(name="busy_timeout", value=100),)
    folder = write_folder(tmp_path / "m", FAMILY, pragmas=pragmas)
    names = [str(tmp_path / f"{number}" / "a.db") for number in range(2)]
    for name in names:
        Path(name).parent.mkdir()
    hold = """
import sqlite3, sys
from waiaas_migrate.runner.migrating_lock import MigratingLock
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
lock = MigratingLock(sys.argv[1])
assert lock.take()
print("held", flush=True)
sys.stdin.read()
"""
    code = """
import os, signal, sys, threading
from waiaas_migrate.runner.fleet.fleet import Fleet, apply_to_all
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
outcomes = []
try:
    for outcome in apply_to_all(sys.argv[2:], sys.argv[1], fleet=Fleet(jobs=2)):
        outcomes.append(outcome)
except KeyboardInterrupt:
    print(*(one.failure.kind if one.failure else "done" for one in outcomes))
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", hold, names[which]], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            done = run_python(code, folder, *names)
        finally:
            holder.communicate()
    assert done.stderr == ""
    assert done.stdout.split()[which] == "Interrupted"


def test_ctrl_c_after_another_thread_closed_the_iterator() -> None:
    """Ctrl-C raises again, although that thread could not restore the handler."""
    done = run_python(
        """
import os, signal, threading
from waiaas_migrate.runner.fleet.fleet import Fleet, each
outcomes = each(len, list("abc"), Fleet(jobs=1))
next(outcomes)
thread = threading.Thread(target=outcomes.close)
thread.start()
thread.join()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    )
    assert (done.stdout, done.stderr) == ("interrupted True\n", "")


def test_ctrl_c_rolls_back_running_migrations(tmp_path: Path) -> None:
    """An interrupted fleet rolls back, starts nothing new, reports each database, and exits with 130."""
    database = make_slow(tmp_path)
    content = database.read_bytes()
    for number in range(5):
        (tmp_path / f"{number}.db").write_bytes(content)
    before = dump(database)
    arguments = [sys.executable, "-m", "waiaas_migrate", "apply", "?.db", "--jobs", "2", "--backup", "never"]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        end = time.monotonic() + 30
        while not list(tmp_path.glob("?.db-journal")):
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "5 databases: 2 interrupted, 3 not begun.\n"
    assert out.count(": all was rolled back") == 2
    assert {number: dump(tmp_path / f"{number}.db") == before for number in range(5)} == dict.fromkeys(range(5), True)


def state(path: Path) -> str:
    """Return ``before`` or ``after`` for an undamaged database that is completely in that state."""
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    applied = [name for (name,) in rows(path, "SELECT migration_id FROM _yoyo_migration ORDER BY 1")]
    there = rows(path, "SELECT count(*) FROM sqlite_master WHERE name = 'slow'") == [(1,)]
    assert applied == [*FAMILY_IDS, "0004_slow"][: 3 + there]
    return "after" if there else "before"


def test_a_killed_fleet(tmp_path: Path) -> None:
    """After SIGKILL each database is as before or as after, and the next run finishes the others."""
    paths = make_fleet(tmp_path, 60)
    code = """
import sys
from waiaas_migrate.runner.fleet.fleet import Fleet, apply_to_all
for outcome in apply_to_all(sys.argv[2:], sys.argv[1], fleet=Fleet(jobs=4)):
    print("done" if outcome.result else outcome.failure, flush=True)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "m"), *map(str, paths)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        process.kill()
    assert {state(path) for path in paths} == {"before", "after"}
    assert all(outcome.result for outcome in apply_to_all([str(path) for path in paths], tmp_path / "m"))
    assert {state(path) for path in paths} == {"after"}
    assert rows(paths[0], "SELECT count(*) FROM slow") == [(10,)]
