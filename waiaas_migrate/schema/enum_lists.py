"""Read the lists in CHECKs that restrict a column to the values of an enum."""

from __future__ import annotations

from waiaas_migrate.schema.model import AllowedValues, Check, Column, Table
from waiaas_migrate.schema.names import fold


def values_in_lists(table: Table, column: Column) -> frozenset[str | int] | None:
    """Return all values in the lists for ``column``; None if no CHECK is a list."""
    name = fold(column.name)
    found = [check.allowed.values for check in table.checks if check.allowed and check.allowed.column == name]
    return frozenset(value for values in found for value in values) if found else None


def lists_of(old: Check | None, new: Check) -> tuple[AllowedValues, AllowedValues] | None:
    """Return the lists of two CHECKs; None unless both are lists for the same column."""
    before, after = old.allowed if old else None, new.allowed
    return (before, after) if before and after and before.column == after.column else None


def literal(value: str | int | None) -> str:
    """Return ``value`` as an SQL literal."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
