"""Kinds of lists of columns: names in foreign keys, terms in other keys.

A term is a column or an expression, with its order and collation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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


def list_of_columns(value: Value) -> list[Value]:
    """Return the items of a list of columns; report an empty list."""
    values = value.items(_EXAMPLE)
    if not values and (value.is_null or value.is_list):
        value.problem("the list names no column.", f"Write {_EXAMPLE}.")
    return values


def _read_columns(value: Value, _: Columns) -> tuple[str, ...] | None:
    names = [v.NAME.read(item, ()) for item in list_of_columns(value)]
    return tuple(name for name in names if name is not None) or None


def _read_column(value: Value, _: Columns) -> tuple[str, ...] | None:
    name = v.NAME.read(value, ())
    return None if name is None else (name,)


def _write_columns(names: tuple[str, ...], columns: Columns, where: str) -> list[str] | None:
    return [v.write_name(name, columns, where) for name in names] if len(names) > 1 else None


def _write_column(names: tuple[str, ...], columns: Columns, where: str) -> str | None:
    return v.write_name(names[0], columns, where) if len(names) == 1 else None


#: The columns of a foreign key: a list for the key ``columns``, and a single name for the key ``column``.
COLUMN_NAMES = Kind(s.list_of(s.NAME, at_least=1), _read_columns, _write_columns)
COLUMN_NAME = Kind(s.NAME, _read_column, _write_column)


def _read_term(value: Value, columns: Columns, form: Form) -> IndexPart | None:
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


def _read_terms(value: Value, columns: Columns, form: Form) -> tuple[IndexPart, ...] | None:
    parts = [_read_term(item, columns, form) for item in list_of_columns(value)]
    return tuple(part for part in parts if part is not None) or None


def _write_terms(parts: Sequence[IndexPart], columns: Columns, where: str) -> list[Data]:
    """Return the terms. Leave out ASC, the default, unless a term is an expression."""
    writes_asc = any(part.expression is not None for part in parts)
    return [_write_term(part, columns, where, writes_asc=writes_asc) for part in parts]


def _write_term(part: IndexPart, columns: Columns, where: str, *, writes_asc: bool) -> Data:
    fields = INDEX_TERM.write(part, columns, where)
    if part.ascending and writes_asc:
        fields["order"] = "asc"
    return part.column if fields.keys() == {"column"} else fields


_TERMS, _INDEX_TERMS = (s.list_of(s.any_of(s.NAME, s.ref(name)), at_least=1) for name in ("term", "index_term"))
TERMS = Kind(_TERMS, lambda value, columns: _read_terms(value, columns, TERM), _write_terms)
INDEX_TERMS = Kind(_INDEX_TERMS, lambda value, columns: _read_terms(value, columns, INDEX_TERM), _write_terms)
