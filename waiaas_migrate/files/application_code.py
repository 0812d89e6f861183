"""Run code of the application, such as its enum modules and ``setup`` function."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from waiaas_migrate.errors import ProjectError
from waiaas_migrate.files.problem_report import Origin, shown


class ApplicationError(Exception):
    """The application's code raised an exception, which the message describes."""


@contextlib.contextmanager
def application_code() -> Iterator[None]:
    """Run the application's code with its stdout sent to stderr, because the command's stdout may be JSON.

    Raises:
        ApplicationError: the code raised anything but KeyboardInterrupt, such as SystemExit.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, ApplicationError):
        raise
    except BaseException as error:
        try:
            message = shown(str(error), 200).rstrip(".")
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 — str() of the application's exception may raise, too
            message = ""
        name = type(error).__name__
        raise ApplicationError(f"{name}: {message}" if message else name) from error


def is_object_name(value: object) -> bool:
    """Return whether ``value`` has the form ``package.module:function``."""
    if not isinstance(value, str):
        return False
    module, colon, function = value.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), *function.split(".")))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSetup:
    """The application's ``setup`` function, imported when it is first called.

    ``name`` is ``package.module:function``, and ``origin`` the place of the setting that names it, for errors.
    """

    name: str
    root: Path
    origin: Origin

    def __call__(self, connection: sqlite3.Connection) -> None:
        """Call the function; raise ProjectError if it can't be imported or raises."""
        function = _import_setup(self)
        try:
            with application_code():
                function(connection)
        except ApplicationError as error:
            fix = "It is called with every connection, to files and to empty databases in memory; make it work on both."
            raise ProjectError([self.origin.problem(f"`{self.name}` fails: {error}.", fix)]) from error


@lru_cache(maxsize=8)
def _import_setup(setup: NamedSetup) -> Callable[[sqlite3.Connection], Any]:
    found = import_object(setup.name, root=setup.root, origin=setup.origin)
    if not callable(found):
        module, _, path = setup.name.partition(":")
        what = f"`{path}` in the module `{module}` is {'missing' if found is None else 'not a function'}."
        raise ProjectError([setup.origin.problem(what, "Name a function that takes a sqlite3.Connection.")])
    function: Callable[[sqlite3.Connection], Any] = found
    return function


def import_object(name: str, *, root: Path, origin: Origin) -> object:
    """Import ``package.module:path``; return None if the module lacks the object.

    Modules in ``root`` and in its ``src`` folder come before installed packages.

    Raises:
        ProjectError: the module can't be imported. The error reports the place ``origin``.
    """
    module, _, path = name.partition(":")
    for folder in (root / "src", root):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    try:
        with application_code():
            found: object = importlib.import_module(module)
    except ApplicationError as error:
        fix = f"It is looked up in {root} and among the installed packages. Correct the name, or install it."
        raise ProjectError([origin.problem(f"can't import the module `{module}`: {error}.", fix)]) from error
    for step in path.split("."):
        found = getattr(found, step, None)
    return found
