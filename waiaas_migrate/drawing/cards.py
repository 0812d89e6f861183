"""A schema as a picture shows it: a card for each table or view, with a row for each column, and their relations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from waiaas_migrate.schema import model as m
from waiaas_migrate.schema.describe import foreign_key_words, index_words
from waiaas_migrate.schema.foreign_keys import targets_of
from waiaas_migrate.schema.names import fold


class Mark(StrEnum):
    """What a migration did to a card, a row or a relation."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A column. ``values`` are those that its CHECK allows; ``unique`` means by itself."""

    name: str
    type: str = ""
    primary: bool = False
    foreign: bool = False
    unique: bool = False
    nullable: bool = False
    default: str | None = None
    generated: str | None = None
    values: tuple[str, ...] = ()
    comment: str | None = None
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A table, view or virtual table.

    Args:
        rows: its columns; a view and a virtual table have none.
        options: the words STRICT and WITHOUT ROWID.
        indexes: its indexes and UNIQUEs of several columns, in words.
        checks: its CHECKs that are more than a list of values.
        triggers: the names of its triggers.
        statement: the SQL of a view or a virtual table.
        mark: what a migration did to it.
    """

    name: str
    kind: str = "table"
    comment: str | None = None
    rows: tuple[Row, ...] = ()
    options: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    statement: str | None = None
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A foreign key of the table ``child`` to ``parent``, whose names are folded.

    ``optional``: the columns may be NULL. ``single``: at most one row refers to each parent. ``words`` describe it.
    ``mark`` is what a migration did to it.
    """

    child: str
    columns: tuple[str, ...]
    parent: str
    targets: tuple[str, ...]
    optional: bool
    single: bool
    words: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The cards of a schema by their folded names, and the relations between them."""

    cards: dict[str, Card]
    relations: tuple[Relation, ...]


def picture_of(schema: m.Schema) -> Picture:
    """Return what a picture of ``schema`` shows, in the order of the schema."""
    cards = {fold(table.name): _table_card(schema, table) for table in schema.tables}
    for view in schema.views:
        cards[fold(view.name)] = _statement_card(schema, view, "view")
    for virtual in schema.virtual_tables:
        cards[fold(virtual.name)] = _statement_card(schema, virtual, "virtual table")
    tables = schema.by_name()
    relations = tuple(
        _relation(table, key, tables[fold(key.table)])
        for table in schema.tables
        for key in table.foreign_keys
        if fold(key.table) in tables  # a key to a table that doesn't exist is in the card only
    )
    return Picture(cards=cards, relations=relations)


def _statement_card(schema: m.Schema, item: m.View | m.VirtualTable, kind: str) -> Card:
    return Card(name=item.name, kind=kind, statement=item.statement.sql, triggers=_triggers(schema, item.name))


def _triggers(schema: m.Schema, name: str) -> tuple[str, ...]:
    return tuple(trigger.name for trigger in schema.triggers if fold(trigger.table) == fold(name))


def _table_card(schema: m.Schema, table: m.Table) -> Card:
    uniques = (f"UNIQUE ({', '.join(_terms(unique.parts))})" for unique in table.uniques if len(unique.parts) > 1)
    words = {"STRICT": table.strict, "WITHOUT ROWID": table.without_rowid}
    return Card(
        name=table.name,
        comment=table.comment,
        rows=tuple(_rows(table)),
        options=tuple(word for word, is_set in words.items() if is_set),
        indexes=(*uniques, *map(index_words, table.indexes)),
        checks=tuple(check.expression.sql for check in table.checks if check.allowed is None),
        triggers=_triggers(schema, table.name),
    )


def _terms(parts: tuple[m.IndexPart, ...]) -> list[str]:
    return [part.column or (part.expression.sql if part.expression else "") for part in parts]


def _rows(table: m.Table) -> Iterator[Row]:
    keys, uniques = _folded(table.primary_key), _unique_columns(table)
    foreign = {fold(column) for key in table.foreign_keys for column in key.columns}
    lists = {check.allowed.column: check.allowed.values for check in reversed(table.checks) if check.allowed}
    for column in table.columns:
        name = fold(column.name)
        yield Row(
            name=column.name,
            type=column.type or "",
            primary=name in keys,
            foreign=name in foreign,
            unique=(name,) in uniques and (name,) != keys,
            nullable=column.not_null is None and name not in keys,
            default=column.default.sql if column.default else None,
            generated=column.generated.expression.sql if column.generated else None,
            values=tuple(map(str, lists.get(name, ()))),
            comment=column.comment,
        )


def _folded(key: m.PrimaryKey | None) -> tuple[str, ...]:
    return tuple(map(fold, key.columns)) if key else ()


def _unique_columns(table: m.Table) -> set[tuple[str, ...]]:
    """Return the columns of each key of ``table``, in the order of their names."""
    return {tuple(sorted(fold(part.column or "") for part in parts)) for parts in table.unique_keys}


def _relation(table: m.Table, key: m.ForeignKey, parent: m.Table) -> Relation:
    columns = tuple(map(fold, key.columns))
    nullable = {fold(column.name) for column in table.columns if column.not_null is None}
    nullable -= set(_folded(table.primary_key))
    return Relation(
        child=fold(table.name),
        columns=columns,
        parent=fold(parent.name),
        targets=tuple(map(fold, targets_of(parent, key))),
        optional=any(name in nullable for name in columns),
        single=tuple(sorted(columns)) in _unique_columns(table),
        words=foreign_key_words(key),
    )
