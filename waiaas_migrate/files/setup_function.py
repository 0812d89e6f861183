"""The application's function that prepares connections, named by ``setup`` in ``[tool.waiaas-migrate]``."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from waiaas_migrate.errors import ProjectError
from waiaas_migrate.files.problem_report import Origin


def is_setup_name(value: object) -> bool:
    """Return whether ``value`` has the form ``package.module:function``."""
    if not isinstance(value, str):
        return False
    module, colon, function = value.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), *function.split(".")))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSetup:
    """A function called ``name``, imported when the first connection needs it.

    ``root`` is the project's folder; it and its ``src`` folder come first when modules are looked up.
    """

    name: str
    root: Path
    origin: Origin

    def __call__(self, connection: sqlite3.Connection) -> None:
        """Prepare ``connection``.

        Raises:
            ProjectError: the function can't be imported, or raises.
        """
        function = _load(self)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                function(connection)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the application's function may raise anything, SystemExit too
            what = f"`{self.name}` fails: {_said(error)}."
            fix = "It is called with every connection, to files and to empty databases in memory; make it work on both."
            raise ProjectError([self.origin.problem(what, fix)]) from error


@lru_cache(maxsize=8)
def _load(setup: NamedSetup) -> Callable[[sqlite3.Connection], Any]:
    module_name, _, path = setup.name.partition(":")
    for folder in (setup.root / "src", setup.root):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    try:
        # A module that prints must not print into the data on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            found: Any = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the application's module may raise anything, SystemExit too
        what = f"the module `{module_name}` can't be imported: {_said(error)}."
        fix = f"It is looked for in {setup.root} and among the installed packages. Correct the name, or install it."
        raise ProjectError([setup.origin.problem(what, fix)]) from error
    for name in path.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        what = f"`{path}` in the module `{module_name}` is " + ("missing." if found is None else "not a function.")
        raise ProjectError([setup.origin.problem(what, "Name a function that takes a sqlite3.Connection.")])
    function: Callable[[sqlite3.Connection], Any] = found
    return function


def _said(error: BaseException) -> str:
    try:
        message = str(error).rstrip(".")
    except Exception:  # noqa: BLE001 — an exception need not be able to say what it is
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
