"""The schema as frozen values.

schema.yaml and SQLite databases are read into the same model. Fields that say what a thing *means* take part in
equality. Fields that say how it was *written* (the author's text of an expression, whether a constraint was written on
its column, comments, hints for ``generate``) are for output only, and do not. Two schemas are compared in the form that
:mod:`waiaas_migrate.schema.canonical` gives them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from waiaas_migrate.schema.names import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlText:
    """A piece of SQL: an expression, or a whole CREATE statement.

    ``sql`` is the author's text, for output. ``key`` is its meaning as canonical text: equal keys, equal meaning.
    """

    sql: str = field(compare=False)
    key: str


class Conflict(StrEnum):
    """What SQLite does if a row breaks a constraint (https://www.sqlite.org/lang_conflict.html); None means ABORT."""

    ROLLBACK = "ROLLBACK"
    FAIL = "FAIL"
    IGNORE = "IGNORE"
    REPLACE = "REPLACE"


class Action(StrEnum):
    """What a foreign key does when its parent changes; None means NO ACTION."""

    SET_NULL = "SET NULL"
    SET_DEFAULT = "SET DEFAULT"
    CASCADE = "CASCADE"
    RESTRICT = "RESTRICT"


class Deferral(StrEnum):
    """The deferrability clause of a foreign key, as written; None means no clause."""

    DEFERRABLE = "DEFERRABLE"
    DEFERRED = "DEFERRABLE INITIALLY DEFERRED"
    IMMEDIATE = "DEFERRABLE INITIALLY IMMEDIATE"
    NOT_DEFERRABLE = "NOT DEFERRABLE"
    NOT_DEFERRED = "NOT DEFERRABLE INITIALLY DEFERRED"
    NOT_IMMEDIATE = "NOT DEFERRABLE INITIALLY IMMEDIATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNull:
    """A NOT NULL constraint."""

    on_conflict: Conflict | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A generated column's expression, and whether its values are stored (https://www.sqlite.org/gencol.html).

    ``virtual``: VIRTUAL is written out, although it is the default.
    """

    expression: SqlText
    stored: bool = False
    virtual: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedValues:
    """The values that a CHECK allows in a column: ``column IN (values)``, in their order.

    ``column`` is folded. ``nullable``: the CHECK says ``column IS NULL OR`` before the list.
    """

    column: str
    values: tuple[str | int, ...]
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnHints:
    """How ``generate`` carries the values of a column over; without effect after that.

    ``renamed_values`` and ``removed_values`` map old enum values to new ones.
    """

    renamed_from: str | None = None
    backfill: SqlText | None = None
    renamed_values: tuple[tuple[str | int, str | int], ...] = ()
    removed_values: tuple[tuple[str | int, str | int | None], ...] = ()


#: The types of schema.yaml that say what the values mean.
LogicalType = Literal["boolean", "timestamp", "json", "uuid"]

#: The hints of nearly every column.
NO_HINTS = ColumnHints()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. ``type`` is the declared type as written, or None.

    ``logical_type`` is what schema.yaml calls the type if that says more: what the values mean to the application.
    """

    name: str
    type: str | None = None
    logical_type: LogicalType | None = field(default=None, compare=False)
    not_null: NotNull | None = None
    default: SqlText | None = None
    collation: str | None = None
    generated: Generated | None = None
    comment: str | None = field(default=None, compare=False)
    hints: ColumnHints = field(default=NO_HINTS, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPart:
    """One term of a key or an index: a column by name, or an expression (in indexes only).

    ``collation`` belongs to a column; an expression contains its own COLLATE. ``ascending``: ASC is written out,
    although it is the default.
    """

    column: str | None = None
    expression: SqlText | None = None
    collation: str | None = None
    descending: bool = False
    ascending: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryKey:
    """A primary key. ``inline``: it is written on its column. ``after``: how many UNIQUEs are written before it.

    A descending single INTEGER column is not an alias of the rowid, and can only be written on the column
    (https://www.sqlite.org/lang_createtable.html#rowid).
    """

    parts: tuple[IndexPart, ...]
    autoincrement: bool = False
    on_conflict: Conflict | None = None
    name: str | None = None
    inline: bool = field(default=False, compare=False)
    after: int = field(default=0, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(part.column or "" for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """A UNIQUE constraint. ``inline``: it is written on its column."""

    parts: tuple[IndexPart, ...]
    on_conflict: Conflict | None = None
    name: str | None = None
    inline: bool = field(default=False, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(part.column or "" for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A CHECK constraint.

    ``column`` is the column that it is written on. ``allowed`` is its list of values; None if it is not only a list.
    """

    expression: SqlText
    name: str | None = None
    column: str | None = field(default=None, compare=False)
    allowed: AllowedValues | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A foreign key. Empty ``targets`` mean the parent's primary key. ``inline``: it is written on its column."""

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...] = ()
    on_delete: Action | None = None
    on_update: Action | None = None
    match: str | None = None
    deferral: Deferral | None = None
    name: str | None = None
    inline: bool = field(default=False, compare=False)


Constraint = PrimaryKey | Unique | Check | ForeignKey


def written_on(constraint: Constraint) -> str | None:
    """Return the folded name of the column that ``constraint`` is written on; None if that is the table."""
    match constraint:
        case (
            PrimaryKey(inline=True, parts=(IndexPart(collation=None, column=str(name)),))
            | Unique(inline=True, parts=(IndexPart(collation=None, descending=False, column=str(name)),))
            | ForeignKey(inline=True, columns=(name,))
            | Check(column=str(name))
        ):
            return fold(name)
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index made by CREATE INDEX; ``where`` makes it partial."""

    name: str
    parts: tuple[IndexPart, ...]
    unique: bool = False
    where: SqlText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An ordinary table with its indexes. Columns and indexes are in the order of their declaration.

    ``class_name`` is that of the Python class for its rows; None derives it from the table's name.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: PrimaryKey | None = None
    uniques: tuple[Unique, ...] = ()
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    strict: bool = False
    without_rowid: bool = False
    comment: str | None = field(default=None, compare=False)
    class_name: str | None = field(default=None, compare=False)
    renamed_from: str | None = field(default=None, compare=False)

    def column(self, name: str) -> Column | None:
        """Return the column called ``name``, in any case; None if there is none."""
        return next((column for column in self.columns if fold(column.name) == fold(name)), None)

    @property
    def unique_keys(self) -> tuple[tuple[IndexPart, ...], ...]:
        """The primary key, the UNIQUE constraints, and the unique indexes over all rows."""
        keys = [key.parts for key in (self.primary_key, *self.uniques) if key is not None]
        return (*keys, *(index.parts for index in self.indexes if index.unique and index.where is None))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view; ``statement`` is its whole CREATE VIEW."""

    name: str
    statement: SqlText


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger on a table or a view; ``statement`` is its whole CREATE TRIGGER.

    ``event`` (INSERT, UPDATE or DELETE) and ``columns`` (of UPDATE OF) are taken from the statement.
    """

    name: str
    table: str
    statement: SqlText
    event: str = field(compare=False)
    columns: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualTable:
    """A virtual table; its shadow tables belong to it and appear nowhere else in the model.

    ``holds_data`` is false if it only reads or indexes other tables, so that dropping it loses nothing.
    """

    name: str
    module: str
    statement: SqlText
    holds_data: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """All declared objects of a database."""

    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    virtual_tables: tuple[VirtualTable, ...] = ()

    def by_name(self) -> dict[str, Table]:
        """Return the tables by their folded names, in their order."""
        return {fold(table.name): table for table in self.tables}

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all tables, views, triggers and virtual tables."""
        objects: tuple[Table | View | Trigger | VirtualTable, ...]
        objects = (*self.tables, *self.views, *self.triggers, *self.virtual_tables)
        return tuple(one.name for one in objects)


#: The kinds of objects in a catalog, in the order in which they are created.
ObjectKind = Literal["table", "virtual table", "index", "view", "trigger"]
