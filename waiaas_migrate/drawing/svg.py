"""Write a picture as SVG, in light or dark colors as the reader's system prefers."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from waiaas_migrate.drawing.cards import Card, Picture, Row
from waiaas_migrate.drawing.layout import Box
from waiaas_migrate.drawing.plain_text import printable
from waiaas_migrate.drawing.scene import layout_of, lines
from waiaas_migrate.drawing.sizes import HEAD, LINE, MARKS, PADDING, ROW, head_height, row_height, shortened, shown_rows

_STYLE = Path(__file__).with_name("page") / "picture.css"
_MARGIN = 32


def svg(picture: Picture, *, title: str) -> str:
    """Return ``picture`` as an SVG document.

    Raises:
        UsageError: igraph is not installed.
    """
    layout = layout_of([picture])
    width, height = round(layout.size.width + 2 * _MARGIN), round(layout.size.height + 2 * _MARGIN)
    size = f'width="{width}" height="{height}"'
    view = f'viewBox="{-_MARGIN} {-_MARGIN} {width} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img">',
            "<!-- Written by waiaas-migrate diagram. -->",
            f"<title>{_escaped(title)}</title>",
            f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style>",
            f'<rect class="paper" x="{-_MARGIN}" y="{-_MARGIN}" {size}/>',
            *(
                f'<path class="line" d="{path}"><title>{_escaped(relation.words)}</title></path>'
                for relation, path in lines(picture, layout)
            ),
            *(part for key, card in picture.cards.items() for part in _card(card, layout.boxes[key])),
            "</svg>\n",
        ]
    )


def _card(card: Card, box: Box) -> Iterator[str]:
    inner = box.width - 2 * PADDING
    yield f'<g transform="translate({box.x:g} {box.y:g})">'
    yield f'<rect class="card" width="{box.width:g}" height="{box.height:g}" rx="8"/>'
    yield _text_element("name", PADDING, 24, shortened(card.name, inner * 0.9))
    if card.comment or card.kind != "table":
        yield _text_element("small", PADDING, HEAD + 3, shortened(card.comment or card.kind, inner, small=True))
    top = float(head_height(card))
    if card.rows:
        yield f'<path class="rule" d="M0 {top:g}H{box.width:g}"/>'
    shown = shown_rows(card)
    for row in shown:
        yield from _row(row, top, box.width)
        top += row_height(row)
    if len(shown) < len(card.rows):
        yield _text_element("small", PADDING + MARKS, top + ROW / 2 + 4, f"{len(card.rows) - len(shown)} more")
    yield "</g>"


def _row(row: Row, top: float, width: float) -> Iterator[str]:
    middle = top + ROW / 2 + 4
    inner = width - 2 * PADDING - MARKS
    type_text = shortened(row.type, inner * 0.45, small=True) + ("?" if row.nullable else "")
    mark = "PK" if row.primary else "FK" if row.foreign else "U" if row.unique else ""
    if mark:
        yield _text_element(f"mark {mark.lower()}", PADDING, middle - 0.5, mark)
    yield _text_element("column", PADDING + MARKS, middle, shortened(row.name, inner - len(type_text) * 6.6))
    if type_text:
        yield _text_element("type", width - PADDING, middle, type_text)
    below = top + ROW + LINE / 2 + 1
    if row.values:
        yield _text_element("values", PADDING + MARKS, below, shortened(" · ".join(row.values), inner, small=True))
        below += LINE
    if row.comment:
        yield _text_element("small comment", PADDING + MARKS, below, shortened(row.comment, inner, small=True))


def _text_element(css_class: str, x: float, y: float, text: str) -> str:
    return f'<text class="{css_class}" x="{x:g}" y="{y:g}">{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    return escape(printable(text))
