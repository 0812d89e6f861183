"""mypy and pyright find mistakes in an application that uses the classes, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.projects import CHECKOUT, run, write_project
from tests.support.typed_tables import KINDS, MORE, SCHEMA

#: An application. Each line that ends in ``# error`` has a mistake; no other line has one.
APPLICATION = """\
from datetime import UTC, datetime
from typing import assert_type
from uuid import UUID, uuid4

import sqlalchemy as sa
from kinds import Currency, Status
from sqlalchemy.orm import Session
from tables import Base, Link, Person, Task, TaskNote, TaskSize


def new_task(author: Person, size: TaskSize) -> Task:
    return Task(id=uuid4(), title="t", paid_in=Currency.EURO, origin="web", priority=1, author_id=author.id, size=size)


def use(db: Session) -> None:
    ann = Person(name="Ann", is_active=False)
    db.add_all([ann, Person(id=7, name="Bob", boss_id=ann.id, email=None)])
    task = new_task(ann, "s")
    task.status = Status.DONE
    task.due_at = datetime.now(UTC)
    task.due_at = None
    task.options["a"] = [1]
    task.tags.append("x")
    task.author_id = 1
    assert_type(task.status, Status)
    assert_type(task.old_status, Status | None)
    assert_type(task.made_at, datetime)
    assert_type(task.id, UUID)
    assert_type(task.author, Person)
    assert_type(task.reviewer, Person | None)
    assert_type(ann.author_tasks, list[Task])
    assert_type(db.scalars(sa.select(Task).where(Task.status == Status.OPEN)).all()[0].words, int | None)
    db.execute(sa.update(Task).where(Task.metadata_.is_(None)).values(priority=2))
    db.add(TaskNote(task_id=task.id, number=1, body=b""))
    Link(note_number=1, task_id=task.id)
    Base.metadata.create_all(db.get_bind())


def mistakes(ann: Person, task: Task) -> None:
    task.status = "done"  # error
    task.status = Currency.EURO  # error
    task.status = Status.LATE  # error
    task.title = None  # error
    task.titel = "t"  # error
    task.due_at = 5  # error
    task.author.nmae  # error
    new_task(ann, "xl")  # error
    Person()  # error
    Person(name=None)  # error
    Person(name="a", nick="b")  # error
    TaskNote(task_id=task.id, body=b"")  # error
    TaskNote(task_id=task.id, number="1", body=b"")  # error
    Task(id=uuid4(), title="t", paid_in=Status.OPEN, origin="web", priority=1, author_id=1)  # error
    Task(id=uuid4(), title="t", paid_in=Currency.EURO, origin="fax", priority=1, author_id=1)  # error
    Task(id=uuid4(), title="t", paid_in=Currency.EURO, origin="web", priority=4, author_id=1)  # error
    sa.select(Task).where(Task.statsu == Status.OPEN)  # error
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a module of classes, and an application."""
    write_project(tmp_path, SCHEMA + MORE, KINDS)
    assert run(tmp_path, "models", "-o", "tables.py").status == 0
    (tmp_path / "application.py").write_text(APPLICATION, encoding="utf-8")
    return tmp_path


def mistaken() -> list[tuple[str, int]]:
    """Return the lines of the application that have a mistake."""
    lines = APPLICATION.splitlines()
    return [("application.py", number) for number, line in enumerate(lines, start=1) if line.endswith("# error")]


def test_mypy_finds_the_mistakes(project: Path) -> None:
    """``mypy --strict`` reports exactly the mistakes in the application, and nothing in the module."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "tables.py", "application.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=300)
    found = re.findall(r"^(\w+\.py):(\d+): error:", done.stdout, re.MULTILINE)
    assert sorted({(file, int(line)) for file, line in found}) == mistaken(), done.stdout + done.stderr


def test_pyright_finds_the_mistakes(project: Path) -> None:
    """Pyright reports exactly the same mistakes."""
    script = Path(sysconfig.get_path("scripts"), "pyright")
    settings = {"extraPaths": [str(CHECKOUT)], "typeCheckingMode": "standard"}
    (project / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [str(script), "--outputjson", "--pythonpath", sys.executable, "tables.py", "application.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=300)
    found = json.loads(done.stdout)["generalDiagnostics"]
    lines = {(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in found if one["severity"] == "error"}
    assert sorted(lines) == mistaken(), done.stdout
