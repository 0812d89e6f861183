"""From two schemas and the hints between them to a transition, with SQLite itself doing the renaming in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import replace

from waiaas_migrate.authoring.backfills import with_backfills
from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.files.migration_dir.statements import split_statements
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.changes import AddColumn, Change, DropColumn
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import Renames
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.memory import copy, execute, transaction
from waiaas_migrate.sqlite.planning.plan import plan
from waiaas_migrate.sqlite.planning.plan_options import PlanOptions
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.introspect import Known, Strings, introspect_quoted
from waiaas_migrate.sqlite.reading.rename_trial import culprit_of, not_compiling

_TEXT_INDEX = (
    "SQLite cannot rename a column: {}. The index is on a word in double quotes that names nothing. Drop the index in "
    "a migration of your own first."
)


def make_transition(
    database: sqlite3.Connection,
    new: Schema,
    renames: Renames,
    renderer: Renderer,
    options: PlanOptions,
    known: Known | None = None,
) -> Transition:
    """The transition of what is in ``database``, whose ``known`` texts need no reading, to ``new``.

    The database is not changed.
    """
    start, strings = introspect_quoted(database, known)
    asked = Transition(start=start, old=start, new=new, changes=(), renames=renames, options=options, known=known or {})
    if not renames.tables and not renames.columns:
        changes = diff(start, new)
        aside = _in_the_way(database, start, changes) | _taken_over(strings, changes)
        return _compared(database, replace(asked, changes=changes, set_aside=aside, strings=strings), renderer)
    with closing(copy(database)) as scratch:
        aside = _rename_all(scratch, start, renames, renderer)
        old, strings = introspect_quoted(scratch, known)
        changes = diff(old, new)
        aside |= _taken_over(strings, changes)
        return _compared(scratch, replace(asked, old=old, changes=changes, set_aside=aside, strings=strings), renderer)


def _compared(database: sqlite3.Connection, transition: Transition, renderer: Renderer) -> Transition:
    """``transition`` with what its edits and backfills need to know of ``database``, which holds its ``old``."""
    return with_backfills(database, replace(transition, clauses=renderer, texts=_texts(database)))


def _rename_all(scratch: sqlite3.Connection, start: Schema, renames: Renames, renderer: Renderer) -> frozenset[str]:
    """Carry ``renames`` out; give the views and triggers that must be set aside for them."""
    taken = frozenset(fold(rename.new) for rename in renames.tables)
    aside = not_compiling(scratch) | {fold(view.name) for view in start.views if fold(view.name) in taken}
    kept = _without_views(start, taken)
    renaming = Transition(start=start, old=start, new=kept, changes=(), renames=renames, set_aside=aside)
    while (culprit := _rename(scratch, renaming, renderer)) is not None:
        aside |= {fold(culprit)}
        renaming = replace(renaming, set_aside=aside)
    return aside


def _rename(scratch: sqlite3.Connection, renaming: Transition, renderer: Renderer) -> str | None:
    """Carry the renames out; or change nothing and return a view or trigger that must be set aside for them."""
    try:
        with transaction(scratch):
            for step in plan(renaming).steps:
                for statement in split_statements(renderer.step(step).sql):
                    execute(scratch, statement)
    except sqlite3.OperationalError as error:
        culprit = culprit_of(scratch, error)
        if str(error).startswith("error in index "):
            raise UnsupportedError(_TEXT_INDEX.format(error)) from None
        if culprit is None or fold(culprit.name) in renaming.set_aside:
            raise
        return culprit.name
    return None


def _texts(database: sqlite3.Connection) -> dict[str, str]:
    """The CREATE statement of each table."""
    return {fold(row.name): row.sql for row in read_catalog(database) if row.kind == "table"}


def _without_views(schema: Schema, names: Collection[str]) -> Schema:
    """``schema`` without the views whose names tables take, and without what stands on them."""
    return replace(
        schema,
        views=tuple(view for view in schema.views if fold(view.name) not in names),
        triggers=tuple(trigger for trigger in schema.triggers if fold(trigger.table) not in names),
    )


def _in_the_way(database: sqlite3.Connection, start: Schema, changes: Iterable[Change]) -> frozenset[str]:
    """The views and triggers that do not compile, at which DROP COLUMN stumbles as renaming does."""
    if not (start.views or start.triggers) or not any(isinstance(change, DropColumn) for change in changes):
        return frozenset()
    with closing(copy(database)) as scratch:
        return not_compiling(scratch)


def _taken_over(strings: Strings, changes: Iterable[Change]) -> frozenset[str]:
    """The views and triggers with a string in double quotes that a new column of that name would take over.

    They are made again with it in single quotes.
    """
    come = {fold(change.column.name) for change in changes if isinstance(change, AddColumn)}
    return frozenset(
        name for (kind, name), words in strings.items() if kind in ("view", "trigger") and come & set(map(fold, words))
    )
