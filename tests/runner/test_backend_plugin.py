"""The plugin for the plain ``yoyo`` command: ``waiaas:///path.db``, with the runner and yoyo's own backend."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, FAMILY_IDS, run_yoyo, tables, write_folder
from tests.support.projects import CHECKOUT
from tests.support.yoyo_plugin import install_entry_points, yoyo_process
from waiaas_migrate import close_database, open_database
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import connect_file


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder in which the entry point is installed."""
    return install_entry_points(tmp_path)


def yoyo(site: Path, command: str, path: Path, folder: Path, *options: str) -> str:
    """Run the command with the plugin, and return what it prints on both streams."""
    done = yoyo_process(site, command, f"waiaas:///{path}?migrations={folder}", folder, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def ids(path: Path) -> list[str]:
    """Return the ids of the applied migrations."""
    with closing(sqlite3.connect(path)) as connection:
        return [row.id for row in read_applied(connection) or ()]


def test_every_command_of_yoyos_works(site: Path, tmp_path: Path, folder: Path) -> None:
    """List, apply, rollback, reapply, mark, unmark and break-lock work as with yoyo's own backend."""
    path = tmp_path / "a.db"
    assert yoyo(site, "list", path, folder).count("U ") == 3
    yoyo(site, "apply", path, folder)
    assert yoyo(site, "list", path, folder).count("A ") == 3
    assert ids(path) == list(FAMILY_IDS)
    yoyo(site, "rollback", path, folder)
    assert ids(path) == list(FAMILY_IDS[:2])
    yoyo(site, "mark", path, folder)
    assert ids(path) == list(FAMILY_IDS)
    yoyo(site, "unmark", path, folder, "-r", "0003_age")
    assert ids(path) == list(FAMILY_IDS[:2])
    yoyo(site, "apply", path, folder)
    yoyo(site, "reapply", path, folder, "--all")
    yoyo(site, "break-lock", path, folder)
    with closing(sqlite3.connect(path)) as connection:
        assert tables(connection) == {"parent", "child"}
        assert "yoyo_lock" not in {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def test_the_runner_the_plugin_and_plain_yoyo_take_turns(site: Path, tmp_path: Path, folder: Path) -> None:
    """Each continues where another one stopped; records and catalog are the same in the end."""
    path = tmp_path / "a.db"
    close_database(open_database(path, migrations=folder))
    with closing(sqlite3.connect(path)) as connection:
        head = read_catalog(connection)
    run_yoyo("rollback", path, folder)
    yoyo(site, "rollback", path, folder)
    assert ids(path) == ["0001_parents"]
    run_yoyo("mark", path, folder, "-r", "0002_children")
    yoyo(site, "unmark", path, folder, "-r", "0002_children")
    yoyo(site, "apply", path, folder, "-r", "0002_children")
    run_yoyo("break-lock", path, folder)
    close_database(open_database(path, migrations=folder))
    assert ids(path) == list(FAMILY_IDS)
    with closing(sqlite3.connect(path)) as connection:
        assert read_catalog(connection) == head


def test_listing_a_new_database_creates_no_tables(site: Path, tmp_path: Path, folder: Path) -> None:
    """Only the file is created, with the PRAGMAs that are stored in it."""
    path = tmp_path / "a.db"
    yoyo(site, "list", path, folder)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


@pytest.mark.parametrize("kind", ["named", "project", "none"])
def test_pragmas_are_applied(site: Path, tmp_path: Path, folder: Path, kind: str) -> None:
    """The PRAGMAs come from the URL's manifest, or from the current project's; without a manifest, none are set."""
    if kind == "project":
        (tmp_path / "pyproject.toml").write_text("[tool.waiaas-migrate]\nmigrations = 'm'\n", encoding="utf-8")
    elif kind == "none":
        folder = write_folder(tmp_path / "bare", FAMILY, record=False)
    query = f"?migrations={folder}" if kind == "named" else ""
    if kind == "none":
        (tmp_path / "pyproject.toml").write_text("[tool.waiaas-migrate]\nmigrations = 'bare'\n", encoding="utf-8")
    done = yoyo_process(site, "apply", f"waiaas:///a.db{query}", folder)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    assert mode == ("delete" if kind == "none" else "wal")


@pytest.mark.parametrize(("name", "written"), [("a b?#%.db", "a%20b%3F%23%25.db"), ("ü+&=.db", "ü+&=.db")])
def test_paths_of_any_characters(site: Path, tmp_path: Path, folder: Path, name: str, written: str) -> None:
    """Special characters are percent-encoded; paths may be relative or absolute."""
    url = f"waiaas:///{tmp_path}/{written}" if written.isascii() else f"waiaas:///{written}"
    done = yoyo_process(site, "apply", url, folder)
    assert done.returncode == 0, done.stderr
    assert ids(tmp_path / name) == list(FAMILY_IDS)


@pytest.mark.parametrize(
    "url", ["waiaas://a.db", "waiaas:///", "waiaas:///a.db?mode=ro", "waiaas:///a.db?migrations=no"]
)
def test_malformed_urls(site: Path, tmp_path: Path, folder: Path, url: str) -> None:
    """Malformed URLs are refused, the message says what to write instead, and no file is created."""
    done = yoyo_process(site, "list", url, folder)
    assert done.returncode != 0
    assert "Write waiaas:///relative/path.db" in done.stderr or "no such folder" in done.stderr
    assert not (tmp_path / "a.db").exists()


def test_a_failing_run_leaves_the_database_as_before(site: Path, tmp_path: Path, folder: Path) -> None:
    """All migrations of a command are rolled back; plain yoyo would keep the first ones."""
    path = tmp_path / "a.db"
    write_folder(folder, {"0004_bad.sql": "CREATE TABLE x (x);\nSELECT absent;\n"}, record=False)
    done = yoyo_process(site, "apply", f"waiaas:///{path}", folder)
    assert done.returncode != 0
    assert "absent" in done.stderr
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


def test_rows_that_lose_their_parents_fail(site: Path, tmp_path: Path, folder: Path) -> None:
    """New foreign key violations fail, as with the runner, and DROP TABLE deletes no children."""
    path = tmp_path / "a.db"
    yoyo(site, "apply", path, folder)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("INSERT INTO parent (id) VALUES (1); INSERT INTO child VALUES (1, 1);")
    write_folder(folder, {"0004_bad.sql": "DELETE FROM parent;"}, record=False)
    done = yoyo_process(site, "apply", f"waiaas:///{path}", folder)
    assert done.returncode != 0
    assert "row 1 of child (parent_id) has no parent" in done.stderr
    assert ids(path) == list(FAMILY_IDS)


def test_a_migration_outside_transactions_splits_the_run(site: Path, tmp_path: Path, folder: Path) -> None:
    """The migrations before it are committed, then it runs, then the others; one of them is in Python."""
    path = tmp_path / "a.db"
    more = {
        "0004_vacuum.sql": "-- depends: 0003_age\n-- transactional: false\nVACUUM;\n",
        "0005_py.py": "from yoyo import step\n__depends__ = ['0004_vacuum']\nstep('CREATE TABLE py (x)')\n",
    }
    write_folder(folder, more, record=False)
    yoyo(site, "apply", path, folder)
    assert ids(path) == [*FAMILY_IDS, "0004_vacuum", "0005_py"]


def test_a_migration_cannot_commit_the_run(site: Path, tmp_path: Path, folder: Path) -> None:
    """A migration that tries to commit is refused, so that the run is never half applied."""
    body = "from yoyo import step\ndef go(connection):\n    connection.commit()\nstep(go)\n"
    write_folder(folder, {"0004_py.py": body}, record=False)
    done = yoyo_process(site, "apply", f"waiaas:///{tmp_path}/a.db", folder)
    assert done.returncode != 0
    assert ids(tmp_path / "a.db") == []


# --- plain yoyo's lock row --------------------------------------------------------------------------------------------

GONE = 4_194_300 + 3  # larger than any process id on Linux


@pytest.mark.parametrize("who", ["runner", "plugin"])
def test_a_stale_lock_row_is_removed_with_a_notice(site: Path, tmp_path: Path, folder: Path, who: str) -> None:
    """The lock row of a dead process is removed; afterwards plain yoyo can continue too, without break-lock."""
    path = tmp_path / "a.db"
    run_yoyo("list", path, folder)
    with closing(connect_file(path)) as connection:
        connection.execute("INSERT INTO yoyo_lock VALUES (1, '2026-01-01T00:00:00', ?)", (GONE,))
        connection.commit()
        if who == "runner":
            said = "".join(apply_pending(connection, read_folder(folder)).notices)
        else:
            said = yoyo(site, "apply", path, folder)
        assert f"process {GONE}, which is gone; it was removed" in said
        assert connection.execute("SELECT * FROM yoyo_lock").fetchall() == []


def test_a_process_id_that_was_reused_is_not_a_lock(tmp_path: Path, folder: Path) -> None:
    """A process that started after the row was written can't be the one that wrote it."""
    path = tmp_path / "a.db"
    run_yoyo("list", path, folder)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with closing(connect_file(path)) as connection:
            connection.execute("INSERT INTO yoyo_lock VALUES (1, '2020-01-01T00:00:00', ?)", (other.pid,))
            connection.commit()
            assert "was removed" in "".join(apply_pending(connection, read_folder(folder)).notices)
        other.communicate(b"\n")


YOYO_AT_WORK = """
import sys, time
from yoyo import get_backend
backend = get_backend("sqlite:///" + sys.argv[1])
with backend.lock():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_the_runner_waits_for_plain_yoyo(tmp_path: Path, folder: Path) -> None:
    """Nothing runs between plain yoyo's two transactions; after the timeout, the error names its process."""
    path = tmp_path / "a.db"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", YOYO_AT_WORK, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        with closing(connect_file(path, timeout=0.2)) as connection:
            with pytest.raises(Exception, match=f"plain yoyo in process {other.pid}"):
                apply_pending(connection, read_folder(folder))
            connection.execute("PRAGMA busy_timeout = 20000")
            other.stdin.write("\n")
            other.stdin.close()
            assert apply_pending(connection, read_folder(folder)).applied == FAMILY_IDS


# --- the plugin is killed ---------------------------------------------------------------------------------------------


def test_a_killed_command_leaves_nothing(site: Path, tmp_path: Path, folder: Path) -> None:
    """A killed command leaves no lock row and no partial run; the next command continues at once."""
    path = tmp_path / "a.db"
    slow = (
        "import time\nfrom yoyo import step\n__depends__ = ['0003_age']\n"
        "step(lambda c: (print('in', flush=True), time.sleep(60)))\n"
    )
    write_folder(tmp_path / "slow", {**FAMILY, "0004_slow.py": slow}, record=False)
    with subprocess.Popen(
        [
            *(sys.executable, "-W", "ignore", "-m", "yoyo", "apply", "--batch", "--no-config-file"),
            *("--database", f"waiaas:///{path}", str(tmp_path / "slow")),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{site}:{CHECKOUT}"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        process.kill()
    began = time.monotonic()
    with closing(connect_file(path)) as connection:
        assert apply_pending(connection, read_folder(folder)).notices == ()
        assert [row.id for row in read_applied(connection) or ()] == list(FAMILY_IDS)
    assert time.monotonic() - began < 5


def test_a_mismatch_that_is_announced_passes(site: Path, tmp_path: Path, folder: Path) -> None:
    """An announced mismatch passes forward and back; one that no file announces is refused."""
    path = tmp_path / "a.db"
    odd = "CREATE TABLE odd (x REFERENCES parent (name));\n"
    said = "-- hazard FOREIGN_KEY_MISMATCH odd: its foreign key on x refers to parent (name)\n"
    write_folder(folder, {"0004_odd.sql": f"-- depends: 0003_age\n{odd}"})
    done = yoyo_process(site, "apply", f"waiaas:///{path}?migrations={folder}", folder)
    assert done.returncode != 0
    assert "odd: foreign key mismatch" in done.stderr
    mend = {"0005_mend.sql": "-- depends: 0004_odd\nCREATE UNIQUE INDEX by_name ON parent (name);\n"}
    back = {"0005_mend.rollback.sql": f"{said}DROP INDEX by_name;\n"}
    write_folder(folder, {"0004_odd.sql": f"{said}-- depends: 0003_age\n{odd}"})
    assert "odd: foreign key mismatch" in yoyo(site, "apply", path, folder)
    write_folder(folder, mend | back)
    yoyo(site, "apply", path, folder)
    assert "odd: foreign key mismatch" in yoyo(site, "rollback", path, folder, "-r", "0005_mend")
    assert ids(path) == [*FAMILY_IDS, "0004_odd"]
