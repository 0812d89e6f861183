"""``new``: write an empty migration, which the user completes by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.authoring.migration_names import heads, next_id, refuse_whitespace
from waiaas_migrate.files.migration_dir.manifest import read_recorded
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_files
from waiaas_migrate.files.project import Project

_SQL = """\
-- {name}
{depends}-- Write SQL statements here. They run in one transaction and must also work on an empty database.
"""
_ROLLBACK = """\
-- Roll back {name}
-- Write the statements that undo it here.
"""
_PYTHON = '''\
"""{name}"""

from yoyo import step

__depends__ = {depends}


def apply(connection):
    """Change the database: connection.cursor().execute("…"). This must also work on an empty database."""


def roll_back(connection):
    """Undo it."""


steps = [step(apply, roll_back)]
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """The result of ``new``: the migration's id, its files, and files of an interrupted run that were deleted."""

    migration: str
    written: tuple[Path, ...]
    removed: tuple[Path, ...] = ()


def new(project: Project, *, name: str, python: bool = False) -> New:
    """Write an empty migration that has the next number and runs after all existing migrations.

    The manifest doesn't list it yet: complete the migration, then run ``record``.

    Args:
        project: where the files are.
        name: the name of the migration.
        python: write a Python migration instead of SQL with a rollback file.

    Raises:
        UsageError: ``name`` has no character that can be used in a file name.
        MigrationsError: the folder can't be used.
    """
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    migrations, _, _ = read_recorded(project.migrations, missing_ok=True)
    migration = next_id((file.id for file in migrations), name, ())
    refuse_whitespace(migrations, migration)
    files = _files(migration, heads(migrations), python=python)
    return New(migration=migration, written=write_files(project.migrations, files, seen=seen), removed=removed)


def _files(name: str, depends: tuple[str, ...], *, python: bool) -> dict[str, str]:
    if python:
        listed = ", ".join(json.dumps(one, ensure_ascii=False) for one in depends)
        return {f"{name}.py": _PYTHON.format(name=name, depends=f"{{{listed}}}" if listed else "set()")}
    line = f"-- depends: {' '.join(depends)}\n" if depends else ""
    return {
        f"{name}.rollback.sql": _ROLLBACK.format(name=name),
        f"{name}.sql": _SQL.format(name=name, depends=line),
    }
