"""Make the file of a new database."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.database.file import _make_link, _make_node, _make_plainly


@pytest.mark.parametrize("make", [_make_node, _make_link, _make_plainly])
def test_each_way_to_make_a_file(tmp_path: Path, make: Callable[[str], None]) -> None:
    """The file is empty and has mode 0600; an existing one stays, and nothing else is made."""
    if make is _make_node and sys.platform != "linux":
        pytest.skip("it takes a superuser")
    path = tmp_path / "a b?#%.db"
    make(str(path))
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o600, b"")
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        make(str(path))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"mine"]
    with pytest.raises(FileNotFoundError):
        make(str(tmp_path / "absent" / "a.db"))


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="Linux alone tells of locks")
def test_threads_that_open_a_new_file_at_once_keep_their_locks(tmp_path: Path) -> None:
    """The thread that makes the file closes no descriptor while another one writes."""

    def write(path: Path, together: threading.Barrier) -> bool:
        together.wait()
        with closing(connect_file(path, probe=False)) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(0.0005)
            return f":{path.stat().st_ino} " in Path("/proc/locks").read_text(encoding="utf-8")

    number = 6
    with ThreadPoolExecutor(number) as threads:
        for turn in range(60):
            together = threading.Barrier(number)
            writing = [threads.submit(write, tmp_path / f"{turn}.db", together) for _ in range(number)]
            assert all(one.result() for one in writing)
