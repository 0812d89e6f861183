"""Views, triggers and virtual tables that a migration breaks."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.broken import broken_objects


def newly_broken_objects(
    before: sqlite3.Connection, after: sqlite3.Connection, transition: Transition
) -> Iterator[Hazard]:
    """Yield a hazard for each object that the migration breaks, or adds although it does not work.

    An object that the migration adds or changes must work, even if it was broken before.
    """
    touched = _touched(transition)
    reached = _reached(transition.new, touched) if transition.start.names else None
    found = broken_objects(after, transition.new, reached)
    if found:
        names = {fold(one.name) for one in found} - made_objects(transition)
        known = {(fold(one.name), one.fails) for one in broken_objects(before, transition.start, names)}
        for one in found:
            if (fold(one.name), one.fails) not in known:
                what = f"leaves this {one.kind} broken: {one.error}."
                fix = f"Correct or drop it in schema.yaml. If it may stay broken, run with --allow {Code.BREAK_OBJECT}."
                yield Hazard(code=Code.BREAK_OBJECT, where=one.name, what=what, fix=fix)


def made_objects(transition: Transition) -> frozenset[str]:
    """Return the folded names of the views, triggers and virtual tables that the migration adds or changes."""
    made = (change for change in transition.changes if isinstance(change, c.AddObject | c.ModifyObject))
    return frozenset(c.object_of(change)[1] for change in made)


def _touched(transition: Transition) -> frozenset[str]:
    """Return the folded names of everything that the migration adds, drops, changes or renames."""
    names = [c.object_of(change)[1] for change in transition.changes]
    names += [fold(table) for change in transition.changes if (table := c.table_of(change)) is not None]
    names += [fold(name) for rename in transition.renames.tables for name in (rename.old, rename.new)]
    names += [fold(rename.table) for rename in transition.renames.columns]
    return frozenset(names)


def _reached(schema: Schema, touched: frozenset[str]) -> frozenset[str] | None:
    """Return the names of the objects that depend on ``touched``, directly or not; None if it may be any of them."""
    if not all(re.fullmatch(r"\w+", name) for name in touched):
        return None  # such a name is spelled with quotes and escapes, so it is not a word of a statement
    waiting = {fold(view.name): _words(view.statement.sql) for view in schema.views}
    waiting |= {fold(table.name): _words(table.statement.sql) for table in schema.virtual_tables}
    reached = set(touched)
    while more := {name for name, words in waiting.items() if words & reached}:
        reached |= more
        waiting = {name: words for name, words in waiting.items() if name not in more}
    return frozenset(reached | {fold(t.name) for t in schema.triggers if _words(t.statement.sql) & reached})


def _words(sql: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", fold(sql)))
