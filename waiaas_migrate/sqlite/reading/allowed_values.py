"""Recognize the list of allowed values in a CHECK, such as the one that an enum expands to."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from waiaas_migrate.schema.model import AllowedValues, SqlText


def allowed_values(expression: SqlText) -> AllowedValues | None:
    """Return the list that a CHECK limits a column to; None if it says anything else, or more."""
    if '"InExpr"' not in expression.key:
        return None
    try:
        tree = json.loads(expression.key)
    except (ValueError, RecursionError):
        return None  # an expression too deep for the JSON reader is not a list
    if not isinstance(tree, dict):
        return None
    if tree.get("type") != "BinaryExpr" or tree.get("op") != "OR":
        return _in_list(tree)
    inner = _in_list(tree["right"])
    if inner is None or not _is_null(tree["left"], inner.column):
        return None
    return replace(inner, nullable=True)


def _in_list(tree: dict[str, Any]) -> AllowedValues | None:
    source = tree.get("source")
    if tree.get("type") != "InExpr" or tree.get("negated") or not isinstance(source, dict):
        return None
    column = _column(tree["operand"])
    values = [_value(item) for item in source.get("children") or [{}]]
    listed = tuple(value for value in values if value is not None)
    if column is None or source.get("type") != "ExprList" or len(listed) < len(values):
        return None
    return AllowedValues(column=column, values=listed)


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
    """Return the value of a string or a decimal integer; None for anything else."""
    if tree.get("type") == "UnaryExpr" and tree.get("op") == "MINUS":
        inner = _value(tree["operand"])
        return -inner if isinstance(inner, int) else None
    if tree.get("literal_type") == "STRING":
        return str(tree["source"])[1:-1].replace("''", "'")
    if tree.get("literal_type") == "INTEGER" and tree["source"].isdecimal():
        return int(tree["source"])
    return None
