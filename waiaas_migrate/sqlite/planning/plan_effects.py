"""The effects of a plan, for the manifest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from waiaas_migrate.schema.hazards.hazard import Hazard
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.actions import (
    Action,
    AddColumnTo,
    BeginEdits,
    CopyRows,
    CreateBeside,
    CreateIndex,
    CreateStatement,
    CreateTable,
    Drop,
    DropColumnFrom,
    EditDefinition,
    EndEdits,
    FillFullText,
    GuardDefinition,
    GuardForeignKeysOff,
    GuardNoRow,
    GuardObjects,
    GuardParents,
    GuardViolations,
    NoteViolations,
    Plan,
    RenameColumnTo,
    RenameTableTo,
    ReplaceTable,
    SetSecureDelete,
    UpdateRows,
)
from waiaas_migrate.sqlite.planning.effects import AnnouncedHazard, Cost, Effects, Tally


def effects_of(plan: Plan, hazards: Iterable[Hazard], old: Schema) -> Effects:
    """The effects of ``plan``, which starts from the schema ``old``, with the ``hazards`` that it announces."""
    found = _PlanTally(old)
    for step in plan.steps:
        for action in step.actions:
            found.add(action, step.cost)
    return found.effects(AnnouncedHazard(code=hazard.code, where=hazard.where) for hazard in hazards)


class _PlanTally(Tally):
    """Adds up actions."""

    def __init__(self, old: Schema) -> None:
        super().__init__()
        self._owners = {fold(index.name): table.name for table in old.tables for index in table.indexes}
        self._owners |= {fold(trigger.name): trigger.table for trigger in old.triggers}
        self._added: set[tuple[str, str]] = set()

    def add(self, action: Action, cost: Cost) -> None:  # noqa: C901, PLR0912 — one arm for each kind of action
        """Add one action of a step that has ``cost``."""
        match action:
            case CreateTable(table=table):
                self.create(table.name, Cost.CONSTANT)
                self.changes_keys |= bool(table.foreign_keys)
            case CreateIndex(table=name) | GuardNoRow(table=name):
                self.touch(name, cost if isinstance(action, CreateIndex) else Cost.SCAN)
            case Drop():
                self._drop(action)
            case RenameTableTo(old=before, new=after):
                self.rename(before, after)
            case RenameColumnTo(table=name):
                self.touch(name, Cost.CONSTANT)
                self.changes_keys = True
            case AddColumnTo():
                self._add_column(action, cost)
            case DropColumnFrom(table=name):
                self.write(name)
                self.loses = True
            case EditDefinition(table=name, asked=asked):
                self.touch(name, Cost.SCAN if asked else Cost.CONSTANT)
            case CopyRows(table=name):
                self.touch(name, Cost.REBUILD)
            case UpdateRows():
                self._update(action)
            case FillFullText(table=name):
                self.write(name)
            case GuardParents(table=name):
                self.touch(name, Cost.SCAN)
                self.changes_keys = True
            case NoteViolations(tables=names) | GuardViolations(tables=names):
                self._look_at_keys(names)
            case CreateStatement() | SetSecureDelete() | GuardForeignKeysOff() | GuardDefinition() | GuardObjects():
                pass  # no row is read or written
            case BeginEdits() | EndEdits() | CreateBeside() | ReplaceTable():
                pass  # what they begin or end says it
            case _:
                assert_never(action)

    def _look_at_keys(self, tables: Iterable[str]) -> None:
        for name in tables:
            self.touch(name, Cost.SCAN)
        self.changes_keys = True

    def _drop(self, action: Drop) -> None:
        if "table" in action.kind:
            self.write(action.name)
            self.loses = True
        elif (owner := self._owners.get(fold(action.name))) is not None:
            # The pages of an index are freed one by one.
            self.touch(owner, Cost.SCAN if action.kind == "index" else Cost.CONSTANT)

    def _add_column(self, action: AddColumnTo, cost: Cost) -> None:
        place = action.column
        # SQLite tries a NOT NULL on the rows if it can't tell from a constant default.
        is_computed = place.column.generated is not None and place.column.not_null is not None
        self.touch(action.table, Cost.SCAN if is_computed or place.foreign_keys else cost)
        self.changes_keys |= bool(place.foreign_keys)
        self._added.add((fold(action.table), fold(place.column.name)))

    def _update(self, action: UpdateRows) -> None:
        self.write(action.table)
        filled = {(fold(action.table), fold(item.column)) for item in action.assignments}
        self.loses |= not filled <= self._added
