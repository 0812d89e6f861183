"""What schema.yaml declares, built in memory and read back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from waiaas_migrate.errors import Problem, SchemaFileError, TemplateError
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.render import Renderer
from waiaas_migrate.files.schema_file import DeclaredSchema, load_schema
from waiaas_migrate.files.statements import split_statements
from waiaas_migrate.schema.canonical import without_meaning
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hints import with_hints
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.introspect import introspect
from waiaas_migrate.sqlite.memory import execute, memory
from waiaas_migrate.sqlite.plan import creation


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """``source`` is the schema as its author wrote it, ``schema`` the same as SQLite understood it, hints included."""

    source: DeclaredSchema
    schema: Schema


def declare(project: Project, renderer: Renderer) -> Declared:
    """Read the project's schema.yaml, build it in memory, and read it back.

    Raises:
        SchemaFileError: carries everything that is wrong with the file, or what SQLite says of it.
    """
    source = load_schema(project.schema, root=project.root)
    built = introspect(build(source.schema, renderer, file=str(project.schema)))
    _expect_all(source.schema, built, project)
    return Declared(source=source, schema=with_hints(built, source.schema))


def _expect_all(written: Schema, built: Schema, project: Project) -> None:
    """Show that the templates, which may be the project's own, left nothing out.

    Raises:
        TemplateError: names what differs from the declaration.
    """
    others = built.by_name()
    suspects = tuple(table for table in written.tables if others.get(fold(table.name)) != table)
    found = tuple(others[fold(table.name)] for table in suspects if fold(table.name) in others)
    left = diff(Schema(tables=without_meaning(found)), Schema(tables=without_meaning(suspects)))
    there = {fold(name) for name in built.names}
    missing = [name for name in written.names if fold(name) not in there]
    if left or missing:
        listed = "; ".join([*(f"{name} is missing" for name in missing), *(describe(change) for change in left)])
        what = f"the templates do not build what schema.yaml declares; it would still take: {listed}."
        raise TemplateError(
            [Problem(file=str(project.templates), what=what, fix="Correct or delete your own templates.")]
        )


def build(schema: Schema, renderer: Renderer, *, file: str) -> sqlite3.Connection:
    """``schema`` as a database in memory, by the same steps and templates as its first migration.

    Raises:
        SchemaFileError: what SQLite does not accept; ``file`` is named as its source.
    """
    connection = memory()
    problems: list[Problem] = []
    for step in creation(schema, diff(Schema(), schema)).steps:
        try:
            for statement in split_statements(renderer.step(step).sql):
                execute(connection, statement)
        except sqlite3.Error as error:
            problems.append(
                Problem(file=file, what=f"{step.words}: SQLite says: {error}.", fix="Correct what it speaks of.")
            )
    if problems:
        raise SchemaFileError(problems)
    return connection
