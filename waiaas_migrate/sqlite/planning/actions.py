"""The things that a migration can do, as data. Each is rendered by the template that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.schema.model import Index, ObjectKind, SqlText, Table
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.guards import (
    DEFINITION_DIFFERS,
    Guard,
    GuardDefinition,
    GuardForeignKeysOff,
    GuardNoRow,
    GuardObjects,
    GuardParents,
    GuardViolations,
    NoteViolations,
    Piece,
)
from waiaas_migrate.sqlite.planning.layout import ColumnLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """CREATE TABLE."""

    table: Table
    template: Literal["create_table"] = "create_table"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIndex:
    """CREATE INDEX; on a table with rows it reads them all."""

    table: str
    index: Index
    template: Literal["create_index"] = "create_index"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStatement:
    """A CREATE statement that the author wrote whole: a view, a trigger or a virtual table."""

    statement: SqlText
    template: Literal["create_statement"] = "create_statement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """DROP of an object by its name."""

    kind: ObjectKind
    name: str
    template: Literal["drop"] = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTableTo:
    """ALTER TABLE … RENAME TO, which carries indexes, foreign keys, views and triggers along."""

    old: str
    new: str
    template: Literal["rename_table"] = "rename_table"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumnTo:
    """ALTER TABLE … RENAME COLUMN, which carries indexes, CHECKs, foreign keys, views and triggers along."""

    table: str
    old: str
    new: str
    template: Literal["rename_column"] = "rename_column"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumnTo:
    """ALTER TABLE … ADD COLUMN, in constant time."""

    table: str
    column: ColumnLayout
    template: Literal["add_column"] = "add_column"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumnFrom:
    """ALTER TABLE … DROP COLUMN, which writes every row but leaves the indexes alone.

    ``is_legacy``: views and triggers, which it would all compile, are left alone.
    """

    table: str
    column: str
    is_legacy: bool = True
    template: Literal["drop_column"] = "drop_column"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginEdits:
    """Let the catalog be edited (https://www.sqlite.org/pragma.html#pragma_writable_schema)."""

    template: Literal["begin_edits"] = "begin_edits"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditDefinition:
    """One piece of the definition of ``table`` replaced in the catalog; ``words`` say what that changes.

    ``asked`` is what the change asks of rows. The old definition is in force until all edits are made.
    """

    table: str
    words: str
    piece: Piece
    asked: tuple[GuardNoRow, ...] = ()
    template: Literal["edit_definition"] = "edit_definition"

    @property
    def guard(self) -> Guard:
        """The piece stands in the definition, once."""
        return Guard(label=self.table, message=f"{self.table}: {DEFINITION_DIFFERS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEdits:
    """The catalog closed again and read anew by every connection, so that a definition that can't be read fails."""

    tables: tuple[str, ...]
    template: Literal["end_edits"] = "end_edits"

    @property
    def guard(self) -> Guard:
        """The definition of the first table; no row is ever written for it."""
        return Guard(label=self.tables[0], message=f"{self.tables[0]}: {DEFINITION_DIFFERS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """One column of a copy: its name, and the SQL expression over the old table that fills it."""

    column: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBeside:
    """The new table of a rebuild, under a name that it has until the old one is gone.

    A rebuild is this, the copy, guards, and the replacement (https://www.sqlite.org/lang_altertable.html#otheralter).
    """

    create: str
    template: Literal["create_beside"] = "create_beside"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRows:
    """The rows of ``table`` copied to the new table ``aside``, rowid included if nothing else keeps it.

    ``asks_checks``: rows are held to the CHECKs; they need not be if the old table held the same values to them.
    ``overrides``: a constraint has an ON CONFLICT clause, which must not swallow a row.
    """

    table: str
    aside: str
    copied: tuple[Copied, ...]
    asks_checks: bool = True
    overrides: bool = False
    template: Literal["copy_rows"] = "copy_rows"

    @property
    def guard(self) -> Guard:
        """Every row was copied."""
        return Guard(label=f"{self.table}_copied", message=f"{self.table}: not every row was copied")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceTable:
    """The old table dropped and ``aside`` renamed to it; ``keeps_sequence``: the AUTOINCREMENT mark goes along."""

    table: str
    aside: str
    keeps_sequence: bool
    template: Literal["replace_table"] = "replace_table"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRows:
    """Rows given new values: ``column = expression`` for each, if ``where`` holds.

    ``overrides``: a constraint has an ON CONFLICT clause, which must not swallow a row.
    """

    table: str
    assignments: tuple[Copied, ...]
    where: str | None = None
    overrides: bool = False
    template: Literal["update_rows"] = "update_rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFullText:
    """A full-text table made to index all rows of the table that it has its content from."""

    table: str
    template: Literal["fill_full_text"] = "fill_full_text"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSecureDelete:
    """PRAGMA secure_delete, for the connection that migrates."""

    on: bool
    template: Literal["secure_delete"] = "secure_delete"


Action = (
    CreateTable
    | CreateIndex
    | CreateStatement
    | Drop
    | RenameTableTo
    | RenameColumnTo
    | AddColumnTo
    | DropColumnFrom
    | BeginEdits
    | EditDefinition
    | EndEdits
    | CreateBeside
    | CopyRows
    | ReplaceTable
    | UpdateRows
    | FillFullText
    | SetSecureDelete
    | GuardForeignKeysOff
    | GuardDefinition
    | GuardObjects
    | GuardNoRow
    | GuardParents
    | NoteViolations
    | GuardViolations
)


#: Actions that can fail by a guard of theirs.
Guarded = (
    EditDefinition
    | EndEdits
    | CopyRows
    | GuardForeignKeysOff
    | GuardDefinition
    | GuardObjects
    | GuardNoRow
    | GuardParents
    | GuardViolations
)


def guards_of(action: Action) -> tuple[Guard, ...]:
    """The guards that can stop ``action``."""
    if isinstance(action, EditDefinition):
        return (action.guard, *(asked.guard for asked in action.asked))
    return (action.guard,) if isinstance(action, Guarded) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do: what it is for in words (none if its actions say it), its cost, and its actions in order."""

    words: str
    cost: Cost
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps of one direction, in order."""

    steps: tuple[Step, ...] = ()
