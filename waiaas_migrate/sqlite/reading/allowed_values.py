"""Recognize CHECKs that list the allowed values of a column, such as an enum's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from waiaas_migrate.schema.model import AllowedValues, SqlText

#: The parsed JSON of :attr:`SqlText.key`: the syntax tree of an expression or a statement.
Tree = Any


def allowed_values(expression: SqlText) -> AllowedValues | None:
    """Return the values that a CHECK allows in a column; None if it isn't a list of values.

    Lists are ``a IN ('x', 'y')``, ``a IS NULL OR a IN ('x', 'y')`` and ``a = 'x' OR a = 'y'``.
    """
    if '"InExpr"' not in expression.key and '"op":"OR"' not in expression.key:
        return None
    terms = list(_or_terms(tree_of(expression)))
    nullable_columns = [column for term in terms if (column := _column_tested_for_null(term)) is not None]
    lists = [listed for term in terms if (listed := _listed_values(term)) is not None]
    columns = {*nullable_columns, *(listed.column for listed in lists)}
    if not lists or len(lists) + len(nullable_columns) < len(terms) or len(columns) > 1:
        return None
    values = tuple(value for listed in lists for value in listed.values)
    return AllowedValues(column=lists[0].column, values=values, nullable=bool(nullable_columns))


def tree_of(text: SqlText) -> Tree:
    """Return the syntax tree of ``text``; None if it is too deep or was not parsed."""
    try:
        return json.loads(text.key)
    except (ValueError, RecursionError):
        return None


def _or_terms(tree: Tree) -> Iterator[Tree]:
    """Yield the expressions that OR combines; only ``tree`` itself if it is not an OR."""
    waiting = [tree]
    while waiting:
        match waiting.pop():
            case {"type": "BinaryExpr", "op": "OR", "left": left, "right": right}:
                waiting += [right, left]
            case term:
                yield term


def _listed_values(tree: Tree) -> AllowedValues | None:
    """Return the column and values of an IN or an equality; None for other expressions."""
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
    column, literals = _column_name(tested), tuple(value for value in values if value is not None)
    if column is None or not values or len(literals) < len(values):
        return None
    return AllowedValues(column=column, values=literals)


def _column_name(tree: Tree) -> str | None:
    """Return the name of a column without a table before it; None for any other expression."""
    match tree:
        case {"type": "ColumnRef", "column": str(column), "table": None, "schema": None}:
            return column
        case _:
            return None


def _column_tested_for_null(tree: Tree) -> str | None:
    """Return the column in ``column IS NULL``; None for any other expression."""
    match tree:
        case {"op": "IS_NULL", "left": left} | {"op": "IS", "left": left, "right": {"literal_type": "NULL"}}:
            return _column_name(left)
        case _:
            return None


def literal_value(tree: Tree) -> str | int | None:
    """Return the value of a string or a decimal integer; None for other expressions."""
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
