"""``diff``: compare two schemas, each in a schema.yaml, a migrations folder, or a database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.authoring.declared import build, declare
from waiaas_migrate.authoring.draft import changes_of, draft, hazards_of
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.commands.live_database import (
    copy_of_schema,
    database_state,
    ignored_by,
    live_connection,
    read_project_folder,
)
from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.manifest import read_manifest
from waiaas_migrate.files.migration_dir.migration_files import read_migrations
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.locate import declared_names, locate_hazards, locate_problems
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.hazard import Hazard
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.renames import hints, resolve
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.url import StrPath, database_text
from waiaas_migrate.sqlite.reading.introspect import Known, introspect


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The changes between two schemas in words, their hazards, and the SQL if it was requested and isn't empty."""

    changes: tuple[str, ...]
    hazards: tuple[Hazard, ...]
    sql: str | None = None


@collection_paused()
def compare(
    project: Project, first: StrPath, second: StrPath, *, sql: bool = False, column_order: bool = False
) -> Comparison:
    """Return the changes from ``first`` to ``second``, following the rename hints of ``second``.

    Each of the two is a schema.yaml, a migrations folder, or a database. ``sql``: also return the SQL of the migration
    from ``first`` to ``second``. ``column_order``: count a different order of columns as a change.

    Raises:
        InputError: ``first`` or ``second`` cannot be used.
        DatabaseFileError: a database cannot be read.
    """
    renderer = Renderer(project.templates)
    first, second = database_text(first), database_text(second)
    before, declared_hints = _open_first(project, first, renderer, second)
    with closing(before):
        new, known = _read_second(project, second, renderer, before)
        old = introspect(before, known)
        done = (*declared_hints, *_applied_hints(project, first)) if hints(new) else ()
        transition = make_transition(before, new, resolve(old, new, done), renderer, project.options, known)
        if not changes_of(transition):
            reordered = diff(old, new, column_order=column_order)
            return Comparison(changes=tuple(describe(change) for change in reordered), hazards=())
        if transition.problems:
            raise SchemaFileError(locate_problems(transition.problems, Path(second), root=project.root))
        hazards = hazards_of(transition)
        drafted = draft(before, transition, hazards, (), renderer, "diff") if sql else None
    hazards = hazards if drafted is None else drafted.hazards
    transition = replace(transition, changes=diff(transition.old, new, column_order=column_order))
    return Comparison(
        changes=tuple(describe(change) for change in changes_of(transition)),
        hazards=locate_hazards(hazards, Path(second), root=project.root) if _is_yaml(second) else hazards,
        sql=None if drafted is None else drafted.migration.sql,
    )


# In these functions, a side is the path of a schema.yaml or a migrations folder, or the path or URL of a database.


def _is_yaml(side: str) -> bool:
    return Path(side).suffix.lower() in (".yaml", ".yml")


def _open_first(
    project: Project, side: str, renderer: Renderer, second: str
) -> tuple[sqlite3.Connection, tuple[str, ...]]:
    """Return a database in memory with the schema of ``side``, and the rename hints that ``side`` declares."""
    path = Path(side)
    if path.is_dir():
        return replay(read_migrations(path)), ()
    if _is_yaml(side):
        declared = declare(replace(project, schema=path.absolute()), renderer).schema
        return build(declared, renderer, file=side), hints(declared)
    other_tools = ignored_by(project).with_declared(_names_in(project, second))
    with live_connection(side) as (connection, _):
        return copy_of_schema(connection, other_tools, renderer, side), ()


def _read_second(project: Project, side: str, renderer: Renderer, before: sqlite3.Connection) -> tuple[Schema, Known]:
    """Return the schema of ``side``, and the CREATE statements of ``before`` that need not be parsed again."""
    path = Path(side)
    if path.is_dir():
        with closing(replay(read_migrations(path))) as replayed:
            return introspect(replayed), {}
    if _is_yaml(side):
        declared = declare(replace(project, schema=path.absolute()), renderer, like=before)
        return declared.schema, declared.known
    names = (*(row.name for row in read_catalog(before)), *declared_names(project.schema))
    with live_connection(side) as (connection, _):
        return introspect(connection, other_tools=ignored_by(project).with_declared(names)), {}


def _names_in(project: Project, side: str) -> frozenset[str]:
    """Return the names of tables and other objects in ``side``; for a database, the names that the project declares."""
    path = Path(side)
    if not path.is_dir():
        return declared_names(path.absolute() if _is_yaml(side) else project.schema)
    with closing(replay(read_migrations(path))) as replayed:
        return frozenset(row.name for row in read_catalog(replayed))


def _applied_hints(project: Project, side: str) -> tuple[str, ...]:
    """Return the rename hints that the migrations of ``side`` have already followed."""
    folder = Path(side)
    if not folder.is_dir():
        folder = project.migrations
        if _is_yaml(side) or not folder.exists():
            return ()
        with live_connection(side) as (connection, _):
            state = database_state(connection, read_project_folder(project))
        # The manifest doesn't say which migration followed a hint. So its hints count only if no migration is pending.
        if state.pending or not state.applied:
            return ()
    manifest = read_manifest(folder)
    return () if manifest is None else manifest.hints
