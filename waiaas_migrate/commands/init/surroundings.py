"""Find out what a folder already has: a repository, a pyproject.toml, a package, and a module of enums."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waiaas_migrate.commands.init.start_files import settings
from waiaas_migrate.errors import Problem, ProjectError, UsageError
from waiaas_migrate.files.git import repository_root
from waiaas_migrate.files.text_file import display_name, read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The files and settings found in and above a folder.

    Args:
        folder: the folder of the new project.
        repository: the top folder of its git repository; the folder itself if there is none.
        module: the module for enums, such as ``app.enums``.
        module_path: its file, which may not exist.
        pyproject: the whole text of pyproject.toml; None if there is no such file.
    """

    folder: Path
    repository: Path
    module: str
    module_path: Path
    pyproject: str | None

    @property
    def below(self) -> str:
        """Return the folder's path in the repository; empty if it is the same."""
        path = self.folder.relative_to(self.repository).as_posix()
        return "" if path == "." else path

    @property
    def packages(self) -> tuple[str, ...]:
        """Return what CI must install so that the module of enums can be imported."""
        if self.pyproject is not None and not _parsed(self.pyproject).keys().isdisjoint({"project", "build-system"}):
            return (".",)
        return ("-r requirements.txt",) if (self.folder / "requirements.txt").is_file() else ()

    def new_pyproject(self, database: str) -> str:
        """Return the text of pyproject.toml with the new settings at its end.

        Raises:
            ProjectError: a table can't be added to the file.
        """
        if self.pyproject is None:
            return settings(database)
        newline = "\r\n" if "\r\n" in self.pyproject else "\n"
        gap = newline if not self.pyproject or self.pyproject.endswith("\n") else newline * 2
        text = f"{self.pyproject}{gap if self.pyproject else ''}{settings(database, newline=newline)}"
        try:
            _parsed(text)
        except tomllib.TOMLDecodeError:
            what = "`[tool.waiaas-migrate]` can't be added at the end of the file."
            fix = "Write `tool` as tables, such as `[tool.NAME]`, then run `init` again."
            raise ProjectError([Problem(file="pyproject.toml", what=what, fix=fix)]) from None
        return text


def look_around(folder: Path) -> Surroundings:
    """Return what ``folder`` has.

    Raises:
        ProjectError: its pyproject.toml can't be read.
        UsageError: it is a project already.
    """
    pyproject = _pyproject(folder / "pyproject.toml")
    module_path = _module_path(folder)
    source = folder / "src"
    parts = module_path.with_suffix("").relative_to(source if module_path.is_relative_to(source) else folder).parts
    top = repository_root(folder)
    return Surroundings(
        folder=folder,
        repository=top if top is not None and folder.is_relative_to(top) else folder,
        module=".".join(parts),
        module_path=module_path,
        pyproject=pyproject,
    )


def _pyproject(path: Path) -> str | None:
    if not path.exists() and not path.is_symlink():
        return None
    name = display_name(path, Path.cwd())
    text = read_text(path, name, missing="")
    if isinstance(text, Problem):
        raise ProjectError([text])
    try:
        tool = _parsed(text).get("tool", {})
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what = f"this is not TOML: {str(error).rstrip('.')}."
        raise ProjectError([Problem(file=name, what=what, fix="Correct it.")]) from None
    if isinstance(tool, dict) and "waiaas-migrate" in tool:
        raise UsageError(
            f"{name}: already has [tool.waiaas-migrate], so this is a project. Edit its schema.yaml, then run "
            f"`waiaas-migrate generate`."
        )
    return path.read_bytes().decode()


def _parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text.removeprefix("\ufeff"))


def _module_path(folder: Path) -> Path:
    """Return the file for enums: in the only package of the project, else beside schema.yaml."""
    for base in (folder / "src", folder):
        packages = [path.parent for path in base.glob("*/__init__.py") if path.parent.name not in ("tests", "test")]
        if len(packages) == 1 and packages[0].name.isidentifier():
            return packages[0] / "enums.py"
    return folder / "enums.py"
