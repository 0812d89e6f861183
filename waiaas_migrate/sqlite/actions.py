"""The things that a migration can do, as data. Each is rendered by the template that it names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from waiaas_migrate.schema.model import Check, ForeignKey, Index, ObjectKind, SqlText, Table
from waiaas_migrate.sqlite.cost import Cost
from waiaas_migrate.sqlite.layout import ColumnLayout


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
    """ALTER TABLE … DROP COLUMN, which writes every row anew but leaves the indexes alone."""

    table: str
    column: str
    template: Literal["drop_column"] = "drop_column"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditCatalog:
    """The table's text set to that of ``table``, whose columns and keys stand in the order of the table in the file.

    ``has_keys``: more than one key has an index, so that their order is to be looked at.
    """

    table: Table
    has_keys: bool = False
    template: Literal["edit_catalog"] = "edit_catalog"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """One column of a copy: its name, and the SQL expression over the old table that fills it."""

    column: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildTable:
    """The table built anew and its rows copied (https://www.sqlite.org/lang_altertable.html#otheralter).

    ``table`` is the new shape, ``aside`` its name until the old table is gone. ``copied`` fills it, rowid included
    where nothing else keeps it. ``keeps_sequence``: an AUTOINCREMENT high-water mark goes along. ``asks_checks``: the
    copy is held to the CHECKs; where they are those of the old table over the same values, it need not be.
    """

    table: Table
    aside: str
    copied: tuple[Copied, ...]
    keeps_sequence: bool
    asks_checks: bool = True
    template: Literal["rebuild"] = "rebuild"

    @property
    def beside(self) -> Table:
        """The new shape under its passing name."""
        return replace(self.table, name=self.aside)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRows:
    """Rows given new values: ``column = expression`` for each, where ``where`` holds."""

    table: str
    assignments: tuple[Copied, ...]
    where: str | None = None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardForeignKeysOff:
    """Fail while foreign keys are enforced: dropping a table would then delete the rows that refer to it."""

    template: Literal["guard_foreign_keys_off"] = "guard_foreign_keys_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLayout:
    """What ``table`` should be. Without ``in_order`` its columns may stand in any order, as a copy of its rows may."""

    table: str
    facts: str
    in_order: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLayouts:
    """Fail where a table is not what the plan was made for.

    ``layouts`` are tables, each with what the query in the template gives for the right one: columns with type, NOT
    NULL, key and default, the collations by which its indexes compare, its foreign keys, and the numbers of its UNIQUEs
    and CHECKs. A table's text tells nothing of what is stored: to edit it on another table would have SQLite read rows
    and indexes by rules that they were not written by. And a rule that somebody added by hand would be gone without a
    word.
    """

    layouts: tuple[ExpectedLayout, ...]
    template: Literal["guard_layouts"] = "guard_layouts"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardObjects:
    """Fail where the table has an index or a trigger beside ``names`` (folded), which would go with it unseen.

    Where the table stays, ``triggers_only``: they would fire on rows that are given other values.
    """

    table: str
    names: tuple[str, ...]
    triggers_only: bool = False
    template: Literal["guard_objects"] = "guard_objects"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardChecks:
    """Fail where rows break one of ``checks``, unless the table has the ``text`` that held them to all of these.

    ``text`` is without double quotes, which versions of SQLite set differently where they rename. A table by another
    text, as one that was changed by hand, has its rows read.
    """

    table: str
    text: str
    checks: tuple[Check, ...]
    template: Literal["guard_checks"] = "guard_checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardNoRow:
    """Fail where a row of the table meets ``where``; ``rule`` is what that row would break, in words."""

    table: str
    rule: str
    where: str
    template: Literal["guard_no_row"] = "guard_no_row"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardParents:
    """Fail where a row has no parent by ``foreign_key``, whose targets are named."""

    table: str
    foreign_key: ForeignKey
    template: Literal["guard_parents"] = "guard_parents"


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


Action = (
    CreateTable
    | CreateIndex
    | CreateStatement
    | Drop
    | RenameTableTo
    | RenameColumnTo
    | AddColumnTo
    | DropColumnFrom
    | EditCatalog
    | RebuildTable
    | UpdateRows
    | FillFullText
    | SetSecureDelete
    | GuardForeignKeysOff
    | GuardLayouts
    | GuardChecks
    | GuardObjects
    | GuardNoRow
    | GuardParents
    | NoteViolations
    | GuardViolations
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do: what it is for in words, its cost, and the actions that do it, in order."""

    words: str
    cost: Cost
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps of one direction, in order."""

    steps: tuple[Step, ...] = ()
