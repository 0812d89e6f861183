"""Mutual exclusion for migrations that run outside transactions, where SQLite's write lock cannot serve."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from waiaas_migrate.sqlite.connection import main_file

try:
    import fcntl
except ImportError:  # Windows has none; two processes may then run the same migration at once
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(connection: sqlite3.Connection) -> Iterator[None]:
    """Be the only one to run such a migration on a database in the folder of this one; others wait.

    The lock is the folder's own (flock(2)), since it ends with the process, leaves nothing behind, and is none of
    those that SQLite keeps on the file: to open and close that would drop them
    (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
    """
    file = main_file(connection)
    if not file or fcntl is None:
        yield
        return
    descriptor = os.open(Path(os.path.realpath(file)).parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every file system has such locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
