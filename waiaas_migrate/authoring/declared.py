"""Read schema.yaml, build its schema in memory, and read the schema back from SQLite.

Both sides of every comparison are read from SQLite in this way, so YAML is never compared with SQL text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from typing import cast

from waiaas_migrate.errors import Problem, ProofError, SchemaFileError, TemplateError
from waiaas_migrate.files.migration_dir.statements import split_statements
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema, load_schema
from waiaas_migrate.files.schema_file.locate import locate_problems
from waiaas_migrate.files.schema_file.quoted_words import quoted_word_problems
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.files.yaml_text.yaml_reader import append_key
from waiaas_migrate.schema.canonical import without_expressions
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hints import hints_from, with_hints
from waiaas_migrate.schema.model import Index, ObjectKind, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.memory import copy_database, execute, open_memory
from waiaas_migrate.sqlite.planning.actions import Action, CreateIndex, CreateStatement, CreateTable, Drop
from waiaas_migrate.sqlite.planning.plan import creation
from waiaas_migrate.sqlite.reading.introspect import Known, introspect_with_strings


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The declared schema.

    Args:
        source: the schema as its author wrote it.
        schema: the schema as SQLite reads it, with the hints of ``source``.
        known: by CREATE statement, the tables and indexes that the migrations create, too. They aren't parsed again.
    """

    source: DeclaredSchema
    schema: Schema
    known: Known


def declare(project: Project, renderer: Renderer, *, like: sqlite3.Connection | None = None) -> Declared:
    """Return the declared schema: read the project's schema.yaml, build it in memory, and read it back.

    ``like`` is a database with mostly the same schema. CREATE statements that it contains unchanged are not parsed
    again, because their meaning was proved when they were written.

    Raises:
        SchemaFileError: lists all errors in the file, or all that SQLite reports.
        TemplateError, ProofError: the project's templates, or the built-in ones, leave out part of the schema.
    """
    source = load_schema(project.schema, root=project.root)
    statements = _statements(source.schema, renderer)
    existing = _sql_in(like) if like is not None else frozenset[str]()
    known = {} if renderer.is_customized else _known(statements, existing)
    if like is not None and existing == {statement.sql for statement in statements}:
        built, strings = introspect_with_strings(like, known)
    else:
        updated = _updated_copy(like, statements, renderer) if like is not None else None
        try:
            database = updated or _built(statements, file=str(project.schema))
        except SchemaFileError as error:
            raise SchemaFileError(locate_problems(error.problems, project.schema, root=project.root)) from None
        with closing(database) as connection:
            built, strings = introspect_with_strings(connection, known)
    # To SQLite, a word in double quotes that matches no column is a string.
    if strings and (
        problems := quoted_word_problems(project.schema, root=project.root, schema=source.schema, strings=strings)
    ):
        raise SchemaFileError(problems)
    _refuse_incomplete(source.schema, built, project if renderer.is_customized else None)
    return Declared(source=source, schema=with_hints(built, source.schema), known=known)


def _refuse_incomplete(written: Schema, built: Schema, customized: Project | None) -> None:
    """Raise an error if the templates left out part of the schema; ``customized`` is a project with custom ones."""
    built_tables = built.by_name()
    suspects = tuple(table for table in written.tables if built_tables.get(fold(table.name)) != table)
    found = tuple(built_tables[fold(table.name)] for table in suspects if fold(table.name) in built_tables)
    differences = diff(Schema(tables=without_expressions(found)), Schema(tables=without_expressions(suspects)))
    names = {fold(name) for name in built.names}
    missing = [f"{name} is missing" for name in written.names if fold(name) not in names]
    if not differences and not missing:
        return
    listed = "; ".join([*missing, *map(describe, differences)])
    if customized is None:
        what = f"The plan and its templates do not build what schema.yaml declares. Still missing: {listed}."
        raise ProofError(f"{what} This is a fault of waiaas-migrate, not of your schema.")
    what = f"these templates do not build what schema.yaml declares. Still missing: {listed}."
    raise TemplateError([Problem(file=str(customized.templates), what=what, fix="Correct or delete your templates.")])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """A CREATE statement without its semicolon, the step in words, the object's key path, and the rendered action."""

    description: str
    path: str
    action: Action
    sql: str


def _statements(schema: Schema, renderer: Renderer) -> tuple[_Statement, ...]:
    """Return the statements that create ``schema``, made by the same steps and templates as a first migration."""
    groups = (("views", schema.views), ("triggers", schema.triggers), ("virtual_tables", schema.virtual_tables))
    paths = {one.statement.sql: append_key(key, one.name) for key, objects in groups for one in objects}
    return tuple(
        _Statement(description=step.words, path=_key_path(action, paths), action=action, sql=sql)
        for step in creation(schema, renderer.clause)
        for action in step.actions
        for sql in _split(renderer.action(action), renderer)
    )


def _key_path(action: Action, paths: Mapping[str, str]) -> str:
    """Return the key path of the object that ``action`` creates; ``paths`` has the paths of objects declared in SQL."""
    match action:
        case CreateTable(table=table):
            return append_key("tables", table.name)
        case CreateIndex(table=name, index=index):
            return reduce(append_key, ("tables", name, "indexes", index.name))
        case CreateStatement(statement=statement):
            return paths.get(statement.sql, "")
        case _:
            return ""


def _split(sql: str, renderer: Renderer) -> Iterable[str]:
    """Split the rendered ``sql`` of one action; only a project's own template can have several statements."""
    return split_statements(sql) if renderer.is_customized else (sql.removesuffix(";"),)


def _sql_in(database: sqlite3.Connection) -> frozenset[str]:
    return frozenset(row.sql for row in read_catalog(database))


def _known(statements: Iterable[_Statement], existing: Collection[str]) -> Known:
    """Return the tables and indexes whose CREATE statement is in ``existing``, by statement."""
    known: dict[str, Table | Index] = {}
    for statement in statements:
        match statement.action:
            case CreateTable(table=table) if statement.sql in existing:
                known[statement.sql] = hints_from(table, None)
            case CreateIndex(index=index) if statement.sql in existing:
                known[statement.sql] = index
            case _:
                continue
    return known


def _updated_copy(
    like: sqlite3.Connection, statements: Sequence[_Statement], renderer: Renderer
) -> sqlite3.Connection | None:
    """Return a copy of ``like`` with the objects of ``statements``; only objects that differ are created again.

    Return None if a statement fails, for example because of the rows in ``like``, or if other statements result. Then
    the caller uses :func:`_built`, which builds the schema from scratch and reports errors.
    """
    wanted = {statement.sql for statement in statements}
    connection = copy_database(like)
    try:
        obsolete = [row for row in read_catalog(connection) if row.sql not in wanted]
        for row in sorted(obsolete, key=lambda row: row.kind == "table"):  # DROP TABLE drops indexes, too
            execute(connection, renderer.action(Drop(kind=cast(ObjectKind, row.kind), name=row.name)))
        existing = _sql_in(connection)
        for statement in statements:
            if statement.sql not in existing:
                execute(connection, statement.sql)
        if _sql_in(connection) == wanted:
            return connection
    except sqlite3.Error:
        pass
    connection.close()
    return None


def build(schema: Schema, renderer: Renderer, *, file: str) -> sqlite3.Connection:
    """Return a database in memory with ``schema``.

    Raises:
        SchemaFileError: lists the statements that SQLite refuses; the error names ``file``.
    """
    return _built(_statements(schema, renderer), file=file)


def _built(statements: Iterable[_Statement], *, file: str) -> sqlite3.Connection:
    connection = open_memory()
    problems: list[Problem] = []
    for statement in statements:
        try:
            execute(connection, statement.sql)
        except sqlite3.Error as error:
            what = f"{statement.description}: SQLite says: {error}."
            problems.append(Problem(file=file, path=statement.path, what=what, fix="Correct this."))
    if problems:
        connection.close()
        raise SchemaFileError(problems)
    return connection
