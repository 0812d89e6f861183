"""Recognising, in a CHECK, the list that an enum was expanded to."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from waiaas_migrate.schema.model import Check, Column, Table
from waiaas_migrate.schema.names import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """``column IN (values)``; ``nullable`` where an ``IS NULL OR`` before it lets NULL through.

    ``column`` is folded, as names are in the meaning of an expression.
    """

    column: str
    values: tuple[str | int, ...]
    nullable: bool


def membership_of(check: Check) -> Membership | None:
    """The list that ``check`` holds a column to; None where it says anything else, or more."""
    try:
        tree = json.loads(check.expression.key)
    except (ValueError, RecursionError):
        return None  # what is too deep for the reader is too deep for a list
    if not isinstance(tree, dict):
        return None
    if tree.get("type") != "BinaryExpr" or tree.get("op") != "OR":
        return _in_list(tree)
    inner = _in_list(tree["right"])
    if inner is None or not _is_null(tree["left"], inner.column):
        return None
    return replace(inner, nullable=True)


def values_held(table: Table, column: Column) -> frozenset[str | int] | None:
    """The values of the lists that CHECKs of ``table`` hold ``column`` to; None where there is no such list."""
    name = fold(column.name)
    found = [held.values for check in table.checks if (held := membership_of(check)) and held.column == name]
    return frozenset(value for values in found for value in values) if found else None


def literal(value: str | int | None) -> str:
    """``value`` as it is written in SQL, for a message."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def _in_list(tree: dict[str, Any]) -> Membership | None:
    source = tree.get("source")
    if tree.get("type") != "InExpr" or tree.get("negated") or not isinstance(source, dict):
        return None
    column = _column(tree["operand"])
    values = [_value(item) for item in source.get("children") or [{}]]
    listed = tuple(value for value in values if value is not None)
    if column is None or source.get("type") != "ExprList" or len(listed) < len(values):
        return None
    return Membership(column=column, values=listed, nullable=False)


def _is_null(tree: dict[str, Any], column: str) -> bool:
    if tree.get("type") != "IsExpr" or _column(tree["left"]) != column:
        return False
    if tree["op"] == "IS_NULL":
        return True
    right = tree.get("right") or {}
    return bool(tree["op"] == "IS" and right.get("literal_type") == "NULL")


def _column(tree: dict[str, Any]) -> str | None:
    if tree.get("type") != "ColumnRef" or tree.get("table") or tree.get("schema"):
        return None
    column: str = tree["column"]
    return column


def _value(tree: dict[str, Any]) -> str | int | None:
    """The value of a string or a decimal integer; None for anything else."""
    if tree.get("type") == "UnaryExpr" and tree.get("op") == "MINUS":
        inner = _value(tree["operand"])
        return -inner if isinstance(inner, int) else None
    if tree.get("literal_type") == "STRING":
        return str(tree["source"])[1:-1].replace("''", "'")
    if tree.get("literal_type") == "INTEGER" and tree["source"].isdecimal():
        return int(tree["source"])
    return None
