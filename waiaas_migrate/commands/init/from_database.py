"""Start a project from a database: its schema, and the first migration, which ``init`` records there as applied."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from waiaas_migrate.authoring.generate import generate
from waiaas_migrate.commands.adopt import adopt
from waiaas_migrate.commands.init.new_enums import new_enums
from waiaas_migrate.commands.init.start import Start
from waiaas_migrate.commands.init.start_files import HEAD
from waiaas_migrate.commands.init.surroundings import Surroundings
from waiaas_migrate.commands.inspect import inspect
from waiaas_migrate.errors import DatabaseRefused, UsageError
from waiaas_migrate.files.project import Project
from waiaas_migrate.sqlite.database.url import StrPath, database_path


def from_database(around: Surroundings, database: StrPath) -> Start:
    """Return the start of a project for ``database``, which is only read.

    Raises:
        UsageError: it is in memory.
        DatabaseFileError: it is missing, or can't be used.
        DatabaseRefused: it has no tables, or records of migrations.
        UnsupportedError: it has something that can't be written to schema.yaml.
    """
    path = _path(around.folder, database)
    files: dict[Path, str] = {}
    if not around.module_path.exists() and (enums := new_enums(database, path)):
        files[around.module_path] = enums
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        _write(files, around.folder, scratch)
        root = scratch if files else around.folder
        modules = (around.module,) if files or around.module_path.exists() else ()
        found = inspect(database, enums=modules, root=root)
        files[around.folder / "schema.yaml"] = HEAD + found.text
        _write(files, around.folder, scratch)
        project = _project(root, scratch)
        done = generate(project, name="initial")
        if not done.changes:
            fix = "Run `waiaas-migrate init` without --from, and later `apply` to make its tables."
            raise DatabaseRefused(f"{path}: has no tables to start from. {fix}")
        notices = list(found.remarks)
        if done.refused:
            notices += [f"{hazard} The first migration was not written: run `generate`." for hazard in done.refused]
            return Start(files=files, database=path, notices=tuple(notices))
        adoption = adopt(project, database, dry_run=True)
        migrations = {file.name: file.read_bytes().decode() for file in sorted(project.migrations.iterdir())}
    files |= {around.folder / "migrations" / name: text for name, text in migrations.items()}
    if adoption.differences:
        what = " ".join(f"{one.where}: {one}." for one in adoption.differences)
        notices.append(f"{path} differs from the migration, so it was not adopted: {what}")
    return Start(files=files, database=path, notices=tuple(notices), is_generated=not adoption.differences)


def _project(root: Path, scratch: Path) -> Project:
    return Project(
        root=root,
        schema=scratch / "schema.yaml",
        migrations=scratch / "migrations",
        templates=scratch / "templates",
    )


def _write(files: Mapping[Path, str], folder: Path, scratch: Path) -> None:
    """Write ``files``, which are below ``folder``, at the same places below ``scratch``."""
    for path, text in files.items():
        target = scratch / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="")


def _path(folder: Path, database: StrPath) -> str:
    """Return the path of ``database`` for pyproject.toml: relative to ``folder`` if it is below it."""
    place = database_path(database)
    if place.path is None:
        raise UsageError(f"{place.name}: a database in memory is gone after the command. Give the path of a file.")
    path = place.path.absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
