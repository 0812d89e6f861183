"""Find the tables and columns that a migration renamed, which a diff would report as dropped and added."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace

from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.model import Column, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import Renames, resolve
from waiaas_migrate.sqlite.reading.ddl import rename_in


def follow_renames(project: Project, before: sqlite3.Connection, old: Schema, new: Schema) -> tuple[Renames, Schema]:
    """Return the renames that the hints of ``new`` request, and ``old`` with these renames; ``before`` has ``old``."""
    renames = resolve(old, new)
    if not renames.tables and not renames.columns:
        return renames, old
    transition = make_transition(before, new, renames, Renderer(project.templates), project.options)
    return transition.renames, transition.old


def with_rename_hints(old: Schema, new: Schema, statements: Iterable[str]) -> Schema:
    """Return ``new`` with hints for the tables and columns that ``statements``, which changed ``old``, renamed.

    A rename counts only if ``old`` doesn't have the new name and ``new`` doesn't have the old one.
    """
    renames = tuple(filter(None, map(rename_in, statements)))
    column_names = {(rename.table, rename.new): rename.column for rename in renames if rename.column}
    before, after = old.by_name(), new.by_name()
    # A rebuild ends with a rename, too, but of a table that the old schema doesn't have.
    table_names = {rename.new: rename.table for rename in renames if not rename.column and rename.table in before}
    tables = []
    for table in new.tables:
        old_name = table_names.get(fold(table.name), "")
        if old_name in after or fold(table.name) in before:
            old_name = ""
        previous = before.get(old_name or fold(table.name))
        if old_name and previous is not None:
            table = replace(table, renamed_from=previous.name)  # noqa: PLW2901
        tables.append(table if previous is None else _with_column_hints(table, previous, column_names))
    return replace(new, tables=tuple(tables))


def _with_column_hints(table: Table, previous: Table, old_names: Mapping[tuple[str, str], str]) -> Table:
    """Return ``table`` with hints for its renamed columns; a key of ``old_names`` has the table's old or new name."""
    before = {fold(column.name): column.name for column in previous.columns}
    after = {fold(column.name) for column in table.columns}

    def hinted(column: Column) -> Column:
        name = fold(column.name)
        old_name = old_names.get((fold(table.name), name)) or old_names.get((fold(previous.name), name), "")
        if old_name not in before or old_name in after or name in before:
            return column
        return replace(column, hints=replace(column.hints, renamed_from=before[old_name]))

    return replace(table, columns=tuple(map(hinted, table.columns)))
