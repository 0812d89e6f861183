"""Find the objects that a new migration would break, and the full-text indexes that would become stale."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.full_text import may_change
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.broken import broken_objects
from waiaas_migrate.sqlite.reading.dependencies import Dependencies, query_dependencies
from waiaas_migrate.sqlite.reading.virtual_tables import ExternalContent, external_content


def newly_broken_objects(
    before: sqlite3.Connection, after: sqlite3.Connection, transition: Transition
) -> Iterator[Hazard]:
    """Yield a hazard for each object that the migration breaks or adds in a broken state.

    An object that was already broken in the same way gets no hazard, unless the migration changes it.
    """
    broken = broken_objects(after, transition.new)
    if broken:
        unchanged = {fold(one.name) for one in broken} - _made_objects(transition)
        broken_before = {(fold(one.name), one.fails) for one in broken_objects(before, transition.start, unchanged)}
        for one in broken:
            if (fold(one.name), one.fails) not in broken_before:
                what = f"leaves this {one.kind} broken: {one.error}."
                fix = f"Correct or drop it in schema.yaml. If it may stay broken, run with --allow {Code.BREAK_OBJECT}."
                yield Hazard(code=Code.BREAK_OBJECT, where=one.name, what=what, fix=fix)


def _made_objects(transition: Transition) -> frozenset[str]:
    """Return the folded names of the views, triggers and virtual tables that the migration adds or changes."""
    made = (change for change in transition.changes if isinstance(change, c.AddObject | c.ModifyObject))
    return frozenset(c.object_of(change)[1] for change in made)


def stale_indexes(before: sqlite3.Connection, after: sqlite3.Connection, transition: Transition) -> frozenset[str]:
    """Return the folded names of full-text tables that read a view and that the migration must index again.

    ``before`` and ``after`` are the databases in memory before and after the migration.
    """
    stale: set[str] = set()
    views = {fold(view.name) for schema in (transition.start, transition.new) for view in schema.views}
    stored = _stored_tables(transition.new)
    made = _made_objects(transition)
    for virtual in transition.new.virtual_tables:
        content = external_content(virtual.statement.sql)
        dependencies = None if content is None or content.table not in views else _dependencies(after, content)
        if content is None or dependencies is None:
            continue  # not over a view, or it can't be read, which newly_broken_objects reports
        read = {(table, column) for table, column in dependencies.columns if table in stored}
        if fold(virtual.name) in made:
            is_stale = any(table in transition.old.by_name() for table, _ in read)
        else:
            used = {content.table, *dependencies.views, *(table for table, _ in read)}
            is_stale = bool(made & used) or may_change(transition, read)
            is_stale = is_stale or read != _renamed(_dependencies(before, content), transition)
        if is_stale:
            stale.add(fold(virtual.name))
    return frozenset(stale)


def _stored_tables(schema: Schema) -> frozenset[str]:
    """Return the folded names of the tables and virtual tables, which store rows."""
    return frozenset(schema.by_name()) | {fold(table.name) for table in schema.virtual_tables}


def _dependencies(database: sqlite3.Connection, content: ExternalContent) -> Dependencies | None:
    """Return the dependencies of the query that reads ``content``; None if the query fails."""
    # SQLite can't take a misspelled column in double quotes for a string if a table name precedes it.
    names = sorted({content.rowid, *content.columns})
    columns = ", ".join(f"content.{quote_name(name)}" for name in names)
    try:
        return query_dependencies(database, f"SELECT {columns} FROM {quote_name(content.table)} AS content")
    except sqlite3.Error:
        return None


def _renamed(before: Dependencies | None, transition: Transition) -> set[tuple[str, str]]:
    """Return the columns of stored tables in ``before``, each with its table, under their names after the migration."""
    stored, renames = _stored_tables(transition.start), transition.renames
    columns = before.columns if before is not None else ()
    pairs = ((fold(renames.table_after(table)), column) for table, column in columns if table in stored)
    return {(table, fold(renames.column_after(table, column))) for table, column in pairs}
