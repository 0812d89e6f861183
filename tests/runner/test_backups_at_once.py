"""Two commands that back up or restore one database at the same time.

No file is empty, and no success is false. ``WAIAAS_ROUNDS`` sets how often each pair is tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, PRAGMAS, write_folder
from tests.support.projects import CHECKOUT, execute, rows, run
from tests.support.transitions import is_sound
from waiaas_migrate.sqlite.database.pragmas import Pragma

ROUNDS = int(os.environ.get("WAIAAS_ROUNDS", "6"))

#: Runs one command in each process at the same instant; the processes stay, since starting Python takes longer.
WORKER = """
import contextlib, io, os, sys, time
from waiaas_migrate.cli import main
import waiaas_migrate.runner.apply, waiaas_migrate.runner.backups.restore, waiaas_migrate.runner.yoyo_backend
from waiaas_migrate.runner.backups.backup import back_up
from pathlib import Path
print("ready", flush=True)
for line in sys.stdin:
    at, *command = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        time.sleep(max(0, float(at) - time.time()))
        if command[0] == "backup":
            try:
                back_up(Path(command[1]), "0003_age")
            except Exception as error:
                print(type(error).__name__, error, file=sys.stderr)
                os._exit(3)
            os._exit(0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main(command))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
APPLY = ("apply", "app.db", "--backup", "always")
ROLLBACK = ("rollback", "app.db", "--backup", "always", "--yes")
RESTORE = ("restore", "app.db")
BACKUP = ("backup", "app.db")
PAIRS = {
    "restore x restore": (RESTORE, RESTORE),
    "apply x apply": (APPLY, APPLY),
    "rollback x rollback": (ROLLBACK, ROLLBACK),
    "apply x rollback": (APPLY, ROLLBACK),
    "apply x restore": (APPLY, RESTORE),
    "backup x backup": (BACKUP, BACKUP),
    "backup x rollback": (BACKUP, ROLLBACK),
    "backup x restore": (BACKUP, RESTORE),
}


def make(folder: Path, mode: str) -> Path:
    """Make a project whose database has a pending migration, and an older backup with other rows."""
    pragmas = (Pragma(name="journal_mode", value=mode), *PRAGMAS[1:])
    write_folder(folder / "migrations", FAMILY, pragmas=pragmas)
    assert run(folder, "apply", "app.db").status == 0
    execute(
        folder / "app.db", "INSERT INTO parent (name) SELECT hex(randomblob(2000)) FROM pragma_function_list LIMIT 60"
    )
    assert run(folder, "apply", "app.db", "--backup", "always").status == 0
    shutil.copy(folder / "app.db", folder / "app.db.backup-20200101T000000Z-0003_age")
    execute(folder / "app.db", "INSERT INTO parent (name) VALUES ('later')")
    sql = {
        "0004_tidy.sql": "-- depends: 0003_age\nUPDATE parent SET age = 4;\n",
        "0004_tidy.rollback.sql": "UPDATE parent SET age = 3;\n",
    }
    write_folder(folder / "migrations", sql, pragmas=pragmas)
    (folder / "start").mkdir()
    for path in folder.glob("app.db*"):
        shutil.move(path, folder / "start")
    return folder


def start(folder: Path) -> subprocess.Popen[str]:
    """Start a worker and wait until it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def at_once(workers: list[subprocess.Popen[str]], pair: tuple[tuple[str, ...], ...]) -> tuple[int, ...]:
    """Run two commands at the same instant; return their exit statuses."""
    at = time.time() + 0.02
    for worker, command in zip(workers, pair, strict=True):
        assert worker.stdin is not None
        worker.stdin.write("\t".join([str(at), *command]) + "\n")
        worker.stdin.flush()
    return tuple(int(worker.stdout.readline()) for worker in workers if worker.stdout is not None)


def check(folder: Path, pair: tuple[tuple[str, ...], ...], statuses: tuple[int, ...]) -> None:
    """Assert that every file is a complete database, none is partial, and each success took effect."""
    for path in folder.glob("app.db*"):
        assert "partial" not in path.name
        if not path.name.endswith(("-wal", "-shm")):
            assert path.stat().st_size > 0, path.name
            assert is_sound(path), path.name
            assert rows(path, "SELECT count(*) >= 60 FROM parent") == [(1,)], path.name
    names = [command[0] for command, status in zip(pair, statuses, strict=True) if status == 0]
    kept = [path for path in folder.glob("app.db.replaced-*") if not path.name.endswith(("-wal", "-shm"))]
    assert len(kept) == names.count("restore")
    later = "SELECT count(*) FROM parent WHERE name = 'later'"
    if set(names) == {"restore"}:
        assert rows(folder / "app.db", later) == [(0,)]
        assert (1,) in [rows(path, later)[0] for path in kept]
    if "restore" not in names:
        assert rows(folder / "app.db", later) == [(1,)]
    if "backup" in names:
        assert len(list(folder.glob("app.db.backup-*"))) >= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
@pytest.mark.parametrize("pair", PAIRS)
def test_two_at_once(tmp_path: Path, pair: str, mode: str) -> None:
    """Each command succeeds or reports that the other is running."""
    folder = make(tmp_path, mode)
    workers = [start(folder), start(folder)]
    found: Counter[tuple[int, ...]] = Counter()
    for _ in range(ROUNDS):
        for path in folder.glob("app.db*"):
            path.unlink()
        for path in (folder / "start").iterdir():
            shutil.copy(path, folder)
        if pair == "rollback x rollback":
            assert run(folder, "apply", "app.db", "--backup", "never").status == 0
        statuses = at_once(workers, PAIRS[pair])
        assert set(statuses) <= {0, 3}, statuses
        check(folder, PAIRS[pair], statuses)
        found[statuses] += 1
    for worker in workers:
        worker.communicate()
    print(pair, mode, dict(found))  # noqa: T201 — the figures, with -s
    assert found.total() == ROUNDS
