"""Find the columns that backfills read, and report backfills that can't work, by trying them in memory.

A backfill reads the tables as they were before the migration, but under their new names. It can't read new columns, but
it can read columns that the migration drops.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from waiaas_migrate.errors import Problem
from waiaas_migrate.files.yaml_text.yaml_reader import append_key
from waiaas_migrate.schema.model import Column, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.plan import backfill_order, views_to_drop
from waiaas_migrate.sqlite.planning.row_values import is_filled
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.dependencies import Dependencies, expression_dependencies
from waiaas_migrate.sqlite.reading.quoted_strings import quote_as_names

_NO_SUCH = re.compile(r"no such (?P<kind>column|table): (?P<name>.+)", re.DOTALL)
_VISIBLE_TABLES = "A backfill sees the tables as they were before the migration, under their new names."


def with_backfills(database: sqlite3.Connection, transition: Transition) -> Transition:
    """Return ``transition`` with the columns that its backfills read, and with problems for backfills that can't work.

    ``database`` has the schema from before the migration, under the new names.
    """
    problems: list[Problem] = []
    reads: dict[str, Dependencies] = {}
    dropped_views = {fold(view.name): view.name for view in views_to_drop(transition)}
    for table, column in _filled_columns(transition):
        # Without this, SQLite would take a misspelled name in double quotes for a string, and write it to every row.
        sql = quote_as_names(column.hints.backfill.sql) if column.hints.backfill is not None else "NULL"
        try:
            found = expression_dependencies(database, table.name, sql)
        except sqlite3.Error as error:
            what = f"SQLite says: {str(error).rstrip('.')}."
            problems.append(_problem(table, column, what, _advice(transition, table, str(error))))
            continue
        reads[fold(table.name)] = reads.get(fold(table.name), Dependencies()) | found
        for name in sorted((found.views | {name for name, _ in found.columns}) & dropped_views.keys()):
            what = f"it reads the view {dropped_views[name]}, which this migration drops or changes."
            fix = "Read the tables of the view, or change the view in a separate migration."
            problems.append(_problem(table, column, what, fix))
    transition = replace(transition, reads=reads)
    return replace(transition, problems=(*problems, *_cycle_problems(transition)))


def _filled_columns(transition: Transition) -> Iterator[tuple[Table, Column]]:
    """Yield each column that a backfill fills, with its table from before the migration."""
    return ((old, column) for old, new in transition.kept_tables() for column in new.columns if is_filled(old, column))


def _advice(transition: Transition, table: Table, error: str) -> str:
    if error.startswith("misuse of"):
        return "Write it as a query: `SELECT max(x) FROM t`."
    if not (missing := _NO_SUCH.match(error)):
        return f"Correct it. {_VISIBLE_TABLES}"
    name = fold(missing["name"].rpartition(".")[2])
    columns = {fold(r.old): r.new for r in transition.renames.columns if fold(r.table) == fold(table.name)}
    tables = {fold(r.old): r.new for r in transition.renames.tables}
    renamed = (columns if missing["kind"] == "column" else tables).get(name)
    if renamed is not None:
        return f"Write {renamed}, its new name. {_VISIBLE_TABLES}"
    new = transition.new.by_name()
    if name in new or name in {fold(column.name) for column in new[fold(table.name)].columns}:
        return f"Add {missing['name']} in an earlier migration, because this migration creates it. {_VISIBLE_TABLES}"
    return f"Correct it. {_VISIBLE_TABLES}"


def _cycle_problems(transition: Transition) -> Iterator[Problem]:
    """Yield a problem if several tables can't be filled in any order, because their backfills read each other."""
    _, cycle = backfill_order(transition, tuple(transition.reads))
    for table, column in _filled_columns(transition):
        if fold(table.name) in cycle:
            what = f"the backfills of {' and '.join(cycle)} each read columns that this migration changes in the other."
            yield _problem(table, column, what, "Make one of the changes in a separate migration.")
            return


def _problem(table: Table, column: Column, what: str, fix: str) -> Problem:
    path = functools.reduce(append_key, ("tables", table.name, "columns", column.name, "backfill"))
    return Problem(file="", path=path, what=what, fix=fix)
