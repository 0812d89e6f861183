"""Make the file of a new database."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from waiaas_migrate.sqlite.database.connection import connect_file


def test_only_the_new_file_stays(tmp_path: Path) -> None:
    """A new file is empty and has mode 0600, and nothing else is left beside it."""
    path = tmp_path / "a b?#%.db"
    connect_file(path).close()
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o600, b"")
    assert list(tmp_path.iterdir()) == [path]


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
