"""Rules for the structure of the package, so that no reviewer has to check them."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import waiaas_migrate
from waiaas_migrate.sqlite.planning.actions import Action, template_of

PACKAGE = Path(waiaas_migrate.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

MOST_LINES_IN_A_MODULE = 400
MOST_LINES_IN_A_FUNCTION = 40

#: What may be longer than that: ``path`` for a module, ``path::function`` for a function; each with its reason.
SIZE_WAIVERS: dict[str, str] = {}

#: The modules at the edges that may hold the beginning of a DDL statement; each with its reason.
DDL_ALLOWED: dict[str, str] = {
    "sqlite/reading/ddl.py": "a view may be declared by its SELECT only, and is completed before it is read",
    "sqlite/planning/row_values.py": "a row of a new column's values is made in memory, for SQLite to hold CHECKs against it",
    "sqlite/reading/broken.py": "triggers are created and tables renamed in memory, only to get SQLite's error",
    "commands/lint/rules/objects.py": "an example is a database, since schema.yaml can't have such text",
    "commands/lint/rules/foreign_keys.py": "an example is a database, since schema.yaml can't have such a key",
    "runner/yoyo/identity.py": "the record of applied texts is a table of the runner's, whatever templates a project has",
    "runner/proof/reword.py": "a table is made and dropped only so that other connections read the catalog again",
    "sqlite/database/catalog.py": "a virtual table is known by how its text in the catalog begins",
}

#: The beginning of a DDL statement. A single keyword is not one, nor is lower-case prose.
DDL = re.compile(r"\s*(?:CREATE|ALTER|DROP)\s")

#: Everything that users import: from ``waiaas_migrate``, whatever module defines it.
PUBLIC = set(
    """
    __version__
    ApplyError DatabaseBusy DatabaseFileError DatabaseRefused Failure Initialized InputError Inspected Interrupted MigrateError MigrationsError
    OtherMigrationsError PragmaError Problem ProjectError ProofError RestoreInterrupted SchemaFileError TemplateError UnknownMigrationsError
    UnsupportedError UsageError
    close_database connect generate_id open_database push_schema
    Adoption Difference Project adopt adopt_all check diagram diff drift enums find_project generate init inspect lint lint_database models new
    rebase record
    squash status
    take_over undo_changes SchemaEdit TakenOver Undoing
    Comparison Drift Finding FindingCode Generated Hazard New Rebased Recorded Severity Squashed Status Subject
    apply backups_of estimate redo restore rollback
    ApplyResult Backup Estimate Extent Loss MigrationEstimate Mismatch RedoResult TableEstimate Restored RollbackResult RunOptions
    Fleet Outcome apply_to_all drift_of_all estimate_all status_of_all
    Committed MigrationFinished MigrationStarted Progress StatementStarted
    """.split()
)

#: Slow or not always installed: loaded when first needed.
LOADED_LATER = {
    "aiosqlite",
    "click",
    "igraph",
    "jinja2",
    "rich",
    "sqlalchemy",
    "sqlite3",
    "syntaqlite",
    "uuid6",
    "yaml",
    "yoyo",
}


def path_of(file: Path) -> str:
    """Return the path of a module as the tables above write it."""
    return file.relative_to(PACKAGE).as_posix()


def tree_of(file: Path) -> ast.Module:
    """Return the parsed source of a file."""
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def functions_in(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every function and method in a module, including nested ones."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imported_by(tree: ast.Module) -> Iterator[str]:
    """Return the name of everything that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def strings_in(tree: ast.Module) -> Iterator[ast.Constant]:
    """Return the string literals of a module, including pieces of f-strings, but no docstrings."""
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


def dataclasses_in_the_package() -> Iterator[type]:
    """Return every dataclass that the package defines."""
    for found in pkgutil.walk_packages([str(PACKAGE)], prefix="waiaas_migrate."):
        if found.name.endswith((".__main__", ".waiaas.tables")):  # rows of tables are there to be changed
            continue
        module = importlib.import_module(found.name)
        for _, value in inspect.getmembers(module, inspect.isclass):
            if value.__module__ == found.name and dataclasses.is_dataclass(value):
                yield value


def test_values_are_frozen() -> None:
    """Every dataclass is frozen and slotted, so that no value changes after it was passed on."""
    found = [one for one in dataclasses_in_the_package() if not issubclass(one, BaseException)]
    loose = [
        f"{one.__module__}.{one.__qualname__}"
        for one in found
        if not (one.__dataclass_params__.frozen and "__slots__" in vars(one))  # type: ignore[attr-defined]
    ]
    assert found
    assert loose == []


def test_modules_and_functions_are_short() -> None:
    """No module is over 400 lines and no function over 40, unless it is waived with a reason; no waiver is stale."""
    sizes = {path_of(file): len(file.read_text(encoding="utf-8").splitlines()) for file in MODULES}
    long = {path: lines for path, lines in sizes.items() if lines > MOST_LINES_IN_A_MODULE}
    for file in MODULES:
        for function in functions_in(tree_of(file)):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > MOST_LINES_IN_A_FUNCTION:
                long[f"{path_of(file)}::{function.name}"] = lines
    assert {what: lines for what, lines in long.items() if what not in SIZE_WAIVERS} == {}
    assert set(SIZE_WAIVERS) <= set(long)


def test_every_action_has_a_template() -> None:
    """Each kind of action that a plan may contain has a template of its name."""
    templates = {file.name.removesuffix(".sql.j2") for file in (PACKAGE.parent / "templates").glob("*.sql.j2")}
    assert {template_of(object.__new__(kind)) for kind in get_args(Action)} - templates == set()


def test_ddl_is_only_in_templates() -> None:
    """No string in the package begins a DDL statement, except in the modules listed above, which need it."""
    holders: dict[str, list[str]] = {}
    for file in MODULES:
        for literal in strings_in(tree_of(file)):
            if DDL.match(str(literal.value)):
                holders.setdefault(path_of(file), []).append(f"{literal.lineno}: {literal.value!r}")
    assert {path: found for path, found in holders.items() if path not in DDL_ALLOWED} == {}
    assert set(DDL_ALLOWED) <= set(holders)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = 'CREATE TABLE t (a)'", True),
        ("x = f'  DROP {kind} {name}'", True),
        ("x = 'Create a migration'", False),
        ("x = 'CREATED'", False),
        ("x = token == 'CREATE'", False),
        ("'''CREATE is spoken of.'''", False),
    ],
    ids=["table", "f-string", "prose", "another word", "keyword", "docstring"],
)
def test_ddl_is_recognized(source: str, found: bool) -> None:  # noqa: FBT001 — a parameter of the table above
    """The check above tells DDL from prose and from docstrings."""
    assert any(DDL.match(str(literal.value)) for literal in strings_in(ast.parse(source))) is found


def test_nothing_is_mocked() -> None:
    """No test imports a mock: tests run on real SQLite."""
    mocking = [
        f"{file.name}: {name}"
        for file in sorted(TESTS.rglob("*.py"))
        for name in imported_by(tree_of(file))
        if "mock" in name.lower().split(".")
    ]
    assert mocking == []


def test_importing_the_package_loads_nothing_slow() -> None:
    """``import waiaas_migrate`` loads no third-party package; they are loaded at the first use."""
    run = subprocess.run(
        [sys.executable, "-c", "import json, sys, waiaas_migrate; print(json.dumps(list(sys.modules)))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert "waiaas_migrate" in loaded
    assert loaded & LOADED_LATER == set()


def test_the_public_names_are_these() -> None:
    """The package exports exactly these names, each of which can be imported, and lists them for ``dir``."""
    assert set(waiaas_migrate.__all__) == PUBLIC
    assert set(dir(waiaas_migrate)) >= PUBLIC
    for name in PUBLIC - {"__version__"}:
        assert callable(getattr(waiaas_migrate, name)), name
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = waiaas_migrate.no_such_name  # type: ignore[attr-defined]


def test_types_and_values_of_the_public_names_agree() -> None:
    """A type checker and an application find the same object under each public name."""
    found = {
        alias.asname or alias.name: getattr(importlib.import_module(str(node.module)), alias.name)
        for node in ast.walk(tree_of(PACKAGE / "api.py"))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("waiaas_migrate.")
        for alias in node.names
    }
    assert found == {name: getattr(waiaas_migrate, name) for name in PUBLIC - {"__version__"}}


@pytest.mark.parametrize("name", sorted(path.stem for path in (PACKAGE.parent / "benchmarks").glob("*.py")))
def test_benchmarks_use_names_that_exist(name: str) -> None:
    """Each benchmark can be imported; the suite runs none of them."""
    importlib.import_module(f"benchmarks.{name}")
