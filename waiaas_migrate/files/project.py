"""Find a project and read its settings in pyproject.toml."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from waiaas_migrate.errors import MigrateError, Problem, ProjectError
from waiaas_migrate.files.application_code import NamedSetup, is_object_name
from waiaas_migrate.files.problem_report import Origin, Report, listed, suggestion
from waiaas_migrate.files.text_file import read_text
from waiaas_migrate.sqlite.database.url import StrPath, database_path
from waiaas_migrate.sqlite.planning.plan_options import PlanOptions

_TABLE = "tool.waiaas-migrate"

#: The variable that lists pyproject.toml files of other users to trust, separated as in PATH; ``*`` trusts all.
TRUSTED = "WAIAAS_MIGRATE_TRUSTED"


#: The values of ``severity``.
SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class LintSettings:
    """Which rules ``lint`` runs, and the severities of their findings.

    Args:
        select: codes of the only rules to run; empty for all.
        ignore: codes of the rules to skip.
        severity: pairs of a code and the severity to use instead of the rule's default.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: tuple[tuple[str, str], ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Return all codes that the settings name."""
        return (*self.select, *self.ignore, *(code for code, _ in self.severity))

    def selects(self, code: str) -> bool:
        """Return whether the rule with this code runs."""
        return code not in self.ignore and (not self.select or code in self.select)

    def severity_of(self, code: str, default: str) -> str:
        """Return the severity set for a code, or else ``default``."""
        return dict(self.severity).get(code, default)


def _read_lint_table(table: object) -> LintSettings | None:
    """Return the settings in a ``lint`` table; None if the table is invalid."""
    if not isinstance(table, dict) or not table.keys() <= {"select", "ignore", "severity"}:
        return None
    select, ignore, severity = table.get("select", []), table.get("ignore", []), table.get("severity", {})
    if not _is_code_list(select) or not _is_code_list(ignore) or not isinstance(severity, dict):
        return None
    if not all(level in SEVERITIES for level in severity.values()):
        return None
    return LintSettings(select=tuple(select), ignore=tuple(ignore), severity=tuple(severity.items()))


def _is_code_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(code, str) for code in value)


class _Setting(NamedTuple):
    """A key of the table: which values it takes, an example, and a test of a value."""

    wanted: str
    example: str
    accepts: Callable[[object], bool]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_branch(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value[0] != "-" and not set(value) & set("\0\n :^~?*[\\")


_STYLES = ("declarative", "core")
#: The paths that a project has, with their defaults.
_PATHS = {"schema": "schema.yaml", "migrations": "migrations", "templates": "templates"}
#: The settings for files that commands write from schema.yaml or from enums, each with an example.
_WRITTEN_FILES = {"models": "app/tables.py", "enums_python": "app/enums.py", "enums_typescript": "src/enums.ts"}


def _is_database(value: object) -> bool:
    try:
        return isinstance(value, str) and not value.startswith("file:") and bool(database_path(value).file)
    except MigrateError:
        return False


_FLAG = _Setting("true or false", "false", lambda value: isinstance(value, bool))
_SETTINGS = {
    **{name: _Setting("a path", f'"{default}"', _is_name) for name, default in _PATHS.items()},
    "database": _Setting("a path or a sqlite:/// URL", '"app.db"', _is_database),
    **{name: _Setting("a path", f'"{example}"', _is_name) for name, example in _WRITTEN_FILES.items()},
    "catalog_edits": _FLAG,
    "secure_delete": _FLAG,
    "ignore": _Setting(
        "a list of names", '["other_tool_*"]', lambda value: isinstance(value, list) and all(map(_is_name, value))
    ),
    "main_branch": _Setting("the name of a branch", '"trunk"', _is_branch),
    "lint": _Setting(
        "a table with `select`, `ignore` (lists of codes) and `severity` (levels by code)",
        '{ ignore = ["RESERVED_NAME"] }',
        lambda value: _read_lint_table(value) is not None,
    ),
    "models_style": _Setting("declarative or core", '"core"', lambda value: value in _STYLES),
    "setup": _Setting("the name of a function", '"package.module:function"', is_object_name),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The paths and settings of a project.

    Args:
        root: the folder of its pyproject.toml. The modules that define enums are looked up there.
        schema: schema.yaml.
        migrations: the migrations folder.
        templates: the folder of the project's own templates.
        database: the default database of commands, or a pattern for several databases.
        enums_python: the Python module that ``enums`` writes; None if there is none.
        enums_typescript: the TypeScript module that ``enums`` writes; None if there is none.
        catalog_edits: whether migrations may edit a table's definition in ``sqlite_master``, which is fast. If False,
            they rebuild the table instead.
        secure_delete: whether rebuilds overwrite the pages that they free; None keeps the connection's setting.
        ignore: names and globs of tables and views that belong to other tools.
        setup: a function that registers the application's collations, functions and extensions on a connection.
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
    lint: LintSettings = field(default_factory=LintSettings)
    models: Path | None = None
    models_style: Literal["declarative", "core"] = "declarative"
    main_branch: str | None = None

    @property
    def options(self) -> PlanOptions:
        """Return the settings for the planner."""
        return PlanOptions(catalog_edits=self.catalog_edits, secure_delete=self.secure_delete)


def find_project(
    start: StrPath = ".",
    *,
    schema: StrPath | None = None,
    migrations: StrPath | None = None,
    templates: StrPath | None = None,
) -> Project:
    """Return the project that ``start`` belongs to.

    The settings are in the nearest pyproject.toml, from ``start`` upward, that has a ``[tool.waiaas-migrate]`` table.
    Its paths are relative to its folder. Without such a file, the project's folder is ``start``, and every setting has
    its default.

    Args:
        start: the current folder.
        schema: the path to use instead of the setting ``schema``, relative to ``start``.
        migrations: the path to use instead of the setting ``migrations``, relative to ``start``.
        templates: the path to use instead of the setting ``templates``, relative to ``start``.

    Raises:
        ProjectError: pyproject.toml or one of the settings is invalid.
    """
    start = Path(start).absolute()
    found = ((folder, _read_settings(folder / "pyproject.toml")) for folder in (start, *start.parents))
    root, settings = next(((folder, table) for folder, table in found if table is not None), (start, {}))
    given = {"schema": schema, "migrations": migrations, "templates": templates}
    for name, default in _PATHS.items():
        path = given[name]
        settings[name] = root / settings.get(name, default) if path is None else start / path
    settings |= {name: root / settings[name] for name in _WRITTEN_FILES if name in settings}
    if "setup" in settings:
        name, origin = settings["setup"]
        settings["setup"] = NamedSetup(name=name, root=root, origin=origin)
    if "database" in settings:
        settings["database"] = root / (database_path(settings["database"]).file or "")
    settings["lint"] = _read_lint_table(settings.get("lint", {}))
    settings["ignore"] = tuple(settings.get("ignore", ()))
    return Project(root=root, **settings)


def _read_settings(path: Path) -> dict[str, Any] | None:
    """Return the settings in a pyproject.toml; None if it or the table is missing."""
    # Unlike Path.is_file, this skips folders that the user may not read: they hold none of the user's projects.
    if not os.path.isfile(path):  # noqa: PTH113
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
    _refuse_file_of_another_user(path)
    return _checked_settings(table, path, text)


def _refuse_file_of_another_user(path: Path) -> None:
    """Refuse another user's pyproject.toml: its settings can run code as this user.

    Anybody can put a pyproject.toml into /tmp, above other users' projects. As with git's ``safe.directory``, files of
    root are trusted. If the current user became root with sudo, files of the original user are trusted, too.

    Raises:
        ProjectError: the file, or the link to it, belongs to another user and is not in ``WAIAAS_MIGRATE_TRUSTED``.
    """
    if os.name != "posix":
        return
    user = os.geteuid()
    trusted_users = {0, user}
    if user == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        trusted_users.add(int(os.environ["SUDO_UID"]))
    owners = [found.st_uid for found in (path.stat(), path.lstat()) if found.st_uid not in trusted_users]
    trusted_files = os.environ.get(TRUSTED, "").split(os.pathsep)
    if not owners or "*" in trusted_files or str(path) in trusted_files:
        return
    what = (
        f"the file belongs to {_user_name(owners[0])}, and you are {_user_name(user)}. "
        f"It is not used, because its settings can run code as you."
    )
    fix = (
        f"If you trust it, set {TRUSTED}={path} in the environment. If it is not yours, give your project its own "
        f"pyproject.toml with [{_TABLE}]."
    )
    raise ProjectError([Origin(file=str(path)).problem(what, fix)])


def _user_name(number: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(number).pw_name} (uid {number})"
    except KeyError:
        return f"uid {number}"


def _syntax_problem(path: Path, error: Exception) -> Problem:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(error), re.DOTALL)
    message, line, column = (found[1], int(found[2]), int(found[3])) if found else (str(error), None, None)
    origin = Origin(file=str(path), line=line, column=column)
    return origin.problem(f"this is not TOML: {message.rstrip('.')}.", "Correct it.")


def _checked_settings(table: object, path: Path, text: str) -> dict[str, Any]:
    """Return the settings in ``table``; raise one error for all invalid settings."""
    report = Report()
    line = _line_number(text, r"^\s*\[\s*tool\s*\.\s*[\"']?waiaas-migrate")
    settings: dict[str, Any] = {}
    if not isinstance(table, dict):
        origin = Origin(file=str(path), line=line, path=_TABLE)
        report.add(origin, "this is not a table.", f"Write `[{_TABLE}]` with the keys below it.")
        table = {}
    for key, value in table.items():
        name = key.replace("-", "_")  # both spellings are usual in pyproject.toml
        key_line = _line_number(text, rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=", line)
        origin = Origin(file=str(path), line=key_line, path=f"{_TABLE}.{key}")
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


def _line_number(text: str, pattern: str, after: int | None = None) -> int | None:
    """Return the number of the first line below ``after`` that matches ``pattern``; None if none does."""
    for number, line in enumerate(text.splitlines(), start=1):
        if number > (after or 0) and re.match(pattern, line):
            return number
    return None
