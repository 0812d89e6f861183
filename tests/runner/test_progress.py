"""Progress on a terminal, silence elsewhere, and Ctrl-C, with real processes, terminals and signals."""

from __future__ import annotations

import errno
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from tests.support.folders import PRAGMAS, dump, tables, write_folder
from tests.support.projects import CHECKOUT
from tests.support.transitions import generate, write_schema
from waiaas_migrate.runner.apply import apply_to
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.watching.events import Event, Listener, Progress
from waiaas_migrate.runner.watching.interruption import Interrupted
from waiaas_migrate.runner.watching.monitor import Monitor
from waiaas_migrate.sqlite.database.pragmas import Pragma

FIRST = {"0001_first.sql": "CREATE TABLE big (id INTEGER PRIMARY KEY, a TEXT, b INTEGER);\nCREATE TABLE small (a);\n"}
#: One statement of a tenth of a millisecond or so for each row.
SLOW = (
    "-- depends: 0001_first\n\n"
    "CREATE TABLE big_new (id INTEGER PRIMARY KEY, a TEXT, b INTEGER);\n"
    "INSERT INTO big_new (id, a, b) SELECT id, length(hex(zeroblob(100000 + length(a)))), b FROM big;\n"
    "DELETE FROM big_new;\n"
)
#: So many that it would take long; whoever has seen enough interrupts it.
ROWS = 200_000


@pytest.fixture(params=["WAL", "DELETE"])
def mode(request: pytest.FixtureRequest) -> str:
    """Return each journal mode."""
    return str(request.param)


def make_database(folder: Path, mode: str = "DELETE", rows: int = ROWS) -> Path:
    """Make a project with ``app.db``, for which a slow migration is pending."""
    pragmas = (Pragma(name="journal_mode", value=mode), *PRAGMAS[1:])
    write_folder(folder / "migrations", FIRST, pragmas=pragmas)
    path = folder / "app.db"
    apply_to(str(path), folder / "migrations")
    with closing(sqlite3.connect(path)) as connection, connection:
        numbers = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < ?)"
        connection.execute(f"{numbers} INSERT INTO big SELECT n, 'name ' || n, n FROM r", (rows,))
    write_folder(folder / "migrations", {"0002_slow.sql": SLOW}, pragmas=pragmas)
    return path


def command(*arguments: str) -> list[str]:
    """Return the command line that runs the tool in its own process."""
    return [sys.executable, "-m", "waiaas_migrate", *arguments]


def environment(columns: int = 120) -> dict[str, str]:
    """Return the environment variables of the command."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "TERM": "xterm", "COLUMNS": str(columns)}


def on_a_terminal(
    folder: Path, *arguments: str, interrupt_at: str | None = None, columns: int = 120
) -> tuple[int, str]:
    """Run the command on a terminal, press Ctrl-C once it shows a text, and return its status and output."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(sys.executable, command(*arguments), environment(columns))  # noqa: S606 — the interpreter that runs this
    shown, pressed = b"", False
    while True:
        try:
            found = os.read(terminal, 4096)
        except OSError as error:  # the terminal's other end was closed
            if error.errno != errno.EIO:
                raise
            break
        if not found:
            break
        shown += found
        if interrupt_at is not None and not pressed and interrupt_at.encode() in shown:
            os.write(terminal, b"\x03")
            pressed = True
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    """A run of more than a second shows the migration, the statement, and the rows done of all."""
    make_database(tmp_path)
    _, shown = on_a_terminal(tmp_path, "apply", "app.db", interrupt_at=f" of {ROWS:,} rows")
    assert "0002_slow 2/3: INSERT INTO big_new (id, a, b)" in shown
    assert re.search(rf"[\d,]+ of {ROWS:,} rows", shown)


def test_progress_on_a_narrow_terminal(tmp_path: Path) -> None:
    """Long descriptions are cut short, but the numbers are not."""
    make_database(tmp_path)
    _, shown = on_a_terminal(tmp_path, "apply", "app.db", interrupt_at=f" of {ROWS:,} rows", columns=80)
    assert re.search(rf"0002_slow 2/3: INSERT INTO [^\r\n]*… [\d,]+ of {ROWS:,} rows", shown)


def test_a_generated_rebuild_runs_on_a_terminal(tmp_path: Path) -> None:
    """A rebuild's guard calls ``changes()``, which must not be affected by measuring progress."""
    columns: dict[str, Any] = {"id": {"type": "integer", "primary_key": True}, "a": "text"}
    write_schema(tmp_path, {"tables": {"t": {"columns": columns}}})
    generate(tmp_path)
    apply_to(str(tmp_path / "app.db"), tmp_path / "migrations")
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection, connection:
        connection.executemany("INSERT INTO t (a) VALUES (?)", [("1",), ("2",)])
    columns["a"] = "integer"
    write_schema(tmp_path, {"tables": {"t": {"columns": columns}}})
    generate(tmp_path)
    assert "changes()" in (tmp_path / "migrations" / "0002_change.sql").read_text("utf-8")
    status, shown = on_a_terminal(tmp_path, "apply", "app.db")
    assert (status, shown.splitlines()[-1]) == (0, "applied 0002_change")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO log SELECT changes() FROM big",
        "INSERT INTO log SELECT n FROM counted, big",
        "INSERT INTO watched SELECT id FROM big",
    ],
)
def test_a_listener_changes_no_result(tmp_path: Path, statement: str) -> None:
    """``changes()`` returns the same with a listener: in a statement, through a view, and through a trigger."""
    sql = (
        "CREATE TABLE big (id INTEGER PRIMARY KEY);\nCREATE TABLE log (n);\nCREATE TABLE watched (id);\n"
        "CREATE VIEW counted AS SELECT changes() AS n;\n"
        "CREATE TRIGGER watching AFTER INSERT ON watched BEGIN INSERT INTO log VALUES (changes()); END;\n"
        f"INSERT INTO big VALUES (1), (2), (3);\n{statement};\n"
    )
    folder = write_folder(tmp_path / "migrations", {"0001_all.sql": sql}, record=False)
    found = []
    for name, listener in (("alone.db", None), ("watched.db", lambda _: None)):
        apply_to(str(tmp_path / name), folder, options=RunOptions(listener=listener))
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            found.append(connection.execute("SELECT n FROM log").fetchall())
    assert found[0] == found[1] != []


def test_a_short_run_shows_no_progress(tmp_path: Path) -> None:
    """A run of less than a second shows only its result."""
    write_folder(tmp_path / "migrations", FIRST)
    status, shown = on_a_terminal(tmp_path, "apply", "app.db")
    assert (status, shown) == (0, "applied 0001_first\r\n")


def test_no_progress_in_a_pipe(tmp_path: Path) -> None:
    """Only the result and the path of the backup are printed, however long it takes."""
    make_database(tmp_path, rows=8_000)
    done = subprocess.run(
        command("apply", "app.db"),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "applied 0002_slow\n"
    assert re.fullmatch(r"backup \S+/app\.db\.backup-\d{8}T\d{6}Z-0001_first\n", done.stderr)


def test_ctrl_c_on_a_terminal(tmp_path: Path, mode: str) -> None:
    """Ctrl-C ends the running statement, everything is rolled back, and the command says so and exits with 130."""
    database = make_database(tmp_path, mode)
    before = dump(database)
    status, shown = on_a_terminal(tmp_path, "apply", "app.db", interrupt_at="0002_slow 2/3")
    assert status == 130
    assert "Interrupted in 0002_slow: all was rolled back; app.db is unchanged." in shown
    assert dump(database) == before


def test_a_signal_without_a_terminal(tmp_path: Path) -> None:
    """SIGINT has the same effect without a terminal; the message names migrations that stay committed."""
    make_database(tmp_path)
    folder = tmp_path / "migrations"
    (folder / "manifest.json").unlink()
    (folder / "0002_slow.sql").write_text(SLOW.replace("0001_first", "0001_more"), encoding="utf-8")
    (folder / "0001_more.sql").write_text("-- depends: 0001_first\nCREATE TABLE more (a);\n", encoding="utf-8")
    arguments = command("apply", "app.db", "--transaction", "each")
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        until(lambda: "more" in names(tmp_path / "app.db"))
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "Interrupted in 0002_slow: app.db keeps 0001_more; the rest was rolled back.\n"
    assert names(tmp_path / "app.db") == {"big", "small", "more"}


def names(database: Path) -> set[str]:
    """Return the tables of migrations."""
    with closing(sqlite3.connect(database)) as connection:
        return tables(connection)


def until(condition: object) -> None:
    """Wait until ``condition`` holds."""
    assert callable(condition)
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_stop_request_ends_a_statement(tmp_path: Path) -> None:
    """A stop request, which a fleet makes after Ctrl-C, ends the running statement."""
    database = make_database(tmp_path)
    before, stop = dump(database), Flag()

    def heard(event: Event) -> None:
        if isinstance(event, Progress) and event.statement == 2:
            stop.set()

    with pytest.raises(Interrupted, match="all was rolled back"):
        apply_to(str(database), tmp_path / "migrations", options=RunOptions(listener=heard, stop=stop))
    assert dump(database) == before


def collecting(found: list[Progress]) -> Listener:
    """Return a listener that appends progress events to ``found``."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress):
            found.append(event)

    return listen


def test_progress_of_a_backup(tmp_path: Path) -> None:
    """A slow copy reports its pages; a stop request ends it and leaves no file."""
    database = make_database(tmp_path)
    with closing(sqlite3.connect(database)) as connection:
        told: list[Progress] = []
        monitor = Monitor(connection, collecting(told), stop=(stop := Flag()))
        monitor._due = 0
        monitor.start(Progress(migration="0002_slow", words="backup", unit="pages"))
        monitor._due = 0
        monitor.note_pages(10, 40)
        assert (told[-1].done, told[-1].total, told[-1].unit) == (10, 40, "pages")
        stop.set()
        with pytest.raises(KeyboardInterrupt):
            monitor.note_pages(20, 40)
    with pytest.raises(Interrupted):
        apply_to(str(database), tmp_path / "migrations", options=RunOptions(backup="always", stop=stop))
    assert list(tmp_path.glob("*backup*")) == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO other (id, a, b) SELECT id, a, b FROM big",
        "CREATE INDEX i ON big (a)",
        "UPDATE big SET a = 'other ' || id",
        "DELETE FROM big WHERE b % 2 = 0",
        "SELECT NOT EXISTS (SELECT 1 FROM big WHERE a IS NULL)",
    ],
)
def test_the_row_count_is_about_right(statement: str) -> None:
    """For every kind of statement, the count grows up to the rows of its table, and no further."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, a TEXT, b INTEGER)")
        connection.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, a TEXT, b INTEGER)")
        numbers = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 50000)"
        connection.execute(f"{numbers} INSERT INTO big SELECT n, 'name ' || n, n FROM r")
        told: list[Progress] = []
        monitor = Monitor(connection, collecting(told))
        monitor.attach()
        monitor.start(Progress(migration="m", words="w", statement=1, statements=1), statement)
        found = monitor._tick

        def tick() -> int:
            monitor._due = 0
            return found()

        connection.set_progress_handler(tick, monitor._every)
        connection.execute(statement).fetchall()
        connection.set_progress_handler(None, 0)
    done = [one.done for one in told if one.done is not None]
    assert done == sorted(done)
    assert {one.total for one in told} == {50_000}
    assert 25_000 <= done[-1] <= 50_000


def test_progress_says_when_a_backup_is_checked(tmp_path: Path) -> None:
    """The progress doesn't stop at the last page while the backup is checked."""
    told: list[Progress] = []
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        monitor = Monitor(connection, collecting(told))
        monitor.start(Progress(migration="0001_a", words="backup", unit="pages"))
        time.sleep(1.1)
        monitor.note_pages(98, 100)
        monitor.note_pages(100, 100)
    assert [(one.words, one.done, one.total) for one in told] == [
        ("backup", 98, 100),
        ("checking the backup", None, None),
    ]
