"""Compute the effects of a generated migration from its plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.hazards.hazard import Hazard
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning import actions as a
from waiaas_migrate.sqlite.planning.effects import AnnouncedHazard, Cost, Effects, Tally


def effects_of(plan: Iterable[a.Step], hazards: Iterable[Hazard], old: Schema) -> Effects:
    """Return the effects of ``plan`` on the schema ``old``, with its ``hazards``."""
    found = _PlanTally(old)
    for step in plan:
        for action in step.actions:
            found.add(action, step.cost)
    return found.effects(AnnouncedHazard(code=hazard.code, where=hazard.where) for hazard in hazards)


class _PlanTally(Tally):
    def __init__(self, old: Schema) -> None:
        super().__init__()
        self._owners = {fold(index.name): table.name for table in old.tables for index in table.indexes}
        self._owners |= {fold(trigger.name): trigger.table for trigger in old.triggers}
        self._added: set[tuple[str, str]] = set()

    def add(self, action: a.Action, cost: Cost) -> None:  # noqa: C901, PLR0912 — one arm for each kind of action
        """Add an action of a step that has the given ``cost``."""
        match action:
            case a.CreateTable(table=table):
                self.create(table.name, Cost.CONSTANT)
                self.changes_keys |= bool(table.foreign_keys)
            case a.CreateIndex(table=name) | a.GuardNoRow(table=name):
                self.touch(name, cost if isinstance(action, a.CreateIndex) else Cost.SCAN)
            case a.Drop():
                self._drop(action)
            case c.RenameTable(old=before, new=after):
                self.rename(before, after)
            case c.RenameColumn(table=name):
                self.touch(name, Cost.CONSTANT)
                self.changes_keys = True
            case a.AddColumn():
                self._add_column(action, cost)
            case a.DropColumn(table=name):
                self.write(name)
                self.loses = True
            case a.EditDefinition(table=name, guards=guards):
                self.touch(name, Cost.SCAN if guards else Cost.CONSTANT)
            case a.CopyRows(table=name):
                self.touch(name, Cost.REBUILD)
            case a.UpdateRows(table=name, assignments=assignments):
                self.write(name)
                self.loses |= not {(fold(name), fold(item.column)) for item in assignments} <= self._added
            case a.FillFullText(table=name):
                self.write(name)
            case a.GuardParents(orphans=rows):
                self._check_keys([rows])
            case a.NoteViolations(orphans=orphans) | a.GuardViolations(orphans=orphans):
                self._check_keys(orphans)
            case (
                a.CreateStatement() | a.SecureDelete() | a.GuardForeignKeysOff() | a.GuardDefinition()
                | a.GuardObjects() | a.BeginEdits() | a.EndEdits() | a.CreateBeside() | a.ReplaceTable()
            ):  # fmt: skip
                pass  # These touch no rows, or another action of the step already counts their table.
            case _:
                assert_never(action)

    def _check_keys(self, orphans: Iterable[a.Orphans]) -> None:
        for rows in orphans:
            self.touch(rows.table, Cost.SCAN)
        self.changes_keys = True

    def _drop(self, action: a.Drop) -> None:
        if "table" in action.kind:
            self.write(action.name)
            self.loses = True
        elif (owner := self._owners.get(fold(action.name))) is not None:
            # SQLite frees the pages of an index one by one.
            self.touch(owner, Cost.SCAN if action.kind == "index" else Cost.CONSTANT)

    def _add_column(self, action: a.AddColumn, cost: Cost) -> None:
        added = action.column
        # SQLite tests NOT NULL on every row if the value is not a constant default.
        is_computed = added.column.generated is not None and added.column.not_null is not None
        self.touch(action.table, Cost.SCAN if is_computed or added.foreign_keys else cost)
        self.changes_keys |= bool(added.foreign_keys)
        self._added.add((fold(action.table), fold(added.column.name)))
