"""``models``: write the schema as typed SQLAlchemy classes or tables."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.commands.findings import Finding, FindingCode, Subject
from waiaas_migrate.commands.typed_tables.models import USED
from waiaas_migrate.commands.typed_tables.module_text import MARK, Style, module_text
from waiaas_migrate.commands.typed_tables.values import Source
from waiaas_migrate.errors import Problem, UsageError
from waiaas_migrate.files.enum_sources.load_enums import load_enums, python_module
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.enum_keys import declared_sources
from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.files.text_file import display_name, read_text, write_text


def models(project: Project, *, style: Style | None = None) -> str:
    """Return the source of a Python module with the tables that schema.yaml declares; write nothing.

    Args:
        project: the project.
        style: ``declarative`` for classes, ``core`` for ``Table`` objects; None for the project's setting.

    Raises:
        SchemaFileError: schema.yaml can't be used.
    """
    declared = declare(project, Renderer(project.templates)).source
    return module_text(_source(project, declared), style=style or project.models_style)


def write_models(path: Path, text: str, *, force: bool = False) -> bool:
    """Write the module at ``path``, and return whether that changed anything.

    A file that differs only in its layout is left as a formatter made it.

    Raises:
        UsageError: ``path`` is a file of another origin and ``force`` is false, or it can't be written.
    """
    found = _text_at(path)
    if found is not None and _is_same(found, text):
        return False
    if found is not None and not found.startswith(MARK) and not force:
        raise UsageError(f"{path}: not written by `models`. Give another file, or pass --force to replace it.")
    try:
        write_text(path, text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}. Give another file.") from None
    return True


def stale_models(project: Project, declared: DeclaredSchema) -> Iterator[Finding]:
    """Report the configured module if it is not what ``models`` would write."""
    if project.models is None:
        return
    found = _text_at(project.models)
    if found is not None and _is_same(found, module_text(_source(project, declared), style=project.models_style)):
        return
    what = "the file is missing." if found is None else "the file is out of date."
    where = display_name(project.models, project.root)
    fix = "Run `waiaas-migrate models`."
    yield Finding(code=FindingCode.STALE_MODELS, subject=Subject.MODELS, where=where, what=what, fix=fix, file=where)


def _source(project: Project, declared: DeclaredSchema) -> Source:
    """Add everything that the modules with enums define: a list that a column refers to may be made from a class."""
    loaded = load_enums(declared_sources(project.schema, root=project.root), root=project.root)
    modules = {name: python_module(name, project.root) for name in loaded.sources}
    found = (one for one in loaded.definitions if modules.get(one.source) and not one.problem and one.name not in USED)
    return Source(declared=declared, enums=tuple(replace(one, source=modules[one.source]) for one in found))


def _text_at(path: Path) -> str | None:
    """Return the text of a file; None if there is none.

    Raises:
        UsageError: it can't be read.
    """
    if not path.exists():
        return None
    found = read_text(path, str(path), missing="")
    if isinstance(found, Problem):
        raise UsageError(str(found))
    return found


def _is_same(found: str, text: str) -> bool:
    """Return whether two modules have the same code, whatever their layout and comments."""
    if found == text:
        return True
    try:
        return ast.dump(ast.parse(found)) == ast.dump(ast.parse(text))
    except (SyntaxError, ValueError):
        return False
