"""Many databases: the same work on each, by any ``concurrent.futures.Executor``.

Threads are the default: SQLite lets go of Python's lock while it works and while it waits for the disk. A pool of
processes serves as well, and so does a cluster's executor where every worker sees the files: what is sent to a worker
is a function of a module with plain arguments, and what comes back is an :class:`Outcome`, an error's text included.
"""

from __future__ import annotations

import functools
import glob
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from waiaas_migrate.errors import MigrateError, UsageError
from waiaas_migrate.runner.backup import is_backup
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.progress import Interrupted, Stop
from waiaas_migrate.runner.run import RunOptions, RunResult, Watch, apply_to
from waiaas_migrate.sqlite.connection import MEMORY

ResultT = TypeVar("ResultT")

#: The exit status of what was interrupted, as a shell gives it.
INTERRUPTED = 130

_COMPANIONS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why the work on a database failed: the error's class and text, and the exit status that it stands for."""

    kind: str
    message: str
    exit_code: int


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

    ``executor`` does the work where given, and is not shut down; else ``jobs`` threads do. ``stop_on_failure``: what
    was not begun when one fails is left alone.
    """

    executor: Executor | None = None
    jobs: int | None = None
    stop_on_failure: bool = False


def apply_to_all(
    databases: Iterable[str],
    migrations: str | os.PathLike[str],
    *,
    options: RunOptions = RunOptions(),  # noqa: B008 — a frozen value
    fleet: Fleet = Fleet(),
) -> Iterator[Outcome[RunResult]]:
    """Apply what is pending of the folder ``migrations`` to each of ``databases``; the outcomes in their order.

    Each database is exactly before or exactly after, whatever becomes of the others; a run can be repeated, and those
    that are at head are left alone then.

    Raises:
        MigrationsError: the folder cannot be used; nothing was begun.
    """
    folder = Path(migrations).absolute()
    if fleet.executor is None:
        stop = threading.Event()
        here = functools.partial(_apply_here, folder=read_folder(folder), options=options, stop=stop)
        return each(here, databases, fleet, stop=stop)
    _read_once(folder, 0)
    work = functools.partial(_apply, folder=folder, stamp=time.time_ns(), options=options)
    return each(work, databases, fleet)


def _apply(database: str, *, folder: Path, stamp: int, options: RunOptions) -> RunResult:
    return apply_to(database, _read_once(folder, stamp), options=options)


def _apply_here(database: str, *, folder: MigrationFolder, options: RunOptions, stop: Stop) -> RunResult:
    return apply_to(database, folder, options=options, watch=Watch(stop=stop))


@functools.lru_cache(maxsize=1)
def _read_once(folder: Path, stamp: int) -> MigrationFolder:  # noqa: ARG001 — another run reads it anew
    """The folder, read once by each process for each run."""
    return read_folder(folder)


def each(
    work: Callable[[str], ResultT],
    databases: Iterable[str],
    fleet: Fleet = Fleet(),
    *,
    stop: threading.Event | None = None,
) -> Iterator[Outcome[ResultT]]:
    """Do ``work`` on each of ``databases``; the outcomes come in their order, each as soon as it is there.

    The work begins when the first outcome is asked for. After an interruption (Ctrl-C) what was not begun is left
    alone, what is going on ends, and then KeyboardInterrupt is raised.

    Args:
        work: called with one database; picklable where the executor needs that.
        databases: what the command line calls DATABASE.
        fleet: by whom, how many at once, and what to do on failure.
        stop: is set on an interruption, for a ``work`` that looks at it.
    """
    listed = list(databases)
    stop = threading.Event() if stop is None else stop
    with ExitStack() as stack:
        executor = fleet.executor
        if executor is None:
            jobs = min(fleet.jobs or default_jobs(), max(len(listed), 1))
            executor = stack.enter_context(ThreadPoolExecutor(jobs, thread_name_prefix="waiaas-migrate"))
        futures = [executor.submit(outcome_of, work, database) for database in listed]
        waiting = _Waiting(futures=futures, stop=stop)
        for future in futures if fleet.stop_on_failure else ():
            future.add_done_callback(waiting.give_up_on_failure)
        yield from waiting.outcomes(listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting(Generic[ResultT]):
    """What was handed out, and how it is called off."""

    futures: Sequence[Future[Outcome[ResultT]]]
    stop: threading.Event
    interrupted: threading.Event = field(default_factory=threading.Event)

    def give_up(self) -> None:
        """Begin nothing more."""
        for future in self.futures:
            future.cancel()

    def give_up_on_failure(self, future: Future[Outcome[ResultT]]) -> None:
        """Begin nothing more if ``future``, which is done, failed."""
        if not future.cancelled() and (future.exception() is not None or future.result().failure is not None):
            self.give_up()

    def outcome(self, database: str, future: Future[Outcome[ResultT]]) -> Outcome[ResultT]:
        """What ``future`` gives, waited for whatever happens."""
        while True:
            try:
                return _outcome(database, future)
            except KeyboardInterrupt:
                self.interrupted.set()
                self.stop.set()
                self.give_up()

    def outcomes(self, databases: Sequence[str]) -> Iterator[Outcome[ResultT]]:
        """All of them, in their order; whoever does not ask for the last of them ends the rest."""
        try:
            yield from map(self.outcome, databases, self.futures)
        finally:
            self.stop.set()
            self.give_up()
        if self.interrupted.is_set():
            raise KeyboardInterrupt


def _outcome(database: str, future: Future[Outcome[ResultT]]) -> Outcome[ResultT]:
    try:
        return future.result()
    except CancelledError:
        return Outcome(database=database)
    except Exception as error:  # noqa: BLE001 — a worker may be killed, or a result be lost on its way
        return Outcome(database=database, failure=_failure(error))


def outcome_of(work: Callable[[str], ResultT], database: str) -> Outcome[ResultT]:
    """Do ``work`` on ``database``, here, and give what became of it; an error becomes data, to travel anywhere."""
    start = time.perf_counter()
    try:
        result = work(database)
    except (Interrupted, Exception) as error:  # noqa: BLE001 — whatever it is, it is this database's alone
        return Outcome(database=database, failure=_failure(error), seconds=time.perf_counter() - start)
    return Outcome(database=database, result=result, seconds=time.perf_counter() - start)


def _failure(error: BaseException) -> Failure:
    if isinstance(error, Interrupted):
        return Failure(kind=type(error).__name__, message=str(error), exit_code=INTERRUPTED)
    if isinstance(error, MigrateError):
        return Failure(kind=type(error).__name__, message=str(error), exit_code=error.exit_code)
    message = f"{type(error).__name__}: {error}"
    return Failure(kind=type(error).__name__, message=message, exit_code=MigrateError.exit_code)


def default_jobs() -> int:
    """How many databases at once: several for each processor, since a run mostly waits for the disk.

    More of them wait for each other instead, since only one at a time runs Python.
    """
    return min(32, 4 * (os.cpu_count() or 1))


# --- which databases --------------------------------------------------------------------------------------------------


def expand(arguments: Sequence[str]) -> tuple[str, ...]:
    """The databases that ``arguments`` mean, each once, in their order.

    What holds ``*``, ``?`` or ``[`` is a pattern, unless a file is called so; ``**`` goes through folders. It stands
    for files, and not for a database's WAL, journal or backup.

    Raises:
        UsageError: a pattern finds nothing.
    """
    found: dict[str, str] = {}
    for argument in arguments:
        for database in _matching(argument) if is_pattern(argument) else (argument,):
            found.setdefault(_identity(database), database)
    return tuple(found.values())


def is_single(arguments: Sequence[str]) -> bool:
    """Whether ``arguments`` name one database, rather than a number of them."""
    return len(arguments) == 1 and not is_pattern(arguments[0])


def is_pattern(argument: str) -> bool:
    """Whether ``argument`` stands for the files that match it."""
    return glob.has_magic(argument) and not argument.startswith(("file:", "sqlite:")) and not os.path.lexists(argument)


def _matching(pattern: str) -> list[str]:
    found = [name for name in sorted(glob.glob(pattern, recursive=True)) if _is_database(name)]  # noqa: PTH207 — as typed
    if not found:
        raise UsageError(
            f"{pattern}: no file matches. Check the pattern; to make a file of that very name, write a sqlite:/// URL "
            f"with %3F for ?, %2A for * and %5B for [."
        )
    return found


def _is_database(name: str) -> bool:
    path = Path(name)
    owners = [name.removesuffix(ending) for ending in _COMPANIONS if name.endswith(ending)]
    return path.is_file() and not is_backup(path) and not any(Path(owner).exists() for owner in owners)


def _identity(database: str) -> str:
    plain = database == MEMORY or database.startswith(("file:", "sqlite:"))
    return database if plain or not database else os.path.realpath(database)
