"""Copies of this process, which work beside each other where threads would take turns at running Python.

A copy (fork(2)) has all that was imported and read, and so begins at once and need not be sent what to do. It is safe
where nothing else goes on in this process that it would tear in two; elsewhere threads serve.
"""

from __future__ import annotations

import gc
import mmap
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")

#: How a database begins (https://www.sqlite.org/fileformat.html#magic_header_string).
_HEADER = b"SQLite format 3\0"

#: What the copies do; set in each of them as it begins.
_task: Callable[[Sequence[str]], object] | None = None

#: Seconds between two looks at whether the original is still there.
_GLANCE = 1.0


class CannotFork(Exception):
    """No copy of this process can be made now."""


class Flag:
    """Once set, it is set in this process and in all its copies; otherwise a ``threading.Event`` that nobody awaits."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)  # memory that copies share

    def is_set(self) -> bool:
        """Whether it is."""
        return self._byte[0] != 0

    def set(self) -> None:
        """Set it, for good."""
        self._byte[0] = 1


def may_fork() -> bool:
    """Whether copies of this process can be made, are safe, and of use.

    They are not safe where it has other threads, whose locks nobody would release in the copy
    (https://docs.python.org/3/library/os.html#os.fork). Linux alone tells of those that Python does not know as well.
    """
    from multiprocessing import process  # not for a single database

    if (os.cpu_count() or 1) == 1 or process.current_process().daemon:  # which may have no children
        return False
    try:
        is_single = len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 — asked for a number only
        return is_single and not _has_database_open() and _has_semaphores()
    except OSError:
        return False


def _has_database_open() -> bool:
    """Whether this process has a SQLite database open.

    SQLite notes in memory which locks a process has, and a copy has the notes without the locks: it would work on that
    database unprotected, and its work be lost once the original closes it
    (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_).
    """
    return any(_is_database(int(name)) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208 — numbers


def _is_database(descriptor: int) -> bool:
    # The file is not opened for it: to close that would drop the locks that SQLite has there.
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and os.pread(descriptor, len(_HEADER), 0) == _HEADER
    except OSError:  # closed by now, or not open for reading
        return False


def _has_semaphores() -> bool:
    """Whether there are what copies take turns by; some systems have none, or no room for one (/dev/shm)."""
    try:
        import multiprocessing

        multiprocessing.get_context("fork").Lock()
    except (ImportError, OSError):
        return False
    return True


@contextmanager
def copies(
    number: int, task: Callable[[Sequence[str]], ResultT]
) -> Iterator[Callable[[Sequence[str]], Future[ResultT]]]:
    """So many copies of this process, and how to have one of them do ``task``; they end with the context.

    Ctrl-C on a terminal reaches this process alone, which can call the others off by a :class:`Flag`. Where this one is
    killed, they end: a database is then as it was before, or after.

    Raises:
        CannotFork: the system does not let this user have so many processes or open files, or has no room for them.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    there = set(multiprocessing.active_children())
    fork = multiprocessing.get_context("fork")
    with ExitStack() as ending:
        # The first call makes all of them; what is blocked as they begin stays so.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            pool = ending.enter_context(
                ProcessPoolExecutor(number, mp_context=fork, initializer=_begin, initargs=(task,))
            )
            pool.submit(os.getpid)
        except (OSError, RuntimeError) as error:  # the second is about a thread
            for copy in set(multiprocessing.active_children()) - there:
                copy.kill()
                copy.join()
                copy.close()  # or the files that lead to it stay open
            raise CannotFork from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield lambda databases: pool.submit(_do, databases)


def _begin(task: Callable[[Sequence[str]], object]) -> None:
    """Get ready in a copy."""
    global _task  # noqa: PLW0603 — what is submitted would have to be pickled
    _task = task
    # Where one of the copies is killed, the others are ended so, whatever the application does on this signal.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The connections that the original has open are its own, and not to be closed here
    # (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_).
    gc.freeze()
    with suppress(RuntimeError):  # where this user may have no more threads, the work comes first
        threading.Thread(target=_end_with_the_original, daemon=True).start()


def _end_with_the_original() -> None:
    from multiprocessing import process

    original = process.parent_process()
    if original is not None:
        # What tells of its end is kept from doing so by other children that it made since.
        while original.is_alive() and os.getppid() == original.pid:
            original.join(_GLANCE)
        os._exit(1)


def _do(databases: Sequence[str]) -> Any:  # noqa: ANN401 — what the task gives, which is known to whoever gave it
    if _task is None:
        raise RuntimeError("a copy of this process has begun without its task")
    return _task(databases)
