"""Many databases: the same work on each, by any ``concurrent.futures.Executor``.

Threads are the default, and copies of this process where there are many databases and it can be copied: SQLite lets go
of Python's lock while it works and while it waits for the disk, but threads take turns at the rest. A pool of processes
serves as well, and so does a cluster's executor where every worker sees the files: what is sent to a worker is a
function of a module with plain arguments, and what comes back is an :class:`Outcome`, an error's text included.
"""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from waiaas_migrate.errors import INTERRUPTED, Failure, MigrateError, failure_of
from waiaas_migrate.runner.apply import ApplyResult, apply_to
from waiaas_migrate.runner.fleet.ctrl_c import ctrl_c_calls
from waiaas_migrate.runner.fleet.forks import MOST, CannotFork, Copies, CopyKilled, Done, Flag, may_fork
from waiaas_migrate.runner.fleet.patterns import refuse_one_name
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.watching.interruption import Interrupted, ReplayInterrupted, interruption_of
from waiaas_migrate.sqlite.database.memory import IS_STOPPED

ResultT = TypeVar("ResultT")

#: How many databases make copies of this process worth while; a copy takes some milliseconds to make.
_MANY = 200

#: How many databases a copy takes at a time, where there are not very many.
_BATCH = 8

#: Files that are open at once for a database, its WAL and backup included; for a copy of this process, here and in
#: those that are made after it; and for the rest.
_FILES, _FILES_OF_A_COPY, _OTHER_FILES = 10, 3, 24

#: Seconds between two looks at whether it was interrupted, while work elsewhere is waited for.
_GLANCE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[ResultT]):
    """What became of one database: a result, a failure, or neither where it was not begun."""

    database: str
    result: ResultT | None = None
    failure: Failure | None = None
    seconds: float = 0.0

    @property
    def was_begun(self) -> bool:
        """Whether the work on it was begun."""
        return self.result is not None or self.failure is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How to go about many databases.

    ``executor`` does the work where given, and is not shut down; else so many threads or copies of this process as
    ``jobs`` says do. ``stop_on_failure``: what was not begun when one fails is left alone.
    """

    executor: Executor | None = None
    jobs: int | None = None
    stop_on_failure: bool = False


def apply_to_all(
    databases: Iterable[str],
    migrations: str | os.PathLike[str],
    *,
    options: RunOptions = RunOptions(),
    fleet: Fleet = Fleet(),
    may_make: Container[str] | None = None,
) -> Iterator[Outcome[ApplyResult]]:
    """Apply what is pending of the folder ``migrations`` to each of ``databases``; the outcomes in their order.

    Each database is exactly before or exactly after, whatever becomes of the others; a run can be repeated, and those
    that are at head are left alone then. ``may_make`` are those that are made where there is no such file: all, where
    it is None. Of the others, as where a listing of files was taken, it is a failure.

    Raises:
        MigrationsError: the folder cannot be used; nothing was begun.
        UsageError: ``databases`` is one name, each letter of which would be made as a database.
    """
    refuse_one_name(databases)
    folder = Path(migrations).absolute()
    if fleet.executor is None:
        stop = Flag()
        here = functools.partial(
            _apply_here, folder=read_folder(folder), options=replace(options, stop=stop), may_make=may_make
        )
        return each(here, databases, fleet, stop=stop)
    _read_once(folder, 0)
    work = functools.partial(_apply, folder=folder, stamp=time.time_ns(), options=options, may_make=may_make)
    return each(work, databases, fleet)


def _apply(
    database: str, *, folder: Path, stamp: int, options: RunOptions, may_make: Container[str] | None
) -> ApplyResult:
    made = may_make is None or database in may_make
    return apply_to(database, _read_once(folder, stamp), options=options, may_make=made)


def _apply_here(
    database: str, *, folder: MigrationFolder, options: RunOptions, may_make: Container[str] | None
) -> ApplyResult:
    made = may_make is None or database in may_make
    return apply_to(database, folder, options=options, may_make=made)


@functools.lru_cache(maxsize=1)
def _read_once(folder: Path, stamp: int) -> MigrationFolder:  # noqa: ARG001 — another run reads it anew
    """The folder, read once by each process for each run."""
    return read_folder(folder)


def each(
    work: Callable[[str], ResultT],
    databases: Iterable[str],
    fleet: Fleet = Fleet(),
    *,
    stop: Flag | None = None,
) -> Iterator[Outcome[ResultT]]:
    """Do ``work`` on each of ``databases``; the outcomes come in their order, each as soon as it is there.

    The work begins when the first outcome is asked for. After an interruption (Ctrl-C) what was not begun is left
    alone, what is going on ends, and when all outcomes were given KeyboardInterrupt is raised.

    Args:
        work: called with one database, in a thread or a copy of this process: what it returns counts, and can be
            pickled; and picklable itself where the executor needs that.
        databases: what the command line calls DATABASE.
        fleet: by whom, how many at once, and what to do on failure.
        stop: is set on an interruption, for a ``work`` that looks at it.

    Raises:
        UsageError: ``databases`` is one name.
    """
    refuse_one_name(databases)
    return _each(work, list(databases), fleet, stop)


def _each(
    work: Callable[[str], ResultT], listed: list[str], fleet: Fleet, stop: Flag | None
) -> Iterator[Outcome[ResultT]]:
    run = _Run(work=work, fleet=fleet, stop=Flag() if stop is None else stop)
    with ctrl_c_calls(run.call_off):
        if fleet.executor is not None:
            yield from run.by_executor(fleet.executor, listed)
        elif run.jobs > 1 and len(listed) >= _MANY and may_fork():
            # What this one reads and imports, the copies have.
            yield run.here(listed[0])
            # Whoever was given that may have begun a thread with it, or opened a database.
            is_for_copies = not run.given_up.is_set() and may_fork()
            yield from (run.by_copies if is_for_copies else run.by_threads)(listed[1:])
        else:
            yield from run.by_threads(listed)
    if run.interrupted.is_set():
        raise KeyboardInterrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run(Generic[ResultT]):
    """One call of :func:`each`: what is done, by whom, and how it is called off."""

    work: Callable[[str], ResultT]
    fleet: Fleet
    #: What is going on shall end.
    stop: Flag
    #: Nothing more shall begin.
    given_up: Flag = field(default_factory=Flag)
    interrupted: Flag = field(default_factory=Flag)

    @property
    def jobs(self) -> int:
        return self.fleet.jobs or default_jobs()

    def call_off(self) -> None:
        """End all, since it was interrupted."""
        self.interrupted.set()
        self.stop.set()
        self.given_up.set()

    def by_executor(self, executor: Executor, databases: Sequence[str]) -> Iterator[Outcome[ResultT]]:
        """By an executor whose workers may be anywhere, and see no flag of this process."""
        futures = [executor.submit(_outcomes_of, self.work, (database,)) for database in databases]
        for future in futures if self.fleet.stop_on_failure else ():
            future.add_done_callback(functools.partial(self._give_up_on_failure, futures=futures))
        yield from self._outcomes([(database,) for database in databases], futures)

    def here(self, database: str) -> Outcome[ResultT]:
        """By this very thread."""
        try:
            outcome = self._begin_one(database)
        except KeyboardInterrupt as error:
            outcome = Outcome(database=database, failure=_failure(error))
        if outcome.failure is not None and outcome.failure.exit_code == INTERRUPTED:
            self.call_off()
        return outcome

    def by_threads(self, databases: Sequence[str]) -> Iterator[Outcome[ResultT]]:
        """By threads of this process."""
        number = _with_files(min(self.jobs, max(len(databases), 1)), _FILES)
        with ThreadPoolExecutor(number, thread_name_prefix="waiaas-migrate") as pool:
            # A thread begins without what was set for the run, such as the application's setup.
            futures = [pool.submit(copy_context().run, self._begin, (database,)) for database in databases]
            yield from self._outcomes([(database,) for database in databases], futures)

    def by_copies(self, databases: Sequence[str]) -> Iterator[Outcome[ResultT]]:
        """By copies of this process, which take some databases at a time; one by one if none can be made."""
        size = max(min(_BATCH, len(databases) // (4 * self.jobs)), math.ceil(len(databases) / MOST), 1)
        batches = [databases[start : start + size] for start in range(0, len(databases), size)]
        number = _with_files(min(self.jobs, len(batches)), _FILES_OF_A_COPY)
        try:
            with Copies(number, lambda at: self._begin(batches[at]), len(batches)) as copies:
                yield from self._in_order(batches, copies)
        except CannotFork:  # nor could threads
            yield from map(self.here, databases)

    def _in_order(
        self, batches: Sequence[Sequence[str]], copies: Copies[list[Outcome[ResultT]]]
    ) -> Iterator[Outcome[ResultT]]:
        """The outcomes of ``batches``, on which ``copies`` work; as :meth:`_outcomes` gives them."""
        done: dict[int, list[Outcome[ResultT]]] = {}
        try:
            for at, batch in enumerate(batches):
                while at not in done and (one := self._received_from(copies)) is not None:
                    done[one.number] = self._told(one, batches[one.number])
                    copies.accept()
                yield from done.pop(at) if at in done else self._told(Done(number=at, error=CopyKilled()), batch)
        except CannotFork:
            raise
        except BaseException:
            self.stop.set()
            self.given_up.set()
            raise

    def _received_from(self, copies: Copies[list[Outcome[ResultT]]]) -> Done[list[Outcome[ResultT]]] | None:
        """What they have done next, whatever happens."""
        while True:
            try:
                return copies.receive()
            except KeyboardInterrupt:  # as in _wait_for
                self.call_off()

    def _told(self, done: Done[list[Outcome[ResultT]]], batch: Sequence[str]) -> list[Outcome[ResultT]]:
        """What a copy did of ``batch``."""
        if done.result is not None:
            return done.result
        if not isinstance(done.error, Exception):
            raise done.error or SystemExit
        if self.fleet.stop_on_failure:
            self.given_up.set()
        return [Outcome(database=database, failure=_failure(done.error)) for database in batch]

    def _begin(self, databases: Sequence[str]) -> list[Outcome[ResultT]]:
        """The outcomes of ``databases``, of which none is begun once that was given up."""
        return [self._begin_one(database) for database in databases]

    def _begin_one(self, database: str) -> Outcome[ResultT]:
        if self.given_up.is_set():
            return Outcome(database=database)
        token = IS_STOPPED.set(self.stop.is_set)
        try:
            outcome = outcome_of(self.work, database)
        finally:
            IS_STOPPED.reset(token)
        if outcome.failure is not None and self.fleet.stop_on_failure:
            self.given_up.set()
        return outcome

    def _give_up_on_failure(
        self, future: Future[list[Outcome[ResultT]]], futures: Sequence[Future[list[Outcome[ResultT]]]]
    ) -> None:
        """Begin nothing more of ``futures`` if this one, which is done, failed."""
        if not future.cancelled() and (future.exception() or any(one.failure for one in future.result())):
            _cancel(futures)

    def _outcomes(
        self, batches: Sequence[Sequence[str]], futures: Sequence[Future[list[Outcome[ResultT]]]]
    ) -> Iterator[Outcome[ResultT]]:
        """All of them, in their order; whoever does not ask for the last of them ends the rest."""
        try:
            for batch, future in zip(batches, futures, strict=True):
                self._wait_for(future, futures)
                yield from _given(batch, future)
        except BaseException:
            self.stop.set()
            self.given_up.set()
            _cancel(futures)
            raise

    def _wait_for(
        self, future: Future[list[Outcome[ResultT]]], futures: Sequence[Future[list[Outcome[ResultT]]]]
    ) -> None:
        """Wait until ``future`` is done, whatever happens."""
        while not future.done():
            try:
                if self.interrupted.is_set():
                    _cancel(futures)
                wait((future,), timeout=_GLANCE)
            except KeyboardInterrupt:  # from a handler of the application's own, or the second one
                self.call_off()


def _given(batch: Sequence[str], future: Future[list[Outcome[ResultT]]]) -> list[Outcome[ResultT]]:
    """What ``future``, which is done, gives for ``batch``."""
    try:
        return future.result()
    except CancelledError:
        return [Outcome(database=database) for database in batch]
    except Exception as error:  # noqa: BLE001 — a worker may be killed, or a result be lost on its way
        return [Outcome(database=database, failure=_failure(error)) for database in batch]


def _cancel(futures: Iterable[Future[list[Outcome[ResultT]]]]) -> None:
    for future in futures:
        future.cancel()


def _outcomes_of(work: Callable[[str], ResultT], databases: Sequence[str]) -> list[Outcome[ResultT]]:
    return [outcome_of(work, database) for database in databases]


def outcome_of(work: Callable[[str], ResultT], database: str) -> Outcome[ResultT]:
    """Do ``work`` on ``database``, here, and give what became of it; an error becomes data, to travel anywhere."""
    start = time.perf_counter()
    try:
        result = work(database)
    except (Interrupted, ReplayInterrupted, Exception) as error:  # noqa: BLE001 — whatever it is, it is this database's alone
        return Outcome(database=database, failure=_failure(error), seconds=time.perf_counter() - start)
    return Outcome(database=database, result=result, seconds=time.perf_counter() - start)


def _failure(error: BaseException) -> Failure:
    if isinstance(error, KeyboardInterrupt):
        return interruption_of(error)
    if isinstance(error, MigrateError):
        return failure_of(error)
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, CopyKilled):
        message = "the process at work on it was killed. It is as before, or done: run this again."
    if isinstance(error, BrokenExecutor):
        message = "one of the processes at work was killed, which ended all. It is as before, or done: run this again."
    return Failure(kind=type(error).__name__, message=message, exit_code=MigrateError.exit_code)


def default_jobs() -> int:
    """How many databases at once: several for each processor, since a run mostly waits for the disk.

    More of them would wait for each other instead.
    """
    return min(32, 4 * (os.cpu_count() or 1))


def _with_files(number: int, files: int) -> int:
    """``number``, or as many as can have so many ``files`` open in this process, but one at least."""
    try:
        import resource
    except ImportError:  # Windows
        return number
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return number
    with suppress(OSError):
        limit -= len(os.listdir("/dev/fd"))  # noqa: PTH208 — asked for a number only
    return max(min(number, (limit - _OTHER_FILES) // files), 1)
