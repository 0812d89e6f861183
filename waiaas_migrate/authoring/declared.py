"""The declared schema: schema.yaml, built in memory and read back."""

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
from waiaas_migrate.schema.hints import with_hints, without_hints
from waiaas_migrate.schema.model import Index, ObjectKind, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.memory import copy_database, execute, open_memory
from waiaas_migrate.sqlite.planning.actions import Action, CreateIndex, CreateStatement, CreateTable, Drop
from waiaas_migrate.sqlite.planning.plan import creation
from waiaas_migrate.sqlite.reading.introspect import Known, introspect_with_strings


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The declared schema: ``source`` as its author wrote it, and ``schema`` as SQLite reads it, with the hints.

    ``known`` holds the statements that the migrations contain, too. Neither side reads them again.
    """

    source: DeclaredSchema
    schema: Schema
    known: Known


def declare(project: Project, renderer: Renderer, *, like: sqlite3.Connection | None = None) -> Declared:
    """Read the project's schema.yaml, build it in memory, and read it back.

    ``like`` is a database whose schema is mostly the same. Statements that it contains unchanged are not read again,
    because their meaning was proved when they were written.

    Raises:
        SchemaFileError: carries everything that is wrong with the file, or SQLite's errors.
    """
    source = load_schema(project.schema, root=project.root)
    parts = _parts(source.schema, renderer)
    existing = _statements_in(like) if like is not None else frozenset[str]()
    known = {} if renderer.is_customized else _known(parts, existing)
    if like is not None and existing == {part.text for part in parts}:
        built, strings = introspect_with_strings(like, known)
    else:
        changed = _changed(like, parts, renderer) if like is not None else None
        try:
            database = changed or _built(parts, file=str(project.schema))
        except SchemaFileError as error:
            raise SchemaFileError(locate_problems(error.problems, project.schema, root=project.root)) from None
        with closing(database) as connection:
            built, strings = introspect_with_strings(connection, known)
    # A word in double quotes that matches no column is a string for SQLite.
    if strings and (
        problems := quoted_word_problems(project.schema, root=project.root, schema=source.schema, strings=strings)
    ):
        raise SchemaFileError(problems)
    _expect_all(source.schema, built, project if renderer.is_customized else None)
    return Declared(source=source, schema=with_hints(built, source.schema), known=known)


def _expect_all(written: Schema, built: Schema, customized: Project | None) -> None:
    """Raise an error if the templates left something out; ``customized`` is the project if it has templates."""
    others = built.by_name()
    suspects = tuple(table for table in written.tables if others.get(fold(table.name)) != table)
    found = tuple(others[fold(table.name)] for table in suspects if fold(table.name) in others)
    left = diff(Schema(tables=without_expressions(found)), Schema(tables=without_expressions(suspects)))
    names = {fold(name) for name in built.names}
    missing = [f"{name} is missing" for name in written.names if fold(name) not in names]
    if not left and not missing:
        return
    listed = "; ".join([*missing, *map(describe, left)])
    if customized is None:
        what = f"The plan and its templates do not build what schema.yaml declares. Still missing: {listed}."
        raise ProofError(f"{what} This is a fault of waiaas-migrate, not of your schema.")
    what = f"these templates do not build what schema.yaml declares. Still missing: {listed}."
    raise TemplateError([Problem(file=str(customized.templates), what=what, fix="Correct or delete your templates.")])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A statement that creates an object, without ``;``: its comment, the object's key path, and its action."""

    words: str
    path: str
    action: Action
    text: str


def _parts(schema: Schema, renderer: Renderer) -> tuple[_Part, ...]:
    """Return the parts of ``schema``, made by the same steps and templates as a first migration."""
    paths = {
        **{view.statement.sql: append_key("views", view.name) for view in schema.views},
        **{trigger.statement.sql: append_key("triggers", trigger.name) for trigger in schema.triggers},
        **{table.statement.sql: append_key("virtual_tables", table.name) for table in schema.virtual_tables},
    }
    return tuple(
        _Part(words=step.words, path=_path(action, paths), action=action, text=text)
        for step in creation(schema, renderer.clause)
        for action in step.actions
        for text in _texts(renderer.action(action), renderer)
    )


def _path(action: Action, paths: Mapping[str, str]) -> str:
    match action:
        case CreateTable(table=table):
            return append_key("tables", table.name)
        case CreateIndex(table=name, index=index):
            return reduce(append_key, ("tables", name, "indexes", index.name))
        case CreateStatement(statement=statement):
            return paths.get(statement.sql, "")
        case _:
            return ""


def _texts(sql: str, renderer: Renderer) -> Iterable[str]:
    """Return the statements of an action: only one, unless the project's template has more."""
    return split_statements(sql) if renderer.is_customized else (sql.removesuffix(";"),)


def _statements_in(database: sqlite3.Connection) -> frozenset[str]:
    return frozenset(row.sql for row in read_catalog(database))


def _known(parts: Iterable[_Part], existing: Collection[str]) -> Known:
    """Return the meaning of each table and index whose statement is in ``existing``."""
    known: dict[str, Table | Index] = {}
    for part in parts:
        match part.action:
            case CreateTable(table=table) if part.text in existing:
                known[part.text] = without_hints(table)
            case CreateIndex(index=index) if part.text in existing:
                known[part.text] = index
            case _:
                continue
    return known


def _changed(like: sqlite3.Connection, parts: Sequence[_Part], renderer: Renderer) -> sqlite3.Connection | None:
    """Build ``parts`` in a copy of ``like``, changing only what differs; return None if a statement fails.

    Rows can make a statement fail, for example. Then :func:`_built` reports what is wrong.
    """
    wanted = {part.text for part in parts}
    connection = copy_database(like)
    try:
        gone = [row for row in read_catalog(connection) if row.sql not in wanted]
        for row in sorted(gone, key=lambda row: row.kind == "table"):
            execute(connection, renderer.action(Drop(kind=cast(ObjectKind, row.kind), name=row.name)))
        existing = _statements_in(connection)
        for part in parts:
            if part.text not in existing:
                execute(connection, part.text)
        if _statements_in(connection) == wanted:
            return connection
    except sqlite3.Error:
        pass
    connection.close()
    return None


def build(schema: Schema, renderer: Renderer, *, file: str) -> sqlite3.Connection:
    """Return a database in memory with ``schema``.

    Raises:
        SchemaFileError: SQLite doesn't accept it; the error names ``file``.
    """
    return _built(_parts(schema, renderer), file=file)


def _built(parts: Iterable[_Part], *, file: str) -> sqlite3.Connection:
    connection = open_memory()
    problems: list[Problem] = []
    for part in parts:
        try:
            execute(connection, part.text)
        except sqlite3.Error as error:
            what = f"{part.words}: SQLite says: {error}."
            problems.append(Problem(file=file, path=part.path, what=what, fix="Correct this."))
    if problems:
        connection.close()
        raise SchemaFileError(problems)
    return connection
