"""An order of tables in which backfills read values from before the migration."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.changes import DropColumn, table_of
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.row_values import column_of, value_of
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.spelling import spelled_name


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOrder:
    """Tables in order; ``circle`` are those that can't be ordered."""

    tables: tuple[str, ...]
    circle: tuple[str, ...] = ()


def backfill_order(transition: Transition, tables: Collection[str]) -> TableOrder:
    """Return ``tables`` (folded), each before those that its backfills read."""
    dropped = [change for change in transition.changes if isinstance(change, DropColumn)]
    changing = {*moved_columns(transition), *((fold(drop.table), fold(drop.column.name)) for drop in dropped)}
    reads = {name: found.columns for name, found in transition.reads.items()}
    before = {
        name: {table for table, _ in reads.get(name, frozenset()) & changing if table != name and table in tables}
        for name in tables
    }
    waiting, ordered = list(tables), list[str]()
    while waiting:
        read = frozenset[str]().union(*(before[name] for name in waiting))
        free = next((name for name in waiting if name not in read), None)
        if free is None:
            # Tables that read none of the others are not part of the circle.
            return TableOrder(tables=(*ordered, *waiting), circle=tuple(n for n in waiting if before[n] & set(waiting)))
        waiting.remove(free)
        ordered.append(free)
    return TableOrder(tables=tuple(ordered))


def moved_columns(transition: Transition) -> Iterator[tuple[str, str]]:
    """Yield the columns (table and column, folded) whose values may change."""
    old_tables = transition.old.by_name()
    changed = {fold(table_of(change) or "") for change in transition.changes}
    for table in transition.new.tables:
        old = old_tables.get(fold(table.name))
        if old is None or fold(table.name) not in changed:
            continue
        for column in table.columns:
            before = column_of(old, column.name)
            if before is None:
                continue
            shape = [(affinity(c.type), canonical_collation(c.collation), c.generated) for c in (before, column)]
            if shape[0] != shape[1] or value_of(old, column) != spelled_name(column.name):
                yield fold(table.name), fold(column.name)


def read_tables(transition: Transition) -> frozenset[str]:
    """Return the folded names of all tables that backfills read."""
    return frozenset(table for found in transition.reads.values() for table, _ in found.columns)
