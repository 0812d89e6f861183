"""A fleet that copies of this process work on: all of it, in order, called off, killed, and where none can be.

Each runs in a process of its own with a single thread, since the tests' own has more.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, dump, run_python, write_folder
from tests.support.projects import CHECKOUT, rows
from waiaas_migrate.runner.fleet.fleet import apply_to_all
from waiaas_migrate.runner.options import RunOptions

pytestmark = pytest.mark.skipif(
    (os.cpu_count() or 1) == 1 or not Path("/proc/self/task").exists(),
    reason="one processor has no use for copies, and Linux alone tells whether they are safe",
)

MANY = 240
#: The work on a database called by its number, and whether one process or several did it.
EACH = """
import os, sys, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each

def work(name):
    number = int(name)
    {work}
    return number, os.getpid()

fleet = Fleet(jobs=4, stop_on_failure={stop_on_failure})
outcomes = list(each(work, [str(number) for number in range(240)], fleet))
assert [outcome.database for outcome in outcomes] == [str(number) for number in range(240)]
done = [outcome.result[0] for outcome in outcomes if outcome.result]
pids = {{outcome.result[1] for outcome in outcomes if outcome.result}}
kinds = sorted({{outcome.failure.kind for outcome in outcomes if outcome.failure}})
left = sum(not outcome.was_begun for outcome in outcomes)
print(len(done), "one" if len(pids) == 1 else "several", kinds, left)
"""
APPLY = """
import os, sys
from waiaas_migrate.runner.fleet.fleet import Fleet, apply_to_all
from waiaas_migrate.runner.options import RunOptions
names = [line.strip() for line in sys.stdin]
try:
    for outcome in apply_to_all(names, sys.argv[1], options=RunOptions(backup="never"), fleet=Fleet(jobs=4)):
        print("done" if outcome.result else outcome.failure.kind if outcome.failure else "left", flush=True)
except KeyboardInterrupt:
    print("interrupted")
"""
#: A migration that is at work for some hundredths of a second.
SLOW = """-- depends: 0003_age
CREATE TABLE slow (n INTEGER);
INSERT INTO slow WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 40000) SELECT n FROM r;
DELETE FROM slow WHERE n > 10;
"""


def each_of_many(work: str, *arguments: object, stop_on_failure: bool = False, before: str = "") -> str:
    """What a program that does ``work`` on many databases prints: how many did, by one process or several, what failed."""
    done = run_python(before + EACH.format(work=work, stop_on_failure=stop_on_failure), *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_all_of_them_in_order() -> None:
    """The first is done here and the rest by copies."""
    assert each_of_many("time.sleep(0.001)") == "240 several [] 0"


def test_with_threads_none_is_made() -> None:
    """A process that has other threads is not copied: their locks would be held for ever in the copy."""
    thread = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    assert each_of_many("pass", before=thread) == "240 one [] 0"


DATABASE = "import sqlite3\nkept = sqlite3.connect(sys.argv[1])\nkept.execute('CREATE TABLE t (x)')\n"


def test_with_a_database_open_none_is_made(tmp_path: Path) -> None:
    """A copy would have SQLite's notes of the locks that the original has there, and not the locks."""
    assert each_of_many("pass", tmp_path / "a.db", before=f"import sys\n{DATABASE}") == "240 one [] 0"


@pytest.mark.parametrize("begun", ["threading.Thread(target=threading.Event().wait, daemon=True).start()", DATABASE])
def test_what_is_begun_with_the_first_outcome(tmp_path: Path, begun: str) -> None:
    """Threads and databases that come after the first outcome, with a progress bar say, count no less."""
    done = run_python(
        f"""
import os, sys, threading
from waiaas_migrate.runner.fleet.fleet import Fleet, each
outcomes = each(lambda name: os.getpid(), [str(n) for n in range(240)], Fleet(jobs=4))
assert next(outcomes).result == os.getpid()
{begun}
print({{outcome.result for outcome in outcomes}} == {{os.getpid()}})
""",
        tmp_path / "a.db",
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_without_connections() -> None:
    """Some systems have none for Python, and threads serve."""
    assert each_of_many("pass", before="import sys\nsys.modules['_multiprocessing'] = None\n") == "240 one [] 0"


def test_without_semaphores() -> None:
    """Of those, copies need none."""
    before = "import _multiprocessing\ndel _multiprocessing.SemLock\n"
    assert each_of_many("time.sleep(0.001)", before=before) == "240 several [] 0"


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "lambda *_: os.waitpid(-1, os.WNOHANG)"])
def test_where_children_are_waited_for_elsewhere(handler: str) -> None:
    """A supervisor may have left the signal of their end ignored, and an application may do it itself."""
    before = f"import os, signal, time\nsignal.signal(signal.SIGCHLD, {handler})\n"
    assert each_of_many("time.sleep(0.001)", before=before) == "240 one [] 0"


def test_a_child_that_was_waited_for_already() -> None:
    """Whoever takes the outcomes may also wait for any child there is; none of the work is lost."""
    done = run_python(
        """
import os, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each
outcomes = each(lambda name: (time.sleep(0.001), name)[1], [str(n) for n in range(240)], Fleet(jobs=4))
results = [next(outcomes).result for _ in range(239)]
try:
    while os.wait():
        pass
except ChildProcessError:
    print([*results, next(outcomes).result] == [str(n) for n in range(240)], len(list(outcomes)))
"""
    )
    assert (done.stdout, done.stderr) == ("True 0\n", "")


def test_no_more_copies_than_there_is_work_for(tmp_path: Path) -> None:
    """However many are asked for."""
    done = run_python(
        """
import multiprocessing, pathlib, sys, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each
counted = pathlib.Path(sys.argv[1])
def work(name):
    while name not in "01" and not counted.exists():
        time.sleep(0.01)
outcomes = each(work, [str(n) for n in range(202)], Fleet(jobs=250))
next(outcomes), next(outcomes)
print(len(multiprocessing.active_children()))
counted.touch()
assert len(list(outcomes)) == 200
""",
        tmp_path / "counted",
    )
    assert done.stderr == ""
    assert int(done.stdout) in (200, 201)  # the one that did the second may have ended


def test_one_that_fails_does_not_stop_the_others() -> None:
    """Its error is told as any other."""
    assert each_of_many("time.sleep(0.001); 1 / (number - 100)") == "239 several ['ZeroDivisionError'] 0"


def test_stop_on_failure() -> None:
    """What was not begun when one fails is left alone, by the other copies too."""
    done, _, kinds, left = each_of_many("time.sleep(0.002); 1 / (number - 40)", stop_on_failure=True).split()
    assert kinds == "['ZeroDivisionError']"
    assert int(done) + 1 + int(left) == MANY
    assert 40 <= int(done) < MANY // 2


def test_the_first_fails() -> None:
    """Then no copy is made where one failure is to stop all."""
    assert each_of_many("1 / number", stop_on_failure=True) == "0 several ['ZeroDivisionError'] 239"


def test_a_copy_that_dies() -> None:
    """A copy that is killed costs what it had at hand, which is told; the others go on."""
    assert each_of_many("if number == 150: os.kill(os.getpid(), 9)") == "232 several ['CopyKilled'] 0"


def test_all_copies_die() -> None:
    """What nobody did is told, and the call comes to its end."""
    done, rest = each_of_many("if number > 100: os.kill(os.getpid(), 9)").split(" ", 1)
    assert rest == "several ['CopyKilled'] 0"
    assert 73 <= int(done) <= 101


def test_copies_that_die_where_sigterm_is_handled() -> None:
    """They end, whatever the application does on that signal."""
    before = "import os, signal, time\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"
    text = each_of_many("if number == 150: os.kill(os.getpid(), signal.SIGTERM)", before=before)
    assert text == "232 several ['CopyKilled'] 0"


def test_stop_on_a_copy_that_dies() -> None:
    """It is a failure as any other, and what was not begun by then is left alone."""
    text = each_of_many("time.sleep(0.002); number == 40 and os.kill(os.getpid(), 9)", stop_on_failure=True)
    done, _, kinds, left = text.split()
    assert (kinds, int(done) + 8 + int(left)) == ("['CopyKilled']", MANY)
    assert 24 <= int(done) < MANY // 2


@pytest.mark.parametrize("work", ["return lambda: None", "return Odd('what')"])
def test_a_result_that_does_not_travel(work: str) -> None:
    """It fails those databases with which it was to be told, and says why."""
    before = """
class Odd(Exception):
    def __init__(self, one, other='but not when it is read back'):
        super().__init__(one, other, 'more')
"""
    done = run_python(
        before
        + EACH.format(work=f"if number == 100: {work}", stop_on_failure=False).partition("done =")[0]
        + """
failed = [outcome for outcome in outcomes if outcome.failure]
print(len(failed), {outcome.failure.kind for outcome in failed})
"""
    )
    kind = "TypeError" if "Odd" in work else "RuntimeError"
    assert (done.stdout, done.stderr) == (f"8 {{'{kind}'}}\n", "")


def test_whoever_leaves_the_interpreter() -> None:
    """What work does in a copy is as it is in a thread: this ends the call."""
    done = run_python(EACH.format(work="number == 100 and sys.exit('enough')", stop_on_failure=False))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "enough\n")


@pytest.mark.parametrize("where", ["work", "outcome"])
def test_ctrl_c_at_any_point(where: str) -> None:
    """It calls the rest off also where nothing is waited for; all outcomes are given, and then it is raised."""
    done = run_python(
        f"""
import os, signal
from waiaas_migrate.runner.fleet.fleet import Fleet, each
def interrupt(number, place):
    if (number, place) == (0, {where!r}):
        os.kill(os.getpid(), signal.SIGINT)
def work(name):
    interrupt(int(name), "work")
    return name
outcomes = []
try:
    for outcome in each(work, [str(n) for n in range(240)], Fleet(jobs=4)):
        outcomes.append(outcome)
        interrupt(int(outcome.database), "outcome")
except KeyboardInterrupt:
    print([one.result for one in outcomes if one.was_begun], len(outcomes))
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    )
    assert (done.stdout, done.stderr) == ("['0'] 240\n", "")


def test_a_signal_as_copies_begin() -> None:
    """What its handler raises comes out, and no copy is left at work."""
    done = run_python(
        """
import multiprocessing, os, signal, sys, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each
signal.signal(signal.SIGTERM, lambda *_: sys.exit("enough"))
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
try:
    list(each(lambda name: time.sleep(0.01), [str(n) for n in range(240)], Fleet(jobs=4)))
except SystemExit as error:
    print(error, multiprocessing.active_children())
"""
    )
    assert (done.stdout, done.stderr) == ("enough []\n", "")


def test_a_signal_while_half_of_a_result_is_there() -> None:
    """It is heard at once, however long the copy takes to tell the other half, and nothing is lost by it."""
    done = run_python(
        """
import multiprocessing, os, signal, subprocess, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each
heard = []
def work(name):
    return int(name), "long" * 100_000
outcomes = each(work, [str(n) for n in range(240)], Fleet(jobs=2))
results = [next(outcomes).result for _ in range(2)]
time.sleep(0.2)  # both copies have told a part of what they did, as much as a pipe holds
pids = " ".join(str(copy.pid) for copy in multiprocessing.active_children())
signal.signal(signal.SIGUSR1, lambda *_: heard.append(time.monotonic()))
signal.signal(signal.SIGINT, lambda *_: heard.append(time.monotonic()))
os.system(f"kill -STOP {pids}")
script = f"sleep 0.2; kill -INT {os.getpid()}; sleep 1.5; kill -CONT {pids}"
begun = time.monotonic()
with subprocess.Popen(["sh", "-c", script]):
    results += [outcome.result for outcome in outcomes]
print([number for number, _ in results] == list(range(240)), heard[0] - begun < 1)
"""
    )
    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_a_signal_at_any_instant_blocks_none() -> None:
    """What its handler raises may come out just as signals are made to wait; they do so no longer then."""
    done = run_python(
        """
import signal
from waiaas_migrate.runner.fleet.forks import _blocked
class Rang(Exception): pass
def ring(*_): raise Rang
signal.signal(signal.SIGALRM, ring)
rang = 0
for _ in range(3000):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.00002)
        while True:
            with _blocked({signal.SIGALRM}): pass
    except Rang:
        rang += 1
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
print(rang)
"""
    )
    assert (done.stdout, done.stderr) == ("3000\n", "")


def test_what_was_received_is_there_until_it_is_accepted() -> None:
    """So an exception that comes between the two, with a signal, loses nothing."""
    done = run_python(
        """
from waiaas_migrate.runner.fleet.forks import Copies
with Copies(2, lambda number: -number, 40) as copies:
    found = set()
    while (one := copies.receive()) is not None:
        assert copies.receive() is one
        found.add((one.number, one.result))
        copies.accept()
print(found == {(number, -number) for number in range(40)})
"""
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_whoever_stops_listening_ends_the_rest(tmp_path: Path) -> None:
    """An iteration that is given up begins nothing more, and leaves no process."""
    done = run_python(
        """
import multiprocessing, pathlib, sys, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each
folder = pathlib.Path(sys.argv[1])
def work(name):
    (folder / name).touch()
    time.sleep(0.01)
outcomes = each(work, [str(n) for n in range(240)], Fleet(jobs=4))
for _ in range(20): next(outcomes)
outcomes.close()
print(len(list(folder.iterdir())) < 120, multiprocessing.active_children())
""",
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("True []\n", "")


def test_whoever_ends_before_the_rest(tmp_path: Path) -> None:
    """A program that comes to its end within the iteration does not wait for all of it."""
    done = run_python(
        """
import pathlib, sys, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each
folder = pathlib.Path(sys.argv[1])
def work(name):
    (folder / name).touch()
    time.sleep(0.01)
    return "long" * 10_000
outcomes = each(work, [str(n) for n in range(2400)], Fleet(jobs=4))
for _ in range(20): next(outcomes)
""",
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert len(list(tmp_path.iterdir())) < 240


@pytest.mark.parametrize(("more", "by"), [(0, "one"), (2, "several")])
def test_where_few_copies_can_be_made(more: int, by: str) -> None:
    """A user who may have no more processes has them done one by one; few of them serve where there are few."""
    limited = """
import concurrent.futures.thread, multiprocessing.connection, multiprocessing.popen_fork, os, resource
import waiaas_migrate.runner.fleet.fleet
if os.geteuid() == 0:  # to whom limits do not apply, and who alone may read what is imported
    os.setresgid(64999, 64999, 64999)
    os.setresuid(64999, 64999, 64999)
def running():
    found = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{process}").st_uid == os.geteuid():
                found += len(os.listdir(f"/proc/{process}/task"))
        except OSError:
            continue
    return found
resource.setrlimit(resource.RLIMIT_NPROC, (running() + {more},) * 2)
""".replace("{more}", str(more))
    assert each_of_many("time.sleep(0.001)", before=limited) == f"240 {by} [] 0"


@pytest.mark.parametrize("number", [MANY, 40])
def test_few_open_files(tmp_path: Path, number: int) -> None:
    """No more databases are worked on at once than may be open, by copies or threads."""
    folder = write_folder(tmp_path / "m", FAMILY)
    (tmp_path / "0.db").touch()
    assert next(apply_to_all([str(tmp_path / "0.db")], folder)).result
    for one in range(1, number):
        (tmp_path / f"{one}.db").write_bytes((tmp_path / "0.db").read_bytes())
    write_folder(folder, {"0004_slow.sql": SLOW})
    done = run_python(
        """
import resource, sys
from waiaas_migrate.runner.fleet.fleet import Fleet, apply_to_all
from waiaas_migrate.runner.options import RunOptions
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
names = [f"{sys.argv[1]}/{number}.db" for number in range(int(sys.argv[3]))]
outcomes = apply_to_all(names, sys.argv[2], options=RunOptions(backup="always"), fleet=Fleet(jobs=25))
print({outcome.failure and outcome.failure.message for outcome in outcomes})
""",
        tmp_path,
        folder,
        number,
    )
    assert (done.stdout, done.stderr) == ("{None}\n", "")


# --- databases --------------------------------------------------------------------------------------------------------


@pytest.fixture
def fleet(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A folder with a slow fourth migration, and many databases that have run three."""
    folder = write_folder(tmp_path / "m", FAMILY)
    first = tmp_path / "000.db"
    assert next(apply_to_all([str(first)], folder)).result
    paths = [tmp_path / f"{number:03}.db" for number in range(MANY)]
    for path in paths[1:]:
        path.write_bytes(first.read_bytes())
    write_folder(folder, {"0004_slow.sql": SLOW})
    return folder, paths


@contextmanager
def applying(folder: Path, paths: Sequence[Path]) -> Iterator[subprocess.Popen[str]]:
    """A process that applies what is pending; on its way once its first database is done."""
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    arguments = [sys.executable, "-c", APPLY, str(folder)]
    with subprocess.Popen(arguments, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(f"{path}\n" for path in paths))
        process.stdin.close()
        process.stdin = None
        assert process.stdout.readline() == "done\n"
        yield process


def rest_of(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What else it prints; ``communicate`` would lose what was read ahead with a line."""
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.read(), process.stderr.read()


def state(path: Path) -> str:
    """``before`` or ``after`` for a sound database that is wholly the one or the other."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        applied = [name for (name,) in connection.execute("SELECT migration_id FROM _yoyo_migration ORDER BY 1")]
        there = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'slow'").fetchone()[0]
    assert applied == [*FAMILY_IDS, "0004_slow"][: 3 + there]
    return "after" if there else "before"


def test_ctrl_c(fleet: tuple[Path, list[Path]]) -> None:
    """What is going on is rolled back, nothing more is begun, each is told, and no copy prints anything."""
    folder, paths = fleet
    write_folder(folder, {"0004_slow.sql": SLOW.replace("40000", "400000")})
    with applying(folder, paths) as process:
        assert process.stdout is not None
        second = process.stdout.readline()  # of a copy
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        out, err = rest_of(process)
    assert err == ""
    lines = (second + out).split()
    assert len(lines) == MANY  # the first is read already, and the last line is not one
    assert lines[-1] == "interrupted"
    assert set(lines[:-1]) == {"done", "Interrupted", "left"}
    assert 1 <= lines.count("Interrupted") <= 4
    states = [state(path) for path in paths]
    assert states == ["after"] + ["after" if line == "done" else "before" for line in lines[:-1]]


def test_ctrl_c_on_a_terminal(fleet: tuple[Path, list[Path]]) -> None:
    """A terminal sends the signal to the copies as well, which leave it to the process that made them."""
    folder, paths = fleet
    command = [sys.executable, "-c", APPLY, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(f"{path}\n" for path in paths))
        process.stdin.close()
        process.stdin = None
        assert process.stdout.readline() == "done\n"
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        out, err = rest_of(process)
    assert (err, out.split()[-1], len(out.split())) == ("", "interrupted", MANY)
    assert {state(path) for path in paths} == {"before", "after"}


@pytest.mark.parametrize("seconds", [0.0, 0.4])
def test_the_process_is_killed(fleet: tuple[Path, list[Path]], seconds: float) -> None:
    """The copies end with it; each database is before or after, and a run can be repeated."""
    folder, paths = fleet
    with applying(folder, paths) as process:
        time.sleep(seconds)
        group = [int(name) for name in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        process.kill()
    end = time.monotonic() + 20
    while any(_is_running(copy) for copy in group):
        assert time.monotonic() < end, "a copy is left behind"
        time.sleep(0.01)
    assert {state(path) for path in paths} == {"before", "after"}
    written = dump(paths[-1])
    time.sleep(0.2)
    assert dump(paths[-1]) == written
    outcomes = list(apply_to_all([str(path) for path in paths], folder, options=RunOptions(backup="never")))
    assert all(outcome.result for outcome in outcomes)
    assert {state(path) for path in paths} == {"after"}
    assert rows(paths[0], "SELECT count(*) FROM slow") == [(10,)]


def test_the_process_is_killed_and_has_other_children() -> None:
    """Its copies end with it, whatever another child inherited."""
    code = """
import multiprocessing, os, signal, time
from waiaas_migrate.runner.fleet.fleet import Fleet, each
outcomes = each(lambda name: time.sleep(0.01), [str(n) for n in range(240)], Fleet(jobs=2))
next(outcomes), next(outcomes)
copies = [copy.pid for copy in multiprocessing.active_children()]
other = multiprocessing.get_context("fork").Process(target=signal.pause)
other.start()
print(other.pid, *copies, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        other, *group = map(int, process.stdout.readline().split())
    try:
        assert len(group) == 2
        end = time.monotonic() + 20
        while any(_is_running(copy) for copy in group):
            assert time.monotonic() < end, "a copy is left behind"
            time.sleep(0.01)
        assert _is_running(other)
    finally:
        os.kill(other, signal.SIGKILL)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
