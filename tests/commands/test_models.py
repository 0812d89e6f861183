"""``models`` writes a Python module that declares the same schema, and that formatters and type checkers accept."""

from __future__ import annotations

import ast
import importlib.util
import json
import sqlite3
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from tests.support.projects import run, write_project
from tests.support.typed_tables import KINDS, MORE, SCHEMA

SCRIPTS = Path(sysconfig.get_path("scripts"))
STYLES = ("declarative", "core")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a first migration, applied to ``app.db``."""
    write_project(tmp_path, SCHEMA, KINDS)
    (tmp_path / "pyproject.toml").write_text("[tool.waiaas-migrate]\n", encoding="utf-8")
    return tmp_path


@pytest.fixture(autouse=True)
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let modules be imported from the project, and forget them after the test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("kinds", "tables"):
        sys.modules.pop(name, None)


def written(project: Path, *arguments: str) -> str:
    """Write tables.py, and return its text."""
    done = run(project, "models", "-o", "tables.py", *arguments)
    assert (done.status, done.err) == (0, "wrote tables.py\n")
    return (project / "tables.py").read_text(encoding="utf-8")


def imported(project: Path) -> ModuleType:
    """Import tables.py; turn every warning into an error."""
    spec = importlib.util.spec_from_file_location("tables", project / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["tables"] = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec.loader.exec_module(module)
        orm.configure_mappers()
    return module


def create(project: Path, module: ModuleType) -> None:
    """Create ``created.db`` from the module's declarations, and ``app.db`` with the migrations."""
    metadata = module.metadata if hasattr(module, "metadata") else module.Base.metadata
    engine = sa.create_engine(f"sqlite:///{project / 'created.db'}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metadata.sorted_tables
        metadata.create_all(engine)
        metadata.drop_all(engine)
        metadata.create_all(engine)
    engine.dispose()
    assert run(project, "generate", "--allow", "all").status == 0
    assert run(project, "apply", "app.db").status == 0


@pytest.mark.parametrize("style", STYLES)
def test_create_all_builds_the_schema(project: Path, style: str) -> None:
    """The module imports without a warning, and ``create_all`` builds the same schema as the migrations."""
    written(project, "--style", style)
    create(project, imported(project))
    assert run(project, "diff", "created.db", "app.db").out == "No differences.\n"


@pytest.mark.parametrize("style", STYLES)
def test_what_sqlalchemy_cannot_create_is_listed(project: Path, style: str) -> None:
    """The head lists everything that ``create_all`` leaves out or builds differently, and nothing else differs."""
    write_project(project, SCHEMA + MORE, KINDS)
    text = written(project, "--style", style)
    head = ast.get_docstring(ast.parse(text)) or ""
    assert [line for line in head.splitlines() if line.startswith("- ")] == [
        "- table elsewhere: the foreign key (number) to gone",
        "- table elsewhere: the foreign key (person) to people without target columns; this",
        "- table elsewhere: the name of NOT NULL on id",
        "- table elsewhere: COLLATE nocase on number",
        "- table elsewhere: the order or collation of the primary key",
        "- table elsewhere: UNIQUE (number DESC)",
        "- virtual table search",
        "- view open tasks",
        "- trigger tasks_done",
    ]
    create(project, imported(project))
    done = run(project, "diff", "created.db", "app.db", "--json")
    names = ("elsewhere", "view open tasks", "trigger tasks_done", "virtual table search")
    changes = [str(change) for change in json.loads(done.out)["changes"]]
    assert changes
    assert [one for one in changes if not any(name in one for name in names)] == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("width", ["88", "120"])
def test_formatters_change_nothing(project: Path, style: str, width: str) -> None:
    """``ruff format`` leaves the module unchanged, at its default width and at 120 columns."""
    write_project(project, SCHEMA + MORE, KINDS)
    written(project, "--style", style)
    command = [str(SCRIPTS / "ruff"), "format", "--isolated", "--diff", "--line-length", width, "tables.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_classes_hold_what_the_columns_mean(project: Path) -> None:
    """Rows are read as enums, booleans, times, UUIDs and JSON; relationships and defaults work."""
    written(project)
    module = imported(project)
    create(project, module)
    kinds = sys.modules["kinds"]
    engine = sa.create_engine("sqlite://", creator=lambda: connected(project / "app.db"))
    with orm.Session(engine) as db:
        db.add(boss := module.Person(name="Ann"))
        db.flush()
        db.add(worker := module.Person(name="Bob", boss_id=boss.id))
        task = module.Task(
            id=UUID(int=1),
            title="t",
            paid_in=kinds.Currency.EURO,
            booked_in=kinds.Currency.DOLLAR,
            origin="web",
            priority=2,
            author_id=boss.id,
            size=None,
        )
        db.add(task)
        db.commit()
        assert (task.status, task.level, task.tags, task.options, task.extra) == (kinds.Status.OPEN, 1, [], {}, None)
        assert (task.size, task.class_, task.str_, task.words) == (None, "none", 'it\'s "quoted"', 1)
        assert task.made_at.tzinfo is UTC
        assert abs(datetime.now(UTC) - task.made_at).days == 0
        assert (task.author, task.reviewer, boss.author_tasks, boss.reviewer_tasks) == (boss, None, [task], [])
        assert (worker.boss, boss.boss_people) == (boss, [worker])
        db.add(module.Profile(person_id=boss.id))
        db.add(module.TaskNote(task_id=task.id, number=1, body=b""))
        db.flush()
        db.add(link := module.Link(note_number=1, task_id=task.id, target=2))
        db.flush()
        assert (boss.profile.person, link.task, link.task_note.note_links) == (boss, task, [link])
        db.delete(boss)
        db.commit()
        assert [db.scalar(sa.select(sa.func.count()).select_from(one)) for one in (module.Task, module.Link)] == [0, 0]
        assert (worker.boss_id, worker.is_active) == (None, True)
    engine.dispose()


SEVERAL = """
version: 1
tables:
  task_states:
    columns: {id: {type: integer, primary_key: true}}
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      state: {type: text, nullable: false, enum: [open, done]}
      states: {type: text, nullable: false, enum: [new, old]}
  folders:
    columns:
      tenant: {type: integer, nullable: false}
      id: {type: integer, nullable: false}
      parent_id: integer
    primary_key: [tenant, id]
    foreign_keys:
      - {columns: [tenant, parent_id], references: {table: folders, columns: [tenant, id]}, on_delete: cascade}
"""


def test_several_rows_are_inserted_at_once(project: Path) -> None:
    """A flush of several rows gives each its number, whether or not the key is NOT NULL."""
    write_project(project, SEVERAL, KINDS)
    written(project)
    module = imported(project)
    create(project, module)
    assert run(project, "diff", "created.db", "app.db").out == "No differences.\n"
    engine = sa.create_engine("sqlite://", creator=lambda: connected(project / "app.db"))
    with orm.Session(engine) as db:
        tasks = [module.Task(state="open", states="new") for _ in range(3)]
        db.add_all(tasks)
        db.commit()
        assert [task.id for task in tasks] == [1, 2, 3]
        found = db.scalars(sa.insert(module.Task).returning(module.Task.id), [{"state": "open", "states": "old"}] * 2)
        assert found.all() == [4, 5]
    engine.dispose()


def test_lists_of_values_have_different_names(project: Path) -> None:
    """The name for a list of values is neither that of another list nor that of a class."""
    write_project(project, SEVERAL, KINDS)
    text = written(project)
    names = [line.split()[0] for line in text.splitlines() if " = Literal[" in line]
    assert names == ["TaskState_", "TaskState__"]
    assert "state: Mapped[TaskState_] =" in text
    assert "states: Mapped[TaskState__] =" in text


def test_a_composite_key_leads_to_the_same_table(project: Path) -> None:
    """Composite keys of a relationship refer to rows of the same table and tenant."""
    write_project(project, SEVERAL, KINDS)
    written(project)
    module = imported(project)
    create(project, module)
    engine = sa.create_engine("sqlite://", creator=lambda: connected(project / "app.db"))
    with orm.Session(engine) as db:
        db.add_all([module.Folder(tenant=tenant, id=1) for tenant in (1, 2)])
        db.flush()
        db.add_all([module.Folder(tenant=tenant, id=2, parent_id=1) for tenant in (1, 2)])
        db.commit()
        root, other = db.get_one(module.Folder, (1, 1)), db.get_one(module.Folder, (2, 1))
        assert [(child.tenant, child.id) for child in root.children] == [(1, 2)]
        assert other.children[0].parent is other
        db.delete(root)
        db.commit()
        assert [(one.tenant, one.id) for one in db.scalars(sa.select(module.Folder))] == [(2, 1), (2, 2)]
    engine.dispose()


def connected(path: Path) -> sqlite3.Connection:
    """Open a database with foreign keys."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def test_names_are_taken_from_the_tables(project: Path) -> None:
    """Classes have singular names, unless `class` says otherwise; names that Python or SQLAlchemy use get an underscore."""
    text = written(project)
    classes = {node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    assert classes == {"Base", "Person", "Task", "TaskNote", "Link", "Profile"}
    assert "t_statuses = sa.Table(" in text  # without a primary key there is no class
    assert 'metadata_: Mapped[str | None] = mapped_column("metadata", sa.Text' in text
    assert "class_: Mapped[str | None]" in text
    assert 'odd_name: Mapped[float | None] = mapped_column("odd name"' in text


@pytest.mark.parametrize("name", ["class", "1st", "two words"])
def test_a_class_name_must_be_one(project: Path, name: str) -> None:
    """A `class` that isn't a Python name is refused with its place."""
    write_project(project, SCHEMA.replace("class: Link", f"class: {name}"), KINDS)
    done = run(project, "models")
    assert done.status == 2
    assert f"tables.note_links.class: `{name}` is not a name in Python. Write a class name" in done.err


def test_two_tables_need_two_class_names(project: Path) -> None:
    """A class name that another table already has is refused with its place."""
    write_project(
        project,
        SCHEMA.replace("class: Link", "class: Person").replace("profiles:", "profiles:\n    class: Person"),
        KINDS,
    )
    done = run(project, "models")
    assert done.status == 2
    assert "tables.profiles.class: the table `note_links` already has this class." in done.err


def test_a_file_of_another_origin_is_kept(project: Path) -> None:
    """``models`` replaces only files that it wrote, unless it is forced to."""
    (project / "tables.py").write_text("x = 1\n", encoding="utf-8")
    done = run(project, "models", "-o", "tables.py")
    assert (done.status, (project / "tables.py").read_text(encoding="utf-8")) == (2, "x = 1\n")
    assert done.err == (
        "Error: tables.py: not written by `models`. Give another file, or pass --force to replace it.\n"
    )
    written(project, "--force")
    assert run(project, "models", "-o", "tables.py").err == "tables.py is up to date\n"


@pytest.mark.parametrize(
    ("output", "problem"), [("no/tables.py", "the folder no does not exist"), (".", "is a folder")]
)
def test_a_wrong_output_is_refused(project: Path, output: str, problem: str) -> None:
    """An output that can't be a file is refused, and nothing is written."""
    done = run(project, "models", "-o", output)
    assert done.status == 2
    assert f"--output {output}: {problem}" in done.err


@pytest.mark.parametrize("arguments", [(), ("-o", "-")])
def test_the_module_goes_to_stdout(project: Path, arguments: tuple[str, ...]) -> None:
    """Without a file, the module is printed, the same each time."""
    done = run(project, "models", *arguments)
    assert (done.status, done.out) == (0, written(project))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no /dev")
def test_the_module_goes_to_a_device(project: Path) -> None:
    """A device is written to without looking for an existing module."""
    assert run(project, "models", "-o", "/dev/null").err == "wrote /dev/null\n"


def test_check_reports_a_stale_module(project: Path) -> None:
    """``check`` reports a configured module that is missing or out of date; ``models`` writes it; its layout is ignored."""
    settings = '[tool.waiaas-migrate]\nmodels = "tables.py"\nmodels_style = "core"\n'
    (project / "pyproject.toml").write_text(settings, encoding="utf-8")
    assert run(project, "generate").status == 0
    done = run(project, "check")
    assert (done.status, "tables.py: the file is missing." in done.out) == (1, True)
    assert run(project, "models").err == "wrote tables.py\n"
    assert run(project, "check").status == 0
    path = project / "tables.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("\n    ", "\n        "), encoding="utf-8")
    assert run(project, "check").status == 0
    path.write_text(text.replace("nocase", "rtrim"), encoding="utf-8")
    done = run(project, "check", "--format", "json")
    assert [(one["code"], one["file"]) for one in json.loads(done.out)["findings"]] == [("STALE_MODELS", "tables.py")]
    path.write_text("not python (", encoding="utf-8")
    assert run(project, "check").status == 1


def test_a_new_enum_value_makes_the_module_stale(project: Path) -> None:
    """An enum that grows changes the CHECK in the module."""
    (project / "pyproject.toml").write_text('[tool.waiaas-migrate]\nmodels = "tables.py"\n', encoding="utf-8")
    before = written(project)
    (project / "kinds.py").write_text(
        KINDS.replace('DONE = "done"', 'DONE = "done"\n    LATE = "late"'), encoding="utf-8"
    )
    assert "tables.py: the file is out of date." in run(project, "check").out
    assert "status IN ('open', 'done', 'late')" in written(project)
    assert "'late'" not in before


def test_the_settings_are_checked(project: Path) -> None:
    """An unknown style is refused with its place."""
    (project / "pyproject.toml").write_text('[tool.waiaas-migrate]\nmodels_style = "orm"\n', encoding="utf-8")
    done = run(project, "models")
    assert done.status == 2
    assert "pyproject.toml:2, tool.waiaas-migrate.models_style: `models_style` must be declarative or core." in done.err
