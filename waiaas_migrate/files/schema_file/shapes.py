"""JSON Schemas of values in schema.yaml (https://json-schema.org/draft-07).

The reader is stricter: JSON Schema can't check SQL, or keys that depend on each other. tests/files/test_json_schema.py
lists the differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from keyword import kwlist
from typing import Any, TypeAlias

Shape: TypeAlias = Mapping[str, Any]

_NAME = r"(?=.*\S)[^\x00-\x1f\x7f-\x9f]+$"
_STORABLE = r"[^\x00\r]*$"
#: Patterns for names that SQLite, yoyo and this package use for tables of their own.
RESERVED = ("sqlite_", "_yoyo_", "yoyo_lock$", "yoyo_tmp_", "_waiaas_")


def any_case(words: str) -> str:
    """Return a pattern for ``words`` in any case, separated by spaces or underscores."""
    letters = (f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in words)
    return "".join(letters).replace(" ", r"[\s_]+")


FLAG: Shape = {"type": "boolean"}
TEXT: Shape = {"type": "string", "pattern": r"^(?=[\s\S]*\S)[^\x00]*$"}
OPTIONAL_TEXT: Shape = {**TEXT, "type": ["string", "null"]}
NAME: Shape = {"type": "string", "pattern": f"^{_NAME}"}
#: A name in Python that isn't a keyword.
CLASS_NAME: Shape = {"type": "string", "pattern": f"^(?!(?:{'|'.join(kwlist)})$)[A-Za-z_][A-Za-z0-9_]*$"}
OBJECT_NAME: Shape = {"type": "string", "pattern": f"^(?!{'|'.join(any_case(text) for text in RESERVED)}){_NAME}"}
STATEMENT: Shape = {"type": "string", "pattern": rf"^(?=[\s\S]*\S){_STORABLE}"}
#: An SQL expression. YAML reads some expressions as numbers, booleans or null.
SQL: Shape = {**STATEMENT, "type": ["string", "number", "boolean", "null"]}
LITERAL: Shape = {"type": ["string", "number", "boolean", "null"], "pattern": f"^{_STORABLE}"}
ENUM_VALUE: Shape = {"type": ["string", "integer"], "pattern": f"^{_STORABLE}"}
ENUM_KEY: Shape = {"pattern": f"^{_STORABLE}"}


def word(words: Iterable[str]) -> Shape:
    """Return the shape of any of ``words``, in any case. Editors suggest the words."""
    known = list(words)
    pattern = "|".join(any_case(text) for text in known)
    return any_of({"enum": known}, {"type": "string", "pattern": rf"^\s*({pattern})\s*$"})


def suggested(words: Iterable[str], other: Shape) -> Shape:
    """Return the shape ``other``, with ``words`` that editors suggest."""
    return any_of({"enum": list(words)}, other)


def any_of(*shapes: Shape) -> Shape:
    """Return the shape of a value with any of ``shapes``."""
    return {"anyOf": list(shapes)}


def ref(name: str) -> Shape:
    """Return a reference to the shape called ``name`` in ``DEFINITIONS``."""
    return {"$ref": f"#/definitions/{name}"}


def list_of(item: Shape, *, at_least: int = 0) -> Shape:
    """Return the shape of a list; null is an empty list unless items are required."""
    if at_least:
        return {"type": "array", "items": item, "minItems": at_least}
    return {"type": ["array", "null"], "items": item}


def by_name(value: Shape, *, names: Shape, at_least: int = 0) -> Shape:
    """Return the shape of a mapping; null is an empty one unless entries are required."""
    entries: Shape = {"additionalProperties": value, "propertyNames": names}
    if at_least:
        return {"type": "object", "minProperties": at_least, **entries}
    return {"type": ["object", "null"], **entries}
