"""Kinds of lists of columns: names in foreign keys, terms in other keys.

A term is a column or an expression, with its order and collation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from waiaas_migrate.files.schema_file import shapes as s
from waiaas_migrate.files.schema_file import value_kinds as v
from waiaas_migrate.files.schema_file.forms import Columns, Form, Key, Kind
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.files.yaml_text.yaml_writer import Data
from waiaas_migrate.schema.model import IndexPart
from waiaas_migrate.sqlite.reading import ddl

_EXAMPLE = "a list of columns, such as `[a, b]`"

TERM = Form(
    keys={
        "column": Key(v.NAME, "The column."),
        "collate": Key(v.NAME, "The collation.", "collation"),
        "order": Key(v.ORDER, "The order of the index: `asc` or `desc`.", "descending"),
    },
    required={"column": "Write `{column: a, order: desc}`."},
)
INDEX_TERM = Form(
    keys={"column": TERM.keys["column"], "expression": Key(v.EXPRESSION, "An expression."), **TERM.keys},
    example="`{column: a, order: desc}`",
    one_of=("column", "expression"),
)


def _list_kind(
    shape: s.Shape, read: Callable[[Value, Columns], Any], write: Callable[[Any, Columns, str], Data]
) -> Kind:
    """Return the kind of a nonempty list of columns; ``shape`` is the JSON Schema of one column."""

    def read_list(value: Value, columns: Columns) -> tuple[Any, ...] | None:
        values = value.items(_EXAMPLE)
        if not values and (value.is_null or value.is_list):
            value.problem("the list names no column.", f"Write {_EXAMPLE}.")
        found = [read(item, columns) for item in values]
        return tuple(item for item in found if item is not None) or None

    return Kind(s.list_of(shape, at_least=1), read_list, write)


#: The columns of a foreign key: a list for the key ``columns``, and a single name for the key ``column``.
COLUMN_NAMES = _list_kind(
    s.NAME,
    v.NAME.read,
    lambda names, _, where: [v.write_name(name, (), where) for name in names] if len(names) > 1 else None,
)
COLUMN_NAME = Kind(
    s.NAME,
    lambda value, columns: None if (name := v.NAME.read(value, columns)) is None else (name,),
    lambda names, _, where: v.write_name(names[0], (), where) if len(names) == 1 else None,
)


def _read_term(form: Form, value: Value, columns: Columns) -> IndexPart | None:
    if not value.is_mapping:
        name = v.NAME.read(value, columns)
        return None if name is None else IndexPart(column=name)
    fields = form.fields(value)
    if ("column" in fields) == ("expression" in fields):
        return None
    found = form.contents(fields, columns)
    part = IndexPart(
        column=found.get("column"),
        collation=found.get("collation"),
        descending=found.get("descending") is True,
        ascending=found.get("descending") is False,
    )
    if "expression" not in found:
        return part if part.column is not None else None
    # SQLite treats an expression that is only a column, such as ``"(a)"``, as the column.
    parsed = ddl.read_index_term(found["expression"].sql, columns)
    if parsed.column is None:
        return replace(part, expression=found["expression"])
    return replace(part, column=parsed.column, collation=part.collation or parsed.collation)


def _write_terms(parts: Sequence[IndexPart], columns: Columns, where: str) -> list[Data]:
    """Return the terms. Leave out ASC, the default, unless a term is an expression."""
    writes_asc = any(part.expression is not None for part in parts)
    terms: list[Data] = []
    for part in parts:
        fields = INDEX_TERM.write(part, columns, where)
        if part.ascending and writes_asc:
            fields["order"] = "asc"
        terms.append(part.column if fields.keys() == {"column"} else fields)
    return terms


TERMS = _list_kind(s.any_of(s.NAME, s.ref("term")), partial(_read_term, TERM), _write_terms)
INDEX_TERMS = _list_kind(s.any_of(s.NAME, s.ref("index_term")), partial(_read_term, INDEX_TERM), _write_terms)
