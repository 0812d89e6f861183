"""The actions of a migration, as data, and the guards that stop them.

A template of the same name renders each action: ``create_table.sql.j2`` renders ``CreateTable``. A rename is both a
change and an action, so ``changes.py`` defines it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Index, ObjectKind, SqlText, Table
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.layout import ColumnLayout

#: Why a migration refuses a table that was changed by hand.
DEFINITION_DIFFERS = "its definition differs from what the migrations made; run waiaas-migrate apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """CREATE TABLE."""

    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIndex:
    """CREATE INDEX, which reads all rows of the table."""

    table: str
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStatement:
    """A statement as its author wrote it, such as CREATE VIEW or CREATE TRIGGER."""

    statement: SqlText


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """DROP of a table, index, view or trigger."""

    kind: ObjectKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn:
    """ALTER TABLE … ADD COLUMN, in constant time."""

    table: str
    column: ColumnLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn:
    """ALTER TABLE … DROP COLUMN, which writes every row but no index.

    ``is_legacy``: set PRAGMA legacy_alter_table, so that SQLite does not compile the views and triggers.
    """

    table: str
    column: str
    is_legacy: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginEdits:
    """PRAGMA writable_schema = ON, which allows edits of the catalog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a table's definition, and its replacement."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardNoRow:
    """Fail with the message ``rule`` if a row meets ``where``."""

    table: str
    rule: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditDefinition:
    """Replace a piece of a table's definition; ``words`` describe the change.

    The rows must pass the ``guards``. SQLite follows the old definition until ``EndEdits``.
    """

    table: str
    words: str
    piece: Piece
    guards: tuple[GuardNoRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEdits:
    """Make every connection read the edited definitions; fail if one is invalid."""

    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A column, and the SQL expression for its new value, which reads the old row."""

    column: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBeside:
    """Create the new table of a rebuild under a temporary name.

    A rebuild then copies the rows, tests its guards, and replaces the old table
    (https://www.sqlite.org/lang_altertable.html#otheralter).
    """

    create: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRows:
    """Copy the rows of ``table`` to ``new_table``.

    ``tests_checks``: test the CHECKs. False if the same values have passed the same CHECKs in the old table.
    ``or_abort``: write OR ABORT, because the table has an ON CONFLICT clause, which could skip or replace rows.
    """

    table: str
    new_table: str
    copied: tuple[Assignment, ...]
    tests_checks: bool = True
    or_abort: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceTable:
    """Replace ``table`` by ``new_table``.

    ``old_table`` is the name of the old table until it is dropped. ``keeps_sequence``: keep the AUTOINCREMENT counter.
    """

    table: str
    new_table: str
    old_table: str
    keeps_sequence: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRows:
    """UPDATE the rows that meet ``where``, or all rows; ``or_abort`` as in ``CopyRows``."""

    table: str
    assignments: tuple[Assignment, ...]
    where: str | None = None
    or_abort: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFullText:
    """Rebuild the index of a full-text table from its content table or view."""

    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureDelete:
    """PRAGMA secure_delete, which applies to the connection that migrates."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardForeignKeysOff:
    """Fail if foreign keys are on: DROP TABLE would delete rows of other tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardDefinition:
    """Fail if ``table`` was changed by hand, because a rebuild would lose the change.

    The expected definition is ``text``. If ``text`` is None, the expected definition is that of ``new_table`` after
    replacing its name (``name_piece``) and ``pieces``.
    """

    table: str
    new_table: str
    name_piece: Piece
    pieces: tuple[Piece, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardObjects:
    """Fail if the table has indexes or triggers besides ``names``.

    A rebuild would lose them. ``triggers_only``: look only for triggers, which would fire when an UPDATE changes rows.
    """

    table: str
    names: tuple[str, ...]
    triggers_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """The rows of ``table`` whose foreign key on ``columns`` has no row in ``parent``.

    ``where`` is the condition for these rows; it refers to the table as ``child``. ``rowid`` names the rowid, by
    which rows are compared with earlier ones; None if it may change or has no usable name.
    """

    table: str
    columns: tuple[str, ...]
    parent: str
    where: str
    rowid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardParents:
    """Fail if a row has no parent."""

    orphans: Orphans


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteViolations:
    """Record the existing foreign key violations."""

    orphans: tuple[Orphans, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardViolations:
    """Fail if there are foreign key violations that ``NoteViolations`` did not record."""

    orphans: tuple[Orphans, ...]


Action = (
    CreateTable | CreateIndex | CreateStatement | Drop | c.RenameTable | c.RenameColumn | AddColumn | DropColumn
    | BeginEdits | EditDefinition | EndEdits | CreateBeside | CopyRows | ReplaceTable | UpdateRows | FillFullText
    | SecureDelete | GuardForeignKeysOff | GuardDefinition | GuardObjects | GuardNoRow | GuardParents | NoteViolations
    | GuardViolations
)  # fmt: skip


def template_of(action: Action) -> str:
    """Return the name of the template that renders ``action``, without its suffix."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(action).__name__).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The message of a failed condition, and its column in the guard table."""

    label: str
    message: str


def guards_of(action: Action) -> tuple[Guard, ...]:  # noqa: C901, PLR0911 — one arm for each kind of action
    """Return the guards by which ``action`` can stop the migration."""
    match action:
        case GuardForeignKeysOff():
            return (Guard(label="foreign_keys_off", message="run PRAGMA foreign_keys = OFF before this migration"),)
        case EditDefinition(table=table, guards=guards):
            return (_definition(table), *(guard for row_guard in guards for guard in guards_of(row_guard)))
        case EndEdits(tables=tables):
            return (_definition(tables[0]),)
        case GuardDefinition(table=table):
            return (_definition(table),)
        case GuardObjects(table=table, triggers_only=triggers_only):
            what, label = ("a trigger", "triggers") if triggers_only else ("an index or trigger", "objects")
            message = f"{table}: has {what} that no migration made; run waiaas-migrate drift"
            return (Guard(label=f"{table}_{label}", message=message),)
        case CopyRows(table=table):
            return (Guard(label=f"{table}_copied", message=f"{table}: not every row was copied"),)
        case GuardNoRow(table=table, rule=rule):
            return (Guard(label=f"{table}_rows", message=f"{table}: {rule}"),)
        case GuardParents(orphans=rows):
            columns = ", ".join(rows.columns)
            message = f"{rows.table}: rows have no parent in {rows.parent} by the new foreign key on {columns}"
            return (Guard(label=f"{rows.table}_parents", message=message),)
        case GuardViolations(orphans=orphans):
            names = ", ".join(dict.fromkeys(rows.table for rows in orphans))
            return (Guard(label="foreign_keys_hold", message=f"rows of {names} would lose their parent"),)
        case (
            CreateTable() | CreateIndex() | CreateStatement() | Drop() | c.RenameTable() | c.RenameColumn()
            | AddColumn() | DropColumn() | BeginEdits() | CreateBeside() | ReplaceTable()
            | UpdateRows() | FillFullText() | SecureDelete() | NoteViolations()
        ):  # fmt: skip
            return ()
        case _:
            assert_never(action)


def _definition(table: str) -> Guard:
    return Guard(label=table, message=f"{table}: {DEFINITION_DIFFERS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Actions that belong together; ``words`` is the comment above their SQL, if any."""

    words: str
    cost: Cost
    actions: tuple[Action, ...]
