"""The hazards of a migration, found by asking every family about every change."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.hazards import enum_values, lost_data, references, rejected_rows
from waiaas_migrate.schema.hazards.context import HazardContext
from waiaas_migrate.schema.hazards.hazard import Hazard
from waiaas_migrate.schema.model import Check, Schema

FAMILIES = (lost_data.find, enum_values.find, rejected_rows.find, references.find)


def find_hazards(
    old: Schema, new: Schema, changes: Sequence[c.Change], satisfied: Collection[tuple[str, Check]] = ()
) -> tuple[Hazard, ...]:
    """Return the hazards of ``changes``, in their order, then those of foreign keys.

    Args:
        old: the schema before the changes, under the new names.
        new: the schema after them.
        changes: what leads from one to the other.
        satisfied: the CHECKs, with the folded name of their table, that the values given to new columns satisfy.
    """
    context = HazardContext(new=new, tables=new.by_name(), changes=changes, satisfied=satisfied)
    found = tuple(hazard for change in changes for hazard in _of(change, context))
    return (*found, *references.mended(old, new), *references.mismatches(old, new))


def _of(change: c.Change, context: HazardContext) -> Iterator[Hazard]:
    match change:
        case (
            c.AddTable() | c.RenameTable() | c.RenameColumn() | c.ReorderColumns() | c.DropUnique() | c.DropCheck()
            | c.DropForeignKey() | c.DropIndex() | c.AddObject()
        ):  # fmt: skip
            return  # safe for any rows
        case (
            c.DropTable() | c.ModifyTableOptions() | c.AddColumn() | c.DropColumn() | c.ModifyColumn()
            | c.ModifyPrimaryKey() | c.AddUnique() | c.AddCheck() | c.ModifyCheck() | c.AddForeignKey()
            | c.ModifyForeignKey() | c.AddIndex() | c.ModifyIndex() | c.DropObject() | c.ModifyObject()
        ):  # fmt: skip
            for find in FAMILIES:
                yield from find(change, context)
        case _:
            assert_never(change)
