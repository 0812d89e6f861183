"""The actions that a migration consists of, as data. Each is rendered by the template that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.schema.model import Index, ObjectKind, SqlText, Table
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.layout import ColumnLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """CREATE TABLE."""

    table: Table
    template: Literal["create_table"] = "create_table"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIndex:
    """CREATE INDEX, which reads all rows of the table."""

    table: str
    index: Index
    template: Literal["create_index"] = "create_index"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStatement:
    """The whole CREATE statement of a view, a trigger or a virtual table, as its author wrote it."""

    statement: SqlText
    template: Literal["create_statement"] = "create_statement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """DROP."""

    kind: ObjectKind
    name: str
    template: Literal["drop"] = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTableTo:
    """ALTER TABLE … RENAME TO. SQLite adapts indexes, foreign keys, views and triggers."""

    old: str
    new: str
    template: Literal["rename_table"] = "rename_table"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumnTo:
    """ALTER TABLE … RENAME COLUMN. SQLite adapts indexes, CHECKs, foreign keys, views and triggers."""

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
    """ALTER TABLE … DROP COLUMN, which writes every row but no index.

    ``is_legacy``: do not compile all views and triggers, as SQLite otherwise does.
    """

    table: str
    column: str
    is_legacy: bool = True
    template: Literal["drop_column"] = "drop_column"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginEdits:
    """Allow edits of the catalog (https://www.sqlite.org/pragma.html#pragma_writable_schema)."""

    template: Literal["begin_edits"] = "begin_edits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a table's definition, and its replacement."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardNoRow:
    """Fail if a row of ``table`` meets ``where``. ``rule`` says in words what such a row would break."""

    table: str
    rule: str
    where: str
    template: Literal["guard_no_row"] = "guard_no_row"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditDefinition:
    """Replace one piece of the definition of ``table`` in the catalog; ``words`` describe the change.

    The rows must satisfy ``asked``. The old definition stays in force until all edits are made.
    """

    table: str
    words: str
    piece: Piece
    asked: tuple[GuardNoRow, ...] = ()
    template: Literal["edit_definition"] = "edit_definition"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEdits:
    """Close the catalog and make every connection read it again, so that a definition with an error fails."""

    tables: tuple[str, ...]
    template: Literal["end_edits"] = "end_edits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A column that gets a value, and the SQL expression over the old row that computes it."""

    column: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBeside:
    """Create the new table of a rebuild under a temporary name.

    A rebuild consists of this, the copy, guards, and the replacement
    (https://www.sqlite.org/lang_altertable.html#otheralter).
    """

    create: str
    template: Literal["create_beside"] = "create_beside"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRows:
    """Copy the rows of ``table`` to the new table ``aside``.

    ``asks_checks``: test the CHECKs; False if the old table tested the same values with the same CHECKs.
    ``overrides``: a constraint has an ON CONFLICT clause, which must not skip a row.
    """

    table: str
    aside: str
    copied: tuple[Copied, ...]
    asks_checks: bool = True
    overrides: bool = False
    template: Literal["copy_rows"] = "copy_rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceTable:
    """Drop ``table`` and give its name to ``aside``. ``keeps_sequence``: keep the AUTOINCREMENT counter."""

    table: str
    aside: str
    keeps_sequence: bool
    template: Literal["replace_table"] = "replace_table"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRows:
    """Set ``column = expression`` for each assignment, in the rows that meet ``where``.

    ``overrides``: a constraint has an ON CONFLICT clause, which must not skip a row.
    """

    table: str
    assignments: tuple[Copied, ...]
    where: str | None = None
    overrides: bool = False
    template: Literal["update_rows"] = "update_rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFullText:
    """Index again all rows that a full-text table gets from its content table."""

    table: str
    template: Literal["fill_full_text"] = "fill_full_text"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSecureDelete:
    """PRAGMA secure_delete, for the connection that migrates."""

    on: bool
    template: Literal["secure_delete"] = "secure_delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardForeignKeysOff:
    """Fail if foreign keys are enforced: dropping a table would then delete the rows that refer to it."""

    template: Literal["guard_foreign_keys_off"] = "guard_foreign_keys_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardDefinition:
    """Fail if the definition of ``table`` is not as expected: replacing the table would lose manual changes.

    The expected definition is ``text``. If that is None, it is the definition of the new table ``aside`` after the
    replacement of ``named`` (its name) and of ``pieces``.
    """

    table: str
    aside: str
    named: Piece
    pieces: tuple[Piece, ...] = ()
    text: str | None = None
    template: Literal["guard_definition"] = "guard_definition"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardObjects:
    """Fail if the table has an index or a trigger other than ``names``: it would be lost with the table.

    ``triggers_only``: the table stays, but a trigger would fire when its rows get new values.
    """

    table: str
    names: tuple[str, ...]
    triggers_only: bool = False
    template: Literal["guard_objects"] = "guard_objects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """The rows of ``table`` that have no ``parent`` by the foreign key on ``columns``.

    ``where`` is their condition, in which the table is called ``child``. ``rowid`` is the name of the rowid; None if
    the rowid does not identify a row before and after.
    """

    table: str
    columns: tuple[str, ...]
    parent: str
    where: str
    rowid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardParents:
    """Fail if there are ``orphans``."""

    orphans: Orphans
    template: Literal["guard_parents"] = "guard_parents"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteViolations:
    """Note the foreign key violations that exist."""

    orphans: tuple[Orphans, ...]
    template: Literal["note_violations"] = "note_violations"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardViolations:
    """Fail if there are foreign key violations that ``NoteViolations`` did not note."""

    orphans: tuple[Orphans, ...]
    template: Literal["guard_violations"] = "guard_violations"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Actions that belong together, in order; ``words`` describe them, and are empty if the actions do so."""

    words: str
    cost: Cost
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps of one direction of a migration, in order."""

    steps: tuple[Step, ...] = ()
