"""Write the remarks at the top of a rollback: the data that it deletes or doesn't restore, and when it fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.enum_lists import literal, values_in_lists
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.model import Column, PrimaryKey, Table, VirtualTable
from waiaas_migrate.sqlite.planning.row_values import is_filled, replaced_values
from waiaas_migrate.sqlite.planning.transition import Transition

#: Hazards of a rollback that need no remark, because a rollback is expected to drop what the migration added.
_EXPECTED = (Code.DROP_TABLE, Code.DROP_COLUMN, Code.DROP_VIRTUAL_TABLE, Code.SWAP_NAMES)


def rollback_remarks(
    transition: Transition, hazards: Iterable[Hazard], back_hazards: Iterable[Hazard]
) -> Iterator[str]:
    """Yield the remarks for the rollback of ``transition``, given the hazards of both directions."""
    yield from _deleted(transition)
    for change in transition.changes:
        yield from _not_restored(change)
    for old, new in transition.kept_tables():
        yield from _changed_values(old, new)
    for hazard in hazards:
        if hazard.code is Code.NARROW_TYPE:
            yield f"Does not restore the values that the migration converted in {hazard.where}."
        elif hazard.code is Code.DROP_ROWID:
            yield f"Does not restore the rowids of {hazard.where}."
    yield from _unexpected_hazards(back_hazards)


def hazard_remark(hazard: Hazard) -> str:
    """Return the comment in a migration that announces ``hazard``."""
    return f"hazard {hazard.code} {hazard.where}: {hazard.what}"


def _deleted(transition: Transition) -> Iterator[str]:
    tables = [change.new.name for change in transition.changes if isinstance(change, c.AddTable)]
    added = [change.new for change in transition.changes if isinstance(change, c.AddObject)]
    tables += [item.name for item in added if isinstance(item, VirtualTable) and item.holds_data]
    columns = [f"{one.table}.{one.new.name}" for one in transition.changes if isinstance(one, c.AddColumn)]
    if tables:
        yield f"Deletes table{'s' if len(tables) > 1 else ''} {', '.join(tables)} with all rows."
    if columns:
        yield f"Deletes column{'s' if len(columns) > 1 else ''} {', '.join(columns)} with all values."


def _not_restored(change: c.Change) -> Iterator[str]:
    match change:
        case c.DropTable(old=Table(name=name)):
            yield f"Does not restore the rows of {name}."
        case c.DropObject(old=VirtualTable(holds_data=True) as virtual):
            yield f"Does not restore the rows of {virtual.name}."
        case c.DropColumn(table=table, old=column) if column.not_null and column.default is None:
            yield f"Does not restore the values of {table}.{column.name}: every row gets a neutral value."
        case c.DropColumn(table=table, old=column):
            yield f"Does not restore the values of {table}.{column.name}."
        case c.ModifyPrimaryKey(table=table, old=PrimaryKey(autoincrement=True)):
            yield f"Does not restore the AUTOINCREMENT counter of {table}, which continues from its highest row."
        case (
            c.AddTable() | c.RenameTable() | c.ModifyTableOptions() | c.AddColumn() | c.RenameColumn()
            | c.ModifyColumn() | c.ReorderColumns() | c.AddCheck() | c.DropCheck() | c.ModifyCheck()
            | c.ModifyPrimaryKey() | c.AddUnique() | c.DropUnique() | c.AddForeignKey() | c.DropForeignKey()
            | c.ModifyForeignKey() | c.AddIndex() | c.DropIndex() | c.ModifyIndex() | c.AddObject() | c.DropObject()
            | c.ModifyObject()
        ):  # fmt: skip
            return
        case _:
            assert_never(change)


def _changed_values(old: Table, new: Table) -> Iterator[str]:
    for after in new.columns:
        before = old.column(after.name)
        if before is not None and is_filled(old, after):
            yield f"Keeps the values that the migration filled into {old.name}.{after.name}."
        if before is not None and (after.hints.renamed_values or after.hints.removed_values):
            yield from _merged_values(old, before, after)


def _merged_values(old: Table, before: Column, after: Column) -> Iterator[str]:
    """Yield a remark for each enum value (or NULL) that the rollback can't turn into the value each row held before."""
    where = f"{old.name}.{after.name}"
    allowed_before = values_in_lists(old, before)
    replaced: dict[str | int | None, list[str | int]] = {}
    for value, new in replaced_values(old, after).items():
        replaced.setdefault(new, []).append(value)
    for new, values in replaced.items():
        if allowed_before is None or new in allowed_before or (new is None and before.not_null is None):
            yield f"Keeps {literal(new)} in rows of {where} that held {', '.join(map(literal, values))}."
        elif new is None or len(values) > 1:
            yield f"Changes {literal(new)} to {literal(values[0])} in every row of {where}, whatever it held before."


def _unexpected_hazards(back_hazards: Iterable[Hazard]) -> Iterator[str]:
    """Yield remarks for the rollback's hazards, except ``_EXPECTED`` ones; hazards of the same text share one."""
    places: dict[str, list[str]] = {}
    for hazard in back_hazards:
        if hazard.code is Code.FOREIGN_KEY_MISMATCH:
            yield hazard_remark(hazard)
        elif hazard.code not in _EXPECTED:
            places.setdefault(hazard.what, []).append(hazard.where)
    yield from (f"{', '.join(where)}: {what}" for what, where in places.items())
