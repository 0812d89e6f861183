"""``models``: generate a Python module with typed SQLAlchemy classes or tables from schema.yaml."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.commands.enums import enums
from waiaas_migrate.commands.findings import Finding, FindingCode, Subject
from waiaas_migrate.commands.typed_tables.models import USED_NAMES
from waiaas_migrate.commands.typed_tables.module_text import Style, module_text
from waiaas_migrate.commands.typed_tables.values import Source
from waiaas_migrate.commands.written_file import staleness
from waiaas_migrate.files.enum_sources.load_enums import enums_in, load_enums
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema, declared_sources
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.files.text_file import display_name


def models(project: Project, *, style: Style | None = None) -> str:
    """Return the text of a Python module with the tables that schema.yaml declares; write nothing.

    ``style`` is ``declarative`` for classes, or ``core`` for ``Table`` objects; None for the project's setting.

    Raises:
        SchemaFileError: schema.yaml can't be used.
    """
    declared = declare(project, Renderer(project.templates)).source
    return module_text(_source(project, declared), style=style or project.models_style)


def stale_models(project: Project, declared: DeclaredSchema) -> Iterator[Finding]:
    """Yield a finding if the module that pyproject.toml sets as ``models`` is missing or out of date."""
    if project.models is None:
        return
    text = module_text(_source(project, declared), style=project.models_style)
    if what := staleness(project.models, text, is_same=is_same_code):
        code, subject, where = FindingCode.STALE_MODELS, Subject.MODELS, display_name(project.models, project.root)
        fix = "Run `waiaas-migrate models`."
        yield Finding(code=code, subject=subject, where=where, what=what, fix=fix, file=where)


def _source(project: Project, declared: DeclaredSchema) -> Source:
    """Return the declared schema with all enums that the generated module can import.

    Enums that no column refers to are included, because a list that a column refers to may be made from such a class.
    The module that ``enums`` generates is read from memory, so it need not be written yet.
    """
    definitions = load_enums(declared_sources(project.schema, root=project.root), root=project.root).definitions
    if project.enums_python is not None:
        definitions += enums_in(enums(project, language="python"), project.enums_python, root=project.root)
    usable = (one for one in reversed(definitions) if one.module and not one.problem and one.name not in USED_NAMES)
    return Source(declared=declared, enums={one.name: one for one in usable})


def is_same_code(first: str, second: str) -> bool:
    """Return whether two Python modules have the same code, whatever their layout and comments."""
    try:
        return first == second or ast.dump(ast.parse(first)) == ast.dump(ast.parse(second))
    except (SyntaxError, ValueError):
        return False
