"""Write projects for tests in their own folders, and run the command line in them."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from waiaas_migrate.cli import main
from waiaas_migrate.files.schema_file.json_schema import JSON_SCHEMA
from waiaas_migrate.sqlite.database.catalog import read_catalog

CHECKOUT = Path(__file__).resolve().parent.parent.parent

#: A table with an enum and an index, a table that refers to it, and a PRAGMA.
SCHEMA = """\
version: 1
enums: kinds
pragmas:
  foreign_keys: ON
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      title: {type: text, nullable: false}
      state: {type: text, nullable: false, default: open, enum: STATES}
    indexes:
      idx_tasks_state: [state]
  notes:
    columns:
      id: {type: integer, primary_key: true}
      task_id: {type: integer, nullable: false, references: {table: tasks, column: id, on_delete: cascade}}
      body: text
"""
KINDS = 'STATES = ("open", "done")\n'

#: The objects of its database, by kind and name.
TABLES = {("table", "tasks"), ("table", "notes"), ("index", "idx_tasks_state")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The result of a command."""

    status: int
    out: str
    err: str


def run(folder: Path, *arguments: str) -> Run:
    """Run the command line in ``folder``, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err):
        status = main(arguments)
    return Run(status=status, out=out.getvalue(), err=err.getvalue())


def run_process(folder: Path, *arguments: str, stdout: int | IO[str] = subprocess.PIPE, **environment: str) -> Run:
    """Run ``python -m waiaas_migrate`` in ``folder``, in its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "waiaas_migrate", *arguments],
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **environment},
    )
    return Run(status=done.returncode, out=done.stdout or "", err=done.stderr)


def write_project(folder: Path, schema: str = SCHEMA, kinds: str = KINDS) -> Path:
    """Write a project with schema.yaml and an enums module."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schema.yaml").write_text(schema, encoding="utf-8")
    (folder / "kinds.py").write_text(kinds, encoding="utf-8")
    return folder


def generated_project(folder: Path, schema: str = SCHEMA) -> Path:
    """Write the same project with its first migration."""
    write_project(folder, schema)
    done = run(folder, "generate")
    assert done.status == 0, done.err
    return folder


def shipped_project(folder: Path) -> Path:
    """Write the WAIaaS schema as a project: schema.yaml, migrations, and its enums in ``enums.py``."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(CHECKOUT / "migrations", folder / "migrations")
    shutil.copy(CHECKOUT / "waiaas_migrate" / "waiaas" / "enums.py", folder / "enums.py")
    shutil.copy(CHECKOUT / JSON_SCHEMA, folder / JSON_SCHEMA)
    schema = (CHECKOUT / "schema.yaml").read_text(encoding="utf-8")
    wanted = "\nenums: waiaas_migrate.waiaas.enums\n"
    assert wanted in schema
    (folder / "schema.yaml").write_text(schema.replace(wanted, "\nenums: enums\n"), encoding="utf-8")
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Replace ``old``, which must occur once in the file, by ``new``."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
    path.write_text(text.replace(old, new), encoding="utf-8")


def listing(folder: Path) -> dict[str, str]:
    """Return everything below ``folder`` but Python's bytecode, with a hash of each file's content."""
    return {
        path.relative_to(folder).as_posix(): (
            "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        )
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


def catalog(database: Path) -> set[tuple[str, str]]:
    """Return kind and name of everything in a database that users declared."""
    with closing(sqlite3.connect(database)) as connection:
        return {(row.kind, row.name) for row in read_catalog(connection)}


def execute(database: Path, *statements: str) -> None:
    """Run ``statements`` on a database, as a manual change."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another_process(database: Path, statement: str = "BEGIN EXCLUSIVE") -> Iterator[None]:
    """Keep ``database`` locked by another process."""
    command: Sequence[str] = [sys.executable, "-c", _HOLD, str(database), statement]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.communicate()


def add_migration(project: Path, name: str, sql: str) -> None:
    """Write a migration by hand, without a manifest that would not list it."""
    (project / "migrations" / name).write_text(sql, encoding="utf-8")
    (project / "migrations" / "manifest.json").unlink(missing_ok=True)
