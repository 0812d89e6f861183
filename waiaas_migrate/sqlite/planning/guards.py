"""What a migration insists on, as data: if a guard fails, SQLite stops the migration with the guard's message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.schema.model import ForeignKey

#: Why a migration refuses a table whose definition is not the one it was made for.
DEFINITION_DIFFERS = "its definition differs from what the migrations made; run waiaas-migrate drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a table's definition, and what takes its place."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What a migration insists on: the column of the guard table that stands for it, and the message if it fails."""

    label: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardForeignKeysOff:
    """Fail while foreign keys are enforced: dropping a table would then delete the rows that refer to it."""

    template: Literal["guard_foreign_keys_off"] = "guard_foreign_keys_off"

    @property
    def guard(self) -> Guard:
        """Foreign keys are off."""
        return Guard(label="foreign_keys_off", message="run PRAGMA foreign_keys = OFF before this migration")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardDefinition:
    """Fail if ``table`` is not defined as the plan assumes: what somebody added by hand would go with the old table.

    The definition that is expected is that of the new table, ``named`` under its own name, each of ``pieces`` put back;
    or ``text`` as it stands.
    """

    table: str
    aside: str
    named: Piece
    pieces: tuple[Piece, ...] = ()
    text: str | None = None
    template: Literal["guard_definition"] = "guard_definition"

    @property
    def guard(self) -> Guard:
        """The table is defined as the migrations made it."""
        return Guard(label=self.table, message=f"{self.table}: {DEFINITION_DIFFERS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardObjects:
    """Fail if the table has an index or a trigger besides ``names``, which would go with it unseen.

    If the table stays, ``triggers_only``: they would fire on rows that are given other values.
    """

    table: str
    names: tuple[str, ...]
    triggers_only: bool = False
    template: Literal["guard_objects"] = "guard_objects"

    @property
    def guard(self) -> Guard:
        """Nobody added anything."""
        what = "a trigger" if self.triggers_only else "an index or trigger"
        label = f"{self.table}_{'triggers' if self.triggers_only else 'objects'}"
        return Guard(label=label, message=f"{self.table}: has {what} that no migration made; run waiaas-migrate drift")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardNoRow:
    """Fail if a row of the table meets ``where``; ``rule`` is what that row would break, in words."""

    table: str
    rule: str
    where: str
    template: Literal["guard_no_row"] = "guard_no_row"

    @property
    def guard(self) -> Guard:
        """No row is in the way."""
        return Guard(label=f"{self.table}_rows", message=f"{self.table}: {self.rule}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardParents:
    """Fail if a row has no parent by ``foreign_key``, whose targets are named."""

    table: str
    foreign_key: ForeignKey
    template: Literal["guard_parents"] = "guard_parents"

    @property
    def guard(self) -> Guard:
        """Every row has its parent."""
        key = self.foreign_key
        what = f"rows have no parent in {key.table} by the new foreign key on {', '.join(key.columns)}"
        return Guard(label=f"{self.table}_parents", message=f"{self.table}: {what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedKey:
    """A foreign key of a table that SQLite does not check as a whole, since another of its keys cannot be followed.

    ``row`` is the name of the table's rowid, None where it tells no row apart; ``targets`` are empty where there is no
    such parent.
    """

    table: str
    row: str | None
    columns: tuple[str, ...]
    parent: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteViolations:
    """Take down the foreign key violations of ``tables``, to compare them later; of ``renumbered`` without rowids.

    ``keys`` are looked at one by one.
    """

    tables: tuple[str, ...]
    renumbered: tuple[str, ...] = ()
    keys: tuple[FollowedKey, ...] = ()
    template: Literal["note_violations"] = "note_violations"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardViolations:
    """Fail where ``tables``, or ``keys``, have violations that were not taken down before, in the same way."""

    tables: tuple[str, ...]
    renumbered: tuple[str, ...] = ()
    keys: tuple[FollowedKey, ...] = ()
    template: Literal["guard_violations"] = "guard_violations"

    @property
    def guard(self) -> Guard:
        """No foreign key that held is broken."""
        names = dict.fromkeys((*self.tables, *(key.table for key in self.keys)))
        return Guard(label="foreign_keys_hold", message=f"rows of {', '.join(names)} would lose their parent")
