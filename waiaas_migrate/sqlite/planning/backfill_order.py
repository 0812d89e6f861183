"""Order tables so that each backfill reads the values from before the migration."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from waiaas_migrate.schema.changes import DropColumn, table_of
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.row_values import keeps_values
from waiaas_migrate.sqlite.planning.transition import Transition


def backfill_order(transition: Transition, tables: Collection[str]) -> tuple[list[str], list[str]]:
    """Return ``tables`` (folded), each before the tables that its backfills read.

    The second list contains the tables that have no such order, because their backfills read each other.
    """
    dropped = [change for change in transition.changes if isinstance(change, DropColumn)]
    changing = {*changing_columns(transition), *((fold(drop.table), fold(drop.old.name)) for drop in dropped)}
    reads = {name: found.columns for name, found in transition.reads.items()}
    sources = {
        name: {table for table, _ in reads.get(name, frozenset()) & changing if table != name and table in tables}
        for name in tables
    }
    waiting, ordered = list(tables), list[str]()
    while waiting:
        read = frozenset[str]().union(*(sources[name] for name in waiting))
        free = next((name for name in waiting if name not in read), None)
        if free is None:
            # A table that reads no other waiting table is not part of the cycle.
            return ordered + waiting, [name for name in waiting if sources[name] & set(waiting)]
        waiting.remove(free)
        ordered.append(free)
    return ordered, []


def changing_columns(transition: Transition) -> Iterator[tuple[str, str]]:
    """Yield the table and column (folded) of existing values that may change."""
    changed = {fold(table_of(change) or "") for change in transition.changes}
    for old, table in transition.kept_tables():
        for column in table.columns if fold(table.name) in changed else ():
            before = old.column(column.name)
            if before is not None and not keeps_values(old, table, before, column):
                yield fold(table.name), fold(column.name)
