"""Find the files in and above a folder that ``init`` must respect: repository, pyproject.toml, package, enums."""

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
    """The existing files in and above the folder of a new project.

    ``repository`` is the top folder of the git repository; ``folder`` if it is not in a repository. ``module`` is the
    name of the module for enums, such as ``app.enums``; its file, ``module_path``, may not exist yet. ``pyproject`` is
    the text of pyproject.toml; None if the file is missing.
    """

    folder: Path
    repository: Path
    module: str
    module_path: Path
    pyproject: str | None

    @property
    def ci_packages(self) -> tuple[str, ...]:
        """Return arguments of ``pip install`` with which CI can import the module of enums."""
        if self.pyproject is not None and not _parsed(self.pyproject).keys().isdisjoint({"project", "build-system"}):
            return (".",)
        return ("-r requirements.txt",) if (self.folder / "requirements.txt").is_file() else ()

    def new_pyproject(self, database: str) -> str:
        """Return the text of pyproject.toml with the table ``[tool.waiaas-migrate]`` at its end.

        Raises:
            ProjectError: the file can't have a table at its end.
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
    """Return the files that ``folder`` and the folders above it already have.

    Raises:
        ProjectError: pyproject.toml can't be read.
        UsageError: ``folder`` is already a project.
    """
    module_path = _module_path(folder)
    source = folder / "src"
    parts = module_path.with_suffix("").relative_to(source if module_path.is_relative_to(source) else folder).parts
    repository = repository_root(folder)
    return Surroundings(
        folder=folder,
        repository=repository if repository is not None and folder.is_relative_to(repository) else folder,
        module=".".join(parts),
        module_path=module_path,
        pyproject=_read_pyproject(folder / "pyproject.toml"),
    )


def _read_pyproject(path: Path) -> str | None:
    """Return the text of pyproject.toml with its line endings; None if the file is missing."""
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
    """Return the path for a module of enums: in the package if ``folder`` has exactly one, else beside schema.yaml."""
    for base in (folder / "src", folder):
        packages = [path.parent for path in base.glob("*/__init__.py") if path.parent.name not in ("tests", "test")]
        if len(packages) == 1 and packages[0].name.isidentifier():
            return packages[0] / "enums.py"
    return folder / "enums.py"
