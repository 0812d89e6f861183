"""Compute the sizes of cards and the positions of their rows, in pixels."""

from __future__ import annotations

from dataclasses import dataclass

from waiaas_migrate.drawing.cards import Card, Row
from waiaas_migrate.schema.names import fold

#: The height of a card's head, of a row, and of a line of small text in either of them.
HEAD, ROW, LINE = 38, 26, 16
#: The space below the last row.
FOOT = 6
#: The space left and right of the text, and the width of the marks (PK, FK, U) before a column's name.
PADDING, MARKS = 12, 22
NARROWEST, WIDEST = 180, 330
#: A comment makes a card at most this wide.
_WIDEST_FOR_COMMENT = 250
#: A card with more rows than this shows some of them, and the number of the others.
MOST_ROWS = 40
#: The mean width of a character: in a column's name, in its type, in small text, and in the name of a card.
_NAME, _TYPE, _SMALL, _TITLE = 7.3, 6.6, 6.0, 8.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The width and height of a card, or of several together."""

    width: float
    height: float


def size_of(card: Card) -> Size:
    """Return the size of ``card``, which is as wide as its names and types need, within limits."""
    comment = min(len(card.comment or "") * _SMALL + 2 * PADDING, _WIDEST_FOR_COMMENT)
    widths = [len(card.name) * _TITLE + 2 * PADDING, comment, *(_width(row) for row in card.rows)]
    shown = shown_rows(card)
    below_head = sum(map(row_height, shown)) + (FOOT if shown else 0) + ROW * (len(shown) < len(card.rows))
    return Size(width=round(min(max(NARROWEST, *widths), WIDEST)), height=head_height(card) + below_head)


def _width(row: Row) -> float:
    return MARKS + len(row.name) * _NAME + 16 + (len(row.type) + row.nullable) * _TYPE + 2 * PADDING


def shown_rows(card: Card) -> tuple[Row, ...]:
    """Return the rows to show: all, or else keys, marked rows and the first of the others."""
    if len(card.rows) <= MOST_ROWS:
        return card.rows
    chosen = {row.name for row in card.rows if row.primary or row.foreign or row.mark}
    others = [row.name for row in card.rows if row.name not in chosen]
    chosen.update(others[: max(0, MOST_ROWS - len(chosen))])
    return tuple(row for row in card.rows if row.name in chosen)


def head_height(card: Card) -> int:
    """Return the height of the head: the name, and a line for a comment or for the kind of a view."""
    return HEAD + (LINE if card.comment or card.kind != "table" else 0)


def row_height(row: Row) -> int:
    """Return the height of a row: the column, and a line each for its values and its comment."""
    return ROW + LINE * (bool(row.values) + bool(row.comment))


def row_middle(card: Card, column: str) -> float:
    """Return the distance from the card's top to the middle of the row ``column`` or, if it is hidden, of the name."""
    top = head_height(card)
    for row in shown_rows(card):
        if fold(row.name) == column:
            return top + ROW / 2
        top += row_height(row)
    return HEAD / 2


def shortened(text: str, width: float, *, small: bool = False) -> str:
    """Return ``text`` on one line, cut with an ellipsis if it is wider than ``width``."""
    text = " ".join(text.split())
    limit = max(1, int(width / (_SMALL if small else _NAME)))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
