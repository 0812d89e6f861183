"""``init``: write the files of a new project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from waiaas_migrate.commands.init import start_files
from waiaas_migrate.commands.init.new_files import write_new_files
from waiaas_migrate.commands.init.start import Start
from waiaas_migrate.commands.init.surroundings import Surroundings, look_around
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.project import find_project
from waiaas_migrate.files.schema_file.json_schema import JSON_SCHEMA, json_schema_text
from waiaas_migrate.sqlite.database.url import StrPath

_WORKFLOW = Path(".github", "workflows", "migrations.yml")
_HOOKS = Path(".pre-commit-config.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialized:
    """What ``init`` did.

    Args:
        written: the files that were written.
        adopted: the last migration that was recorded in the database as applied; None if none was.
        notices: sentences for people, such as what was left alone.
        next: the commands to run next, each with what it does.
    """

    written: tuple[Path, ...]
    adopted: str | None = None
    notices: tuple[str, ...] = ()
    next: Mapping[str, str] = field(default_factory=dict)


def init(folder: StrPath, *, database: StrPath | None = None, models: str | None = None) -> Initialized:
    """Write the files of a new project, all or none; overwrite nothing.

    Args:
        folder: the folder of the project; it may hold other files.
        database: take the schema from this database, write the first migration, and record it there as applied.
        models: take the schema from SQLAlchemy models, such as ``app.tables:Base``.

    Raises:
        UsageError: the folder is a project already, a file is in the way, or the models can't be used.
        InputError: pyproject.toml or a module with enums can't be read.
        DatabaseFileError: the database is missing, or can't be used.
        UnsupportedError: the database has something that can't be written to schema.yaml.
    """
    if database is not None and models is not None:
        raise UsageError("--from and --from-models contradict each other. Give only one of them.")
    around = look_around(Path(folder).absolute())
    start = _start(around, database, models)
    files = {**start.files, around.folder / JSON_SCHEMA: json_schema_text()}
    notices = [*start.notices, *_add_integrations(files, around)]
    written = write_new_files(files, (around.folder / "pyproject.toml", around.new_pyproject(start.database)))
    adopted = _adopt(around.folder, database) if database is not None and start.is_generated else None
    return Initialized(
        written=written, adopted=adopted, notices=tuple(notices), next=_next(start, exists=database is not None)
    )


def _start(around: Surroundings, database: StrPath | None, models: str | None) -> Start:
    if database is not None:
        from waiaas_migrate.commands.init.from_database import from_database

        return from_database(around, database)
    if models is not None:
        from waiaas_migrate.commands.init.from_models import from_models

        return from_models(around, models)
    return _from_nothing(around)


def _from_nothing(around: Surroundings) -> Start:
    schema, path = around.folder / "schema.yaml", around.module_path
    has_enum = not path.exists()
    files = {schema: start_files.schema_sample(around.module, has_enum=has_enum)}
    if has_enum:
        return Start(files={**files, path: start_files.ENUMS})
    return Start(files=files, notices=(f"{path.relative_to(around.folder)} exists and is used as it is.",))


def _add_integrations(files: dict[Path, str], around: Surroundings) -> list[str]:
    """Add the CI workflow and the pre-commit hook to ``files``; return a notice for each file that exists."""
    workflow, hook = start_files.workflow(around.below, around.packages), start_files.hook(around.below)
    wanted = {
        _WORKFLOW: (workflow, "run `waiaas-migrate check --format github`."),
        _HOOKS: (f"repos:\n{hook}", f"add below `repos:`\n{hook}"),
    }
    notices: list[str] = []
    for name, (text, hint) in wanted.items():
        path = around.repository / name
        if os.path.lexists(path):
            notices.append(f"{name} exists. It was left alone. To check migrations there, {hint}".rstrip())
        else:
            files[path] = text
    return notices


def _adopt(folder: Path, database: StrPath) -> str | None:
    from waiaas_migrate.commands.adopt import adopt

    return adopt(find_project(folder), database).at


def _next(start: Start, *, exists: bool) -> dict[str, str]:
    check = {"waiaas-migrate check": "in CI: do schema.yaml, the enums and the migrations agree?"}
    generate = {"waiaas-migrate generate": "write a migration for schema.yaml"}
    if start.is_generated:
        return {**check, "waiaas-migrate drift": "find changes to the database made by hand", **generate}
    if exists:
        return {**generate, "waiaas-migrate adopt": f"record in {start.database} that it has run", **check}
    return {**generate, **check, "waiaas-migrate apply": f"bring {start.database} up to date"}
