"""Place each constraint of a CREATE TABLE on its column or after the columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from waiaas_migrate.schema.model import Check, Column, Constraint, ForeignKey, PrimaryKey, Table, Unique, written_on
from waiaas_migrate.schema.names import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class _Constraints:
    primary_key: PrimaryKey | None
    uniques: tuple[Unique, ...]
    checks: tuple[Check, ...]
    foreign_keys: tuple[ForeignKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLayout(_Constraints):
    """A column and the constraints written on it."""

    column: Column

    @property
    def is_plain(self) -> bool:
        """Whether the column has only a name and a type."""
        column = self.column
        has_clause = column.not_null or column.default or column.collation is not None or column.generated
        return not (has_clause or self.primary_key or self.uniques or self.checks or self.foreign_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLayout(_Constraints):
    """A table's columns with their constraints, and the constraints after them."""

    table: Table
    columns: tuple[ColumnLayout, ...]


def layout(table: Table) -> TableLayout:
    """Return ``table`` with each constraint where its author wrote it, if possible."""
    places: dict[str | None, list[Constraint]] = {fold(column.name): [] for column in table.columns} | {None: []}
    for constraint in (table.primary_key, *table.uniques, *table.checks, *table.foreign_keys):
        if constraint is not None:
            places.get(written_on(constraint), places[None]).append(constraint)
    columns = (ColumnLayout(column=column, **_by_kind(places[fold(column.name)])) for column in table.columns)
    return TableLayout(table=table, columns=tuple(columns), **_by_kind(places[None]))


def column_layout(table: Table, column: Column) -> ColumnLayout:
    """Return ``column`` with the constraints of ``table`` that are written on it."""
    return next(found for found in layout(table).columns if fold(found.column.name) == fold(column.name))


def _by_kind(constraints: Iterable[Constraint]) -> dict[str, Any]:
    found: dict[type, list[Constraint]] = defaultdict(list)
    for constraint in constraints:
        found[type(constraint)].append(constraint)
    return {
        "primary_key": next(iter(found[PrimaryKey]), None),
        "uniques": tuple(found[Unique]),
        "checks": tuple(found[Check]),
        "foreign_keys": tuple(found[ForeignKey]),
    }
