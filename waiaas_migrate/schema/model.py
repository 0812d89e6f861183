"""The model of a schema: tables, columns and other objects as frozen values.

Both schema.yaml and SQLite databases are read into this model. Equality compares the fields that give an object its
meaning. It ignores fields with ``compare=False``: the author's text of an expression, the place of a constraint,
comments, hints for ``generate``, and values derived from other fields. :mod:`waiaas_migrate.schema.canonical` returns
the form in which two schemas are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from waiaas_migrate.schema.names import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlText:
    """A piece of SQL: an expression, or a whole CREATE statement.

    ``sql`` is the author's text, for output. ``key`` is its canonical text: texts with the same key mean the same.
    """

    sql: str = field(compare=False)
    key: str


class Conflict(StrEnum):
    """The ON CONFLICT clause of a constraint; None means ABORT.

    See https://www.sqlite.org/lang_conflict.html.
    """

    ROLLBACK = "ROLLBACK"
    FAIL = "FAIL"
    IGNORE = "IGNORE"
    REPLACE = "REPLACE"


class Action(StrEnum):
    """The ON DELETE or ON UPDATE action of a foreign key; None means NO ACTION."""

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
    """The expression of a generated column (https://www.sqlite.org/gencol.html).

    ``stored``: the column is STORED. ``virtual``: VIRTUAL is written out, although it is the default.
    """

    expression: SqlText
    stored: bool = False
    virtual: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedValues:
    """The values in a CHECK such as ``column IN (values)``, in written order.

    ``column`` is the column's folded name. ``nullable``: the CHECK begins with ``column IS NULL OR``.
    """

    column: str
    values: tuple[str | int, ...]
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnHints:
    """The hints of a column, by which ``generate`` keeps or fills its values.

    ``renamed_values`` and ``removed_values`` are pairs of an old enum value and its replacement. A hint has no effect
    after a migration has carried it out.
    """

    renamed_from: str | None = None
    backfill: SqlText | None = None
    renamed_values: tuple[tuple[str | int, str | int], ...] = ()
    removed_values: tuple[tuple[str | int, str | int | None], ...] = ()

    @property
    def replacements(self) -> dict[str | int, str | int | None]:
        """The replacements of enum values, by old value."""
        return dict(self.removed_values) | dict(self.renamed_values)


#: The types that schema.yaml adds to those of SQLite.
LogicalType = Literal["boolean", "timestamp", "json", "uuid"]

#: The hints of a column that has none.
NO_HINTS = ColumnHints()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. ``type`` is the declared SQL type as written, or None.

    ``logical_type`` is the type in schema.yaml if SQLite does not have it, such as ``boolean``.
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
    """One term of a key or an index: a column, or (in indexes) an expression.

    ``collation`` belongs to a column; an expression contains its own COLLATE. ``ascending``: ASC is written out,
    although it is the default.
    """

    column: str | None = None
    expression: SqlText | None = None
    collation: str | None = None
    descending: bool = False
    ascending: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """A constraint that makes columns unique. ``inline``: it is written on its column."""

    parts: tuple[IndexPart, ...]
    on_conflict: Conflict | None = None
    name: str | None = None
    inline: bool = field(default=False, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the key's columns."""
        return tuple(part.column or "" for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryKey(_Key):
    """A PRIMARY KEY; ``uniques_before`` counts the UNIQUE constraints before it."""

    autoincrement: bool = False
    uniques_before: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique(_Key):
    """A UNIQUE constraint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A CHECK constraint.

    ``column`` is the column that the CHECK is written on. ``allowed`` is the list of values if the CHECK is only that.
    """

    expression: SqlText
    name: str | None = None
    column: str | None = field(default=None, compare=False)
    allowed: AllowedValues | None = field(default=None, compare=False)

    def place(self, table: str) -> str:
        """Return ``table.column`` for a CHECK written on a column, otherwise ``table``."""
        return f"{table}.{self.column}" if self.column else table


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A foreign key to the columns ``targets`` of the parent ``table``.

    Without ``targets``, the key refers to the parent's primary key. ``inline``: the key is written on its column.
    """

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
    """Return the folded name of the column that ``constraint`` is written on, if any."""
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
    """An index from CREATE INDEX. ``where`` is the condition of a partial index."""

    name: str
    parts: tuple[IndexPart, ...]
    unique: bool = False
    where: SqlText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An ordinary table, with its columns and indexes in declared order.

    ``class_name`` is the name of the Python class for rows of the table. None derives it from the table's name.
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
        """Return the column ``name``, ignoring case, if it exists."""
        return next((column for column in self.columns if fold(column.name) == fold(name)), None)

    @property
    def unique_keys(self) -> tuple[tuple[IndexPart, ...], ...]:
        """The primary key, the UNIQUE constraints, and the unique indexes over all rows."""
        keys = [key.parts for key in (self.primary_key, *self.uniques) if key is not None]
        return (*keys, *(index.parts for index in self.indexes if index.unique and index.where is None))

    def expressions(self) -> Iterator[tuple[Check | Index | Column, str, SqlText]]:
        """Yield the owner, place and text of each expression except defaults."""
        for check in self.checks:
            yield check, check.place(self.name), check.expression
        for index in self.indexes:
            for text in (index.where, *(part.expression for part in index.parts)):
                if text is not None:
                    yield index, index.name, text
        for column in self.columns:
            if column.generated is not None:
                yield column, f"{self.name}.{column.name}", column.generated.expression


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
    """A virtual table. The model does not contain its shadow tables.

    SQLite creates and drops the shadow tables with the table. ``holds_data``: dropping the table deletes data. False if
    it only reads or indexes other tables.
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
        """Return the tables by folded name, in the order of the schema."""
        return {fold(table.name): table for table in self.tables}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tables, views, triggers and virtual tables."""
        objects: tuple[Table | View | Trigger | VirtualTable, ...]
        objects = (*self.tables, *self.views, *self.triggers, *self.virtual_tables)
        return tuple(item.name for item in objects)


#: The kinds of objects in a catalog, in the order in which they are created.
ObjectKind = Literal["table", "virtual table", "index", "view", "trigger"]
