"""Find full-text tables with external content that must index it again.

See https://www.sqlite.org/fts5.html#external_content_tables and https://www.sqlite.org/fts3.html#fts4_external_content_tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from waiaas_migrate.schema.model import VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES, is_renumbered
from waiaas_migrate.sqlite.planning.actions import FillFullText, Step
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.virtual_tables import external_content


def fill_steps(transition: Transition) -> Iterator[Step]:
    """Yield a step for each full-text table that must index its rows again.

    Such a table is created, or its content changes. No trigger fires while a migration changes rows, so triggers
    do not update the index.
    """
    created = {fold(virtual.name) for virtual in transition.created(VirtualTable)}
    old_tables, new_tables = transition.old.by_name(), transition.new.by_name()
    for virtual in transition.new.virtual_tables:
        content = external_content(virtual.statement.sql)
        if content is None:
            continue
        old, new = old_tables.get(content.table), new_tables.get(content.table)
        is_stale = fold(virtual.name) in transition.stale_indexes
        names = {fold(column.name) for column in new.columns} if new is not None else set()
        has_rowid = new is not None and not new.without_rowid
        # SQLite can't index columns that do not exist.
        if old is not None and content.columns <= names and (content.rowid in names or has_rowid):
            columns = content.columns or names
            read = {(content.table, column) for column in (content.rowid, *columns)}
            is_stale = is_stale or fold(virtual.name) in created or may_change(transition, read)
        if is_stale:
            words = f"index the rows of {content.table if new is None else new.name} in virtual table {virtual.name}"
            yield Step(words=words, cost=Cost.SCAN, actions=(FillFullText(table=virtual.name),))


def may_change(transition: Transition, columns: Collection[tuple[str, str]]) -> bool:
    """Return whether values may change in one of ``columns`` (table and column)."""
    changing = set(transition.changing_columns())
    tables, old_tables = transition.new.by_name(), transition.old.by_name()
    for name, column in columns:
        new, old = tables.get(name), old_tables.get(name)
        if (name, column) in changing:
            return True
        if new is None or old is None:
            continue
        if column in ROWID_NAMES and is_renumbered(old, new):
            return True
        found = new.column(column)
        if found is not None and found.generated is not None and any(table == name for table, _ in changing):
            return True
    return False
