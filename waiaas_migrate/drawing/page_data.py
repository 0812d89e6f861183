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

    Each of ``cards`` has up to two entries: ``now``, with the card's box and face in the current schema, and ``past``,
    with its box in the history and its faces there, each with the moments that show it. ``lines`` are divided likewise.
    """
    moments = [moment.picture for moment in history.moments]
    now_layout, past_layout = layout_of([history.now]), layout_of(moments)
    keys = list(dict.fromkeys(key for picture in (*moments, history.now) for key in picture.cards))
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
        "cards": [_card(key, history.now, moments, now_layout, past_layout, faces) for key in keys],
        "lines": {
            "now": [_line(*line, numbers) for line in lines(history.now, now_layout)],
            "past": [
                {"during": span, **_line(*line, numbers)}
                for span, line in _spans(lines(picture, past_layout) for picture in moments)
            ],
        },
        "faces": [_face(card) for card in faces],
    }


def as_json(data: dict[str, Any]) -> str:
    """Return ``data`` as JSON for a ``<script>`` element, which no text in the data can end."""
    escapes = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&"})
    return json.dumps(data, separators=(",", ":")).translate(escapes)


def _card(
    key: str,
    now: Picture,
    moments: list[Picture],
    now_layout: Layout,
    past_layout: Layout,
    faces: dict[Card, int],
) -> dict[str, Any]:
    """Return the data of the card ``key``; add its faces to ``faces``, which maps each face to its index."""

    def index_of(card: Card) -> int:
        return faces.setdefault(card, len(faces))

    data: dict[str, Any] = {}
    if key in now.cards:
        data["now"] = {"box": now_layout.boxes[key], "face": index_of(now.cards[key])}
    if key in past_layout.boxes:
        shown = ([picture.cards[key]] if key in picture.cards else [] for picture in moments)
        spans = [{"during": span, "face": index_of(card)} for span, card in _spans(shown)]
        data["past"] = {"box": past_layout.boxes[key], "faces": spans}
    return data


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
    """Return the fields of ``card`` that are not empty; ``hidden`` rows are those that the card has no space for."""
    shown = shown_rows(card)
    rows = [{**_filled_fields(row), **({} if row in shown else {"hidden": True})} for row in card.rows]
    return {**_filled_fields(card), "rows": rows}


def _filled_fields(item: Card | Row) -> dict[str, Any]:
    return {name: _printable(value) for name in item.__slots__ if (value := getattr(item, name))}


def _printable(value: object) -> object:
    if isinstance(value, tuple):
        return [_printable(part) for part in value]
    return printable(value) if isinstance(value, str) else value
