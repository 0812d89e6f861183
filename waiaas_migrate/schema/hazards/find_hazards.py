"""Find the hazards of a migration by calling the rules for each change."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.hazards import lost_data, rejected_rows
from waiaas_migrate.schema.hazards.context import HazardContext
from waiaas_migrate.schema.hazards.hazard import Hazard
from waiaas_migrate.schema.model import Check, Schema


def find_hazards(
    old: Schema, new: Schema, changes: Sequence[c.Change], satisfied: Collection[tuple[str, Check]] = ()
) -> tuple[Hazard, ...]:
    """Return the hazards of ``changes``, then those of (un)enforceable foreign keys.

    ``old`` is the schema before the changes, but after the renames. :class:`HazardContext` explains ``satisfied``.
    """
    context = HazardContext(new=new, tables=new.by_name(), changes=changes, satisfied=satisfied)
    found = tuple(hazard for change in changes for hazard in _hazards_of(change, context))
    return (*found, *rejected_rows.other_enforcement(old, new))


def _hazards_of(change: c.Change, context: HazardContext) -> Iterator[Hazard]:  # noqa: C901 — one arm for each kind
    match change:
        case c.DropTable():
            yield lost_data.dropped_table(change, context)
        case c.DropColumn():
            yield lost_data.dropped_column(change, context)
        case c.DropObject() | c.ModifyObject():
            yield from lost_data.dropped_rows(change)
        case c.AddColumn():
            yield from rejected_rows.added_column(change, context)
        case c.ModifyColumn():
            yield from lost_data.modified_column(change, context)
            yield from rejected_rows.modified_column(change, context)
        case c.ModifyTableOptions():
            yield from lost_data.modified_options(change)
            yield from rejected_rows.modified_options(change)
        case c.ModifyPrimaryKey():
            yield from lost_data.replaced_rowids(change, context)
            yield from rejected_rows.modified_key(change)
        case c.AddCheck() | c.ModifyCheck():
            yield from lost_data.removed_values(change, context)
            yield from rejected_rows.new_check(change, context)
        case c.AddUnique() | c.AddIndex() | c.ModifyIndex():
            yield from rejected_rows.duplicates(change)
        case c.AddForeignKey() | c.ModifyForeignKey():
            yield from rejected_rows.new_key(change, context)
        case (
            c.AddTable() | c.RenameTable() | c.RenameColumn() | c.ReorderColumns() | c.DropUnique() | c.DropCheck()
            | c.DropForeignKey() | c.DropIndex() | c.AddObject()
        ):  # fmt: skip
            return  # safe for any rows
        case _:
            assert_never(change)
