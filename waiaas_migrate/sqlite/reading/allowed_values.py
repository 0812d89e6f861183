"""Recognize the list of allowed values in a CHECK, such as the one that an enum expands to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from waiaas_migrate.schema.model import AllowedValues, SqlText

#: The tree of an expression or a statement, as JSON.
Tree = Any


def allowed_values(expression: SqlText) -> AllowedValues | None:
    """Return the list of values that a CHECK allows in a column; None if the CHECK is anything else.

    ``a IN ('x', 'y')``, ``a IS NULL OR a IN ('x', 'y')`` and ``a = 'x' OR a = 'y'`` are lists.
    """
    if '"InExpr"' not in expression.key and '"op":"OR"' not in expression.key:
        return None
    terms = list(_terms(tree_of(expression)))
    tested = [column for term in terms if (column := _is_null(term)) is not None]
    lists = [one for term in terms if (one := _list(term)) is not None]
    columns = {*tested, *(one.column for one in lists)}
    if not lists or len(lists) + len(tested) < len(terms) or len(columns) > 1:
        return None
    values = tuple(value for one in lists for value in one.values)
    return AllowedValues(column=lists[0].column, values=values, nullable=bool(tested))


def tree_of(text: SqlText) -> Tree:
    """Return the tree of ``text``; None if it is too deep or can't be parsed."""
    try:
        return json.loads(text.key)
    except (ValueError, RecursionError):
        return None


def _terms(tree: Tree) -> Iterator[Tree]:
    """Yield the expressions that OR joins."""
    waiting = [tree]
    while waiting:
        match waiting.pop():
            case {"type": "BinaryExpr", "op": "OR", "left": left, "right": right}:
                waiting += [right, left]
            case term:
                yield term


def _list(tree: Tree) -> AllowedValues | None:
    """Return the values that an IN or an equality allows; None if it is anything else."""
    match tree:
        case {
            "type": "InExpr",
            "negated": False,
            "operand": operand,
            "source": {"type": "ExprList", "children": items},
        }:
            tested, values = operand, [literal_value(item) for item in items]
        case {"type": "BinaryExpr", "op": "EQ" | "EQ_DOUBLE", "left": left, "right": right}:
            tested, values = left, [literal_value(right)]
        case _:
            return None
    column, known = _column(tested), tuple(value for value in values if value is not None)
    if column is None or not values or len(known) < len(values):
        return None
    return AllowedValues(column=column, values=known)


def _column(tree: Tree) -> str | None:
    match tree:
        case {"type": "ColumnRef", "column": str(column), "table": None, "schema": None}:
            return column
        case _:
            return None


def _is_null(tree: Tree) -> str | None:
    """Return the column that is compared with NULL; None if the expression says anything else."""
    match tree:
        case {"op": "IS_NULL", "left": left} | {"op": "IS", "left": left, "right": {"literal_type": "NULL"}}:
            return _column(left)
        case _:
            return None


def literal_value(tree: Tree) -> str | int | None:
    """Return the value of a string or a decimal integer; None for anything else."""
    match tree:
        case {"type": "UnaryExpr", "op": "MINUS", "operand": operand}:
            value = literal_value(operand)
            return -value if isinstance(value, int) else None
        case {"literal_type": "STRING", "source": str(text)}:
            return text[1:-1].replace("''", "'")
        case {"literal_type": "INTEGER", "source": str(text)} if text.isdecimal():
            return int(text)
        case _:
            return None
