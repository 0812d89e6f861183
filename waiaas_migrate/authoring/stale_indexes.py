"""Full-text tables over a view whose rows a migration changes: SQLite says what the view reads, before and after."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from waiaas_migrate.authoring.newly_broken import made_objects
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.full_text import is_changed
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.dependencies import Dependencies, query_dependencies
from waiaas_migrate.sqlite.reading.external_content import Content, content_of


def stale_indexes(before: sqlite3.Connection, after: sqlite3.Connection, transition: Transition) -> frozenset[str]:
    """Return the folded names of the full-text tables over a view that the migration must index again.

    Args:
        before: the database before the migration, in memory; it is not changed.
        after: the database after the migration, in memory.
        transition: what the migration does.
    """
    return frozenset(_stale(before, after, transition))


def _stale(before: sqlite3.Connection, after: sqlite3.Connection, transition: Transition) -> Iterator[str]:
    views = {fold(view.name) for schema in (transition.start, transition.new) for view in schema.views}
    stored = _stored(transition.new)
    made = made_objects(transition)
    for virtual in transition.new.virtual_tables:
        content = content_of(virtual)
        now = None if content is None or content.table not in views else _dependencies(after, content)
        if content is None or now is None:
            continue  # one that cannot be read is reported as broken
        read = {(table, column) for table, column in now.columns if table in stored}
        name = fold(virtual.name)
        if name in made:
            if any(table in transition.old.by_name() for table, _ in read):
                yield name
        elif (
            made & {content.table, *now.views, *(table for table, _ in read)}
            or is_changed(transition, read)
            or read != _renamed(_dependencies(before, content), transition)
        ):
            yield name


def _stored(schema: Schema) -> frozenset[str]:
    """Return the folded names of the tables and virtual tables, which store rows."""
    return frozenset(schema.by_name()) | {fold(table.name) for table in schema.virtual_tables}


def _dependencies(database: sqlite3.Connection, content: Content) -> Dependencies | None:
    """Return what indexing ``content`` reads; None if it cannot be read."""
    # A quoted name that isn't a column is an error after the table's name, and a string without it.
    names = sorted({content.rowid, *content.columns})
    columns = ", ".join(f"content.{quote_name(name)}" for name in names)
    try:
        return query_dependencies(database, f"SELECT {columns} FROM {quote_name(content.table)} AS content")
    except sqlite3.Error:
        return None


def _renamed(before: Dependencies | None, transition: Transition) -> set[tuple[str, str]]:
    """Return the stored columns that were read before the migration, under their names after it."""
    found: set[tuple[str, str]] = set()
    stored = _stored(transition.start)
    for table, column in before.columns if before is not None else ():
        if table in stored:
            after = fold(transition.renames.table_after(table))
            found.add((after, fold(transition.renames.column_after(after, column))))
    return found
