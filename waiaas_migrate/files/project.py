"""Find a project: its folder, and the ``[tool.waiaas-migrate]`` table of its pyproject.toml."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from waiaas_migrate.errors import MigrateError, Problem, ProjectError
from waiaas_migrate.files import lint_settings as lint_table
from waiaas_migrate.files.application_code import NamedSetup, is_object_name
from waiaas_migrate.files.lint_settings import ALL_RULES, LintSettings
from waiaas_migrate.files.problem_report import Origin, Report, listed, suggestion
from waiaas_migrate.files.text_file import read_text
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.planning.plan_options import PlanOptions

_TABLE = "tool.waiaas-migrate"

#: Lists the pyproject.toml files that are trusted although they belong to other users. Separated like PATH; `*` is all.
TRUSTED = "WAIAAS_MIGRATE_TRUSTED"


class _Setting(NamedTuple):
    """A key of the table: the values it takes, an example, and a test of a value."""

    wanted: str
    example: str
    accepts: Callable[[object], bool]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_branch(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value[0] != "-" and not set(value) & set("\0\n :^~?*[\\")


_STYLES = ("declarative", "core")
_PATHS = {"schema": "schema.yaml", "migrations": "migrations", "templates": "templates"}
#: Files that commands write from schema.yaml, each with an example.
_WRITTEN = {"models": "app/tables.py", "enums_python": "app/enums.py", "enums_typescript": "src/enums.ts"}


def _is_database(value: object) -> bool:
    try:
        return isinstance(value, str) and not value.startswith("file:") and bool(_file_of(value))
    except MigrateError:
        return False


def _file_of(database: str) -> str:
    """Return the file that a path or a URL names; "" for a database in memory."""
    from waiaas_migrate.sqlite.database.url import database_path

    return database_path(database).file or ""


_FLAG = _Setting("true or false", "false", lambda value: isinstance(value, bool))
_SETTINGS = {
    **{name: _Setting("a path", f'"{default}"', _is_name) for name, default in _PATHS.items()},
    "database": _Setting("a path or a sqlite:/// URL", '"app.db"', _is_database),
    **{name: _Setting("a path", f'"{example}"', _is_name) for name, example in _WRITTEN.items()},
    "catalog_edits": _FLAG,
    "secure_delete": _FLAG,
    "ignore": _Setting(
        "a list of names", '["other_tool_*"]', lambda value: isinstance(value, list) and all(map(_is_name, value))
    ),
    "main_branch": _Setting("the name of a branch", '"trunk"', _is_branch),
    "lint": _Setting(lint_table.WANTED, lint_table.EXAMPLE, lint_table.is_lint_table),
    "models_style": _Setting("declarative or core", '"core"', lambda value: value in _STYLES),
    "setup": _Setting("the name of a function", '"package.module:function"', is_object_name),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The paths and settings of a project.

    Args:
        root: the folder of its pyproject.toml, which holds the modules with enums.
        schema: schema.yaml.
        migrations: the migrations folder.
        templates: the folder of the project's own templates.
        database: the database, or a pattern for several, that a command uses if it is given none.
        enums_python: the Python module that ``enums`` writes; None if there is none.
        enums_typescript: the TypeScript module likewise.
        catalog_edits: whether migrations may edit a table's definition in ``sqlite_master`` if that is enough, which is
            fast; if not, they rebuild the table.
        secure_delete: whether rebuilds overwrite the pages that they free; None leaves it to the connection.
        ignore: names and globs of tables and views that belong to other tools.
        setup: called with every connection, for the application's collations, functions and extensions.
        lint: which rules ``lint`` runs.
        models: the Python module that ``models`` writes; None if there is none.
        models_style: ``declarative`` for classes, ``core`` for ``Table`` objects.
        main_branch: the git branch whose migrations are released; None for the remote's default, main or master.
    """

    root: Path
    schema: Path
    migrations: Path
    templates: Path
    database: Path | None = None
    enums_python: Path | None = None
    enums_typescript: Path | None = None
    catalog_edits: bool = True
    secure_delete: bool | None = None
    ignore: tuple[str, ...] = ()
    setup: NamedSetup | None = None
    lint: LintSettings = ALL_RULES
    models: Path | None = None
    models_style: Literal["declarative", "core"] = "declarative"
    main_branch: str | None = None

    @property
    def options(self) -> PlanOptions:
        """Return the settings that the planner needs."""
        return PlanOptions(catalog_edits=self.catalog_edits, secure_delete=self.secure_delete)


def find_project(
    start: StrPath = ".",
    *,
    schema: StrPath | None = None,
    migrations: StrPath | None = None,
    templates: StrPath | None = None,
) -> Project:
    """Return the project that ``start`` belongs to.

    Use the nearest pyproject.toml with a ``[tool.waiaas-migrate]`` table, from ``start`` upward; its paths are
    relative to its folder. Without one, the folder is ``start``, with ``schema.yaml``, ``migrations`` and
    ``templates``.

    Args:
        start: the current folder.
        schema: schema.yaml, if the command line names it; relative to ``start``, like the others.
        migrations: the migrations folder likewise.
        templates: the folder of the project's own templates likewise.

    Raises:
        ProjectError: the table, or the file that it is in, can't be used.
    """
    start = Path(start).absolute()
    root, settings = _nearest(start)
    given = {"schema": schema, "migrations": migrations, "templates": templates}
    for name, default in _PATHS.items():
        path = given[name]
        settings[name] = root / settings.get(name, default) if path is None else start / path
    settings |= {name: root / settings[name] for name in _WRITTEN if name in settings}
    if "setup" in settings:
        name, origin = settings["setup"]
        settings["setup"] = NamedSetup(name=name, root=root, origin=origin)
    if "database" in settings:
        settings["database"] = root / _file_of(settings["database"])
    settings["lint"] = lint_table.lint_settings(settings.get("lint", {}))
    settings["ignore"] = tuple(settings.get("ignore", ()))
    return Project(root=root, **settings)


def _nearest(start: Path) -> tuple[Path, dict[str, Any]]:
    """Return the nearest folder with a table, and its settings; ``start`` and no settings if there is none."""
    for folder in (start, *start.parents):
        found = _settings(folder / "pyproject.toml")
        if found is not None:
            return folder, found
    return start, {}


def _settings(path: Path) -> dict[str, Any] | None:
    """Return the checked settings in a pyproject.toml; None if there is no such file or table."""
    try:
        if not path.is_file():
            return None
    except OSError:
        # A folder on the way up that this user may not read holds none of this user's projects.
        return None
    text = read_text(path, str(path), missing="")
    if isinstance(text, Problem):
        raise ProjectError([text])
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProjectError([_syntax_problem(path, error)]) from None
    tool = document.get("tool")
    table = tool.get("waiaas-migrate") if isinstance(tool, dict) else None
    if table is None:
        return None
    _refuse_foreign(path)
    return _checked(table, path, text)


def _refuse_foreign(path: Path) -> None:
    """Refuse a file of another user: its settings name modules and migrations that run as this user.

    Anybody can put a pyproject.toml into /tmp, above the projects of others. As with git's ``safe.directory``, root's
    files are trusted, and so are those of a user who became root with sudo.

    Raises:
        ProjectError: the file, or the link to it, belongs to another user and is not in ``WAIAAS_MIGRATE_TRUSTED``.
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
        f"If you trust it, set {TRUSTED}={path} in the environment. If it is not yours, give your project its own "
        f"pyproject.toml with [{_TABLE}]."
    )
    raise ProjectError([Origin(file=str(path)).problem(what, fix)])


def _user(number: int) -> str:
    """Return the name of a user, with the number; only the number if the user has no name here."""
    import pwd

    try:
        return f"{pwd.getpwuid(number).pw_name} (uid {number})"
    except KeyError:
        return f"uid {number}"


def _syntax_problem(path: Path, error: Exception) -> Problem:
    message, place, rest = str(error).partition(" (at line ")
    numbers = [int(number) for number in re.findall(r"\d+", rest)] if place else []
    line, column = numbers if len(numbers) == 2 else (None, None)
    origin = Origin(file=str(path), line=line, column=column)
    return origin.problem(f"this is not TOML: {message.rstrip('.')}.", "Correct it.")


def _checked(table: object, path: Path, text: str) -> dict[str, Any]:
    report = Report()
    line = _line(text, r"^\s*\[\s*tool\s*\.\s*[\"']?waiaas-migrate")
    settings: dict[str, Any] = {}
    if not isinstance(table, dict):
        origin = Origin(file=str(path), line=line, path=_TABLE)
        report.add(origin, "this is not a table.", f"Write `[{_TABLE}]` with the keys below it.")
        table = {}
    for key, value in table.items():
        name = key.replace("-", "_")  # both spellings are usual in pyproject.toml
        own_line = _line(text, rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=", line)
        origin = Origin(file=str(path), line=own_line, path=f"{_TABLE}.{key}")
        if name not in _SETTINGS:
            fix = suggestion(key, _SETTINGS, f"Known keys: {listed(_SETTINGS)}.")
            report.add(origin, f"unknown key `{key}`.", fix)
        elif name in settings:
            report.add(origin, f"`{name}` is set twice.", "Remove one of them.")
        elif not _SETTINGS[name].accepts(value):
            fix = f"Write `{name} = {_SETTINGS[name].example}`."
            report.add(origin, f"`{name}` must be {_SETTINGS[name].wanted}.", fix)
        settings.setdefault(name, (value, origin) if name == "setup" else value)
    if problems := report.problems():
        raise ProjectError(problems)
    return settings


def _line(text: str, pattern: str, after: int | None = None) -> int | None:
    """Return the number of the first line, below ``after``, that ``pattern`` matches."""
    for number, line in enumerate(text.splitlines(), start=1):
        if number > (after or 0) and re.match(pattern, line):
            return number
    return None
