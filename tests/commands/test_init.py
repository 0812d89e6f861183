"""``init`` writes all files of a new project or none, and overwrites nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.support.git import git
from tests.support.projects import run, run_process

FILES = {
    ".github/workflows/migrations.yml",
    ".pre-commit-config.yaml",
    "enums.py",
    "pyproject.toml",
    "schema.yaml",
    "waiaas-migrate.schema.json",
}
ORDERS = """
    CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('open', 'paid')));
    INSERT INTO orders VALUES (1, 'open');
"""
MODELS = """\
import enum
from sqlalchemy import CheckConstraint, Enum, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class State(enum.Enum):
    OPEN = "open"
    DONE = "done"
class Base(DeclarativeBase): pass
class Empty(DeclarativeBase): pass
class Broken(DeclarativeBase): pass
class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    by_name: Mapped[State] = mapped_column(Enum(State, create_constraint=True))
    by_value: Mapped[State] = mapped_column(
        Enum(State, create_constraint=True, values_callable=lambda kind: [one.value for one in kind], name="v")
    )
    unchecked: Mapped[State]
class Wrong(Broken):
    __tablename__ = "wrong"
    id: Mapped[int] = mapped_column(primary_key=True)
    __table_args__ = (CheckConstraint("nonsense("),)
"""


def files_of(folder: Path) -> set[str]:
    """Return the files in ``folder``, without those of git."""
    return {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path)
    }


def database(path: Path, script: str = ORDERS) -> Path:
    """Make a database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def test_from_nothing_the_next_commands_work_at_once(tmp_path: Path) -> None:
    """The three commands that init names, and lint, report no finding, and init works in a second folder."""
    found = run(tmp_path, "init")
    assert found.status == 0, found
    assert files_of(tmp_path) == FILES
    commands = [line.split("  ")[1] for line in found.out.splitlines()[1:]]
    assert commands == ["waiaas-migrate generate", "waiaas-migrate check", "waiaas-migrate apply"]
    for command in (*commands, "waiaas-migrate drift", "waiaas-migrate lint"):
        done = run(tmp_path, *command.split()[1:])
        assert done.status == 0, (command, done)
    assert (tmp_path / "app.db").is_file()
    assert (
        (tmp_path / "schema.yaml")
        .read_text()
        .startswith("# yaml-language-server: $schema=waiaas-migrate.schema.json\n")
    )
    hooks = yaml.safe_load((tmp_path / ".pre-commit-config.yaml").read_text())
    assert hooks["repos"][0]["hooks"][0]["entry"] == "waiaas-migrate check"
    workflow = yaml.safe_load((tmp_path / ".github" / "workflows" / "migrations.yml").read_text())
    assert workflow["jobs"]["check"]["steps"][-1] == {"run": "waiaas-migrate check --format github"}


@pytest.mark.parametrize(
    "before",
    [
        "",
        "[project]\nname = 'x'",
        "[project]\nname = 'x'\n",
        "# only\r\n[tool.other]\r\na = 1\r\n",
        "\ufeff[project]\n",
    ],
    ids=["empty", "no newline at the end", "ordinary", "CRLF", "byte order mark"],
)
def test_settings_are_appended(tmp_path: Path, before: str) -> None:
    """The existing text stays byte for byte, and the new lines use its line endings."""
    (tmp_path / "pyproject.toml").write_bytes(before.encode())
    assert run(tmp_path, "init").status == 0
    after = (tmp_path / "pyproject.toml").read_bytes().decode()
    assert after.startswith(before)
    assert ("\r\n" in before) == ("\r\n" in after)
    assert after.count("\n") == after.count("\r\n") or "\r\n" not in after
    tool = tomllib.loads(after.removeprefix("\ufeff"))["tool"]
    assert tool["waiaas-migrate"] == {"schema": "schema.yaml", "migrations": "migrations", "database": "app.db"}
    assert run(tmp_path, "generate").status == 0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pyproject.toml", "[tool.waiaas-migrate]\n", "already has [tool.waiaas-migrate], so this is a project."),
        ("pyproject.toml", "[tool", "this is not TOML"),
        ("pyproject.toml", "tool = {a = 1}\n", "`[tool.waiaas-migrate]` can't be added"),
        ("schema.yaml", "version: 1\n", "schema.yaml: already exists, and init overwrites nothing."),
        ("waiaas-migrate.schema.json", "{}", "waiaas-migrate.schema.json: already exists"),
    ],
)
def test_what_is_in_the_way(tmp_path: Path, name: str, text: str, said: str) -> None:
    """If a file exists already, nothing is written, and the message names the file."""
    (tmp_path / name).write_text(text)
    found = run(tmp_path, "init")
    assert (found.status, found.out) == (2, "")
    assert said in found.err
    assert files_of(tmp_path) == {name}
    assert (tmp_path / name).read_text() == text


def test_a_link_that_leads_nowhere_is_in_the_way(tmp_path: Path) -> None:
    """A broken link counts as an existing file: nothing is written through it."""
    (tmp_path / "schema.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert run(tmp_path, "init").status == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "schema.yaml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """In a read-only folder, nothing is written."""
    tmp_path.chmod(0o500)
    assert run(tmp_path, "init").status == 2
    tmp_path.chmod(0o700)
    assert files_of(tmp_path) == set()


def test_a_file_that_cannot_be_written_takes_the_others_with_it(tmp_path: Path) -> None:
    """If one file can't be written, those written before it are deleted, with their folders."""
    (tmp_path / ".github").write_text("a file")
    found = run(tmp_path, "init")
    assert found.status == 2
    assert "Nothing was written." in found.err
    assert files_of(tmp_path) == {".github"}


def test_an_interrupted_init_can_be_repeated(tmp_path: Path) -> None:
    """Existing files that already have the wanted text don't stop init."""
    assert run(tmp_path, "init").status == 0
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "enums.py").unlink()
    found = run(tmp_path, "init", "--json")
    assert found.status == 0
    assert [Path(path).name for path in json.loads(found.out)["written"]] == ["enums.py", "pyproject.toml"]


def test_in_an_existing_application(tmp_path: Path) -> None:
    """Enums go into the only package, existing files stay, and the entry to add is printed."""
    package = tmp_path / "src" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").touch()
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: []\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'shop'\nversion = '1'\n")
    found = run(tmp_path, "init")
    assert found.status == 0
    assert "Note: .pre-commit-config.yaml exists. It was left unchanged." in found.err
    assert "entry: waiaas-migrate check" in found.err
    assert (tmp_path / ".pre-commit-config.yaml").read_text() == "repos: []\n"
    assert "enums: shop.enums\n" in (tmp_path / "schema.yaml").read_text()
    assert (package / "enums.py").is_file()
    assert "pip install . waiaas-migrate==" in (tmp_path / ".github" / "workflows" / "migrations.yml").read_text()
    assert run(tmp_path, "generate").status == 0


def test_an_existing_module_of_enums_is_used(tmp_path: Path) -> None:
    """An existing module of enums stays as it is; the example has its own list."""
    (tmp_path / "enums.py").write_text("COLORS = ('red', 'green')\n")
    found = run(tmp_path, "init")
    assert "enums.py exists and is used as it is." in found.err
    assert (tmp_path / "enums.py").read_text() == "COLORS = ('red', 'green')\n"
    assert run(tmp_path, "generate").status == 0


def test_a_folder_below_the_top_of_a_repository(tmp_path: Path) -> None:
    """Workflow and hook are written to the repository's root, where GitHub and pre-commit look.

    They run in the project's folder.
    """
    git(tmp_path, "init", "-q")
    folder = tmp_path / "the app"
    folder.mkdir()
    assert run(folder, "init").status == 0
    workflow = yaml.safe_load((tmp_path / ".github" / "workflows" / "migrations.yml").read_text())
    assert workflow["jobs"]["check"]["defaults"]["run"]["working-directory"] == "the app"
    entry = yaml.safe_load((tmp_path / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"][0]["entry"]
    assert entry == """bash -c 'cd '"'"'the app'"'"' && waiaas-migrate check'"""
    assert (folder / "schema.yaml").is_file()
    assert (folder / "pyproject.toml").is_file()


def test_from_a_database(tmp_path: Path) -> None:
    """The database is adopted, check and drift find nothing, and the rows stay."""
    (tmp_path / "enums.py").write_text(
        "from enum import StrEnum\nclass OrderState(StrEnum):\n    OPEN = 'open'\n    PAID = 'paid'\n"
    )
    path = database(tmp_path / "orders.db")
    found = run(tmp_path, "init", "--from", "orders.db")
    assert found.status == 0, found
    assert "adopted the database at 0001_initial" in found.err
    assert tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["waiaas-migrate"]["database"] == "orders.db"
    assert "enum: OrderState" in (tmp_path / "schema.yaml").read_text()
    for command in ("check", "drift", "status", "apply"):
        assert run(tmp_path, command).status == 0, command
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM orders").fetchall() == [(1, "open")]


def test_from_a_database_without_a_module_of_enums(tmp_path: Path) -> None:
    """Each list of values becomes an enum with its own name; equal lists share one."""
    path = database(
        tmp_path / "app.db",
        """
        CREATE TABLE orders (state TEXT CHECK (state IN ('open', 'paid')), str_enum TEXT CHECK (str_enum IN ('a')));
        CREATE TABLE lines (
            state TEXT CHECK (state IN ('new', 'in use', 'class')), prio INT CHECK (prio IN (1, 2)),
            parent TEXT CHECK (parent IN ('paid', 'open')), "2" TEXT CHECK ("2" IN ('ü', '')), flag INT CHECK (flag IN (0, 1))
        );
        """,
    )
    before = path.read_bytes()
    found = run(tmp_path, "init", "--from", "app.db")
    assert found.status == 0, found
    module = (tmp_path / "enums.py").read_text()
    assert module.startswith("# Made from app.db.")
    names = [line.split("(")[0].removeprefix("class ") for line in module.splitlines() if line.startswith("class ")]
    assert names == ["State", "OrdersStrEnum", "LinesState", "Prio", "Lines2"]
    schema = (tmp_path / "schema.yaml").read_text()
    assert "enums: enums\n" in schema
    assert schema.count("enum: State}") == 2
    assert run(tmp_path, "check").status == 0
    assert run(tmp_path, "drift").status == 0
    assert path.read_bytes() != before  # the records of the migration


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", "a.db: has no tables to start from. Run `waiaas-migrate init` without --from"),
        ("CREATE TABLE t (a); CREATE TABLE _yoyo_migration (x)", ""),
        (None, "no such file"),
    ],
    ids=["empty", "with strange records", "missing"],
)
def test_a_database_that_cannot_be_adopted(tmp_path: Path, script: str | None, said: str) -> None:
    """If the database can't be adopted, nothing is written."""
    if script is not None:
        database(tmp_path / "a.db", script)
    before = files_of(tmp_path)
    found = run(tmp_path, "init", "--from", "a.db")
    assert found.status in (2, 3)
    assert said in found.err
    assert "Traceback" not in found.err
    assert files_of(tmp_path) == before


def test_a_database_with_a_broken_view_is_not_adopted_yet(tmp_path: Path) -> None:
    """The files are written, and the message names the commands that finish the adoption."""
    database(tmp_path / "a.db", f"{ORDERS} CREATE VIEW v AS SELECT * FROM missing;")
    found = run(tmp_path, "init", "--from", "a.db")
    assert found.status == 0
    assert "BREAK_OBJECT v" in found.err
    assert "waiaas-migrate adopt" in found.out
    assert not (tmp_path / "migrations").exists()


@pytest.mark.parametrize("name", [":memory:", "sqlite:///"])
def test_a_database_in_memory(tmp_path: Path, name: str) -> None:
    """A database in memory is refused."""
    found = run(tmp_path, "init", "--from", name)
    assert (found.status, "in memory" in found.err) == (2, True)


def test_from_models(tmp_path: Path) -> None:
    """Lists of values are linked to the models' enum classes, by value or by name; a missing CHECK is reported."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "tables.py").write_text(MODELS)
    found = run_process(tmp_path, "init", "--from-models", "app.tables:Base")
    assert found.status == 0, found
    schema = (tmp_path / "schema.yaml").read_text()
    assert "enums: app.tables\n" in schema
    assert (
        "by_name: {type: VARCHAR(4), nullable: false, enum: {name: State, stores: names, constraint: state}}" in schema
    )
    assert "by_value: {type: VARCHAR(4), nullable: false, enum: {name: State, constraint: v}}" in schema
    assert "`tasks.unchecked`: the models have an enum there" in found.err
    for command in ("generate", "check", "apply", "drift"):
        assert run_process(tmp_path, command).status == 0, command


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tables", "not the name of an object. Name a declarative base"),
        ("nowhere:Base", "can't import the module `nowhere`"),
        ("MODELS:Missing", "` has no models called `Missing`"),
        ("MODELS:State", "` has no models called `State`"),
        ("MODELS:Empty", "has no tables"),
        ("MODELS:Broken", "can't create the tables in SQLite"),
    ],
)
def test_models_that_cannot_be_used(tmp_path: Path, name: str, said: str) -> None:
    """Each problem with the models is explained, and nothing is written."""
    module = f"models_of_{abs(hash(tmp_path))}"  # this process imports each only once
    (tmp_path / f"{module}.py").write_text(MODELS)
    found = run(tmp_path, "init", "--from-models", name.replace("MODELS", module))
    assert (found.status, found.out) == (2, "")
    assert said in found.err
    assert "Traceback" not in found.err
    assert {one for one in files_of(tmp_path) if "__pycache__" not in one} == {f"{module}.py"}


def test_two_sources_contradict_each_other(tmp_path: Path) -> None:
    """Two sources for the schema are refused."""
    found = run(tmp_path, "init", "--from", "a.db", "--from-models", "a:B")
    assert (found.status, "contradict each other" in found.err) == (2, True)
