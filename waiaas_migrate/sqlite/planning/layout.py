"""Where each constraint of a table stands in its CREATE TABLE: on its column, or on the table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from waiaas_migrate.schema.model import Check, Column, ForeignKey, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLayout:
    """A column and the constraints that stand on it."""

    column: Column
    primary_key: PrimaryKey | None
    uniques: tuple[Unique, ...]
    checks: tuple[Check, ...]
    foreign_keys: tuple[ForeignKey, ...]

    @property
    def is_plain(self) -> bool:
        """Whether the column has nothing but a name and a type, as many have."""
        column = self.column
        return not (
            column.not_null
            or column.default
            or column.collation is not None
            or column.generated
            or self.primary_key
            or self.uniques
            or self.checks
            or self.foreign_keys
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLayout:
    """A table's columns with their constraints, and the constraints that stand on the table."""

    table: Table
    columns: tuple[ColumnLayout, ...]
    primary_key: PrimaryKey | None
    uniques: tuple[Unique, ...]
    checks: tuple[Check, ...]
    foreign_keys: tuple[ForeignKey, ...]


def layout(table: Table) -> TableLayout:
    """Every constraint of ``table`` in its place: that where it was written, wherever SQLite can take it there."""
    key = table.primary_key
    named = {fold(column.name) for column in table.columns}
    return TableLayout(
        table=table,
        columns=_columns(table, table.columns),
        primary_key=None if key is None or is_inline_key(key) else key,
        uniques=tuple(unique for unique in table.uniques if not is_inline_unique(unique)),
        checks=tuple(check for check in table.checks if fold(check.column or "") not in named),
        foreign_keys=tuple(key for key in table.foreign_keys if not _is_inline_foreign_key(key)),
    )


def column_layout(table: Table, column: Column) -> ColumnLayout:
    """``column`` with the constraints of ``table`` that stand on it."""
    return _columns(table, (column,))[0]


def _columns(table: Table, columns: Sequence[Column]) -> tuple[ColumnLayout, ...]:
    key = table.primary_key
    keyed = fold(key.parts[0].column or "") if key is not None and is_inline_key(key) else None
    uniques, checks = defaultdict[str, list[Unique]](list), defaultdict[str, list[Check]](list)
    foreign_keys = defaultdict[str, list[ForeignKey]](list)
    for unique in table.uniques:
        if is_inline_unique(unique):
            uniques[fold(unique.parts[0].column or "")].append(unique)
    for check in table.checks:
        checks[fold(check.column or "")].append(check)
    for foreign_key in table.foreign_keys:
        if _is_inline_foreign_key(foreign_key):
            foreign_keys[fold(foreign_key.columns[0])].append(foreign_key)
    return tuple(
        ColumnLayout(
            column=column,
            primary_key=key if name == keyed else None,
            uniques=tuple(uniques.get(name, ())),
            checks=tuple(checks.get(name, ())),
            foreign_keys=tuple(foreign_keys.get(name, ())),
        )
        for column, name in ((column, fold(column.name)) for column in columns)
    )


def is_inline_key(key: PrimaryKey) -> bool:
    """Whether a primary key stands on its column."""
    return key.inline and len(key.parts) == 1 and key.parts[0].collation is None


def is_inline_unique(unique: Unique) -> bool:
    """Whether a UNIQUE constraint stands on its column."""
    part = unique.parts[0]
    return unique.inline and len(unique.parts) == 1 and part.collation is None and not part.descending


def _is_inline_foreign_key(key: ForeignKey) -> bool:
    return key.inline and len(key.columns) == 1
