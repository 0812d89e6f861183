"""Where CREATE TABLE writes each constraint: on its column, or after the columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from waiaas_migrate.schema.model import Check, Column, ForeignKey, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold

ConstraintT = TypeVar("ConstraintT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLayout:
    """A column and the constraints written on it."""

    column: Column
    primary_key: PrimaryKey | None
    uniques: tuple[Unique, ...]
    checks: tuple[Check, ...]
    foreign_keys: tuple[ForeignKey, ...]

    @property
    def is_plain(self) -> bool:
        """Whether the column has only a name and a type, as many do."""
        column = self.column
        own = column.not_null or column.default or column.collation is not None or column.generated
        return not (own or self.primary_key or self.uniques or self.checks or self.foreign_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLayout:
    """A table's columns with their constraints, and the constraints after them."""

    table: Table
    columns: tuple[ColumnLayout, ...]
    primary_key: PrimaryKey | None
    uniques: tuple[Unique, ...]
    checks: tuple[Check, ...]
    foreign_keys: tuple[ForeignKey, ...]


def layout(table: Table) -> TableLayout:
    """Return ``table`` with each constraint where its author wrote it, if possible."""
    key = table.primary_key
    named = {fold(column.name) for column in table.columns}
    return TableLayout(
        table=table,
        columns=_columns(table, table.columns),
        primary_key=None if key is None or _key_column(key) is not None else key,
        uniques=tuple(unique for unique in table.uniques if _unique_column(unique) is None),
        checks=tuple(check for check in table.checks if fold(check.column or "") not in named),
        foreign_keys=tuple(key for key in table.foreign_keys if _foreign_key_column(key) is None),
    )


def column_layout(table: Table, column: Column) -> ColumnLayout:
    """Return ``column`` with the constraints of ``table`` that are written on it."""
    return _columns(table, (column,))[0]


def _columns(table: Table, columns: Sequence[Column]) -> tuple[ColumnLayout, ...]:
    key = table.primary_key
    key_column = None if key is None else _key_column(key)
    uniques = _grouped(table.uniques, _unique_column)
    checks = _grouped(table.checks, lambda check: fold(check.column or ""))
    foreign_keys = _grouped(table.foreign_keys, _foreign_key_column)
    return tuple(
        ColumnLayout(
            column=column,
            primary_key=key if name == key_column else None,
            uniques=tuple(uniques.get(name, ())),
            checks=tuple(checks.get(name, ())),
            foreign_keys=tuple(foreign_keys.get(name, ())),
        )
        for column, name in ((column, fold(column.name)) for column in columns)
    )


def _grouped(
    items: Iterable[ConstraintT], column_of: Callable[[ConstraintT], str | None]
) -> dict[str | None, list[ConstraintT]]:
    groups: dict[str | None, list[ConstraintT]] = defaultdict(list)
    for item in items:
        groups[column_of(item)].append(item)
    return groups


def _key_column(key: PrimaryKey) -> str | None:
    """Return the folded name of the column on which the key is written; None if that is the table."""
    is_inline = key.inline and len(key.parts) == 1 and key.parts[0].collation is None
    return fold(key.parts[0].column or "") if is_inline else None


def _unique_column(unique: Unique) -> str | None:
    part = unique.parts[0]
    is_inline = unique.inline and len(unique.parts) == 1 and part.collation is None and not part.descending
    return fold(part.column or "") if is_inline else None


def _foreign_key_column(key: ForeignKey) -> str | None:
    return fold(key.columns[0]) if key.inline and len(key.columns) == 1 else None
