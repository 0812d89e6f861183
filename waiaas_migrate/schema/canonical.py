"""The canonical form of a schema, in which two schemas are compared.

The form ignores the case of names and types, spacing, comments, hints, duplicate UNIQUEs, whether a constraint is on
its column or on the table, how a CHECK writes a list of values, and order without meaning, such as that of columns. It
compares expressions and statements by :attr:`~waiaas_migrate.schema.model.SqlText.key`. Everything else counts.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any, TypeVar

from waiaas_migrate.schema import model as m
from waiaas_migrate.schema.names import fold

ValueT = TypeVar("ValueT")

#: The fields that contain names.
_NAME_FIELDS = frozenset({"name", "collation", "column", "columns", "table", "targets", "match", "module"})
#: The parts of a schema whose order has no meaning. The order of other parts, such as the columns of a key, counts.
_UNORDERED = (m.Table, m.View, m.Trigger, m.VirtualTable, m.Column, m.Unique, m.Check, m.ForeignKey, m.Index)


def canonical(value: ValueT) -> ValueT:
    """Return the canonical form of a schema or of a part of it."""
    result: ValueT = _canonical(value, "")
    return result


def _canonical(value: Any, field: str) -> Any:  # noqa: ANN401  any part of a schema
    if isinstance(value, tuple):
        found = [_canonical(item, field) for item in value]
        if isinstance(next(iter(found), None), m.Unique):
            found = list(dict.fromkeys(found))  # SQLite makes one index for duplicate UNIQUEs
        return tuple(sorted(found, key=repr) if found and isinstance(found[0], _UNORDERED) else found)
    if isinstance(value, str):
        if field == "type":
            return re.sub(r"\s*([(),+-])\s*", r"\1", " ".join(value.upper().split())) or None
        return fold(value) if field in _NAME_FIELDS else value
    if isinstance(value, m.SqlText):
        return replace(value, sql="")
    if isinstance(value, m.Check) and value.allowed is not None:
        value = replace(value, expression=_list_expression(value.allowed))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {
        item.name: _canonical(getattr(value, item.name), item.name) if item.compare else item.default
        for item in fields(value)
        if item.compare or item.default is not MISSING
    }
    return replace(value, **changed)


def _list_expression(allowed: m.AllowedValues) -> m.SqlText:
    """Return one expression for all lists with the same column and values.

    The order of values makes no difference. Nor does ``IS NULL OR``, because NULL passes any CHECK
    (https://www.sqlite.org/lang_createtable.html#check_constraints).
    """
    values = sorted({(type(value).__name__, str(value)) for value in allowed.values})
    return m.SqlText(sql="", key=f"{fold(allowed.column)} allows {values}")


def canonical_collation(name: str | None) -> str | None:
    """Return the folded name of a column's collation; None for BINARY.

    BINARY is the default, so declaring it changes nothing (https://www.sqlite.org/datatype3.html#collation).
    """
    folded = None if name is None else fold(name)
    return None if folded == "binary" else folded


def without_expressions(value: Any) -> Any:  # noqa: ANN401  any part of a table
    """Return ``value`` with equal expressions, to compare only the rest."""
    if isinstance(value, m.SqlText):
        return replace(value, key="")
    if isinstance(value, tuple):
        return tuple(without_expressions(item) for item in value)
    if isinstance(value, m.Check):
        value = replace(value, allowed=None)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: without_expressions(getattr(value, item.name)) for item in fields(value)})
    return value
