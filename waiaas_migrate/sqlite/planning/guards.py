"""The guards of a migration: conditions that stop it, each with its message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.sqlite.planning import actions as a

#: Why a migration refuses a table that was changed by hand.
DEFINITION_DIFFERS = "its definition differs from what the migrations made; run waiaas-migrate apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The message of a failed condition, and a name for its guard table column."""

    label: str
    message: str


def guards_of(action: a.Action) -> tuple[Guard, ...]:  # noqa: C901, PLR0911 — one arm for each kind of action
    """Return the guards that can stop ``action``."""
    match action:
        case a.GuardForeignKeysOff():
            return (Guard(label="foreign_keys_off", message="run PRAGMA foreign_keys = OFF before this migration"),)
        case a.EditDefinition(table=table, guards=guards):
            return (_definition(table), *(guard for row_guard in guards for guard in guards_of(row_guard)))
        case a.EndEdits(tables=tables):
            return (_definition(tables[0]),)
        case a.GuardDefinition(table=table):
            return (_definition(table),)
        case a.GuardObjects(table=table, triggers_only=triggers_only):
            what, label = ("a trigger", "triggers") if triggers_only else ("an index or trigger", "objects")
            message = f"{table}: has {what} that no migration made; run waiaas-migrate drift"
            return (Guard(label=f"{table}_{label}", message=message),)
        case a.CopyRows(table=table):
            return (Guard(label=f"{table}_copied", message=f"{table}: not every row was copied"),)
        case a.GuardNoRow(table=table, rule=rule):
            return (Guard(label=f"{table}_rows", message=f"{table}: {rule}"),)
        case a.GuardParents(orphans=rows):
            columns = ", ".join(rows.columns)
            message = f"{rows.table}: rows have no parent in {rows.parent} by the new foreign key on {columns}"
            return (Guard(label=f"{rows.table}_parents", message=message),)
        case a.GuardViolations(orphans=orphans):
            names = ", ".join(dict.fromkeys(rows.table for rows in orphans))
            return (Guard(label="foreign_keys_hold", message=f"rows of {names} would lose their parent"),)
        case (
            a.CreateTable() | a.CreateIndex() | a.CreateStatement() | a.Drop() | c.RenameTable() | c.RenameColumn()
            | a.AddColumn() | a.DropColumn() | a.BeginEdits() | a.CreateBeside() | a.ReplaceTable()
            | a.UpdateRows() | a.FillFullText() | a.SecureDelete() | a.NoteViolations()
        ):  # fmt: skip
            return ()
        case _:
            assert_never(action)


def _definition(table: str) -> Guard:
    return Guard(label=table, message=f"{table}: {DEFINITION_DIFFERS}")
