"""The data of the page: the cards and lines at each moment, each written once."""

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
#: A span of moments: the first and the last.
Span = tuple[int, int]


def page_data(history: History, *, title: str) -> dict[str, Any]:
    """Return what the page's script needs, as values that JSON can hold.

    ``cards`` have a face and a box ``now``, and for the past a box and the faces, each with the span of moments in
    which it shows. ``lines`` are the same for relations. Faces are numbers in ``faces``.
    """
    moments = [moment.picture for moment in history.moments]
    now, past = layout_of([history.now]), layout_of(moments)
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
        "cards": [_card(key, history.now, moments, now, past, faces) for key in keys],
        "lines": {
            "now": [_line(*line, numbers) for line in lines(history.now, now)],
            "past": [
                {"during": span, **_line(*line, numbers)}
                for span, line in _spans(lines(picture, past) for picture in moments)
            ],
        },
        "faces": [_face(card) for card in faces],
    }


def as_json(data: dict[str, Any]) -> str:
    """Return ``data`` as JSON that can stand in a ``<script>``: nothing in it ends or begins one."""
    escapes = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&"})
    return json.dumps(data, separators=(",", ":")).translate(escapes)


def _card(
    key: str, now: Picture, moments: list[Picture], at: Layout, past: Layout, faces: dict[Card, int]
) -> dict[str, Any]:
    def number(card: Card) -> int:
        return faces.setdefault(card, len(faces))

    shown = [[picture.cards[key]] if key in picture.cards else [] for picture in moments]
    found: dict[str, Any] = {}
    if key in now.cards:
        found["now"] = {"box": at.boxes[key], "face": number(now.cards[key])}
    if key in past.boxes:
        spans = [{"during": span, "face": number(card)} for span, card in _spans(shown)]
        found["past"] = {"box": past.boxes[key], "faces": spans}
    return found


def _spans(shown: Iterable[Iterable[ValueT]]) -> Iterator[tuple[Span, ValueT]]:
    """Yield each value with each span of moments in which it is ``shown``, the earliest first."""
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
    """Return ``card`` without what is empty; ``hidden`` are the rows that the card itself has no room for."""
    found = {name: _plain(getattr(card, name)) for name in Card.__slots__ if name != "rows"}
    shown = shown_rows(card)
    rows = [{name: _plain(getattr(row, name)) for name in Row.__slots__} for row in card.rows]
    hidden = [{"hidden": row not in shown} for row in card.rows]
    return {**_full(found), "rows": [_full({**row, **more}) for row, more in zip(rows, hidden, strict=True)]}


def _full(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return printable(value) if isinstance(value, str) else value
