"""Turn a schema into a picture: cards for tables and views, and their relations.

Every format of ``diagram`` draws this picture. Keys of cards and relations are folded names, that is, names in lower
case, because SQLite ignores the case of names.
"""

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
    """A column. A CHECK may allow only ``values``. ``unique`` is true if the column alone is a unique key."""

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
    """A table, view or virtual table. Only a table has ``rows``; only the others have a ``statement``.

    ``options`` are STRICT and WITHOUT ROWID. ``indexes`` include the UNIQUE constraints of several columns. ``checks``
    don't include lists of allowed values, which are in the rows.
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
    """A foreign key from ``columns`` of the card ``child`` to the columns ``targets`` of the card ``parent``.

    ``optional`` is true if a column may be NULL, and ``single`` if at most one row refers to each row of the parent.
    ``words`` describe the foreign key.
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
    """The cards of a schema by their keys, and the relations between them.

    The keys are the folded names of the cards, except in a history (see :mod:`waiaas_migrate.drawing.history`).
    """

    cards: dict[str, Card]
    relations: tuple[Relation, ...]


def picture_of(schema: m.Schema) -> Picture:
    """Return the picture of ``schema``, with cards and relations in the order of the schema."""
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
        if fold(key.table) in tables  # a relation needs the card of its parent, which may not exist
    )
    return Picture(cards=cards, relations=relations)


def _statement_card(schema: m.Schema, item: m.View | m.VirtualTable, kind: str) -> Card:
    return Card(name=item.name, kind=kind, statement=item.statement.sql, triggers=_triggers(schema, item.name))


def _triggers(schema: m.Schema, name: str) -> tuple[str, ...]:
    return tuple(trigger.name for trigger in schema.triggers if fold(trigger.table) == fold(name))


def _table_card(schema: m.Schema, table: m.Table) -> Card:
    uniques = (f"UNIQUE ({', '.join(key.columns)})" for key in table.uniques if len(key.parts) > 1)
    options = {"STRICT": table.strict, "WITHOUT ROWID": table.without_rowid}
    return Card(
        name=table.name,
        comment=table.comment,
        rows=tuple(_rows(table)),
        options=tuple(option for option, is_set in options.items() if is_set),
        indexes=(*uniques, *map(index_words, table.indexes)),
        checks=tuple(check.expression.sql for check in table.checks if check.allowed is None),
        triggers=_triggers(schema, table.name),
    )


def _rows(table: m.Table) -> Iterator[Row]:
    primary_key, unique_keys = _primary_key(table), _unique_keys(table)
    foreign = {fold(column) for key in table.foreign_keys for column in key.columns}
    allowed = {check.allowed.column: check.allowed.values for check in reversed(table.checks) if check.allowed}
    for column in table.columns:
        name = fold(column.name)
        yield Row(
            name=column.name,
            type=column.type or "",
            primary=name in primary_key,
            foreign=name in foreign,
            unique=(name,) in unique_keys and (name,) != primary_key,
            nullable=column.not_null is None and name not in primary_key,
            default=column.default.sql if column.default else None,
            generated=column.generated.expression.sql if column.generated else None,
            values=tuple(map(str, allowed.get(name, ()))),
            comment=column.comment,
        )


def _primary_key(table: m.Table) -> tuple[str, ...]:
    """Return the columns of the primary key, folded."""
    return tuple(map(fold, table.primary_key.columns)) if table.primary_key else ()


def _unique_keys(table: m.Table) -> set[tuple[str, ...]]:
    """Return the columns of each unique key of ``table``, folded and sorted."""
    return {tuple(sorted(fold(part.column or "") for part in parts)) for parts in table.unique_keys}


def _relation(table: m.Table, key: m.ForeignKey, parent: m.Table) -> Relation:
    columns = tuple(map(fold, key.columns))
    nullable = {fold(column.name) for column in table.columns if column.not_null is None}
    nullable -= set(_primary_key(table))
    return Relation(
        child=fold(table.name),
        columns=columns,
        parent=fold(parent.name),
        targets=tuple(map(fold, targets_of(parent, key))),
        optional=any(name in nullable for name in columns),
        single=tuple(sorted(columns)) in _unique_keys(table),
        words=foreign_key_words(key),
    )
