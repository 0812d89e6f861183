"""``inspect -o FILE`` keeps the kind of FILE, and replaces a regular file completely or not at all."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector
from tests.support.projects import execute, run, run_process
from tests.support.rights import IS_ROOT, unprivileged

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes, modes and owners are POSIX's here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database."""
    execute(tmp_path / "app.db", "CREATE TABLE tasks (id INTEGER PRIMARY KEY)")
    return tmp_path


def assert_written(path: Path) -> None:
    """Check that the file holds a schema.yaml, and that no temporary file is beside it."""
    assert path.read_text(encoding="utf-8").startswith("version: 1\n")
    assert [one.name for one in path.parent.iterdir() if ".waiaas-" in one.name] == []


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o777])
def test_the_mode_is_kept(folder: Path, mode: int) -> None:
    """An existing file keeps its mode, whatever the umask."""
    (folder / "s.yaml").write_text("old", encoding="utf-8")
    (folder / "s.yaml").chmod(mode)
    done = run(folder, "inspect", "app.db", "-o", "s.yaml")
    assert (done.status, done.err) == (0, "wrote s.yaml\n")
    assert_written(folder / "s.yaml")
    assert stat.S_IMODE((folder / "s.yaml").stat().st_mode) == mode


@pytest.mark.skipif(not IS_ROOT, reason="only root may give files away")
def test_the_owner_is_kept(folder: Path) -> None:
    """If root runs the command, an existing file keeps its owner."""
    (folder / "s.yaml").write_text("old", encoding="utf-8")
    os.chown(folder / "s.yaml", 65534, 65534)
    assert run(folder, "inspect", "app.db", "-o", "s.yaml").status == 0
    assert_written(folder / "s.yaml")
    assert ((folder / "s.yaml").stat().st_uid, (folder / "s.yaml").stat().st_gid) == (65534, 65534)


def test_a_link_is_followed(folder: Path) -> None:
    """The file that a link points to is replaced, even if it does not exist yet; the link stays."""
    (folder / "other").mkdir()
    (folder / "s.yaml").symlink_to("other/real.yaml")
    for _ in range(2):
        assert run(folder, "inspect", "app.db", "-o", "s.yaml").status == 0
        assert (folder / "s.yaml").is_symlink()
        assert_written(folder / "other" / "real.yaml")


def test_a_device(folder: Path) -> None:
    """A device is written to and stays a device, even for root."""
    before = Path("/dev/null").stat()
    (folder / "null").symlink_to("/dev/null")
    for output in ("/dev/null", "null", "../../../../../../../dev/null"):
        assert run(folder, "inspect", "app.db", "-o", output).status == 0
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_mode, after.st_uid, after.st_ino) == (before.st_mode, before.st_uid, before.st_ino)


def test_standard_output(folder: Path) -> None:
    """``/dev/stdout`` is standard output, whether it is a pipe or a file."""
    done = run_process(folder, "inspect", "app.db", "-o", "/dev/stdout")
    assert done.out.startswith("version: 1\n")
    with (folder / "out").open("w", encoding="utf-8") as file:
        assert run_process(folder, "inspect", "app.db", "-o", "/dev/stdout", stdout=file).status == 0
        assert os.fstat(file.fileno()).st_ino == (folder / "out").stat().st_ino
    assert_written(folder / "out")


def test_a_pipe(folder: Path) -> None:
    """A named pipe gets the text, and stays a pipe."""
    os.mkfifo(folder / "pipe")
    got: list[str] = []
    reading = threading.Thread(target=lambda: got.append((folder / "pipe").read_text(encoding="utf-8")))
    reading.start()
    done = run(folder, "inspect", "app.db", "-o", "pipe")
    reading.join(timeout=30)
    assert done.status == 0
    assert got[0].startswith("version: 1\n")
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)


@pytest.mark.parametrize("what", ["read-only file", "read-only folder"])
def test_no_permission(shared: Path, what: str) -> None:
    """A read-only file is not replaced, nor is one in a folder that may not be written to; the message says why."""
    execute(shared / "app.db", "CREATE TABLE tasks (id INTEGER PRIMARY KEY)")
    (shared / "app.db").chmod(0o666)
    (shared / "f").mkdir()
    (shared / "f" / "s.yaml").write_text("old", encoding="utf-8")
    (shared / "f" / "s.yaml").chmod(0o444 if what == "read-only file" else 0o666)
    (shared / "f").chmod(0o777 if what == "read-only file" else 0o555)
    with unprivileged():
        done = run(shared, "inspect", "app.db", "-o", "f/s.yaml")
    assert done.status == 2
    assert "--output f/s.yaml: cannot be written: " in done.err
    assert "leave out --output" in done.err
    assert (shared / "f" / "s.yaml").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("existing", [True, False])
def test_a_fault_at_every_operation(folder: Path, faults: FaultInjector, existing: bool) -> None:  # noqa: FBT001
    """With a failing disk, a kill or an interrupt, the file is the old one or the new one."""
    out = folder / "out"
    out.mkdir()

    def inspect(fault: Fault | None = None, at: int = 0) -> tuple[int, str, int]:
        for path in out.iterdir():
            path.unlink()
        if existing:
            (out / "s.yaml").write_text("old", encoding="utf-8")
        done = faults.run_tool("inspect", "app.db", "-o", "out/s.yaml", below=out, cwd=folder, fault=fault, at=at)
        return done.status, done.err, len(done.operations)

    for at in range(1, inspect()[2] + 1):
        for fault in (Fault.KILL, Fault.TORN, Fault.INTERRUPT, Fault.ENOSPC):
            status, err, _ = inspect(fault, at)
            text = (out / "s.yaml").read_text(encoding="utf-8") if (out / "s.yaml").exists() else None
            assert "Traceback" not in err
            assert text == ("old" if existing else None) or str(text).startswith("version: 1\n")
            if fault is Fault.ENOSPC:
                assert status == 2
                assert sorted(path.name for path in out.iterdir()) == (["s.yaml"] if existing else [])
