"""Public functions and classes can be imported from public modules, and accept what users have."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest

import waiaas_migrate as api
from tests.support.projects import CHECKOUT, generated_project
from waiaas_migrate.sqlite.database.url import database_path, database_text

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
MODULES = sorted((CHECKOUT / "waiaas_migrate").rglob("*.py"))

#: The modules that users import from.
PUBLIC_MODULES = {"waiaas_migrate", "waiaas_migrate.sqlalchemy", "waiaas_migrate.waiaas"}

#: Classes that public functions and values hold, but that no user needs to name; each with the reason.
NAMELESS = {
    "Code": "a string",
    "ConnectOptions": "keyword arguments",
    "EnumSource": "a setting of the project",
    "LintSettings": "a setting of the project",
    "NamedSetup": "a function with a name",
    "StopRequest": "a protocol; a threading.Event is one",
    "MigrationFolder": "a folder that was read before; users give its path",
    "OtherTools": "the command line's",
    "AnnouncedHazard": "read from its attributes",
    "Cost": "a string",
    "Size": "read from its attributes",
}

VALUES = {name: getattr(api, name) for name in api.__all__ if name != "__version__"}


def imported_modules(text: str) -> Iterator[str]:
    """Return the modules of this package that a text imports from, also those after ``from waiaas_migrate import``."""
    for module, names in re.findall(r"^ *from (waiaas_migrate[\w.]*) import (.*)$", text, re.MULTILINE):
        for name in re.findall(r"\w+", names.partition("#")[0]):
            path = f"{module}.{name}"
            yield path if (CHECKOUT / path.replace(".", "/")).exists() else module
    yield from re.findall(r"^ *import (waiaas_migrate[\w.]*)", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_documentation_imports_from_public_modules(page: Path) -> None:
    """Every example imports from the three public modules."""
    assert set(imported_modules(page.read_text(encoding="utf-8"))) <= PUBLIC_MODULES


def test_docstrings_import_from_public_modules() -> None:
    """Examples in docstrings import from the three public modules, too."""
    texts = [
        ast.get_docstring(node) or ""
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    found = {module for text in texts for module in imported_modules(text)}
    assert "waiaas_migrate" in found
    assert found <= PUBLIC_MODULES


def classes_in(annotation: object) -> Iterator[type]:
    """Return the classes of this package that an annotation names."""
    if isinstance(annotation, type) and annotation.__module__.startswith("waiaas_migrate"):
        yield annotation
    for part in annotation if isinstance(annotation, list) else typing.get_args(annotation):
        yield from classes_in(part)


def annotations_of(value: type | Callable[..., object]) -> dict[str, object]:
    """Return the annotations of a function or class, including names that are imported only for the type checker."""
    names: dict[str, object] = {}
    for one in getattr(value, "__mro__", (value,)):
        if one.__module__.startswith("waiaas_migrate"):
            module = sys.modules[one.__module__]
            names |= {
                alias.asname or alias.name: getattr(importlib.import_module(node.module), alias.name)
                for node in ast.walk(ast.parse(inspect.getsource(module)))
                if isinstance(node, ast.ImportFrom) and node.module
                for alias in node.names
                if node.module != "__future__"
            } | vars(module)
    return typing.get_type_hints(value, names)


def test_classes_that_public_values_hold_are_public() -> None:
    """Every class in the annotations of a public name is public, too, or in the list above."""
    held = {
        one.__name__
        for value in VALUES.values()
        for annotation in annotations_of(value).values()
        for one in classes_in(annotation)
    }
    assert held - set(VALUES) == set(NAMELESS)


@pytest.mark.parametrize("kind", [str, Path])
def test_databases_and_folders_are_strings_or_paths(tmp_path: Path, kind: Callable[[str], str | Path]) -> None:
    """Every function takes the names of databases and folders as strings and as paths."""
    folder = generated_project(tmp_path / "project")
    with chdir(folder):
        app, migrations, here = kind("app.db"), kind("migrations"), api.find_project(kind("."))
        assert api.find_project() == here
        assert api.estimate(app, migrations).database == "app.db"
        assert api.apply(app, migrations).applied
        assert api.status(here, app).is_at_head
        assert api.drift(here, app).findings == ()
        assert api.diff(here, kind("schema.yaml"), app).changes == ()
        assert "tasks:" in api.inspect(app).text
        assert api.adopt(here, app).pending == ()
        assert api.take_over(here, app, name="manual").migration is None
        assert api.undo_changes(here, app).sql == ""
        assert api.rollback(app, migrations).rolled_back
        assert api.redo(app, migrations).applied
        assert api.restore(app, api.backups_of(app)[0].path.name).kept
        for outcomes in (
            api.estimate_all([app], migrations),
            api.apply_to_all([app], migrations),
            api.status_of_all(here, [app]),
            api.drift_of_all(here, [app]),
            api.adopt_all(here, [app]),
        ):
            assert [(one.database, one.failure) for one in outcomes] == [("app.db", None)]


@pytest.mark.parametrize("name", [":memory:", "file:app.db", "sqlite:///app.db"])
def test_a_path_is_always_a_file(name: str) -> None:
    """A Path that looks like a URL still means the file of that name when it is passed on as text."""
    assert database_path(database_text(Path(name))).path == Path(name)
    assert database_text(name) == name
