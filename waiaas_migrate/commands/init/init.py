"""``init``: write the files of a new project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from waiaas_migrate.commands.init import start_files
from waiaas_migrate.commands.init.start_files import Start
from waiaas_migrate.commands.init.surroundings import Surroundings, look_around
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.project import find_project
from waiaas_migrate.files.schema_file.json_schema import JSON_SCHEMA, json_schema_text
from waiaas_migrate.files.text_file import display_name, write_text
from waiaas_migrate.sqlite.database.url import StrPath

_WORKFLOW = Path(".github", "workflows", "migrations.yml")
_HOOKS = Path(".pre-commit-config.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialized:
    """The result of ``init``.

    Args:
        written: the files that were written.
        adopted: the migration that was recorded in the database as applied; None if none was recorded.
        notices: sentences for the user, such as a file that was left unchanged.
        next: the commands to run next, each with a description.
    """

    written: tuple[Path, ...]
    adopted: str | None = None
    notices: tuple[str, ...] = ()
    next: Mapping[str, str] = field(default_factory=dict)


def init(folder: StrPath, *, database: StrPath | None = None, models: str | None = None) -> Initialized:
    """Write the files of a new project, all or none; overwrite nothing.

    The folder may contain other files. The schema can be taken from ``database``, in which the first migration is then
    recorded, or from SQLAlchemy models, such as ``app.tables:Base``.

    Raises:
        UsageError: the folder is already a project, a file exists with another text, or the models can't be used.
        InputError: pyproject.toml or a module with enums can't be read.
        DatabaseFileError, DatabaseRefused: the database is missing, has no tables, or can't be used.
        UnsupportedError: the database has something that can't be written to schema.yaml.
    """
    if database is not None and models is not None:
        raise UsageError("--from and --from-models contradict each other. Give only one of them.")
    surroundings = look_around(Path(folder).absolute())
    start = _start(surroundings, database, models)
    files = {**start.files, surroundings.folder / JSON_SCHEMA: json_schema_text()}
    notices = [*start.notices, *_add_integrations(files, surroundings)]
    pyproject = surroundings.new_pyproject(start.database)
    written = _write_new_files(files, (surroundings.folder / "pyproject.toml", pyproject))
    adopted = None
    if database is not None and start.is_adoptable:
        from waiaas_migrate.commands.adopt import adopt

        adopted = adopt(find_project(surroundings.folder), database).at
    next_commands = _next_commands(start, from_database=database is not None)
    return Initialized(written=written, adopted=adopted, notices=tuple(notices), next=next_commands)


def _start(surroundings: Surroundings, database: StrPath | None, models: str | None) -> Start:
    if database is not None:
        from waiaas_migrate.commands.init.from_database import from_database

        return from_database(surroundings, database)
    if models is not None:
        from waiaas_migrate.commands.init.from_models import from_models

        return from_models(surroundings, models)
    return _from_sample(surroundings)


def _from_sample(surroundings: Surroundings) -> Start:
    schema, module, module_path = surroundings.folder / "schema.yaml", surroundings.module, surroundings.module_path
    if module_path.exists():
        name = module_path.relative_to(surroundings.folder)
        text = start_files.sample_schema(module, enum="[open, done]")
        return Start(files={schema: text}, notices=(f"{name} exists and is used as it is.",))
    return Start(files={schema: start_files.sample_schema(module, enum="State"), module_path: start_files.SAMPLE_ENUMS})


def _add_integrations(files: dict[Path, str], surroundings: Surroundings) -> list[str]:
    """Add the CI workflow and the pre-commit hook to ``files``; return a notice for each of the two that exists."""
    path = surroundings.folder.relative_to(surroundings.repository).as_posix()
    subfolder = "" if path == "." else path
    workflow, hook = start_files.workflow(subfolder, surroundings.ci_packages), start_files.hook(subfolder)
    wanted = {
        _WORKFLOW: (workflow, "run `waiaas-migrate check --format github`."),
        _HOOKS: (f"repos:\n{hook}", f"add below `repos:`\n{hook}"),
    }
    notices: list[str] = []
    for name, (text, hint) in wanted.items():
        target = surroundings.repository / name
        if os.path.lexists(target):
            notices.append(f"{name} exists. It was left unchanged. To check migrations there, {hint}".rstrip())
        else:
            files[target] = text
    return notices


def _write_new_files(files: Mapping[Path, str], pyproject: tuple[Path, str]) -> tuple[Path, ...]:
    """Write ``files``, then replace pyproject.toml; return the files that were written. All are written, or none.

    A file that already has the right text is left unchanged, so that an interrupted run can be repeated. Only
    pyproject.toml may exist with another text.
    """
    missing = {path: text for path, text in files.items() if not _has_text(path, text)}
    if existing := [path for path in missing if path.exists() or path.is_symlink()]:
        names = ", ".join(display_name(path, Path.cwd()) for path in existing)
        raise UsageError(
            f"{names}: already {'exists' if len(existing) == 1 else 'exist'}, and init overwrites nothing. "
            f"Nothing was written. Move or delete {'it' if len(existing) == 1 else 'them'}, or use another folder."
        )
    created: list[Path] = []
    try:
        for path, text in missing.items():
            created += [folder for folder in reversed(path.parents) if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="") as file:
                created.append(path)
                file.write(text)
        write_text(*pyproject)
    except BaseException as error:
        for path in reversed(created):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if not isinstance(error, OSError):
            raise
        what = f"{error.filename or ''}: can't be written: {error.strerror or error}."
        raise UsageError(f"{what} Nothing was written. Check the folder's permissions and free space.") from None
    return (*missing, pyproject[0])


def _has_text(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _next_commands(start: Start, *, from_database: bool) -> dict[str, str]:
    check = {"waiaas-migrate check": "in CI: do schema.yaml, the enums and the migrations agree?"}
    generate = {"waiaas-migrate generate": "write a migration for schema.yaml"}
    if start.is_adoptable:
        return {**check, "waiaas-migrate drift": "find changes to the database made by hand", **generate}
    if from_database:
        return {**generate, "waiaas-migrate adopt": f"record in {start.database} that it has run", **check}
    return {**generate, **check, "waiaas-migrate apply": f"bring {start.database} up to date"}
