"""Write a picture as a diagram in Mermaid, which GitHub renders (https://mermaid.js.org/syntax/entityRelationshipDiagram.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waiaas_migrate.drawing.cards import Card, Picture, Relation, Row
from waiaas_migrate.drawing.plain_text import on_one_line

#: Characters to replace in the names and types of attributes. Only some versions of Mermaid allow them.
_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")
#: Mermaid's marks for keys. No attribute may have one of them as its name.
_KEYS = ("PK", "FK", "UK")
_ENTITIES = str.maketrans({"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;"})


def mermaid(picture: Picture) -> str:
    """Return ``picture`` as an ``erDiagram``; views and virtual tables have no columns."""
    ids = {key: f"t{number}" for number, key in enumerate(picture.cards, 1)}
    lines = ["%% Written by waiaas-migrate diagram.", "erDiagram"]
    for key, card in picture.cards.items():
        lines += _entity(ids[key], card)
    lines += [_relation(relation, ids) for relation in picture.relations]
    return "\n".join(lines) + "\n"


def _entity(name: str, card: Card) -> Iterator[str]:
    label = _label(card.name)
    if not card.rows:
        yield f'    {name}["{label}"]'
        return
    yield f'    {name}["{label}"] {{'
    yield from (f"        {_attribute(row)}" for row in card.rows)
    yield "    }"


def _attribute(row: Row) -> str:
    name, kind = _word(row.name), _word(row.type or "any")
    keys = [key for key, is_set in zip(_KEYS, (row.primary, row.foreign, row.unique), strict=True) if is_set]
    notes = [
        "" if name == row.name else row.name,
        "nullable" if row.nullable else "",
        ", ".join(row.values),
        row.comment,
    ]
    comment = "; ".join(_label(note) for note in notes if note)
    return " ".join(filter(None, [kind, name, ", ".join(keys), f'"{comment}"' if comment else ""]))


def _relation(relation: Relation, ids: dict[str, str]) -> str:
    one = "|o" if relation.optional else "||"
    many = "o|" if relation.single else "o{"
    label = _label(", ".join(relation.columns))
    return f'    {ids[relation.parent]} {one}--{many} {ids[relation.child]} : "{label}"'


def _word(text: str) -> str:
    """Return ``text`` as one word that begins with a letter."""
    word = _UNSAFE.sub("_", text).strip("_") or "column"
    return word if word[0].isalpha() and word.upper() not in _KEYS else f"c_{word}"


def _label(text: str) -> str:
    """Return ``text`` for use in double quotes, with entities such as ``#quot;``."""
    return on_one_line(text).translate(_ENTITIES)
