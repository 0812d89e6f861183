"""Rowids that rows lose, or exchange for others (https://www.sqlite.org/lang_createtable.html#rowid)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.hazards.comparison import Comparison
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_column

_FIX = f"If nothing uses the rowids, run with --allow {Code.DROP_ROWID}."


def find(change: c.Change, comparison: Comparison) -> Iterator[Hazard]:
    """Yield a hazard if the table becomes WITHOUT ROWID, or an existing column becomes an alias of the rowid."""
    match change:
        case c.ModifyTableOptions(old=old, new=new) if new.without_rowid and not old.without_rowid:
            yield Hazard(code=Code.DROP_ROWID, where=new.name, what="deletes the rowid of every row.", fix=_FIX)
        case c.ModifyPrimaryKey() | c.ModifyColumn():
            yield from _renumbered(change, comparison)
        case _:
            return


def _renumbered(change: c.ModifyPrimaryKey | c.ModifyColumn, comparison: Comparison) -> Iterator[Hazard]:
    table = comparison.table(change.table)
    column = rowid_column(table)
    keys = list(comparison.of_kind(c.ModifyPrimaryKey, change.table))
    if column is None or (isinstance(change, c.ModifyColumn) and (keys or fold(change.new.name) != fold(column.name))):
        return
    types = {fold(one.new.name): one.old.type for one in comparison.of_kind(c.ModifyColumn, change.table)}
    columns = tuple(replace(one, type=types.get(fold(one.name), one.type)) for one in table.columns)
    was = rowid_column(replace(table, columns=columns, primary_key=keys[0].old if keys else table.primary_key))
    is_new = any(added.column == column for added in comparison.of_kind(c.AddColumn, change.table))
    had_no_rowid = any(options.old.without_rowid for options in comparison.of_kind(c.ModifyTableOptions, change.table))
    if had_no_rowid or (is_new and column.hints.backfill is None) or (was is not None and was.name == column.name):
        return
    what = f"replaces the rowid of every row with its value of {column.name}."
    yield Hazard(code=Code.DROP_ROWID, where=table.name, what=what, fix=_FIX)
