"""The actions that a migration consists of, as data.

The template of the same name renders an action: ``create_table.sql.j2`` renders ``CreateTable``. A rename
is both a change and an action, so ``changes.py`` defines it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Index, ObjectKind, SqlText, Table
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.layout import ColumnLayout


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
    """A statement as its author wrote it, such as the CREATE of a view, a trigger or a virtual table."""

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

    ``is_legacy``: keep SQLite from compiling all views and triggers.
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
    """Fail if a row meets ``where``; ``rule`` says in words which rule such a row breaks."""

    table: str
    rule: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditDefinition:
    """Replace a piece of a table's definition; ``words`` describe the change.

    The rows must pass the guards ``asked``. SQLite follows the old definition until all edits are made.
    """

    table: str
    words: str
    piece: Piece
    asked: tuple[GuardNoRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEdits:
    """Make every connection read the edited definitions; fail if one has an error."""

    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A column, and the SQL expression for its value; ``source`` reads the old row."""

    column: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBeside:
    """Create the new table of a rebuild under a temporary name.

    A rebuild consists of this, the copy, guards, and the replacement
    (https://www.sqlite.org/lang_altertable.html#otheralter).
    """

    create: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRows:
    """Copy the rows of ``table`` to the new table ``aside``.

    ``asks_checks``: test the CHECKs; False if the old table tested the same values with the same CHECKs.
    ``overrides``: a constraint has an ON CONFLICT clause, which must not skip a row.
    """

    table: str
    aside: str
    copied: tuple[Assignment, ...]
    asks_checks: bool = True
    overrides: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceTable:
    """Rename ``table`` to ``away``, rename the new table ``aside`` to ``table``, and drop the old one.

    ``keeps_sequence``: keep the AUTOINCREMENT counter.
    """

    table: str
    aside: str
    away: str
    keeps_sequence: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRows:
    """Make the assignments in the rows that meet ``where``.

    ``overrides``: a constraint has an ON CONFLICT clause, which must not skip a row.
    """

    table: str
    assignments: tuple[Assignment, ...]
    where: str | None = None
    overrides: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFullText:
    """Index again all rows that a full-text table gets from its content table."""

    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureDelete:
    """PRAGMA secure_delete, for the connection that migrates."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardForeignKeysOff:
    """Fail if foreign keys are on: DROP TABLE would delete rows of other tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardDefinition:
    """Fail if ``table`` was changed by hand: a rebuild would lose the change.

    The expected definition is ``text``. If ``text`` is None, the guard takes the definition of the new
    table ``aside``, and replaces its name (``named``) and ``pieces``.
    """

    table: str
    aside: str
    named: Piece
    pieces: tuple[Piece, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardObjects:
    """Fail if the table has other indexes or triggers than ``names``.

    A rebuild would lose them. ``triggers_only``: the table stays, but triggers would fire when its rows change.
    """

    table: str
    names: tuple[str, ...]
    triggers_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """The rows of ``table`` whose foreign key on ``columns`` finds no row in ``parent``.

    ``where`` is the condition for these rows; it calls the table ``child``. ``rowid`` is the name of the rowid; None if
    rows may change their rowid.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteViolations:
    """Record the existing foreign key violations."""

    orphans: tuple[Orphans, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardViolations:
    """Fail at foreign key violations that ``NoteViolations`` did not record."""

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
class Step:
    """Actions that belong together; ``words`` is the comment above them, which may be empty."""

    words: str
    cost: Cost
    actions: tuple[Action, ...]
