"""Run the same work on many databases, on threads or on any other ``concurrent.futures.Executor``.

Threads are the default: Python's lock is released while SQLite works or waits for the disk. A pool of processes works,
too, and so does a cluster's executor if every worker can open the files. A worker receives a module-level function with
plain arguments. It returns an :class:`Outcome`, which contains any error as text, so everything can be pickled.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from waiaas_migrate.errors import Failure, MigrateError, failure_of
from waiaas_migrate.runner.apply import ApplyResult, apply_to
from waiaas_migrate.runner.fleet.ctrl_c import on_ctrl_c
from waiaas_migrate.runner.fleet.patterns import refuse_single_name
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.watching.events import StopRequest
from waiaas_migrate.runner.watching.interruption import Interrupted, ReplayInterrupted
from waiaas_migrate.sqlite.database.memory import IS_STOPPED
from waiaas_migrate.sqlite.database.url import StrPath, database_text

ResultT = TypeVar("ResultT")

#: The most files open at once for one database, including its WAL and its backup, and for everything else.
_FILES_PER_DATABASE, _OTHER_FILES = 10, 24

#: Seconds between two checks for Ctrl-C while the main thread waits for an outcome.
_CHECK_INTERVAL = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[ResultT]):
    """The outcome for one database: a result, a failure, or nothing if not started."""

    database: str
    result: ResultT | None = None
    failure: Failure | None = None
    seconds: float = 0.0

    @property
    def was_begun(self) -> bool:
        """Return whether the work on this database started."""
        return self.result is not None or self.failure is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How to process many databases.

    ``executor`` runs the work, and is not shut down afterwards. Without it, ``jobs`` threads run the work. With
    ``stop_on_failure``, no more databases are started after the first failure.
    """

    executor: Executor | None = None
    jobs: int | None = None
    stop_on_failure: bool = False


def apply_to_all(
    databases: Iterable[StrPath],
    migrations: StrPath,
    *,
    options: RunOptions = RunOptions(),
    fleet: Fleet = Fleet(),
    may_make: Collection[StrPath] | None = None,
) -> Iterator[Outcome[ApplyResult]]:
    """Apply the pending migrations of the folder ``migrations`` to each database; yield outcomes in order.

    Each transaction commits completely or not at all, even if other databases fail. Repeating a run changes nothing in
    databases that are up to date. ``may_make`` lists the databases that may be created if their file is missing; None
    allows all of them. For others, a missing file is a failure.

    Raises:
        MigrationsError: the folder cannot be used; no database was started.
        UsageError: ``databases`` is a single name; each of its letters would be taken for a database.
    """
    folder, stamp = Path(migrations).absolute(), time.time_ns()
    _read_once(folder, stamp)
    stop = threading.Event() if fleet.executor is None else None
    options = replace(options, stop=stop)  # None with an executor: other processes can't see the event
    names = None if may_make is None else frozenset(map(database_text, may_make))
    work = functools.partial(_apply, folder=folder, stamp=stamp, options=options, may_make=names)
    return each(work, databases, fleet, stop=stop)


def _apply(
    database: str, *, folder: Path, stamp: int, options: RunOptions, may_make: Container[str] | None
) -> ApplyResult:
    may_make_it = may_make is None or database in may_make
    return apply_to(database, _read_once(folder, stamp), options=options, may_make=may_make_it)


@functools.lru_cache(maxsize=8)
def _read_once(folder: Path, stamp: int) -> MigrationFolder:  # noqa: ARG001 — a new stamp makes each run read the folder again
    """Read the folder, once per process and run."""
    return read_folder(folder)


def each(
    work: Callable[[str], ResultT],
    databases: Iterable[StrPath],
    fleet: Fleet = Fleet(),
    *,
    stop: threading.Event | None = None,
) -> Iterator[Outcome[ResultT]]:
    """Run ``work`` on each database; yield outcomes in order, each as soon as possible.

    Work starts when the first outcome is requested. After Ctrl-C, no more databases are started, and running
    work ends or is interrupted. KeyboardInterrupt is raised after all outcomes have been yielded.

    Args:
        work: called with one database; must be picklable if the executor needs that.
        databases: paths or URLs, in the form that the command line accepts.
        fleet: the executor or number of threads, and what to do on failure.
        stop: set on Ctrl-C, for a ``work`` that checks it.

    Raises:
        UsageError: ``databases`` is a single name.
    """
    refuse_single_name(databases)
    return _run(work, [database_text(one) for one in databases], fleet, threading.Event() if stop is None else stop)


def _run(
    work: Callable[[str], ResultT], databases: Sequence[str], fleet: Fleet, stop: threading.Event
) -> Iterator[Outcome[ResultT]]:
    with ExitStack() as stack:
        stack.enter_context(on_ctrl_c(stop.set))
        if fleet.executor is None:
            pool = stack.enter_context(_thread_pool(fleet.jobs or default_jobs(), len(databases)))
            # A new thread lacks the context variables of this one, such as the application's connection setup.
            futures = [pool.submit(copy_context().run, _unless_stopped, work, name, stop) for name in databases]
        else:
            futures = [_submit(fleet.executor, work, name) for name in databases]
        try:
            for future in futures if fleet.stop_on_failure else ():
                future.add_done_callback(functools.partial(_cancel_after_failure, futures=futures))
            for database, future in zip(databases, futures, strict=True):
                _wait_for(future, futures, stop)
                yield _outcome(database, future)
        except BaseException:
            stop.set()
            _cancel(futures)
            raise
    if stop.is_set():
        raise KeyboardInterrupt


def _thread_pool(jobs: int, databases: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_within_file_limit(min(jobs, max(databases, 1))), thread_name_prefix="waiaas-migrate")


def _submit(executor: Executor, work: Callable[[str], ResultT], database: str) -> Future[Outcome[ResultT]]:
    try:
        return executor.submit(outcome_of, work, database)
    except BrokenExecutor as error:  # a worker process was killed while databases were being submitted
        future = Future[Outcome[ResultT]]()
        future.set_exception(error)
        return future


def _unless_stopped(work: Callable[[str], ResultT], database: str, stop: StopRequest) -> Outcome[ResultT]:
    """Run ``work`` on this thread, unless the fleet has been stopped."""
    if stop.is_set():
        return Outcome(database=database)
    IS_STOPPED.set(stop.is_set)  # in this task's copy of the context
    return outcome_of(work, database)


def _wait_for(
    future: Future[Outcome[ResultT]], futures: Sequence[Future[Outcome[ResultT]]], stop: threading.Event
) -> None:
    """Wait until ``future`` is done; once ``stop`` is set, cancel the futures that have not started."""
    while not future.done():
        try:
            if stop.is_set():
                _cancel(futures)
            wait((future,), timeout=_CHECK_INTERVAL)
        except KeyboardInterrupt:  # from the application's own handler, or a second Ctrl-C
            stop.set()


def _outcome(database: str, future: Future[Outcome[ResultT]]) -> Outcome[ResultT]:
    """Return the outcome that ``future``, which is done, holds for ``database``."""
    try:
        return future.result()
    except CancelledError:
        return Outcome(database=database)
    except Exception as error:  # noqa: BLE001 — a worker may be killed, or its result may not unpickle
        return Outcome(database=database, failure=_failure(error))


def _cancel_after_failure(future: Future[Outcome[ResultT]], futures: Sequence[Future[Outcome[ResultT]]]) -> None:
    if not future.cancelled() and (future.exception() is not None or future.result().failure is not None):
        _cancel(futures)


def _cancel(futures: Iterable[Future[Outcome[ResultT]]]) -> None:
    for future in futures:
        future.cancel()


def outcome_of(work: Callable[[str], ResultT], database: str) -> Outcome[ResultT]:
    """Return the outcome of ``work`` on ``database``, with an error as text."""
    start = time.perf_counter()
    try:
        result = work(database)
    except (Interrupted, ReplayInterrupted, Exception) as error:  # noqa: BLE001 — one database's error must not stop the others
        return Outcome(database=database, failure=_failure(error), seconds=time.perf_counter() - start)
    return Outcome(database=database, result=result, seconds=time.perf_counter() - start)


def _failure(error: BaseException) -> Failure:
    if isinstance(error, MigrateError | KeyboardInterrupt):
        return failure_of(error)
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, BrokenExecutor):
        message = "a worker process was killed, which ended the pool. The database is unchanged or finished. Run again."
    return Failure(kind=type(error).__name__, message=message, exit_code=MigrateError.exit_code)


def default_jobs() -> int:
    """Return how many databases to process at once: two per CPU, since runs often wait for the disk; from 4 to 32."""
    return min(32, max(4, 2 * (os.cpu_count() or 1)))


def _within_file_limit(jobs: int) -> int:
    """Return ``jobs``, reduced to fit the process's limit on open files; at least 1."""
    try:
        import resource
    except ImportError:  # Windows
        return jobs
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return jobs
    with suppress(OSError):
        limit -= len(os.listdir("/dev/fd"))  # noqa: PTH208 — asked for a number only
    return max(min(jobs, (limit - _OTHER_FILES) // _FILES_PER_DATABASE), 1)
