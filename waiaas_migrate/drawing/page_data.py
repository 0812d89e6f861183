"""Collect the data for the page's script: the cards and lines at each moment.

Most cards have the same content at many moments. So the data lists each content of a card, called a face, only once,
and cards refer to a face by its index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from waiaas_migrate.drawing.cards import Card, Picture, Relation, Row
from waiaas_migrate.drawing.history import History
from waiaas_migrate.drawing.layout import Layout
from waiaas_migrate.drawing.plain_text import printable
from waiaas_migrate.drawing.scene import layout_of, lines
from waiaas_migrate.drawing.sizes import shown_rows

ValueT = TypeVar("ValueT")
#: The first and the last of several moments in a row.
Span = tuple[int, int]


def page_data(history: History, *, title: str) -> dict[str, Any]:
    """Return the data for the page's script, as values that JSON can hold.

    The page shows two series of moments: ``past`` has the schema after each migration, ``now`` the current schema. In
    each series, a card has a box and faces. Faces and lines have the span of moments that show them.
    """
    series = {"past": [moment.picture for moment in history.moments], "now": [history.now]}
    layouts = {name: layout_of(pictures) for name, pictures in series.items()}
    keys = list(dict.fromkeys(key for pictures in series.values() for picture in pictures for key in picture.cards))
    numbers = {key: number for number, key in enumerate(keys)}
    faces: dict[Card, int] = {}
    return {
        "title": title,
        "steps": [
            {
                "name": moment.name,
                "changes": [{"words": n.words, "card": numbers[n.card], "mark": n.mark} for n in moment.notes],
            }
            for moment in history.moments
        ],
        "cards": [
            {
                name: _card(key, pictures, layouts[name], faces)
                for name, pictures in series.items()
                if key in layouts[name].boxes
            }
            for key in keys
        ],
        "lines": {
            name: [
                {"during": span, **_line(*line, numbers)}
                for span, line in _spans(lines(picture, layouts[name]) for picture in pictures)
            ]
            for name, pictures in series.items()
        },
        "faces": [_face(card) for card in faces],
    }


def as_json(data: dict[str, Any]) -> str:
    """Return ``data`` as JSON for a ``<script>`` element, which no text in the data can end."""
    escapes = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&"})
    return json.dumps(data, separators=(",", ":")).translate(escapes)


def _card(key: str, pictures: Iterable[Picture], layout: Layout, faces: dict[Card, int]) -> dict[str, Any]:
    """Return the box of a card and its faces in ``pictures``; number new ones in ``faces``."""
    shown = ([picture.cards[key]] if key in picture.cards else [] for picture in pictures)
    spans = [{"during": span, "face": faces.setdefault(card, len(faces))} for span, card in _spans(shown)]
    return {"box": layout.boxes[key], "faces": spans}


def _spans(shown: Iterable[Iterable[ValueT]]) -> Iterator[tuple[Span, ValueT]]:
    """Yield each value with each span of moments that show it, the earliest span first.

    ``shown`` has the values of each moment.
    """
    spans: list[tuple[list[int], ValueT]] = []
    current: dict[ValueT, list[int]] = {}
    for moment, values in enumerate(shown):
        last, current = current, {}
        for value in values:
            span = last.get(value) or [moment, moment]
            if value not in last:
                spans.append((span, value))
            span[1] = moment
            current[value] = span
    yield from (((first, until), value) for (first, until), value in spans)


def _line(relation: Relation, path: str, numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "child": numbers[relation.child],
        "parent": numbers[relation.parent],
        "columns": relation.columns,
        "words": printable(relation.words),
        "path": path,
        **({"mark": relation.mark} if relation.mark else {}),
    }


def _face(card: Card) -> dict[str, Any]:
    """Return the fields of ``card`` that aren't empty; ``hidden`` rows don't fit on the card."""
    shown = shown_rows(card)
    rows = [{**_filled_fields(row), **({} if row in shown else {"hidden": True})} for row in card.rows]
    return {**_filled_fields(card), "rows": rows}


def _filled_fields(item: Card | Row) -> dict[str, Any]:
    return {name: _printable(value) for name in item.__slots__ if (value := getattr(item, name))}


def _printable(value: object) -> object:
    if isinstance(value, tuple):
        return [_printable(part) for part in value]
    return printable(value) if isinstance(value, str) else value
