"""Fleets: any executor, outcomes in order, separate failures, Ctrl-C, and a killed process."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, run_python, write_folder
from tests.support.projects import generated_project, rows, run
from waiaas_migrate.commands.drift import drift_of_all
from waiaas_migrate.commands.status import status_of_all
from waiaas_migrate.errors import Failure, MigrationsError, UsageError
from waiaas_migrate.files.project import Project, find_project
from waiaas_migrate.runner.apply import ApplyResult
from waiaas_migrate.runner.dry_run import estimate_all
from waiaas_migrate.runner.fleet.fleet import Fleet, apply_to_all, default_jobs, each
from waiaas_migrate.runner.fleet.patterns import expand

#: A migration that takes some hundredths of a second.
SLOW = """-- depends: 0003_age
CREATE TABLE slow (n INTEGER);
INSERT INTO slow WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 40000) SELECT n FROM r;
DELETE FROM slow WHERE n > 10;
"""


@contextmanager
def processes() -> Iterator[Executor]:
    """Yield a pool of two processes that share nothing with this one."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@contextmanager
def threads() -> Iterator[Executor]:
    """Yield a thread pool of the caller's own."""
    with ThreadPoolExecutor(3) as pool:
        yield pool


def fleet_of(folder: Path, number: int) -> list[str]:
    """Return the paths of ``number`` databases that do not exist yet."""
    return [str(folder / f"{n}.db") for n in range(number)]


def make_fleet(folder: Path, number: int) -> list[Path]:
    """Make ``number`` databases that have run three of the four migrations in ``m``; the fourth is slow."""
    migrations = write_folder(folder / "m", FAMILY)
    paths = [Path(name) for name in fleet_of(folder, number)]
    assert next(apply_to_all([str(paths[0])], migrations)).result
    for path in paths[1:]:
        path.write_bytes(paths[0].read_bytes())
    write_folder(migrations, {"0004_slow.sql": SLOW})
    return paths


@pytest.mark.parametrize("executor", [processes, threads])
def test_any_executor(tmp_path: Path, executor: type) -> None:
    """Any executor gives each database's outcome in order, errors as text; the pool stays open."""
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


def test_own_threads(tmp_path: Path) -> None:
    """Without an executor, threads do the work; repeating a run does the remaining work."""
    folder = write_folder(tmp_path / "m", FAMILY)
    names = fleet_of(tmp_path, 20)
    assert all(outcome.result for outcome in apply_to_all(names[:10], folder))
    applied = [outcome.result.applied for outcome in apply_to_all(names, folder, fleet=Fleet(jobs=4)) if outcome.result]
    assert applied == [()] * 10 + [FAMILY_IDS] * 10
    assert default_jobs() >= 1


def test_outcomes_survive_pickling(tmp_path: Path) -> None:
    """Outcomes are plain values that are equal after pickling."""
    folder = write_folder(tmp_path / "m", FAMILY)
    outcomes = list(apply_to_all([str(tmp_path / "a.db"), ""], folder))
    assert pickle.loads(pickle.dumps(outcomes)) == outcomes  # noqa: S301 — of our own making
    assert [outcome.was_begun for outcome in outcomes] == [True, True]


def test_a_broken_folder_is_one_error(tmp_path: Path) -> None:
    """An unusable migrations folder is an error of the call, every time, and not of each database."""
    for _ in range(2):
        with pytest.raises(MigrationsError):
            apply_to_all([str(tmp_path / "a.db")], tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_each_call_reads_the_folder_again(tmp_path: Path) -> None:
    """A migration added between two calls is seen by the second."""
    folder = write_folder(tmp_path / "m", FAMILY)
    name = str(tmp_path / "a.db")
    with threads() as pool:
        list(apply_to_all([name], folder, fleet=Fleet(executor=pool)))
        write_folder(folder, {"0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (a);\n"})
        (outcome,) = apply_to_all([name], folder, fleet=Fleet(executor=pool))
    assert outcome.result == ApplyResult(applied=("0004_more",))


def test_stop_on_failure() -> None:
    """Nothing starts after a failure; work that had started is finished."""

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


def test_closing_the_iterator_stops_the_rest() -> None:
    """Nothing starts after the iterator is closed."""
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


def test_a_killed_worker_process(tmp_path: Path) -> None:
    """Each database of a broken pool is reported, and the call ends."""
    with processes() as pool:
        outcomes = list(each(eval, ["__import__('os')._exit(3)"] * 2, Fleet(executor=pool)))
        outcomes += each(eval, ["__import__('os')._exit(3)"], Fleet(executor=pool))
    assert [outcome.failure is not None and outcome.failure.kind for outcome in outcomes] == ["BrokenProcessPool"] * 3
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_cannot_be_pickled(tmp_path: Path) -> None:
    """A result that can't be pickled is a failure of its own database only."""
    (tmp_path / "a").touch()
    with processes() as pool:
        outcomes = list(each(open, [str(tmp_path / "a"), str(tmp_path / "b")], Fleet(executor=pool)))
    assert [outcome.failure and outcome.failure.kind for outcome in outcomes] == ["TypeError", "FileNotFoundError"]


def test_work_that_calls_exit() -> None:
    """SystemExit ends the call, as it would in a plain loop."""
    with pytest.raises(SystemExit, match="enough"):
        list(each(sys.exit, ["enough", "more"], Fleet(jobs=1)))


def test_status_and_drift_by_processes(tmp_path: Path) -> None:
    """``status``, ``drift`` and ``--dry-run`` accept any executor too."""
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


def test_a_cluster(tmp_path: Path) -> None:
    """A Dask cluster's executor works like any other."""
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


def test_a_single_name_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    """A single name is refused: each of its letters would be created as a database."""
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
def test_every_function_refuses_a_single_name(
    tmp_path: Path, begin: Callable[[Project, object], object], one: object
) -> None:
    """The call itself refuses a single name, before an outcome is requested."""
    project = find_project(tmp_path)
    write_folder(project.migrations, FAMILY)
    with chdir(tmp_path), pytest.raises(UsageError, match=r"is one database\. Give a list of them\."):
        begin(project, one)
    assert [path.name for path in tmp_path.iterdir()] == ["migrations"]


def test_few_open_files(tmp_path: Path) -> None:
    """A low limit on open files lowers the number of databases at once."""
    make_fleet(tmp_path, 40)
    done = run_python(
        """
import resource, sys
from waiaas_migrate.runner.fleet.fleet import Fleet, apply_to_all
from waiaas_migrate.runner.options import RunOptions
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
names = [f"{sys.argv[1]}/{number}.db" for number in range(40)]
outcomes = apply_to_all(names, f"{sys.argv[1]}/m", options=RunOptions(backup="always"), fleet=Fleet(jobs=25))
print({outcome.failure and outcome.failure.message for outcome in outcomes})
""",
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("{None}\n", "")
