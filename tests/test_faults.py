"""The fault injector: it counts operations that write below a folder, and injects each fault."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector

#: Writes a temporary file, syncs and renames it; also writes to another folder.
WRITER = """
import os, sqlite3, sys
folder, elsewhere = sys.argv[1:]
open(elsewhere + "/other", "wb", buffering=0).write(b"12345678")
try:
    with open(folder + "/new", "wb", buffering=0) as file:
        file.write(b"12345678")
        os.fsync(file.fileno())
    os.rename(folder + "/new", folder + "/name")
except OSError as error:
    print(error.strerror)
except KeyboardInterrupt:
    print("interrupted")
"""
KINDS = ["open", "write", "fsync", "rename"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder, with another folder next to it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in-other").mkdir()
    return tmp_path / "in"


def run(faults: FaultInjector, folder: Path, fault: Fault | None = None, at: int = 0) -> tuple[int, str]:
    """Run the writer; return its status and output."""
    command = [sys.executable, "-c", WRITER, str(folder), f"{folder}-other"]
    done = faults.run(command, below=folder, fault=fault, at=at)
    return done.status, done.out


def test_operations_are_counted(faults: FaultInjector, folder: Path) -> None:
    """A run without a fault lists the operations below the folder, and no others."""
    done = faults.run([sys.executable, "-c", WRITER, ".", "../in-other"], below=folder, cwd=folder)
    assert [operation.kind for operation in done.operations] == KINDS
    assert [operation.number for operation in done.operations] == [1, 2, 3, 4]
    assert {Path(operation.path).parent for operation in done.operations} == {folder}


@pytest.mark.parametrize("fault", [Fault.EIO, Fault.ENOSPC, Fault.EACCES])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_operation_fails(faults: FaultInjector, folder: Path, fault: Fault, at: int) -> None:
    """The operation with this number fails with the error, and has no effect."""
    reason = {Fault.EIO: 5, Fault.ENOSPC: 28, Fault.EACCES: 13}[fault]
    assert run(faults, folder, fault, at) == (0, os.strerror(reason) + "\n")
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == ({} if at == 1 else {"new": 8 * (at > 2)})


@pytest.mark.parametrize(("fault", "size"), [(Fault.KILL, 0), (Fault.TORN, 4)])
def test_a_process_is_killed(faults: FaultInjector, folder: Path, fault: Fault, size: int) -> None:
    """A kill comes before the write; a torn write leaves half of the bytes."""
    assert run(faults, folder, fault, 2) == (-signal.SIGKILL, "")
    assert (folder / "new").stat().st_size == size


def test_a_process_is_interrupted(faults: FaultInjector, folder: Path) -> None:
    """An interrupt lets the operation finish before Python raises it."""
    assert run(faults, folder, Fault.INTERRUPT, 4) == (0, "interrupted\n")
    assert [path.name for path in folder.iterdir()] == ["name"]


def test_a_disk_that_stays_full(faults: FaultInjector, folder: Path) -> None:
    """A lasting error hits everything that needs space, but files can be deleted."""
    code = (
        "import os, sys\nfolder = sys.argv[1]\nos.mkdir(folder + '/made')\nfailed = 0\n"
        "for name in 'abc':\n  try: os.mkdir(folder + '/' + name)\n  except OSError: failed += 1\n"
        "os.rmdir(folder + '/made')\nprint(failed)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = faults.run(command, below=folder, fault=Fault.ENOSPC, at=2, lasting=True)
    assert (done.status, done.out) == (0, "3\n")
    assert list(folder.iterdir()) == []


def test_sqlite_is_counted(faults: FaultInjector, folder: Path) -> None:
    """SQLite's own writes count, and so do those of a child process."""
    code = (
        "import os, sqlite3, sys\nif os.fork() == 0:\n  open(sys.argv[1] + '/child', 'w').close()\n  os._exit(0)\n"
        "os.wait()\nsqlite3.connect(sys.argv[1] + '/a.db').execute('CREATE TABLE t (x)')"
    )
    done = faults.run([sys.executable, "-c", code, str(folder)], below=folder)
    assert {Path(operation.path).name for operation in done.operations} >= {"child", "a.db", "a.db-journal"}
    assert "write" in {operation.kind for operation in done.operations}
