"""Copies of this process, which work beside each other where threads would take turns at running Python.

A copy (fork(2)) has all that was imported and read, and so begins at once and need not be sent what to do. It is safe
where nothing else goes on in this process that it would tear in two; elsewhere threads serve.

What is to be done has numbers. They lie in a pipe, from which a copy takes the next one when it is done with another,
and each has a pipe of its own for what came of it. So none waits for a lock that a killed one held: with a copy is lost
what it had at hand, and no more.
"""

from __future__ import annotations

import functools
import gc
import mmap
import os
import pickle
import signal
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

ResultT = TypeVar("ResultT")

#: How a database begins (https://www.sqlite.org/fileformat.html#magic_header_string).
_HEADER = b"SQLite format 3\0"

#: Bytes of a number, and of a message's length.
_SIZE, _LENGTH = 4, 8

#: So many numbers lie ready at most: what the smallest pipe holds, one page (https://man7.org/linux/man-pages/man7/pipe.7.html).
MOST = 4096 // _SIZE

#: What is read at once: all that a pipe holds.
_CHUNK = 1 << 16

#: Seconds between two looks at whether the original is still there.
_GLANCE = 1.0


class CannotFork(Exception):
    """No copy of this process can be made now."""


class CopyKilled(Exception):
    """A copy of this process has ended before it was done."""


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
    Nor are they where it does not wait for its children, or somebody else does, at a signal: their end would be missed.
    """
    try:
        from multiprocessing import connection, process  # noqa: F401 — not for a single database
    except ImportError:
        return False
    if (os.cpu_count() or 1) == 1 or process.current_process().daemon:  # which may have no children
        return False
    if signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL:
        return False
    try:
        is_single = len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 — asked for a number only
        return is_single and not _has_database_open()
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[ResultT]):
    """What came of a number: a result, or else the error that was raised."""

    number: int
    result: ResultT | None = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """A copy, whence its results come, the number that it has at hand, if any yet, and what was read of a result."""

    process: ForkProcess
    results: Connection
    at_hand: memoryview
    read: bytearray = field(default_factory=bytearray)


class Copies(Generic[ResultT]):
    """So many copies of this process, which do ``task`` for each number below ``total``; they end with the context.

    They begin when they are first listened to. Signals whose handlers may raise something are heard between messages,
    and within none. Ctrl-C on a terminal reaches this process alone, which can call the others off by a :class:`Flag`.
    Where this one is killed, they end: a database is then as it was before, or after.
    """

    def __init__(self, number: int, task: Callable[[int], ResultT], total: int) -> None:
        if total > MOST:
            raise ValueError(f"{total} numbers do not lie in a pipe, but {MOST} at most")
        self._number, self._task, self._total = number, task, total
        self._copies: list[_Copy] = []
        self._taken: set[int] = set()
        self._received: deque[Done[ResultT]] = deque()
        self._has_begun = False
        self._handled: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        # To their end, so that none is held up by what nobody reads.
        try:
            while self._copies:
                self._receive()
        finally:
            _let_go(self._copies)

    def receive(self) -> Done[ResultT] | None:
        """What came of another number, in the order in which they are done; None where there is nothing more.

        It is the same until it was accepted. A number is missing where a copy was killed just as it took it, and where
        all of them were.

        Raises:
            CannotFork: the system does not let this user have another process or more open files, or has no room.
        """
        if not self._has_begun:
            self._begin()
        while not self._received and self._copies:
            self._receive()
        return self._received[0] if self._received else None

    def accept(self) -> None:
        """Have what was received, and go on to the next."""
        self._received.popleft()

    def _begin(self) -> None:
        from multiprocessing import util

        self._handled = {number for number in signal.valid_signals() if callable(signal.getsignal(number))}
        with _blocked({*self._handled, signal.SIGINT}) as before:
            self._has_begun = True
            # Where this process ends before the context does, it waits for its children, as multiprocessing has it.
            util.Finalize(self, _let_go, args=(self._copies,), exitpriority=0)
            try:
                self._make(before)
            except OSError as error:
                if not self._copies:  # fewer than were asked for will do
                    raise CannotFork from error

    def _make(self, signals: set[int]) -> None:
        tickets, filled = os.pipe()
        try:
            try:
                os.write(filled, b"".join(number.to_bytes(_SIZE) for number in range(self._total)))
            finally:
                os.close(filled)  # whoever finds none left is done
            at_hand = memoryview(mmap.mmap(-1, self._number * _SIZE)).cast("i")
            for index in range(self._number):
                at_hand[index] = -1
                self._copies.append(self._copy(tickets, at_hand[index : index + 1], signals))
        finally:
            os.close(tickets)

    def _copy(self, tickets: int, at_hand: memoryview, signals: set[int]) -> _Copy:
        import multiprocessing

        results, filled = multiprocessing.Pipe(duplex=False)
        ours = (results, *(copy.results for copy in self._copies))
        try:
            work = functools.partial(_work, self._task, tickets, filled, at_hand)
            process = multiprocessing.get_context("fork").Process(target=_begin_copy, args=(work, ours, signals))
            process.start()
        except BaseException:
            results.close()
            raise
        finally:
            filled.close()  # its results are at their end when it is
        return _Copy(process=process, results=results, at_hand=at_hand)

    def _receive(self) -> None:
        """Wait until there is something to read, and read it."""
        from multiprocessing import connection

        ready = connection.wait([copy.results for copy in self._copies])
        with _blocked(self._handled):
            for copy in [copy for copy in self._copies if copy.results in ready]:
                self._read(copy)

    def _read(self, copy: _Copy) -> None:
        """What is there to be read, which may be a part of a result, or several."""
        chunk = os.read(copy.results.fileno(), _CHUNK)
        copy.read.extend(chunk)
        while len(copy.read) >= _LENGTH and len(copy.read) >= (end := _LENGTH + int.from_bytes(copy.read[:_LENGTH])):
            message = bytes(copy.read[_LENGTH:end])
            del copy.read[:end]
            self._note(message)
        if not chunk:
            self._end(copy)

    def _note(self, message: bytes) -> None:
        number = int.from_bytes(message[:_SIZE])
        self._taken.add(number)
        try:
            result, error = pickle.loads(message[_SIZE:])  # noqa: S301 — a copy of this very process wrote it
        except Exception as unreadable:  # noqa: BLE001 — a class of the application's may do anything
            result, error = None, unreadable
        self._received.append(Done(number=number, result=result, error=error))

    def _end(self, copy: _Copy) -> None:
        """It is done, or it was killed, as it wrote maybe."""
        self._copies.remove(copy)
        copy.results.close()
        copy.process.join()
        with suppress(ValueError):  # somebody else has waited for it
            copy.process.close()  # or the files that lead to it stay open
        number = copy.at_hand[0]
        if number >= 0 and number not in self._taken:
            self._received.append(Done(number=number, error=CopyKilled()))


def _let_go(copies: list[_Copy]) -> None:
    """Listen no more, at which they end."""
    while copies:
        copies.pop().results.close()


def _begin_copy(work: Callable[[], None], of_the_original: Iterable[Connection], signals: Iterable[int]) -> None:
    """What a copy does first: be of its own."""
    # The connections that the original has open are its own, and not to be closed here
    # (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_).
    gc.freeze()
    # What the application does on this signal is for the original to do; and the other one is.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, {*signals, signal.SIGINT})
    for connection in of_the_original:
        connection.close()
    with suppress(RuntimeError):  # where this user may have no more threads, the work comes first
        threading.Thread(target=_end_with_the_original, daemon=True).start()
    work()


def _work(task: Callable[[int], object], tickets: int, results: Connection, at_hand: memoryview) -> None:
    """What a copy does then: all numbers that it comes to take."""
    while ticket := os.read(tickets, _SIZE):
        at_hand[0] = number = int.from_bytes(ticket)
        message = ticket + _done(task, number)
        left = memoryview(len(message).to_bytes(_LENGTH) + message)
        try:
            while left:
                left = left[os.write(results.fileno(), left) :]
        except OSError:  # nobody is there any more to read it
            return


def _done(task: Callable[[int], object], number: int) -> bytes:
    """What came of ``number``, to be read by the original."""
    result, raised = None, None
    try:
        result = task(number)
    except BaseException as error:  # noqa: BLE001 — to be raised there, whatever it is
        raised = error
    try:
        return pickle.dumps((result, raised))
    except Exception as error:  # noqa: BLE001 — a result may be of any class
        return pickle.dumps((None, RuntimeError(f"what was done cannot be told: {type(error).__name__}: {error}")))


def _end_with_the_original() -> None:
    from multiprocessing import process

    original = process.parent_process()
    if original is not None:
        # What tells of its end is kept from doing so by other children that it made since.
        while original.is_alive() and os.getppid() == original.pid:
            original.join(_GLANCE)
        os._exit(1)


class _blocked:  # noqa: N801 — a context manager; in a generator a handler could raise between its lines
    """Let these signals wait meanwhile, besides those that did before, which are given."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = numbers

    def __enter__(self) -> set[int]:
        self._before: set[int] = set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        try:
            # Of one that came just before, the handler runs within this, when all are blocked already.
            signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        except BaseException:
            self.__exit__()
            raise
        return self._before

    def __exit__(self, *exc_info: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
