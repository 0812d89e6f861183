"""Recognize the list of allowed values in a CHECK, such as the one that an enum expands to."""

from __future__ import annotations

import json
from dataclasses import replace

from waiaas_migrate.schema.model import AllowedValues, SqlText


def allowed_values(expression: SqlText) -> AllowedValues | None:
    """Return the list of values that a CHECK allows in a column; None unless the CHECK consists of such a list."""
    if '"InExpr"' not in expression.key:
        return None
    try:
        tree = json.loads(expression.key)
    except (ValueError, RecursionError):
        return None  # too deep for the JSON reader, and so not a list
    match tree:
        case {"type": "BinaryExpr", "op": "OR", "left": {"type": "IsExpr"} as test, "right": listed}:
            found = _in_list(listed)
            return replace(found, nullable=True) if found is not None and _is_null(test, found.column) else None
        case _:
            return _in_list(tree)


def _in_list(tree: object) -> AllowedValues | None:
    match tree:
        case {
            "type": "InExpr",
            "negated": False,
            "operand": operand,
            "source": {"type": "ExprList", "children": [_, *_] as items},
        } if (column := _column(operand)) is not None:
            values = [_value(item) for item in items]
            known = tuple(value for value in values if value is not None)
            return AllowedValues(column=column, values=known) if len(known) == len(values) else None
        case _:
            return None


def _column(tree: object) -> str | None:
    match tree:
        case {"type": "ColumnRef", "column": str(column), "table": None, "schema": None}:
            return column
        case _:
            return None


def _is_null(test: object, column: str) -> bool:
    match test:
        case {"op": "IS_NULL", "left": left} | {"op": "IS", "left": left, "right": {"literal_type": "NULL"}}:
            return _column(left) == column
        case _:
            return False


def _value(tree: object) -> str | int | None:
    """Return the value of a string or a decimal integer; None for anything else."""
    match tree:
        case {"type": "UnaryExpr", "op": "MINUS", "operand": operand}:
            value = _value(operand)
            return -value if isinstance(value, int) else None
        case {"literal_type": "STRING", "source": str(text)}:
            return text[1:-1].replace("''", "'")
        case {"literal_type": "INTEGER", "source": str(text)} if text.isdecimal():
            return int(text)
        case _:
            return None
