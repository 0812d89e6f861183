"""A project: the folder, and the ``[tool.waiaas-migrate]`` table of its pyproject.toml."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waiaas_migrate.errors import Problem, ProjectError
from waiaas_migrate.files.problem_report import Origin, Report, listed, suggestion
from waiaas_migrate.files.setup_function import NamedSetup, is_setup_name
from waiaas_migrate.files.text_file import read_text
from waiaas_migrate.sqlite.planning.plan_options import PlanOptions

_TABLE = "tool.waiaas-migrate"
_DEFAULTS = {"schema": "schema.yaml", "migrations": "migrations", "templates": "templates"}
_FLAGS = ("catalog_edits", "secure_delete")
_NAMES = "ignore_tables"
_KNOWN = (*_DEFAULTS, *_FLAGS, _NAMES, "setup")

#: Names pyproject.toml files of other users to be used all the same, separated like PATH; `*` is all of them.
TRUSTED = "WAIAAS_MIGRATE_TRUSTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Where a project keeps its things, and what it chose.

    ``root`` is the folder of its pyproject.toml; modules with enums are looked for there. ``catalog_edits`` says
    whether changes to a table's text alone may be made in ``sqlite_master``, which is fast, or must be rebuilds;
    ``secure_delete`` whether rebuilds overwrite the pages that they free (None leaves it to the connection);
    ``ignore_tables`` are names and globs of tables that belong to other tools. ``setup`` is called with every
    connection, for the application's collations, functions and extensions.
    """

    root: Path
    schema: Path
    migrations: Path
    templates: Path
    catalog_edits: bool = True
    secure_delete: bool | None = None
    ignore_tables: tuple[str, ...] = ()
    setup: NamedSetup | None = None

    @property
    def options(self) -> PlanOptions:
        """What the planner needs to know of the choices."""
        return PlanOptions(catalog_edits=self.catalog_edits, secure_delete=self.secure_delete)


def find_project(
    start: Path,
    *,
    schema: Path | str | None = None,
    migrations: Path | str | None = None,
    templates: Path | str | None = None,
) -> Project:
    """The project that ``start`` belongs to.

    The nearest pyproject.toml with a ``[tool.waiaas-migrate]`` table counts, from ``start`` upward; its paths are
    relative to its folder. Without one, the folder is ``start``, with ``schema.yaml``, ``migrations`` and
    ``templates``.

    Args:
        start: The current folder.
        schema: schema.yaml, where the command line names it; relative to ``start``, like the others.
        migrations: The migrations folder likewise.
        templates: The folder of the project's own templates likewise.

    Raises:
        ProjectError: Where the table, or the file that it is in, cannot be used.
    """
    start = start.absolute()
    root, settings = _nearest(start)
    given = {"schema": schema, "migrations": migrations, "templates": templates}
    paths = {name: start / path for name, path in given.items() if path is not None}
    for name, default in _DEFAULTS.items():
        paths.setdefault(name, root / settings.get(name, default))
    return Project(
        root=root,
        schema=paths["schema"],
        migrations=paths["migrations"],
        templates=paths["templates"],
        catalog_edits=settings.get("catalog_edits", True),
        secure_delete=settings.get("secure_delete"),
        ignore_tables=tuple(settings.get(_NAMES, ())),
        setup=_setup(root, settings),
    )


def _setup(root: Path, settings: dict[str, Any]) -> NamedSetup | None:
    if "setup" not in settings:
        return None
    name, origin = settings["setup"]
    return NamedSetup(name=name, root=root, origin=origin)


def _nearest(start: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of the project that ``start`` is in, and its table."""
    for folder in (start, *start.parents):
        found = _settings(folder / "pyproject.toml")
        if found is not None:
            return folder, found
    return start, {}


def _settings(path: Path) -> dict[str, Any] | None:
    """The project's table in a pyproject.toml, checked; None where there is no such file or table."""
    try:
        if not path.is_file():
            return None
    except OSError:
        # A folder on the way up that may not be looked into holds no project of this user's.
        return None
    text = read_text(path, str(path), missing="")
    if isinstance(text, Problem):
        raise ProjectError([text])
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProjectError([_broken(path, error)]) from None
    tool = document.get("tool")
    table = tool.get("waiaas-migrate") if isinstance(tool, dict) else None
    if table is None:
        return None
    _refuse_foreign(path)
    return _checked(table, path, text)


def _refuse_foreign(path: Path) -> None:
    """Refuse a file of another user: its settings name modules and migrations that run as this one.

    Anybody can put a pyproject.toml into /tmp, above the projects of others. As with git's ``safe.directory``, root's
    files are trusted, and so are those of a user who became root with sudo.

    Raises:
        ProjectError: it, or the link that it is, belongs to another user and is not in ``WAIAAS_MIGRATE_TRUSTED``.
    """
    if os.name != "posix":
        return
    me = os.geteuid()
    known = {0, me}
    if me == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        known.add(int(os.environ["SUDO_UID"]))
    owners = [found.st_uid for found in (path.stat(), path.lstat()) if found.st_uid not in known]
    trusted = os.environ.get(TRUSTED, "").split(os.pathsep)
    if not owners or "*" in trusted or str(path) in trusted:
        return
    what = (
        f"the file belongs to {_user(owners[0])}, and you are {_user(me)}. "
        f"It is not used, because its settings can run code as you."
    )
    fix = (
        f"If you trust it, set {TRUSTED}={path} in the environment. If it is not yours, give your project a "
        f"pyproject.toml with [{_TABLE}] of its own."
    )
    raise ProjectError([Origin(file=str(path)).problem(what, fix)])


def _user(number: int) -> str:
    """Return the name of a user, with the number; the number alone if the user has no name here."""
    import pwd

    try:
        return f"{pwd.getpwuid(number).pw_name} (uid {number})"
    except KeyError:
        return f"uid {number}"


def _broken(path: Path, error: Exception) -> Problem:
    message = str(error)
    place = re.search(r" \(at line (\d+), column (\d+)\)", message)
    origin = Origin(file=str(path))
    if place is not None:
        origin = Origin(file=str(path), line=int(place[1]), column=int(place[2]))
        message = message.replace(place[0], "")
    return origin.problem(f"this is not TOML: {message.rstrip('.')}.", "Correct it.")


def _checked(table: object, path: Path, text: str) -> dict[str, Any]:
    report = Report()
    origin = Origin(file=str(path), line=_line(text, r"^\s*\[\s*tool\s*\.\s*[\"']?waiaas-migrate"), path=_TABLE)
    settings: dict[str, Any] = {}
    if not isinstance(table, dict):
        report.add(origin, "this is no table.", f"Write `[{_TABLE}]` with the keys below it.")
        table = {}
    for key, value in table.items():
        # Both spellings are usual in pyproject.toml.
        name = key.replace("-", "_")
        here = Origin(
            file=str(path),
            line=_line(text, rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=", origin.line),
            path=f"{_TABLE}.{key}",
        )
        if name not in _KNOWN:
            report.add(here, f"unknown key `{key}`.", suggestion(key, _KNOWN, f"Known are {listed(_KNOWN)}."))
        elif name in settings:
            report.add(here, f"`{name}` is here twice.", "Take one of them away.")
        elif problem := _value_problem(name, value):
            report.add(here, *problem)
        settings.setdefault(name, (value, here) if name == "setup" else value)
    if problems := report.problems():
        raise ProjectError(problems)
    return settings


def _value_problem(name: str, value: object) -> tuple[str, str] | None:
    if name in _FLAGS:
        return None if isinstance(value, bool) else ("this must be true or false.", f"Write `{name} = false`.")
    if name == "setup":
        is_named = is_setup_name(value)
        return None if is_named else ("this must name a function.", 'Write `setup = "package.module:function"`.')
    if name == _NAMES:
        is_list = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
        return None if is_list else ("this must be a list of names.", f'Write `{name} = ["other_tool_*"]`.')
    if isinstance(value, str) and value and "\0" not in value:
        return None
    return "this must be a path.", f'Write `{name} = "{_DEFAULTS[name]}"`.'


def _line(text: str, pattern: str, after: int | None = None) -> int | None:
    """The line that ``pattern`` is first found in; tomllib does not tell."""
    for number, line in enumerate(text.splitlines(), start=1):
        if number > (after or 0) and re.match(pattern, line):
            return number
    return None
