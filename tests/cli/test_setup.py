"""``setup`` gives every connection the collations and functions of the application."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import run_yoyo
from tests.support.projects import edit, run, run_process
from waiaas_migrate import close_database, connect, open_database, push_schema
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.migration_dir.migration_files import read_migrations
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.rollback import Extent, roll_back
from waiaas_migrate.sqlite.database.absent_collations import execute

PREPARE = """\
import re, sqlite3
def prepare(connection):
    print("preparing")
    connection.row_factory, connection.text_factory = sqlite3.Row, bytes
    connection.create_collation("unicase", lambda a, b: (a.lower() > b.lower()) - (a.lower() < b.lower()))
    connection.create_function("regexp", 2, lambda p, v: re.search(p, v or "") is not None, deterministic=True)
    connection.create_function("slug", 1, lambda v: (v or "").lower().replace(" ", "-"), deterministic=True)
NOT_A_FUNCTION = 1
def raises(connection):
    raise ValueError("no such card")
def leaves(connection):
    connection.execute("BEGIN")
def exits(connection):
    raise SystemExit(0)
"""
SCHEMA = """\
version: 1
pragmas: {journal_mode: WAL}
tables:
  notes:
    columns:
      id: {type: integer, primary_key: true}
      name: {type: text, nullable: false, collate: unicase, check: "name REGEXP '^[A-Za-zÄ]'"}
      size: {type: integer}
    indexes:
      notes_name: {columns: [name], unique: true}
      notes_slug: {columns: [{expression: slug(name)}], where: "name REGEXP '^X'"}
  plain:
    columns:
      id: {type: integer, primary_key: true}
      note: {type: integer, references: {table: notes, column: id}}
      label: {type: text}
triggers:
  filled: CREATE TRIGGER filled AFTER INSERT ON notes BEGIN UPDATE notes SET size = length(slug(name)) WHERE id = new.id; END
views:
  slugs: SELECT id, slug(name) AS slug FROM notes
"""
ROWS = [(1, "Ärger", 5), (2, "b x", 3)]


def registered(connection: sqlite3.Connection) -> None:
    """Do by hand what the module's ``prepare`` does."""
    names: dict[str, Callable[[sqlite3.Connection], None]] = {}
    exec(PREPARE, names)  # noqa: S102 — the text above
    names["prepare"](connection)
    connection.row_factory, connection.text_factory = None, str


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with ``setup``, a database with rows at its first migration, and a second one that rebuilds."""
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "db.py").write_text(PREPARE)
    use(tmp_path, "cards.db:prepare")
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    assert run_process(tmp_path, "generate").status == 0
    assert run_process(tmp_path, "apply", "a.db").status == 0
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        registered(connection)
        connection.executemany("INSERT INTO notes (id, name) VALUES (?, ?)", [row[:2] for row in ROWS])
        connection.execute("INSERT INTO plain VALUES (1, 1, 'p')")
        connection.commit()
    changed = SCHEMA.replace("size: {type: integer}", "size: {type: integer, check: size < 1000}")
    changed = changed.replace("label: {type: text}", "label: {type: text, unique: true}")
    (tmp_path / "schema.yaml").write_text(changed)
    done = run_process(tmp_path, "generate", "-m", "rebuild")
    assert done.status == 0, done.err
    return tmp_path


def use(folder: Path, name: str) -> None:
    """Name the function in pyproject.toml."""
    (folder / "pyproject.toml").write_text(f'[tool.waiaas-migrate]\nsetup = "{name}"\n')


def rows(database: Path) -> list[tuple[object, ...]]:
    """Return the rows of ``notes``."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM plain").fetchone() == (1,)
        return connection.execute("SELECT * FROM notes ORDER BY id").fetchall()


def test_every_command_works_on_such_a_database(project: Path) -> None:
    """Both tables are rebuilt and rolled back, and reading commands work.

    Output that the function prints is not part of the result.
    """
    for arguments, status in (
        (("apply", "a.db", "--dry-run"), 0),
        (("apply", "a.db", "--transaction", "each"), 0),
        (("status", "a.db"), 0),
        (("drift", "a.db", "--json"), 0),
        (("check", "--json"), 0),
        (("diff", "a.db", "migrations"), 0),
        (("inspect", "a.db"), 0),
        (("rollback", "a.db"), 0),
        (("restore", "a.db"), 0),
        (("rollback", "a.db"), 0),
        (("apply", "a.db", "--redo"), 0),
        (("drift", "a.db", "--fix"), 0),
        (("apply", "a.db", "b.db"), 0),
    ):
        done = run_process(project, *arguments)
        assert (done.status, "Traceback" in done.err, "preparing" in done.out) == (status, False, False), done
        assert rows(project / "a.db") == ROWS


def test_many_databases_by_threads_and_copies(project: Path) -> None:
    """Workers, whether threads or processes, call the function, too."""
    names = [f"{number}.db" for number in range(12)]
    assert run_process(project, "apply", *names, "--jobs", "3").status == 0
    assert run_process(project, "drift", *names[:3], "--jobs", "3").status == 0
    assert run_process(project, "status", *names[:3], "--jobs", "3").status == 0


def test_adopt_calls_it_for_each_database(project: Path) -> None:
    """A database that the migrations did not build is compared, reworded and recorded."""
    names = ["1.db", "2.db", "3.db"]
    for name in names:
        with closing(sqlite3.connect(project / name)) as connection:
            registered(connection)
            for file in sorted((project / "migrations").glob("*_*.sql")):
                if "rollback" not in file.name and "0001" in file.name:
                    connection.executescript(file.read_text())
            connection.execute("INSERT INTO notes (id, name) VALUES (1, 'Ärger')")
            connection.commit()
    assert run_process(project, "adopt", names[0], "--at", "0001_initial").status == 0
    done = run_process(project, "adopt", *names[1:], "--at", "0001_initial", "--jobs", "2")
    assert done.status == 0, done
    assert run_process(project, "apply", *names, "--jobs", "2").status == 0


def test_open_database_takes_a_setup(project: Path) -> None:
    """The connection has the functions and settings of ``setup``, from ``open_database`` and from ``connect``."""

    def prepare(connection: sqlite3.Connection) -> None:
        registered(connection)
        connection.row_factory, connection.text_factory = sqlite3.Row, bytes

    for _ in range(2):  # pending, then at head
        connection = open_database(project / "a.db", migrations=project / "migrations", setup=prepare)
        assert connection.execute("SELECT name FROM notes WHERE name = 'B X'").fetchone()["name"] == b"b x"
        close_database(connection)
    connection = connect(project / "a.db", migrations=project / "migrations", setup=prepare)
    assert [row["slug"] for row in connection.execute("SELECT slug FROM slugs WHERE id = 2")] == [b"b-x"]
    close_database(connection)


def test_what_a_setup_raises_reaches_the_caller(project: Path) -> None:
    """An error in ``setup`` reaches the caller unchanged, and the database stays as it was."""

    def fails(_: sqlite3.Connection) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        open_database(project / "a.db", migrations=project / "migrations", setup=fails)
    with pytest.raises(UsageError, match="transaction is open"):
        open_database(
            project / "a.db", migrations=project / "migrations", setup=lambda connection: connection.execute("BEGIN")
        )


def test_push_and_rollback_on_a_connection_that_has_them(project: Path) -> None:
    """Replays in memory use stand-ins for the functions.

    So ``push_schema``, ``transaction="each"`` and ``rollback`` work.
    """
    folder = read_folder(project / "migrations")
    assert len(read_migrations(project / "migrations")) == 2
    with closing(sqlite3.connect(project / "a.db")) as connection:
        registered(connection)
        push_schema(connection, migrations=project / "migrations")
        assert len(roll_back(connection, folder, Extent(count=1)).rolled_back) == 1
        assert len(roll_back(connection, folder, Extent(count=1)).rolled_back) == 1
        apply_pending(connection, folder, options=RunOptions(transaction="each"))
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cards.dbx:prepare", "can't import the module `cards.dbx`: ModuleNotFoundError"),
        ("nowhere:prepare", "can't import the module `nowhere`: ModuleNotFoundError"),
        ("cards.broken:prepare", "can't import the module `cards.broken`: SyntaxError"),
        ("cards.db:prepar", "`prepar` in the module `cards.db` is missing."),
        ("cards.db:NOT_A_FUNCTION", "`NOT_A_FUNCTION` in the module `cards.db` is not a function."),
        ("cards.db:raises", "`cards.db:raises` fails: ValueError: no such card."),
        ("cards.db:exits", "`cards.db:exits` fails: SystemExit: 0."),
        ("cards.db:leaves", "setup: the function left a transaction open."),
        ("cards.db", "`setup` must be the name of a function. Write `setup = "),
        ("cards/db.py:prepare", "`setup` must be the name of a function."),
    ],
)
def test_a_function_that_cannot_be_used(project: Path, name: str, said: str) -> None:
    """Each command says where the setting is and what is wrong, exits with 2, and changes nothing."""
    (project / "cards" / "broken.py").write_text("def (")
    use(project, name)
    before = (project / "a.db").read_bytes()
    for arguments in (("apply", "a.db"), ("drift", "a.db"), ("inspect", "a.db"), ("check",)):
        done = run_process(project, *arguments)
        assert (done.status, done.out) == (2, "")
        assert said in done.err
        assert "Traceback" not in done.err
    assert (project / "a.db").read_bytes() == before
    assert run(project, "apply", "new.db").status == 2


def test_without_it_apply_says_what_to_name(project: Path) -> None:
    """Without `setup`, the refusal names the missing collation and the setting, and nothing is changed."""
    edit(project / "schema.yaml", "check: size < 1000}", "unique: true}")
    assert run_process(project, "generate", "-m", "size").status == 0
    (project / "pyproject.toml").unlink()
    before = (project / "a.db").read_bytes()
    done = run_process(project, "apply", "a.db")
    assert done.status == 3
    assert "no such" in done.err or "unknown function" in done.err
    assert "name the function that does so as `setup` in [tool.waiaas-migrate]" in done.err
    assert (project / "a.db").read_bytes() == before


def test_another_table_is_rebuilt_without_the_collation(tmp_path: Path) -> None:
    """A collation of the application on one table doesn't prevent the rebuild of another table."""
    schema = (
        "version: 1\ntables:\n"
        "  notes: {columns: {name: {type: text, collate: unicase}}, indexes: {notes_name: [name]}}\n"
        "  plain: {columns: {id: {type: integer, primary_key: true}, label: text}}\n"
        "views: {labels: SELECT label FROM plain}\n"
    )
    (tmp_path / "schema.yaml").write_text(schema)
    assert run(tmp_path, "generate").status == 0
    for name in ("ours.db", "plain.db"):
        with closing(sqlite3.connect(tmp_path / name, isolation_level=None)) as connection:
            registered(connection)
            push_schema(connection, migrations=tmp_path / "migrations")
            connection.execute("INSERT INTO notes VALUES ('b'), ('A')")
            connection.execute("INSERT INTO plain VALUES (1, 'x')")
    (tmp_path / "schema.yaml").write_text(schema.replace("label: text}", "label: {type: text, unique: true}}"))
    assert run(tmp_path, "generate", "-m", "unique").status == 0
    done = run(tmp_path, "apply", "ours.db")
    assert done.status == 0, done.err
    run_yoyo("apply", tmp_path / "plain.db", tmp_path / "migrations")
    for name in ("ours.db", "plain.db"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            registered(connection)
            assert connection.execute("SELECT name FROM notes ORDER BY name").fetchall() == [("A",), ("b",)]
            assert connection.execute("SELECT label FROM labels").fetchall() == [("x",)]
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert run(tmp_path, "rollback", "ours.db").status == 0


COLLATED = """\
version: 1
tables:
  notes: {columns: {name: {type: text, collate: unicase}, size: text}, indexes: {notes_name: [name]}}
  plain: {columns: {id: {type: integer, primary_key: true}, label: text, size: text}}
views: {labels: SELECT label AS l FROM plain}
"""


@pytest.mark.parametrize(
    "edits",
    [
        {"label: text": "title: {type: text, renamed_from: label}", "SELECT label": "SELECT title"},
        {"label: text, size: text": "label: text"},
        {"  plain: {": "  paper: {renamed_from: plain, ", "FROM plain": "FROM paper"},
        {"name: {type": "title: {renamed_from: name, type", "[name]": "[title]"},
        {", size: text}, indexes": "}, indexes"},
    ],
    ids=["rename a column", "drop a column", "rename a table", "rename its column", "drop another of its columns"],
)
def test_a_table_is_altered_without_collations(tmp_path: Path, edits: dict[str, str]) -> None:
    """ALTER TABLE compiles the indexes of all tables, but compares nothing."""
    (tmp_path / "schema.yaml").write_text(COLLATED)
    assert run(tmp_path, "generate").status == 0
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        registered(connection)
        push_schema(connection, migrations=tmp_path / "migrations")
        connection.execute("INSERT INTO notes VALUES ('b', 1), ('A', 2)")
        connection.execute("INSERT INTO plain VALUES (1, 'x', 'y')")
    for old, new in edits.items():
        edit(tmp_path / "schema.yaml", old, new)
    assert run(tmp_path, "generate", "-m", "alter", "--allow", "all").status == 0
    assert "ALTER TABLE" in (tmp_path / "migrations" / "0002_alter.sql").read_text()
    done = run(tmp_path, "apply", "a.db")
    assert done.status == 0, done.err
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        registered(connection)
        assert connection.execute("SELECT l FROM labels").fetchall() == [("x",)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT * FROM notes ORDER BY 1").fetchone()[0] == "A"
    assert run(tmp_path, "drift", "a.db").status == 0


def test_a_table_whose_key_needs_the_collation_is_not_altered_without_it(tmp_path: Path) -> None:
    """DROP COLUMN looks up rows by a key with that collation, so it is refused without the application's collation."""
    database = tmp_path / "a.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        registered(connection)
        connection.executescript(
            "CREATE TABLE k (a TEXT COLLATE unicase PRIMARY KEY, b, c) WITHOUT ROWID; CREATE INDEX i ON k (a, b);"
            "CREATE TABLE other (x COLLATE unicase); CREATE INDEX i2 ON other (x);"
            "INSERT INTO k VALUES ('b', 1, 1), ('A', 2, 2), ('c', 3, 3);"
        )
        before = list(connection.iterdump())
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        with pytest.raises(sqlite3.OperationalError, match="no such collation sequence: unicase"):
            execute(connection, "ALTER TABLE k DROP COLUMN c")
        connection.execute("COMMIT")
        with pytest.raises(sqlite3.OperationalError, match="no such collation sequence: unicase"):
            connection.execute("SELECT * FROM other ORDER BY x")
    with closing(sqlite3.connect(database)) as connection:
        registered(connection)
        assert list(connection.iterdump()) == before
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
