"""Reading commands leave every file as it was, whatever a migration does, and Ctrl-C ends them."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import dump, run_yoyo
from tests.support.projects import CHECKOUT, catalog, execute, generated_project, rows, run, run_process
from waiaas_migrate.errors import MigrationsError
from waiaas_migrate.files.migration_dir.migration_files import read_migrations
from waiaas_migrate.runner.open import open_database
from waiaas_migrate.runner.replay import replay

SQL = "-- depends: 0001_initial\n-- transactional: false\n"
PYTHON = "from yoyo import step\n\n__depends__ = {'0001_initial'}\n__transactional__ = False\n\n\n"
#: A query without end, and without a row.
ENDLESS = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT 1 FROM r) SELECT n FROM r WHERE n > 1"

#: Migrations that reach for other files, by name. Each can be applied to a database beside which is ``archive.db``.
REACHING = {
    "attach": ("sql", "ATTACH 'archive.db' AS arc;\nDELETE FROM arc.old;\nDETACH arc;\n"),
    "attach database": ("sql", '/* out */ attach\ndatabase \'archive.db\' as "a b";\n-- all\nDELETE FROM "a b".old;\n'),
    "attach an expression": ("sql", "ATTACH 'arch' || 'ive' || '.db' AS 'arc';\nUPDATE arc.old SET x = 2;\n"),
    "attach a URI": ("sql", "ATTACH 'file:archive.db?mode=rwc' AS arc;\nINSERT INTO arc.old VALUES (2);\n"),
    "attach a new file": ("sql", "ATTACH 'new.db' AS n;\nCREATE TABLE n.a (x);\nCREATE INDEX n.i ON a (x);\n"),
    "attach by name": ("sql", "ATTACH 'archive.db' AS arc;\nDELETE FROM old WHERE x > 0;\nDETACH DATABASE arc;\n"),
    "attach and alter": (
        "sql",
        "ATTACH 'archive.db' AS arc;\nALTER TABLE arc.old ADD COLUMN y;\nDROP TABLE arc.old;\n",
    ),
    "attach and read": (
        "sql",
        (
            "ATTACH 'archive.db' AS arc;\nINSERT INTO tasks (title) SELECT x FROM arc.old;\nDELETE FROM arc.old;\n"
            "REINDEX arc.old;\nANALYZE arc;\n"
        ),
    ),
    "attach in a transaction": (
        "sql in a transaction",
        "ATTACH 'archive.db' AS arc;\nDELETE FROM arc.old;\n",
    ),
    "journal of another": (
        "sql",
        "ATTACH 'archive.db' AS arc;\nPRAGMA arc.journal_mode = WAL;\nPRAGMA arc.user_version = 7;\n",
    ),
    "vacuum into": ("sql", "VACUUM INTO 'copy.db';\n"),
    "vacuum main into": ("sql", "-- a copy\nVACUUM main INTO 'co' || 'py.db';\n"),
    "vacuum": ("sql", "VACUUM;\n"),
    "pragmas": (
        "sql",
        (
            "PRAGMA journal_mode = WAL;\nPRAGMA temp_store = FILE;\nPRAGMA temp_store_directory = '.';\n"
            "PRAGMA user_version = 3;\n"
        ),
    ),
    "Python steps": (
        "py",
        (
            "steps = [step(\"ATTACH 'archive.db' AS arc\"), step('DELETE FROM arc.old'), step('DETACH arc'),\n"
            "         step('VACUUM'), step(\"VACUUM INTO 'copy.db'\")]\n"
        ),
    ),
    "Python callable": (
        "py",
        (
            "def move(connection):\n"
            "    connection.execute('ATTACH ? AS arc', ('archive.db',))\n"
            "    connection.cursor().execute('DELETE FROM arc.old')\n"
            "    connection.cursor().executemany('INSERT INTO arc.old VALUES (?)', [(1,), (2,)])\n"
            "    connection.execute('DETACH arc')\n\n\nsteps = [step(move)]\n"
        ),
    ),
}
COMMANDS = (
    ("check",),
    ("generate",),
    ("status", "app.db"),
    ("drift", "app.db"),
    ("diff", "app.db", "migrations"),
    ("diff", "migrations", "schema.yaml", "--sql"),
    ("inspect", "app.db"),
    ("apply", "app.db", "--dry-run"),
)


def make_project(folder: Path, kind: str, text: str) -> Path:
    """Make a project with a database, another project's database, and a pending migration."""
    generated_project(folder)
    assert run(folder, "apply", "app.db").status == 0
    execute(folder / "archive.db", "CREATE TABLE old (x)", "INSERT INTO old VALUES (1)")
    (folder / "archive.db").chmod(0o640)
    (folder / "home").mkdir()
    head = {"sql": SQL, "py": PYTHON, "sql in a transaction": "-- depends: 0001_initial\n"}[kind]
    (folder / "migrations" / f"0002_reach.{kind[:3].strip()}").write_text(head + text, encoding="utf-8")
    return folder


def state(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Return content, mode and time of every file.

    Files that a command itself writes, the manifest and caches, are left out.
    """
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json" and not {"__pycache__", ".cache"} & set(path.parts)
    }


@pytest.mark.parametrize(("kind", "text"), REACHING.values(), ids=REACHING)
def test_no_file_is_touched(tmp_path: Path, kind: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command works, before and after the migration is applied, and no file changes."""
    make_project(tmp_path, kind, text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    before = state(tmp_path)
    first, *rest = COMMANDS
    assert run(tmp_path, *first).status == 1  # it is not recorded
    for command in rest:
        done = run(tmp_path, *command)
        assert done.status in (0, 1), done.err
        assert state(tmp_path) == before, command
    assert run(tmp_path, "check").status == 0
    done = run(tmp_path, "apply", "app.db")
    assert done.status == 0, done.err
    before = state(tmp_path)
    for command in COMMANDS:
        done = run(tmp_path, *command)
        assert done.status == 0, (command, done)
        assert state(tmp_path) == before, command


def test_what_reaches_for_files_is_applied(tmp_path: Path) -> None:
    """Only replays skip statements about other files. The runner, an application and plain yoyo execute them."""
    make_project(tmp_path / "a", *REACHING["attach"])
    assert run_process(tmp_path / "a", "generate").status == 0
    assert run_process(tmp_path / "a", "apply", "app.db").status == 0
    assert rows(tmp_path / "a" / "archive.db", "SELECT * FROM old") == []
    make_project(tmp_path / "b", "sql", f"ATTACH '{tmp_path}/b/archive.db' AS arc;\nDELETE FROM arc.old;\n")
    assert run(tmp_path / "b", "generate").status == 0
    open_database(tmp_path / "b" / "new.db", migrations=tmp_path / "b" / "migrations").close()
    assert rows(tmp_path / "b" / "archive.db", "SELECT * FROM old") == []
    make_project(tmp_path / "c", "sql", f"VACUUM INTO '{tmp_path}/c/copy.db';\n")
    run_yoyo("apply", tmp_path / "c" / "plain.db", tmp_path / "c" / "migrations")
    assert rows(tmp_path / "c" / "copy.db", "SELECT count(*) FROM tasks") == [(0,)]


def test_an_adopted_database_is_compared_without_a_second_run(tmp_path: Path) -> None:
    """If tables are worded differently, the runner replays the folder to compare.

    Rows in other databases still change only once.
    """
    make_project(tmp_path, "sql", "ATTACH 'archive.db' AS arc;\nUPDATE arc.old SET x = x + 1;\nDETACH arc;\n")
    execute(tmp_path / "app.db", "PRAGMA writable_schema = ON")
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'CREATE TABLE', 'create  table')")
    assert run(tmp_path, "generate").status == 0
    done = run(tmp_path, "apply", "app.db")
    assert done.status == 0, done.err
    assert rows(tmp_path / "archive.db", "SELECT x FROM old") == [(2,)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("sql", "ATTACH 'archive.db' AS arc;\nCREATE TABLE taken AS SELECT * FROM arc.old;\n"),
        (
            "py",
            (
                "def read(connection):\n    connection.execute(\"ATTACH 'archive.db' AS arc\")\n"
                "    connection.execute('SELECT max(x) FROM arc.old').fetchone()[0]\n\n\nsteps = [step(read)]\n"
            ),
        ),
        (
            "py",
            (
                "def read(connection):\n    connection.executescript(\"ATTACH 'archive.db' AS arc\")\n\n\n"
                "steps = [step(read)]\n"
            ),
        ),
    ],
    ids=["a table as another", "a value of another", "a script"],
)
@pytest.mark.parametrize("command", ["check", "generate"])
def test_what_cannot_be_replayed(tmp_path: Path, kind: str, text: str, command: str) -> None:
    """If the schema or a migration's code depends on the other database, the error says so and gives a fix."""
    make_project(tmp_path, kind, text)
    before = state(tmp_path)
    done = run(tmp_path, command)
    assert done.status == 2
    assert "0002_reach" in done.err
    assert "A replay attaches no database." in done.err
    assert state(tmp_path) == before


def test_the_way_out_in_python(tmp_path: Path) -> None:
    """A callable may return early if there is no file, as the error suggests; once applied, it does its work."""
    text = (
        "def read(connection):\n"
        "    if not connection.execute('PRAGMA database_list').fetchone()[2]:\n        return\n"
        "    connection.execute(\"ATTACH 'archive.db' AS arc\")\n"
        "    x = connection.execute('SELECT max(x) FROM arc.old').fetchone()[0]\n"
        "    connection.execute('UPDATE arc.old SET x = ?', (x + 1,))\n\n\nsteps = [step(read)]\n"
    )
    make_project(tmp_path, "py", text)
    assert run_process(tmp_path, "generate").status == 0
    assert run_process(tmp_path, "check").status == 0
    assert run_process(tmp_path, "apply", "app.db").status == 0
    assert rows(tmp_path / "archive.db", "SELECT x FROM old") == [(2,)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM nowhere",
        "DELETE FROM arc.old",
        "ATTACH 'a' AS arc; DETACH arc; DELETE FROM arc.old",
        "ATTACH 'a' AS arc; DROP TABLE nowhere",
        "ATTACH 'a' AS arc; CREATE INDEX i ON nowhere (x)",
        "ATTACH 'a' AS arc; INSERT INTO tasks (id, title) VALUES (1, NULL)",
        "VACUUM; CREATE TABLE nowhere.a (x)",
        "SELECT load_extension('nothing')",
    ],
)
def test_other_errors_are_still_errors(tmp_path: Path, statement: str) -> None:
    """Only statements about a database that was not attached are skipped."""
    make_project(tmp_path, "sql", f"{statement};\n")
    with pytest.raises(MigrationsError, match="0002_reach"):
        replay(read_migrations(tmp_path / "migrations"))


def test_settings_of_the_process(tmp_path: Path) -> None:
    """A replay changes no setting that applies to every connection of the process, and reveals no address of code."""
    text = "PRAGMA hard_heap_limit = 900000000;\n/* */ pragma soft_heap_limit(900000000);\n"
    text += "SELECT fts3_tokenizer('simple', x'0000000000000000');\nCREATE VIRTUAL TABLE f USING fts4 (x);\n"
    make_project(tmp_path, "sql", text)
    with closing(sqlite3.connect(":memory:")) as other:
        limits = [other.execute(f"PRAGMA {name}_heap_limit").fetchone() for name in ("hard", "soft")]
        replay(read_migrations(tmp_path / "migrations")).close()
        assert [other.execute(f"PRAGMA {name}_heap_limit").fetchone() for name in ("hard", "soft")] == limits


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------

BEGIN = "from pathlib import Path\n\nfrom yoyo import step\n\n__depends__ = {'0001_initial'}\n\n\n"
BEGIN += "def begin(connection):\n    Path('begun').touch()\n\n\nsteps = [step(begin)]\n"
CALLABLE = (
    "from yoyo import step\n\n__depends__ = {'0002_begin'}\n\n\n"
    f"def run(connection):\n    connection.cursor().execute('{ENDLESS}').fetchall()\n\n\nsteps = [step(run)]\n"
)
STEP = f"from yoyo import step\n\n__depends__ = {{'0002_begin'}}\nsteps = [step('{ENDLESS}')]\n"
#: Migrations without an end, by the names of their files.
LONG = {
    "SQL": ("0003_endless.sql", f"-- depends: 0002_begin\nCREATE TABLE n (x);\nINSERT INTO n {ENDLESS};\n"),
    "a SELECT": ("0003_endless.sql", f"-- depends: 0002_begin\n{ENDLESS};\n"),
    "a Python callable": ("0003_endless.py", CALLABLE),
    "a Python step": ("0003_endless.py", STEP),
}
OPEN = "import waiaas_migrate as w\ntry:\n    w.open_database('app.db', migrations='migrations')\n"
OPEN += "except KeyboardInterrupt as error:\n    print(error)\n    raise SystemExit(130)\n"


def interrupt(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run Python with ``arguments``, and press Ctrl-C when a migration has begun.

    Return the exit status and the output.
    """
    begun = folder / "begun"
    begun.unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            while not begun.exists() and process.poll() is None:
                time.sleep(0.01)
            time.sleep(0.3)  # for the next migration to begin
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=120)
        finally:
            process.kill()
    return process.returncode, said


@pytest.fixture(params=list(LONG.values()), ids=list(LONG))
def endless(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Make a project with a database whose last migration never ends."""
    generated_project(tmp_path)
    assert run(tmp_path, "apply", "app.db").status == 0
    name, text = request.param
    (tmp_path / "migrations" / "0002_begin.py").write_text(BEGIN, encoding="utf-8")
    (tmp_path / "migrations" / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("command", [("generate",), ("diff", "migrations", "app.db")], ids=lambda command: command[0])
def test_ctrl_c_ends_a_replay(endless: Path, command: tuple[str, ...]) -> None:
    """A command that replays an endless query exits with 130 and names the migration."""
    status, said = interrupt(endless, "-m", "waiaas_migrate", *command)
    assert status == 130, said
    assert "Interrupted during the replay of " in said
    assert "0003_endless" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("databases", [("app.db",), ("app.db", "other.db")], ids=["one", "several"])
def test_ctrl_c_ends_drift(endless: Path, databases: tuple[str, ...]) -> None:
    """Ctrl-C ends ``drift``, too, which replays applied migrations, in threads if there are several databases."""
    shutil.copy(endless / "app.db", endless / "other.db")
    for name in databases:
        run_yoyo("mark", endless / name, endless / "migrations")
    status, said = interrupt(endless, "-m", "waiaas_migrate", "drift", *databases)
    assert status == 130, said
    assert said.count("Interrupted during the replay of ") == len(databases)
    assert "0003_endless" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "waiaas_migrate", "apply", "app.db"),
        ("-c", OPEN),
        ("-m", "yoyo", "apply", "--batch", "--no-config-file", "--database", "waiaas:///app.db", "migrations"),
    ],
    ids=["apply", "open_database", "yoyo"],
)
def test_ctrl_c_ends_a_run(endless: Path, arguments: tuple[str, ...]) -> None:
    """Ctrl-C ends an endless query of a real run, too.

    The message names the migration, and everything is rolled back.
    """
    (endless / "migrations" / "manifest.json").unlink()
    before = dump(endless / "app.db")
    status, said = interrupt(endless, *arguments)
    assert status != 0
    assert "Interrupted in 0003_endless" in said
    assert dump(endless / "app.db") == before


def test_ctrl_c_outside_a_transaction(tmp_path: Path) -> None:
    """After Ctrl-C in a migration outside transactions, its finished statements stay, and the message says so."""
    generated_project(tmp_path)
    (tmp_path / "migrations" / "manifest.json").unlink()
    (tmp_path / "migrations" / "0002_begin.py").write_text(BEGIN, encoding="utf-8")
    text = f"-- depends: 0002_begin\n-- transactional: false\nCREATE TABLE n (x);\nINSERT INTO n {ENDLESS};\n"
    (tmp_path / "migrations" / "0003_endless.sql").write_text(text, encoding="utf-8")
    status, said = interrupt(tmp_path, "-m", "waiaas_migrate", "apply", "app.db")
    assert status == 130
    assert said == (
        "Interrupted in 0003_endless: app.db keeps what 0003_endless did outside a transaction, and 0001_initial, "
        "0002_begin.\n"
    )
    assert ("table", "n") in catalog(tmp_path / "app.db")


def test_a_comment_before_code_far_to_the_right(tmp_path: Path) -> None:
    """Any number of spaces before a statement is skipped quickly."""
    generated_project(tmp_path)
    text = f"-- depends: 0001_initial\nSELECT 1;\n-- far\n{' ' * 200}UPDATE tasks SET title = 'a';\n"
    (tmp_path / "migrations" / "0002_far.sql").write_text(text, encoding="utf-8")
    assert run_process(tmp_path, "generate").status == 0
    assert run_process(tmp_path, "apply", "app.db").status == 0
