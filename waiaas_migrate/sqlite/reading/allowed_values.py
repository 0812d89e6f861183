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
    found = [_allowed_by(term) for term in _or_terms(tree_of(expression))]
    terms = [term for term in found if term is not None]
    values = tuple(value for term in terms for value in term.values)
    if not values or len(terms) < len(found) or len({term.column for term in terms}) > 1:
        return None
    return AllowedValues(column=terms[0].column, values=values, nullable=any(term.nullable for term in terms))


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


def _allowed_by(tree: Tree) -> AllowedValues | None:
    """Return the column and values of an IN, an equality or an IS NULL; None for other expressions."""
    nullable = False
    match tree:
        case {
            "type": "InExpr",
            "negated": False,
            "operand": operand,
            "source": {"type": "ExprList", "children": items},
        }:
            values = [literal_value(item) for item in items]
        case {"type": "BinaryExpr", "op": "EQ" | "EQ_DOUBLE", "left": operand, "right": right}:
            values = [literal_value(right)]
        case {"op": "IS_NULL", "left": operand} | {"op": "IS", "left": operand, "right": {"literal_type": "NULL"}}:
            values, nullable = [], True
        case _:
            return None
    literals = tuple(value for value in values if value is not None)
    if len(literals) < len(values) or not (literals or nullable):
        return None
    match operand:
        case {"type": "ColumnRef", "column": str(column), "table": None, "schema": None}:
            return AllowedValues(column=column, values=literals, nullable=nullable)
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
