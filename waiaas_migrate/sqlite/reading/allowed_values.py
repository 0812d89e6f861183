"""Recognize the list of allowed values in a CHECK, such as the one that an enum expands to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from waiaas_migrate.schema.model import AllowedValues, SqlText


def allowed_values(expression: SqlText) -> AllowedValues | None:
<<<<<<< HEAD
    """Return the list that a CHECK limits a column to; None if it says anything else, or more.

    ``a IN ('x', 'y')``, ``a IS NULL OR a IN ('x', 'y')`` and ``a = 'x' OR a = 'y'`` are lists.
    """
    if '"InExpr"' not in expression.key and '"op":"OR"' not in expression.key:
=======
    """Return the list of values that a CHECK allows in a column; None unless the CHECK consists of such a list."""
    if '"InExpr"' not in expression.key:
>>>>>>> main
        return None
    try:
        terms = list(_terms(json.loads(expression.key)))
    except (ValueError, RecursionError):
<<<<<<< HEAD
        return None  # an expression too deep for the JSON reader is not a list
    found = [_in_list(term) or _one_value(term) for term in terms if not _is_null(term)]
    lists = [one for one in found if one is not None]
    tests = [term for term in terms if _is_null(term)]
    columns = {one.column for one in lists} | {term["left"]["column"] for term in tests}
    values = tuple(value for one in lists for value in one.values)
    if not lists or len(lists) < len(found) or len(columns) > 1:
        return None
    return AllowedValues(column=lists[0].column, values=values, nullable=bool(tests))


def _terms(tree: Any) -> Iterator[Any]:  # noqa: ANN401 — a tree as JSON
    """Yield the expressions that OR joins."""
=======
        return None  # too deep for the JSON reader, and so not a list
>>>>>>> main
    match tree:
        case {"type": "BinaryExpr", "op": "OR", "left": left, "right": right}:
            yield from _terms(left)
            yield from _terms(right)
        case _:
            yield tree


def _one_value(tree: object) -> AllowedValues | None:
    match tree:
        case {
            "type": "BinaryExpr",
            "op": "EQ" | "EQ_DOUBLE",
            "left": {"type": "ColumnRef", "column": str(column), "table": None, "schema": None},
            "right": right,
        }:
            value = _value(right)
            return None if value is None else AllowedValues(column=column, values=(value,))
        case _:
            return None


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


<<<<<<< HEAD
def _is_null(tree: object) -> bool:
    match tree:
        case {"type": "IsExpr", "left": {"type": "ColumnRef", "table": None, "schema": None}, "op": "IS_NULL"}:
            return True
        case {
            "type": "IsExpr",
            "left": {"type": "ColumnRef", "table": None, "schema": None},
            "op": "IS",
            "right": {"literal_type": "NULL"},
        }:
            return True
=======
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
>>>>>>> main
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
