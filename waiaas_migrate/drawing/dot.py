"""Write a picture as a graph for Graphviz (https://graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from waiaas_migrate.drawing.cards import Card, Picture, Relation
from waiaas_migrate.drawing.plain_text import on_one_line
from waiaas_migrate.schema.names import fold

_HEAD = """\
// Written by waiaas-migrate diagram.
digraph {
    graph [rankdir=LR, ranksep=1.2, nodesep=0.35, fontname="Helvetica"]
    node [shape=plain, fontname="Helvetica", fontsize=11]
    edge [color="#8a8f99", arrowsize=0.8, dir=both]"""


def dot(picture: Picture) -> str:
    """Return ``picture`` as a graph in which lines connect columns."""
    ids = {key: f"t{number}" for number, key in enumerate(picture.cards, 1)}
    tables = [f"    {ids[key]} [label=<{''.join(_table(card))}>]" for key, card in picture.cards.items()]
    edges = [_edge(relation, ids, picture) for relation in picture.relations]
    return "\n".join([_HEAD, *tables, *edges, "}\n"])


def _table(card: Card) -> Iterator[str]:
    yield '<table border="0" cellborder="1" cellspacing="0" cellpadding="5" color="#c4c7cc">'
    kind = "" if card.kind == "table" else f" <i>({card.kind})</i>"
    yield f'<tr><td colspan="2" bgcolor="#eef0f3"><b>{_text(card.name)}</b>{kind}</td></tr>'
    for number, row in enumerate(card.rows):
        name = f"<u>{_text(row.name)}</u>" if row.primary else _text(row.name)
        type_text = _text(row.type + ("?" if row.nullable else "")) or " "
        yield f'<tr><td align="left" port="l{number}">{name}</td>'
        yield f'<td align="left" port="r{number}"><font color="#6b7079">{type_text}</font></td></tr>'
    yield "</table>"


def _edge(relation: Relation, ids: dict[str, str], picture: Picture) -> str:
    child, parent = picture.cards[relation.child], picture.cards[relation.parent]
    many = "teetee" if relation.single else "crow"
    one = "teeodot" if relation.optional else "teetee"
    start = f"{ids[relation.parent]}:{_port('r', parent, next(iter(relation.targets), ''))}"
    end = f"{ids[relation.child]}:{_port('l', child, relation.columns[0])}"
    return f"    {start} -> {end} [arrowtail={one}, arrowhead={many}]"


def _port(side: str, card: Card, column: str) -> str:
    numbers = [number for number, row in enumerate(card.rows) if fold(row.name) == column]
    return f"{side}{numbers[0] if numbers else 0}:{'e' if side == 'r' else 'w'}"


def _text(text: str) -> str:
    return escape(on_one_line(text))
