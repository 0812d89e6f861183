"""The lock file beside a database: which processes wait for it, how long, and when it is deleted."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, run_python, write_folder
from waiaas_migrate import close_database, open_database
from waiaas_migrate.errors import DatabaseBusy
from waiaas_migrate.runner.fleet.patterns import expand
from waiaas_migrate.runner.migrating_lock import LOCK_SUFFIX, MigratingLock
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.pragmas import Pragma

BRIEF = (Pragma(name="busy_timeout", value=200),)
VACUUM = {"0004_vacuum.sql": "-- transactional: false\n-- depends: 0003_age\nVACUUM;\n"}

#: Opens a database whose last migration waits until its standard input ends.
WAITING = """
import sys
from yoyo import step
__depends__ = {"0003_age"}
__transactional__ = %s

def wait(connection):
    print("at work", flush=True)
    sys.stdin.read()

steps = [step(wait)]
"""
OPEN = (
    "import sys\nfrom waiaas_migrate import open_database\nopen_database(sys.argv[1], migrations=sys.argv[2]).close()"
)


@contextmanager
def migrating(database: Path, folder: Path, *, transactional: bool = True) -> Iterator[subprocess.Popen[str]]:
    """Have another process migrate ``database`` until the block ends."""
    folder = write_folder(folder, {**FAMILY, "0004_wait.py": WAITING % transactional}, pragmas=BRIEF)
    command = [sys.executable, "-c", OPEN, str(database), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        try:
            yield process
        finally:
            process.communicate()


def names_in(folder: Path) -> list[str]:
    """Return the names in ``folder``."""
    return sorted(path.name for path in folder.iterdir())


def locked(database: Path) -> sqlite3.Connection:
    """Return a plain connection that holds the write lock of ``database``."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


@pytest.mark.parametrize("transactional", [True, False])
def test_migrations_of_another_file_are_not_waited_for(tmp_path: Path, transactional: bool) -> None:  # noqa: FBT001
    """A plain writer blocks this process, so it waits only for the busy timeout."""
    folder = write_folder(tmp_path / "m", FAMILY, pragmas=BRIEF)
    with (
        migrating(tmp_path / "a.db", tmp_path / "waiting", transactional=transactional),
        closing(locked(tmp_path / "b.db")),
        pytest.raises(DatabaseBusy),
    ):
        open_database(tmp_path / "b.db", migrations=folder)


def test_migrations_outside_transactions_of_two_files(tmp_path: Path) -> None:
    """Each database has its own lock."""
    folder = write_folder(tmp_path / "m", {**FAMILY, **VACUUM}, pragmas=BRIEF)
    with migrating(tmp_path / "a.db", tmp_path / "waiting", transactional=False):
        open_database(tmp_path / "b.db", migrations=folder).close()


@pytest.mark.skipif(shutil.which("flock") is None, reason="there is no such command here")
@pytest.mark.parametrize("what", ["folder", "database"])
def test_a_flock_on_the_folder_or_the_database_is_harmless(tmp_path: Path, what: str) -> None:
    """People use ``flock FOLDER waiaas-migrate apply`` to make deployments wait for each other."""
    folder = write_folder(tmp_path / "m", {**FAMILY, **VACUUM}, pragmas=BRIEF)
    database = tmp_path / "app.db"
    database.touch()
    command = [sys.executable, "-m", "waiaas_migrate", "apply", str(database), "--migrations", str(folder)]

    run = subprocess.run(
        [shutil.which("flock") or "", str(tmp_path if what == "folder" else database), *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("flock") is None, reason="there is no such command here")
def test_a_lock_of_something_else_is_not_waited_for_without_end(tmp_path: Path) -> None:
    """``flock app.db-migrating waiaas-migrate apply`` would wait for itself, so it fails after the busy timeout."""
    folder = write_folder(tmp_path / "m", {**FAMILY, **VACUUM}, pragmas=BRIEF)
    database = tmp_path / "app.db"
    command = [sys.executable, "-m", "waiaas_migrate", "apply", str(database), "--migrations", str(folder)]

    run = subprocess.run(
        [shutil.which("flock") or "", f"{database}-migrating", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 3
    assert "because another connection held a lock" in run.stderr


FORKING = """
import os, sys, time
from yoyo import step
__transactional__ = %s

def fork(connection):
    if os.fork() == 0:
        os.close(1)
        os.close(2)
        time.sleep(10)
        os._exit(0)

steps = [step(fork)]
"""


@pytest.mark.parametrize("transactional", [True, False])
def test_the_lock_does_not_outlive_a_run_in_a_forked_child(tmp_path: Path, transactional: bool) -> None:  # noqa: FBT001
    """A forked child that outlives the run doesn't hold the lock."""
    folder = write_folder(tmp_path / "m", {"0001_fork.py": FORKING % transactional}, pragmas=BRIEF)
    database = tmp_path / "app.db"
    assert run_python(OPEN, database, folder).returncode == 0
    write_folder(
        folder, {"0002_vacuum.sql": "-- transactional: false\n-- depends: 0001_fork\nVACUUM;\n"}, pragmas=BRIEF
    )

    assert run_python(OPEN, database, folder).returncode == 0
    assert names_in(tmp_path) == ["app.db", "m"]


def test_a_killed_parents_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    """The child closed the lock file after the fork."""
    code = """
import os, sys, time
from waiaas_migrate.runner.migrating_lock import MigratingLock
assert MigratingLock(sys.argv[1]).take()
child = os.fork()
if child == 0:
    print("forked", os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
os.kill(os.getpid(), 9)
"""
    database = tmp_path / "app.db"
    database.touch()
    command = [sys.executable, "-c", code, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("forked")
        process.wait()
        assert not MigratingLock(str(database)).is_taken_elsewhere()
        lock = MigratingLock(str(database))
        assert lock.take()
        lock.release()
    assert names_in(tmp_path) == ["app.db"]


def test_a_forked_child_does_not_release_its_parents_lock(tmp_path: Path) -> None:
    """A release in the child neither closes nor deletes the parent's lock file."""
    database = tmp_path / "app.db"
    database.touch()
    lock = MigratingLock(str(database))
    assert lock.take()
    child = os.fork()
    if child == 0:
        lock.release()
        os._exit(0)
    os.waitpid(child, 0)
    assert not MigratingLock(str(database)).take()
    lock.release()
    assert names_in(tmp_path) == ["app.db"]


def test_a_migration_that_opens_its_own_database_fails(tmp_path: Path) -> None:
    """Such a migration fails, since its thread would wait for itself."""
    text = f"""
from yoyo import step
from waiaas_migrate import open_database
__transactional__ = False
steps = [step(lambda _: open_database({str(tmp_path / "app.db")!r}, migrations={str(tmp_path / "m")!r}))]
"""
    folder = write_folder(tmp_path / "m", {"0001_open.py": text}, pragmas=BRIEF)
    command = [sys.executable, "-m", "waiaas_migrate", "apply", str(tmp_path / "app.db"), "--migrations", str(folder)]

    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert run.returncode == 3
    assert "Traceback" not in run.stderr


def test_two_processes_with_a_migration_outside_transactions(tmp_path: Path) -> None:
    """The second process waits for longer than the busy timeout, and then finds nothing to do."""
    database, folder = tmp_path / "app.db", tmp_path / "m"
    with migrating(database, folder, transactional=False) as first:
        command = [sys.executable, "-c", OPEN, str(database), str(folder)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(timeout=2)
            first.communicate()
            assert second.communicate()[0] == ""
    assert second.returncode == 0
    with closing(sqlite3.connect(database)) as connection:
        assert [row.id for row in read_applied(connection) or ()] == [*FAMILY_IDS, "0004_wait"]
    assert names_in(tmp_path) == ["app.db", "m"]


def test_the_lock_file_of_a_killed_run_is_used_again(tmp_path: Path) -> None:
    """A killed run's lock file isn't locked any more. The next run uses it and deletes it."""
    with migrating(tmp_path / "app.db", tmp_path / "m", transactional=False) as run:
        assert (tmp_path / f"app.db{LOCK_SUFFIX}").exists()
        run.kill()
        run.wait()
    assert (tmp_path / f"app.db{LOCK_SUFFIX}").exists()
    assert expand([str(tmp_path / "app*")]) == (str(tmp_path / "app.db"),)
    folder = write_folder(tmp_path / "other", {**FAMILY, **VACUUM}, pragmas=BRIEF)

    close_database(open_database(tmp_path / "app.db", migrations=folder))

    assert not (tmp_path / f"app.db{LOCK_SUFFIX}").exists()


@pytest.mark.parametrize(("mode", "lock_mode"), [(0o644, 0o600), (0o664, 0o660), (0o600, 0o600), (0o666, 0o666)])
def test_only_users_who_may_write_the_database_can_open_it(tmp_path: Path, mode: int, lock_mode: int) -> None:
    """Only users who may write the database can open the lock file, since whoever opens a file can lock it."""
    database = tmp_path / "app.db"
    database.touch()
    database.chmod(mode)
    lock = MigratingLock(str(database))
    assert lock.take()
    assert stat.S_IMODE((tmp_path / f"app.db{LOCK_SUFFIX}").stat().st_mode) == lock_mode
    lock.release()


@pytest.mark.parametrize("what", ["folder", "fifo", "link"])
def test_something_else_with_that_name_stays(tmp_path: Path, what: str) -> None:
    """A link or pipe with the lock file's name is refused: a link could create another file, and a pipe would block."""
    place = tmp_path / f"app.db{LOCK_SUFFIX}"
    if what == "folder":
        place.mkdir()
    elif what == "fifo":
        os.mkfifo(place)
    else:
        place.symlink_to(tmp_path / "elsewhere")
    folder = write_folder(tmp_path / "m", {**FAMILY, **VACUUM}, pragmas=BRIEF)

    close_database(open_database(tmp_path / "app.db", migrations=folder))

    assert not (tmp_path / "elsewhere").exists()
    assert os.path.lexists(place)
