"""Backfills tried on the schema before the migration: what each reads, and which cannot be followed.

A backfill sees every table as it was before the migration, under the new names: no column that the migration adds, and
every one that it drops.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from waiaas_migrate.errors import Problem
from waiaas_migrate.files.yaml_text.yaml_reader import join
from waiaas_migrate.schema.model import Column, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.backfill_order import reading_order
from waiaas_migrate.sqlite.planning.plan import leaving_views
from waiaas_migrate.sqlite.planning.row_values import is_filled
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.dependencies import Dependencies, expression_dependencies
from waiaas_migrate.sqlite.reading.quoted_strings import as_names

_NO_SUCH = re.compile(r"no such (?P<kind>column|table): (?P<name>.+)", re.DOTALL)


def with_backfills(database: sqlite3.Connection, transition: Transition) -> Transition:
    """``transition`` with what its backfills read in ``database``, whose renames are done, and what is wrong there."""
    problems: list[Problem] = []
    reads: dict[str, Dependencies] = {}
    leaving = {fold(view.name): view.name for view in leaving_views(transition)}
    for table, column in _filled(transition):
        try:
            found = _dependencies(database, table, column)
        except sqlite3.Error as error:
            problems.append(_refused(transition, table, column, str(error)))
            continue
        reads[fold(table.name)] = reads.get(fold(table.name), Dependencies()) | found
        tables = {name for name, _ in found.columns}
        problems += [
            _problem(table, column, f"it reads the view {leaving[name]}, which goes or changes with it.", _TABLES)
            for name in sorted((found.views | tables) & leaving.keys())
        ]
    known = replace(transition, reads=reads)
    return replace(known, problems=(*problems, *_circles(known)))


_TABLES = "Read the tables that it stands on, or change it in a migration of its own."
_BEFORE = "A backfill sees the tables as they were before the migration, under their new names."


def _filled(transition: Transition) -> Iterator[tuple[Table, Column]]:
    """Each column that is given values by its backfill, with its table."""
    old_tables = transition.old.by_name()
    for table in transition.new.tables:
        old = old_tables.get(fold(table.name))
        for column in table.columns if old is not None else ():
            if old is not None and is_filled(old, column):
                yield old, column


def _dependencies(database: sqlite3.Connection, table: Table, column: Column) -> Dependencies:
    sql = column.hints.backfill.sql if column.hints.backfill is not None else "NULL"
    # A word in double quotes that names nothing would be a string, and end up in every row.
    return expression_dependencies(database, table.name, as_names(sql))


def _refused(transition: Transition, table: Table, column: Column, error: str) -> Problem:
    """What SQLite says of a backfill, and what to do about it as far as the migration tells."""
    fix = f"Correct it. {_BEFORE}"
    missing = _NO_SUCH.match(error)
    if missing is not None:
        name = fold(missing["name"].rpartition(".")[2])
        columns = {fold(r.old): r.new for r in transition.renames.columns if fold(r.table) == fold(table.name)}
        tables = {fold(r.old): r.new for r in transition.renames.tables}
        renamed = (columns if missing["kind"] == "column" else tables).get(name)
        new = {fold(one.name) for one in transition.new.tables}
        new |= {fold(c.name) for t in transition.new.tables if fold(t.name) == fold(table.name) for c in t.columns}
        if renamed is not None:
            fix = f"Write {renamed}, as it is called from now on. {_BEFORE}"
        elif name in new:
            fix = f"{missing['name']} comes with this migration: add it in one before. {_BEFORE}"
    elif error.startswith("misuse of"):
        fix = "Write it as a query of its own: `SELECT max(x) FROM t`."
    return _problem(table, column, f"SQLite says: {error.rstrip('.')}.", fix)


def _circles(transition: Transition) -> Iterator[Problem]:
    circle = reading_order(transition, tuple(transition.reads)).circle
    for table, column in _filled(transition):
        if fold(table.name) in circle:
            what = f"the backfills of {' and '.join(circle)} each read what this migration changes in the other."
            yield _problem(table, column, what, "Make one of the changes in a migration of its own.")
            return


def _problem(table: Table, column: Column, what: str, fix: str) -> Problem:
    path = functools.reduce(join, ("tables", table.name, "columns", column.name, "backfill"))
    return Problem(file="", path=path, what=what, fix=fix)
