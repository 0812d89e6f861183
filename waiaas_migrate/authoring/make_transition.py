"""Find the transition from the schema in a database to a new schema, which ``plan`` turns into steps.

SQLite itself does the renames, in a copy in memory, because a rename also changes the text of other objects.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
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
from waiaas_migrate.sqlite.database.memory import copy_database, execute, transaction
from waiaas_migrate.sqlite.planning.plan import plan
from waiaas_migrate.sqlite.planning.plan_options import PlanOptions
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.broken import culprit_of, names_that_block_renames
from waiaas_migrate.sqlite.reading.introspect import Known, introspect_with_strings
from waiaas_migrate.sqlite.reading.quoted_strings import QuotedStrings


def make_transition(
    database: sqlite3.Connection,
    new: Schema,
    renames: Renames,
    renderer: Renderer,
    options: PlanOptions,
    known: Known | None = None,
) -> Transition:
    """Return the transition from the schema in ``database`` to ``new``.

    ``known`` maps CREATE statements in the database to the tables and indexes that they declare. They aren't parsed
    again.

    Raises:
        UnsupportedError: SQLite can't do one of the ``renames``.
    """
    start, strings = introspect_with_strings(database, known)
    transition = Transition(
        start=start, old=start, new=new, changes=(), write=renderer.clause, renames=renames, options=options
    )
    transition = replace(transition, known=known or {}, strings=strings)
    if not renames.tables and not renames.columns:
        return _completed(database, transition)
    with closing(copy_database(database)) as scratch:
        set_aside = _rename_all(scratch, start, renames, renderer)
        old, strings = introspect_with_strings(scratch, known)
        return _completed(scratch, replace(transition, old=old, strings=strings, set_aside=set_aside))


def _completed(database: sqlite3.Connection, transition: Transition) -> Transition:
    """Return ``transition`` with its changes, backfills and other facts that ``database`` shows after the renames."""
    changes = diff(transition.old, transition.new)
    set_aside = transition.set_aside | _blocking_drops(database, transition.old, changes)
    set_aside |= _objects_to_requote(transition.strings, changes)
    texts = {fold(row.name): row.sql for row in read_catalog(database) if row.kind == "table"}
    return with_backfills(database, replace(transition, changes=changes, set_aside=set_aside, texts=texts))


def _rename_all(scratch: sqlite3.Connection, start: Schema, renames: Renames, renderer: Renderer) -> frozenset[str]:
    """Do ``renames`` in ``scratch``; return the folded names of views and triggers that must be dropped first."""
    taken = frozenset(fold(rename.new) for rename in renames.tables)
    set_aside = names_that_block_renames(scratch) | (taken & {fold(view.name) for view in start.views})
    kept = replace(
        start,
        views=tuple(view for view in start.views if fold(view.name) not in taken),
        triggers=tuple(trigger for trigger in start.triggers if fold(trigger.table) not in taken),
    )
    renaming = Transition(
        start=start, old=start, new=kept, changes=(), write=renderer.clause, renames=renames, set_aside=set_aside
    )
    while (culprit := _failing_object(scratch, renaming, renderer)) is not None:
        renaming = replace(renaming, set_aside=renaming.set_aside | {fold(culprit)})
    return renaming.set_aside


def _failing_object(scratch: sqlite3.Connection, renaming: Transition, renderer: Renderer) -> str | None:
    """Do the renames in ``scratch`` and return None. If a view or trigger prevents this, only return its name."""
    try:
        with transaction(scratch):
            for step in plan(renaming):
                for statement in split_statements(renderer.step(step).sql):
                    execute(scratch, statement)
    except sqlite3.OperationalError as error:
        culprit = culprit_of(scratch, error)
        if str(error).startswith("error in index "):
            raise UnsupportedError(
                f"SQLite can't rename a column: {error}. The index contains a word in double quotes that names no "
                f"column. Drop the index in a separate migration first."
            ) from None
        if culprit is None or fold(culprit.name) in renaming.set_aside:
            raise
        return culprit.name
    return None


def _blocking_drops(database: sqlite3.Connection, old: Schema, changes: Iterable[Change]) -> frozenset[str]:
    """Return the folded names of views and triggers that don't compile, if a column is dropped: they make that fail."""
    if not (old.views or old.triggers) or not any(isinstance(change, DropColumn) for change in changes):
        return frozenset()
    with closing(copy_database(database)) as scratch:
        return names_that_block_renames(scratch)


def _objects_to_requote(strings: QuotedStrings, changes: Iterable[Change]) -> frozenset[str]:
    """Return the folded names of views and triggers in which a string in double quotes has the name of a new column.

    The migration creates them again with single quotes. Otherwise SQLite would read the string as the new column.
    """
    added = {fold(change.new.name) for change in changes if isinstance(change, AddColumn)}
    return frozenset(
        name for (kind, name), words in strings.items() if kind in ("view", "trigger") and added & set(map(fold, words))
    )
