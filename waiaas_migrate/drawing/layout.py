"""Where cards are and how the lines between them run: Sugiyama's layered layout, by igraph.

Parents are left of their children. igraph orders the cards of each column with few crossings, and reserves a place in
every column that a line passes. It knows nothing of sizes: :func:`_settle` keeps its order, and moves cards of
different heights apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from waiaas_migrate.drawing.sizes import Size
from waiaas_migrate.errors import UsageError

if TYPE_CHECKING:
    import igraph

#: The room between cards in a column, and the height of a line's place in one.
_BETWEEN, _LANE = 28.0, 10.0
#: The least and the most room between two columns, and what each line between them adds.
_NARROW, _WIDE, _PER_LINE = 68.0, 150.0, 5.0
#: The room between groups of tables that have no relation to each other.
_GROUPS = 64.0
#: The desired ratio of width to height: of the whole, and of the cards of a group, whose lines add to the height.
_RATIO, _RATIO_OF_CARDS = 1.5, 2.3
_SWEEPS = 12


class Point(NamedTuple):
    """A place in the picture, in pixels from its left and top."""

    x: float
    y: float


class Pass(NamedTuple):
    """The place of a line in a column that it passes between two cards."""

    left: float
    right: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each card's top left corner is, and the places that the line of each link passes, from left to right."""

    corners: tuple[Point, ...]
    passes: Mapping[tuple[int, int], tuple[Pass, ...]]
    size: Size


@dataclass(frozen=True, slots=True)
class _Item:
    """What is in a column: a card, or the place of a line."""

    card: int | None
    height: float
    neighbors: list[int]


def arrange(sizes: Sequence[Size], links: Sequence[tuple[int, int]]) -> Layout:
    """Return the layout of cards of these ``sizes``.

    Args:
        sizes: those of the cards.
        links: pairs of a parent and a child, by their numbers; a pair of the same card is ignored.

    Raises:
        UsageError: igraph is not installed.
    """
    graph = _graph(len(sizes), links)
    groups = [_layered(graph, sorted(group), sizes) for group in graph.connected_components(mode="weak")]
    corners: dict[int, Point] = {}
    passes: dict[tuple[int, int], tuple[Pass, ...]] = {}
    offsets, whole = _packed([group.size for group in groups])
    for group, offset in zip(groups, offsets, strict=True):
        for card, place in group.corners.items():
            corners[card] = Point(place.x + offset.x, place.y + offset.y)
        for link, found in group.passes.items():
            passes[link] = tuple(Pass(p.left + offset.x, p.right + offset.x, p.y + offset.y) for p in found)
    return Layout(corners=tuple(corners[card] for card in range(len(sizes))), passes=passes, size=whole)


def _graph(cards: int, links: Sequence[tuple[int, int]]) -> igraph.Graph:
    try:
        import igraph
    except ImportError:
        raise UsageError(
            "A picture needs igraph for its layout. Install it with `pip install 'waiaas-migrate[diagram]'`, or choose "
            "another format: mermaid, dot or markdown."
        ) from None
    unique = dict.fromkeys((parent, child) for parent, child in links if parent != child)
    return igraph.Graph(n=cards, edges=list(unique), directed=True, vertex_attrs={"card": list(range(cards))})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The layout of cards that are connected, from (0, 0)."""

    corners: dict[int, Point]
    passes: dict[tuple[int, int], tuple[Pass, ...]]
    size: Size


def _layered(whole: igraph.Graph, cards: Sequence[int], sizes: Sequence[Size]) -> _Group:
    graph = whole.induced_subgraph(cards)
    links = [(cards[edge.source], cards[edge.target]) for edge in graph.es]
    backward = set(graph.feedback_arc_set())
    edges = [edge.tuple[::-1] if edge.index in backward else edge.tuple for edge in graph.es]
    acyclic = type(graph)(n=len(cards), edges=edges, directed=True)
    layers = _layers(acyclic, [sizes[card].height for card in cards], _tallest(cards, sizes))
    points = acyclic.layout_sugiyama(layers=layers, maxiter=200)
    items, places, chains = _items(cards, sizes, edges, points)
    columns: list[list[int]] = [[] for _ in range(max(layers) + 1)]
    for number in sorted(range(len(items)), key=lambda number: (places[number][0], number)):
        columns[round(places[number][1])].append(number)
    tops = _settle(items, columns)
    spans = list(_spans(items, columns, sizes))
    span_of = {number: spans[at] for at, column in enumerate(columns) for number in column}
    return _Group(
        corners={card: Point(span_of[number][0], tops[number]) for number, card in enumerate(cards)},
        passes={
            link: tuple(Pass(*span_of[number], tops[number] + _LANE / 2) for number in chain)
            for link, chain in zip(links, chains, strict=True)
        },
        size=Size(width=spans[-1][1], height=max(top + item.height for top, item in zip(tops, items, strict=True))),
    )


def _items(
    cards: Sequence[int], sizes: Sequence[Size], edges: Sequence[tuple[int, int]], points: igraph.Layout
) -> tuple[list[_Item], list[Sequence[float]], list[list[int]]]:
    """Return the cards and the places of lines, igraph's coordinates of each, and the places of each edge."""
    items = [_Item(card, sizes[card].height, []) for card in cards]
    places = list(points)
    chains: list[list[int]] = []
    for (source, target), bends in zip(edges, points.edge_routing, strict=True):
        chain = list(range(len(items), len(items) + len(bends)))
        items += [_Item(None, _LANE, []) for _ in bends]
        places += bends
        for left, right in pairwise([source, *chain, target]):
            items[left].neighbors.append(right)
            items[right].neighbors.append(left)
        chains.append(chain)
    return items, places, chains


def _tallest(cards: Sequence[int], sizes: Sequence[Size]) -> float:
    """Return how tall a column may be, so that the group has about the desired ratio."""
    area = sum((sizes[card].width + _NARROW * 1.6) * (sizes[card].height + _BETWEEN) for card in cards)
    return max(sqrt(area / _RATIO_OF_CARDS), *(sizes[card].height for card in cards))


def _layers(graph: igraph.Graph, heights: Sequence[float], tallest: float) -> list[int]:
    """Return the layer of each card: after those of its parents, in the first that has room for it."""
    layers = [0] * len(heights)
    filled: dict[int, float] = {}
    for card in graph.topological_sorting():
        layer = max((layers[parent] + 1 for parent in graph.predecessors(card)), default=0)
        while filled.get(layer, 0) and filled[layer] + heights[card] > tallest:
            layer += 1
        layers[card] = layer
        filled[layer] = filled.get(layer, 0) + heights[card] + _BETWEEN
    for card in reversed(graph.topological_sorting()):
        # A table that is only referred to is next to the first table that does.
        children = graph.successors(card)
        latest = min((layers[child] for child in children), default=0) - 1
        if latest > layers[card] and not graph.predecessors(card):
            layers[card] = latest
    first = sorted(set(layers))
    return [first.index(layer) for layer in layers]


def _settle(items: Sequence[_Item], columns: Sequence[Sequence[int]]) -> list[float]:
    """Return the top of each item, from 0, near the items that it is connected with; the order in each column stays."""
    tops = [0.0] * len(items)
    for column in columns:
        top = 0.0
        for number in column:
            tops[number] = top
            top += items[number].height + _BETWEEN
        for number in column:
            tops[number] -= top / 2
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = [_wanted(items, tops, number) for number in column]
            gaps = [_gap(items[left], items[right]) for left, right in pairwise(column)]
            weights = [len(items[number].neighbors) + (4 if items[number].card is None else 1) for number in column]
            for number, top in zip(column, _apart(wanted, gaps, weights), strict=True):
                tops[number] = top
    least = min(tops)
    return [round(top - least, 1) for top in tops]


def _wanted(items: Sequence[_Item], tops: Sequence[float], number: int) -> float:
    """Return the top at which the middle of an item is level with the middle of its neighbors."""
    item = items[number]
    if not item.neighbors:
        return tops[number]
    middles = [tops[other] + items[other].height / 2 for other in item.neighbors]
    return sum(middles) / len(middles) - item.height / 2


def _gap(upper: _Item, lower: _Item) -> float:
    lines = upper.card is None and lower.card is None
    return upper.height + (2 if lines else _BETWEEN)


def _apart(wanted: Sequence[float], gaps: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the positions nearest to ``wanted`` that are at least ``gaps`` apart (isotonic regression)."""
    offset, blocks = 0.0, list[list[float]]()
    offsets = []
    for want, gap, weight in zip(wanted, [*gaps, 0.0], weights, strict=True):
        offsets.append(offset)
        blocks.append([(want - offset) * weight, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
        offset += gap
    levels = [total / weight for total, weight, count in blocks for _ in range(int(count))]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]


def _spans(
    items: Sequence[_Item], columns: Sequence[Sequence[int]], sizes: Sequence[Size]
) -> Iterator[tuple[float, float]]:
    """Yield where each column begins and ends; the more lines run between two, the wider apart they are."""
    left = 0.0
    column_of = {number: at for at, column in enumerate(columns) for number in column}
    for at, column in enumerate(columns):
        cards = [item.card for item in (items[number] for number in column) if item.card is not None]
        right = left + max((sizes[card].width for card in cards), default=0.0)
        yield left, right
        lines = sum(column_of[other] > at for number in column for other in items[number].neighbors)
        left = right + min(_NARROW + lines * _PER_LINE, _WIDE)


def _packed(sizes: Sequence[Size]) -> tuple[list[Point], Size]:
    """Return where groups go: in rows, the tallest first, in about the desired ratio."""
    area = sum((size.width + _GROUPS) * (size.height + _GROUPS) for size in sizes)
    widest = max([sqrt(area * _RATIO), *(size.width for size in sizes)], default=0.0)
    places = [Point(0, 0)] * len(sizes)
    x = y = row = right = 0.0
    for number in sorted(range(len(sizes)), key=lambda number: (-sizes[number].height, number)):
        size = sizes[number]
        if x and (x + size.width > widest or (size.height < row / 3 and x > widest / 2)):
            x, y, row = 0.0, y + row + _GROUPS, 0.0
        places[number] = Point(x, y)
        x += size.width + _GROUPS
        row = max(row, size.height)
        right = max(right, x - _GROUPS)
    return places, Size(width=right, height=y + row)
