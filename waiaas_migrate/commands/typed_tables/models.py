"""The tables of a schema under their Python names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waiaas_migrate.commands.typed_tables.names import attribute_name, class_name, free_name
from waiaas_migrate.commands.typed_tables.values import Source, Values, values_of
from waiaas_migrate.schema.foreign_keys import targets_of
from waiaas_migrate.schema.model import Column, ForeignKey, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_alias

#: What a module may import, and from which module.
IMPORTS = {
    **dict.fromkeys(("Any", "Literal"), "typing"),
    **dict.fromkeys(("date", "datetime", "time"), "datetime"),
    "UUID": "uuid",
    **dict.fromkeys("DeclarativeBase Mapped MappedAsDataclass mapped_column relationship".split(), "sqlalchemy.orm"),
    **dict.fromkeys(
        "BooleanInteger Declared EnumInteger EnumText JsonText Timestamp UuidText".split(), "waiaas_migrate.sqlalchemy"
    ),
}
#: The names that a written module uses itself.
USED = frozenset((*IMPORTS, *"Base annotations bool bytes dict float int list sa str".split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A column under its Python name, and what it holds. ``is_numbered``: SQLite gives it the next number."""

    name: str
    column: Column
    values: Values
    in_key: bool
    is_numbered: bool

    @property
    def accepts_none(self) -> bool:
        """Return whether the attribute may be None. SQLite allows NULL in most primary keys, but nobody stores it."""
        return self.column.not_null is None and not self.in_key

    @property
    def annotation(self) -> str:
        """Return the type of the attribute."""
        return f"{self.values.annotation}{' | None' if self.accepts_none else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A table under its Python name: that of a class, or of a variable if ``is_class`` is false."""

    name: str
    table: Table
    attributes: tuple[Attribute, ...]
    is_class: bool

    def attribute(self, column: str) -> Attribute | None:
        """Return the attribute for a column, whose name is in any case."""
        return next((one for one in self.attributes if fold(one.column.name) == fold(column)), None)

    def targets(self, key: ForeignKey) -> tuple[Attribute, ...]:
        """Return what a foreign key to this table refers to; empty if SQLAlchemy can't express it."""
        found = tuple(map(self.attribute, targets_of(self.table, key)))
        known = tuple(one for one in found if one is not None)
        # A reference is written as "table.column".
        has_dot = any("." in name for name in (self.table.name, *(one.column.name for one in known)))
        return () if has_dot or not len(known) == len(found) == len(key.columns) else known


def models_of(source: Source, *, classes: bool) -> tuple[Model, ...]:
    """Return the tables of a schema under their Python names, in their order."""
    tables = source.declared.schema.tables
    names = _names(tables, source, classes=classes)
    taken = {*USED, *names.values(), *source.enums}
    return tuple(
        _model(table, names[table.name], source, taken, is_class=classes and _can_be_class(table)) for table in tables
    )


def _can_be_class(table: Table) -> bool:
    """Return whether a class can stand for the rows: SQLAlchemy finds them by a key that doesn't refer to itself."""
    own = (key for key in table.foreign_keys if fold(key.table) == fold(table.name))
    return table.primary_key is not None and not any(_refers_to_itself(table, key) for key in own)


def _refers_to_itself(table: Table, key: ForeignKey) -> bool:
    """Return whether a row's key may lead to the row itself; (tenant, parent) to (tenant, id) leads to another."""
    targets = tuple(map(fold, targets_of(table, key)))
    others = {name for name, target in zip(map(fold, key.columns), targets, strict=False) if name != target}
    return not others or not others.isdisjoint(targets)


def _names(tables: Iterable[Table], source: Source, *, classes: bool) -> Mapping[str, str]:
    """Return the Python names of tables. Those of ``class:`` come first; the others must not collide with them."""
    names = {table.name: table.class_name for table in tables if classes and table.class_name is not None}
    for table in tables:
        taken = {*USED, "metadata", *source.enums, *names.values()}
        if table.name in names:
            continue
        if classes and _can_be_class(table):
            names[table.name] = free_name(class_name(table.name), taken)
        else:
            names[table.name] = attribute_name(f"t_{table.name}" if classes else table.name, taken)
    return names


def _model(table: Table, name: str, source: Source, taken: set[str], *, is_class: bool) -> Model:
    """Return ``table`` under the name ``name``; add the names of its lists of values to ``taken``."""
    own = set(taken)
    attributes = []
    keys = set(map(fold, table.primary_key.columns)) if table.primary_key is not None else set()
    referring = {fold(name) for key in table.foreign_keys for name in key.columns}
    numbered = {rowid_alias(table)} - referring
    for column in table.columns:
        attribute = attribute_name(column.name, own | taken)
        own.add(attribute)
        values = values_of(table, column, source, free_name(f"{name}{class_name(attribute)}", own | taken))
        if values.alias is not None:
            taken.add(values.annotation)
        attributes.append(
            Attribute(
                name=attribute,
                column=column,
                values=values,
                in_key=fold(column.name) in keys,
                is_numbered=fold(column.name) in numbered,
            )
        )
    return Model(name=name, table=table, attributes=tuple(attributes), is_class=is_class)
