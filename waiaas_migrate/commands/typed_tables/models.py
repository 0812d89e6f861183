"""Choose the Python names and types of tables and columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waiaas_migrate.commands.typed_tables.names import attribute_name, class_name, free_name
from waiaas_migrate.commands.typed_tables.values import Source, Values, values_of
from waiaas_migrate.schema.foreign_keys import targets_of
from waiaas_migrate.schema.model import Column, ForeignKey, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_alias

#: The names that the generated module may import, except enums, each with the module that defines it.
IMPORTS = {
    **dict.fromkeys(("Any", "Literal"), "typing"),
    **dict.fromkeys(("date", "datetime", "time"), "datetime"),
    "UUID": "uuid",
    **dict.fromkeys("DeclarativeBase Mapped MappedAsDataclass mapped_column relationship".split(), "sqlalchemy.orm"),
    **dict.fromkeys(
        "BooleanInteger Declared EnumInteger EnumText JsonText Timestamp UuidText".split(), "waiaas_migrate.sqlalchemy"
    ),
}
#: Names that have a meaning in every generated module, so neither a table nor an enum can have them.
USED_NAMES = frozenset((*IMPORTS, *"Base annotations bool bytes dict float int list sa str".split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A column with its Python name and types. ``is_numbered``: SQLite chooses its values, because it is the rowid."""

    name: str
    column: Column
    values: Values
    in_key: bool
    is_numbered: bool

    @property
    def accepts_none(self) -> bool:
        """Return whether the attribute may be None. In a primary key it may not, although SQLite often allows NULL."""
        return self.column.not_null is None and not self.in_key

    @property
    def annotation(self) -> str:
        """Return the type annotation of the attribute."""
        return f"{self.values.annotation}{' | None' if self.accepts_none else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A table with its Python name, which is the name of a class or, if ``is_class`` is false, of a variable."""

    name: str
    table: Table
    attributes: tuple[Attribute, ...]
    is_class: bool

    def attribute(self, column: str) -> Attribute | None:
        """Return the attribute of the column called ``column``, in any case."""
        return next((found for found in self.attributes if fold(found.column.name) == fold(column)), None)

    def targets(self, key: ForeignKey) -> tuple[Attribute, ...]:
        """Return the attributes that a foreign key to this table refers to; empty if SQLAlchemy can't express it."""
        found = tuple(map(self.attribute, targets_of(self.table, key)))
        targets = tuple(filter(None, found))
        # SQLAlchemy splits a reference such as "table.column" at the dot.
        has_dot = any("." in name for name in (self.table.name, *(target.column.name for target in targets)))
        return () if has_dot or not len(targets) == len(found) == len(key.columns) else targets


def models_of(source: Source, *, classes: bool) -> tuple[Model, ...]:
    """Return the tables of a schema as models: classes if ``classes`` is true and SQLAlchemy allows, else variables."""
    tables = source.declared.schema.tables
    names = _model_names(tables, source, classes=classes)
    taken = {*USED_NAMES, *names.values(), *source.enums}
    return tuple(
        _model(table, names[table.name], source, taken, is_class=classes and _can_be_class(table)) for table in tables
    )


def _can_be_class(table: Table) -> bool:
    """Return whether SQLAlchemy can map a class to ``table``. Without a primary key, it can't."""
    to_same_table = (key for key in table.foreign_keys if fold(key.table) == fold(table.name))
    return table.primary_key is not None and not any(_refers_to_own_columns(table, key) for key in to_same_table)


def _refers_to_own_columns(table: Table, key: ForeignKey) -> bool:
    """Return whether ``key`` refers to its own columns. A column that refers to itself counts only if all do."""
    targets = tuple(map(fold, targets_of(table, key)))
    others = {name for name, target in zip(map(fold, key.columns), targets, strict=False) if name != target}
    return not others or not others.isdisjoint(targets)


def _model_names(tables: Iterable[Table], source: Source, *, classes: bool) -> Mapping[str, str]:
    """Return the Python names of tables by their SQL names. Names that ``class:`` in schema.yaml sets come first."""
    names = {table.name: table.class_name for table in tables if classes and table.class_name is not None}
    for table in tables:
        taken = {*USED_NAMES, "metadata", *source.enums, *names.values()}
        if table.name in names:
            continue
        if classes and _can_be_class(table):
            names[table.name] = free_name(class_name(table.name), taken)
        else:
            names[table.name] = attribute_name(f"t_{table.name}" if classes else table.name, taken)
    return names


def _model(table: Table, name: str, source: Source, taken: set[str], *, is_class: bool) -> Model:
    """Return the model called ``name`` for ``table``; add the names of its type aliases to ``taken``."""
    names = set(taken)
    attributes = []
    keys = set(map(fold, table.primary_key.columns)) if table.primary_key is not None else set()
    referring = {fold(column) for key in table.foreign_keys for column in key.columns}
    numbered = {rowid_alias(table)} - referring
    for column in table.columns:
        key, attribute = fold(column.name), attribute_name(column.name, names | taken)
        names.add(attribute)
        values = values_of(table, column, source, free_name(f"{name}{class_name(attribute)}", names | taken))
        if values.alias is not None:
            taken.add(values.annotation)
        in_key, is_numbered = key in keys, key in numbered
        attributes.append(
            Attribute(name=attribute, column=column, values=values, in_key=in_key, is_numbered=is_numbered)
        )
    return Model(name=name, table=table, attributes=tuple(attributes), is_class=is_class)
