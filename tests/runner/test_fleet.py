"""Many databases by the library: any executor, in their order, whatever becomes of each."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

from tests.runner.test_progress import make_database as make_slow
from tests.support.folders import FAMILY, FAMILY_IDS, dump, run_python, write_folder
from tests.support.projects import CHECKOUT, generated_project, rows, run
from waiaas_migrate.commands.drift import drift_of_all
from waiaas_migrate.commands.status import status_of_all
from waiaas_migrate.errors import Failure, MigrationsError, UsageError
from waiaas_migrate.files.project import Project, find_project
from waiaas_migrate.runner.apply import ApplyResult
from waiaas_migrate.runner.dry_run import estimate_all
from waiaas_migrate.runner.fleet.fleet import Fleet, apply_to_all, default_jobs, each
from waiaas_migrate.runner.fleet.patterns import expand
from waiaas_migrate.sqlite.database.pragmas import Pragma


@contextmanager
def processes() -> Iterator[Executor]:
    """Two processes that share nothing with this one."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@contextmanager
def threads() -> Iterator[Executor]:
    """A pool of the caller's own."""
    with ThreadPoolExecutor(3) as pool:
        yield pool


def fleet_of(folder: Path, number: int) -> list[str]:
    """The names of so many databases, which are not there yet."""
    return [str(folder / f"{n}.db") for n in range(number)]


@pytest.mark.parametrize("executor", [processes, threads])
def test_any_executor(tmp_path: Path, executor: type) -> None:
    """Whatever does the work, each database has its outcome, in order, errors as text; the pool stays open."""
    folder = write_folder(tmp_path / "m", FAMILY)
    names = fleet_of(tmp_path, 6)
    Path(names[3]).mkdir()
    with executor() as pool:
        outcomes = list(apply_to_all(names, folder, fleet=Fleet(executor=pool)))
        again = list(apply_to_all(names[:3], folder, fleet=Fleet(executor=pool)))
    assert [outcome.database for outcome in outcomes] == names
    assert [outcome.result for outcome in outcomes[:3]] == [ApplyResult(applied=FAMILY_IDS)] * 3
    assert outcomes[3].result is None
    message = f"{names[3]}: is a folder. Give the path of a database file."
    assert outcomes[3].failure == Failure(kind="DatabaseFileError", message=message, exit_code=2)
    assert [outcome.result for outcome in again] == [ApplyResult()] * 3


def test_threads_of_its_own(tmp_path: Path) -> None:
    """Without an executor, threads do it; a run can be repeated, and takes up what is left."""
    folder = write_folder(tmp_path / "m", FAMILY)
    names = fleet_of(tmp_path, 20)
    assert all(outcome.result for outcome in apply_to_all(names[:10], folder))
    applied = [outcome.result.applied for outcome in apply_to_all(names, folder, fleet=Fleet(jobs=4)) if outcome.result]
    assert applied == [()] * 10 + [FAMILY_IDS] * 10
    assert default_jobs() >= 1


def test_outcomes_travel(tmp_path: Path) -> None:
    """Outcomes are plain values: what is pickled comes back equal."""
    folder = write_folder(tmp_path / "m", FAMILY)
    outcomes = list(apply_to_all([str(tmp_path / "a.db"), ""], folder))
    assert pickle.loads(pickle.dumps(outcomes)) == outcomes  # noqa: S301 — of our own making
    assert [outcome.was_begun for outcome in outcomes] == [True, True]


def test_a_broken_folder_is_told_at_once(tmp_path: Path) -> None:
    """A folder of migrations that cannot be used is an error of the call, not of each database."""
    with pytest.raises(MigrationsError):
        apply_to_all([str(tmp_path / "a.db")], tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_read_anew_for_each_call(tmp_path: Path) -> None:
    """A migration that comes between two calls is seen by the second, in the same process and in a worker's."""
    folder = write_folder(tmp_path / "m", FAMILY)
    name = str(tmp_path / "a.db")
    with threads() as pool:
        list(apply_to_all([name], folder, fleet=Fleet(executor=pool)))
        write_folder(folder, {"0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (a);\n"})
        (outcome,) = apply_to_all([name], folder, fleet=Fleet(executor=pool))
    assert outcome.result == ApplyResult(applied=("0004_more",))


def test_stop_on_failure() -> None:
    """What was not begun when one fails is left alone; what was is finished."""

    def work(name: str) -> str:
        if name == "bad":
            raise ValueError("so it goes")
        return name.upper()

    outcomes = list(each(work, ["a", "bad", "b", "c"], Fleet(jobs=1, stop_on_failure=True)))
    failure = Failure(kind="ValueError", message="ValueError: so it goes", exit_code=2)
    assert [(one.result, one.failure, one.was_begun) for one in outcomes] == [
        ("A", None, True),
        (None, failure, True),
        (None, None, False),
        (None, None, False),
    ]


def test_whoever_stops_listening_ends_the_rest() -> None:
    """An iteration that is given up begins nothing more."""
    begun = []

    def work(name: str) -> str:
        begun.append(name)
        time.sleep(0.05)
        return name

    outcomes = each(work, list("abcdef"), Fleet(jobs=1))
    first = next(iter(outcomes))
    assert (first.database, first.result, first.seconds > 0) == ("a", "a", True)
    outcomes.close()  # type: ignore[attr-defined]
    assert len(begun) <= 3


def test_a_worker_that_dies(tmp_path: Path) -> None:
    """A process that is killed costs its databases, and is told; the call comes to its end."""
    with processes() as pool:
        outcomes = list(each(os._exit, [3, 3], Fleet(executor=pool)))  # type: ignore[arg-type, list-item]
    assert [outcome.failure is not None and outcome.failure.kind for outcome in outcomes] == ["BrokenProcessPool"] * 2
    assert list(tmp_path.iterdir()) == []


def test_status_and_drift_by_processes(tmp_path: Path) -> None:
    """Reading many databases takes any executor too."""
    generated_project(tmp_path)
    names = ["a.db", "b.db"]
    assert run(tmp_path, "apply", *names).status == 0
    project = find_project(tmp_path)
    paths = [str(tmp_path / name) for name in names]
    with processes() as pool:
        fleet = Fleet(executor=pool)
        assert [one.result is not None and one.result.is_at_head for one in status_of_all(project, paths, fleet)] == [
            True
        ] * 2
        assert [one.result and one.result.findings for one in drift_of_all(project, paths, fleet)] == [()] * 2
        estimates = list(estimate_all(paths, project.migrations, fleet=fleet))
    assert [one.result is not None and one.result.migrations for one in estimates] == [()] * 2


def test_ctrl_c_by_threads() -> None:
    """All is told before it is raised; the second time it is raised at once, and a handler of one's own stays."""
    done = run_python(
        """
import os, signal, sys, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each
interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)
work = lambda name: time.sleep(0.05)
def outcomes_of(times):
    given = 0
    try:
        for outcome in each(work, list("abcdefgh"), Fleet(jobs=1)):
            given += 1
            if given <= times:
                interrupt()
    except KeyboardInterrupt:
        print(given, "interrupted")
    else:
        print(given)
outcomes_of(1)
outcomes_of(2)
outcomes_of(0)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
signal.signal(signal.SIGINT, lambda *_: print("heard"))
outcomes_of(1)
"""
    )
    assert (done.stdout.split("\n"), done.stderr) == (["8 interrupted", "2 interrupted", "8", "heard", "8", ""], "")


@pytest.mark.parametrize("which", [0, 1])
def test_ctrl_c_while_others_work(tmp_path: Path, which: int) -> None:
    """Whoever waits for the migrations of another process, which may take hours, is called off too."""
    pragmas = (Pragma(name="busy_timeout", value=100),)
    folder = write_folder(tmp_path / "m", FAMILY, pragmas=pragmas)
    names = [str(tmp_path / f"{number}" / "a.db") for number in range(2)]
    for name in names:
        Path(name).parent.mkdir()
    hold = """
import fcntl, os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
fcntl.flock(os.open(sys.argv[1] + "-migrating", os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
    code = """
import os, signal, sys, threading
from waiaas_migrate.runner.fleet.fleet import Fleet, apply_to_all
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
outcomes = []
try:
    for outcome in apply_to_all(sys.argv[2:], sys.argv[1], fleet=Fleet(jobs=2)):
        outcomes.append(outcome)
except KeyboardInterrupt:
    print(*(one.failure.kind if one.failure else "done" for one in outcomes))
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", hold, names[which]], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            done = run_python(code, folder, *names)
        finally:
            holder.communicate()
    assert done.stderr == ""
    assert done.stdout.split()[which] == "Interrupted"


def test_ctrl_c_once_the_outcomes_are_let_go_of() -> None:
    """It is raised as ever, also where it was another thread that let go of them, and could set no handler."""
    done = run_python(
        """
import os, signal, threading
from waiaas_migrate.runner.fleet.fleet import Fleet, each
outcomes = each(len, list("abc"), Fleet(jobs=1))
next(outcomes)
thread = threading.Thread(target=outcomes.close)
thread.start()
thread.join()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    )
    assert (done.stdout, done.stderr) == ("interrupted True\n", "")


def test_ctrl_c_rolls_back_what_is_going_on(tmp_path: Path) -> None:
    """An interrupted fleet ends what it is at, begins nothing more, tells each, and exits with 130."""
    database = make_slow(tmp_path)
    content = database.read_bytes()
    for number in range(5):
        (tmp_path / f"{number}.db").write_bytes(content)
    before = dump(database)
    arguments = [sys.executable, "-m", "waiaas_migrate", "apply", "?.db", "--jobs", "2", "--backup", "never"]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        end = time.monotonic() + 30
        while not list(tmp_path.glob("?.db-journal")):
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "5 databases: 2 interrupted, 3 not begun.\n"
    assert out.count(": all was rolled back") == 2
    assert {number: dump(tmp_path / f"{number}.db") == before for number in range(5)} == dict.fromkeys(range(5), True)


def test_a_cluster(tmp_path: Path) -> None:
    """The executor of a Dask cluster serves as any other; its workers are processes that see the same files."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    folder = write_folder(tmp_path / "m", FAMILY)
    names = fleet_of(tmp_path, 8)
    Path(names[5]).write_text("no database\n" * 100, encoding="utf-8")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as cluster,
        distributed.Client(cluster) as client,
    ):
        outcomes = list(apply_to_all(names, folder, fleet=Fleet(executor=client.get_executor())))
    assert [outcome.database for outcome in outcomes] == names
    failed = [outcome.failure.kind for outcome in outcomes if outcome.failure is not None]
    assert failed == ["DatabaseFileError"]
    assert rows(Path(names[7]), "SELECT count(*) FROM _yoyo_migration") == [(3,)]


def test_one_name_is_no_list_of_databases(tmp_path: Path) -> None:
    """Its letters would be made as databases; it is wrong use, before anything is done."""
    with chdir(tmp_path), pytest.raises(UsageError, match=r"'a\.db' is one database\. Give a list of them\."):
        apply_to_all("a.db", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("one", ["a.db", Path("a.db"), b"a.db"], ids=["text", "path", "bytes"])
@pytest.mark.parametrize(
    "begin",
    [
        lambda project, one: apply_to_all(one, project.migrations),
        lambda project, one: estimate_all(one, project.migrations),
        status_of_all,
        drift_of_all,
        lambda _, one: each(str, one),
        lambda _, one: expand(one),
    ],
    ids=["apply", "estimate", "status", "drift", "each", "expand"],
)
def test_no_function_takes_the_letters_of_a_name_for_databases(
    tmp_path: Path, begin: Callable[[Project, object], object], one: object
) -> None:
    """It is refused by the call, before an outcome is asked for."""
    project = find_project(tmp_path)
    write_folder(project.migrations, FAMILY)
    with chdir(tmp_path), pytest.raises(UsageError, match=r"is one database\. Give a list of them\."):
        begin(project, one)
    assert [path.name for path in tmp_path.iterdir()] == ["migrations"]
