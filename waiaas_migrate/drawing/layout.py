"""Where cards are and how the lines between them run: Sugiyama's layered layout, by igraph.

Parents are left of their children. igraph orders the cards of each column with few crossings, and reserves a place in
every column that a line passes. It knows nothing of sizes: :func:`_settle` keeps its order, and moves cards of
different heights apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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

#: The keys of a parent and a child.
Link = tuple[str, str]


class Point(NamedTuple):
    """A place in the picture, in pixels from its left and top."""

    x: float
    y: float


class Box(NamedTuple):
    """The place and size of a card."""

    x: float
    y: float
    width: float
    height: float


class Pass(NamedTuple):
    """The place of a line in a column that it passes between two cards."""

    left: float
    right: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the cards are, and the places that the line of each link passes, from left to right."""

    boxes: Mapping[str, Box]
    passes: Mapping[Link, tuple[Pass, ...]]
    size: Size


@dataclass(frozen=True, slots=True)
class _Item:
    """What is in a column: a card, or the place of a line."""

    size: Size
    neighbors: list[int]
    is_line: bool = False


def arrange(sizes: Mapping[str, Size], links: Iterable[Link]) -> Layout:
    """Return the layout of cards of these ``sizes``; a link of a card to itself is ignored.

    Raises:
        UsageError: igraph is not installed.
    """
    graph = _graph(sizes, links)
    components = graph.connected_components(mode="weak")
    groups = [_layered(graph.induced_subgraph(sorted(component)), sizes) for component in components]
    offsets, whole = _packed([group.size for group in groups])
    boxes: dict[str, Box] = {}
    passes: dict[Link, tuple[Pass, ...]] = {}
    for group, (x, y) in zip(groups, offsets, strict=True):
        boxes |= {key: box._replace(x=box.x + x, y=box.y + y) for key, box in group.boxes.items()}
        for link, found in group.passes.items():
            passes[link] = tuple(Pass(p.left + x, p.right + x, p.y + y) for p in found)
    return Layout(boxes=boxes, passes=passes, size=whole)


def _graph(cards: Iterable[str], links: Iterable[Link]) -> igraph.Graph:
    try:
        import igraph
    except ImportError:
        raise UsageError(
            "A picture needs igraph for its layout. Install it with `pip install 'waiaas-migrate[diagram]'`, or choose "
            "another format: mermaid, dot or markdown."
        ) from None
    graph = igraph.Graph(directed=True)
    graph.add_vertices(list(cards))
    graph.add_edges(list(dict.fromkeys((parent, child) for parent, child in links if parent != child)))
    return graph


def _layered(graph: igraph.Graph, sizes: Mapping[str, Size]) -> Layout:
    """Return the layout of cards that are connected, from (0, 0)."""
    keys = graph.vs["name"]
    cards = [sizes[key] for key in keys]
    backward = set(graph.feedback_arc_set())
    edges = [edge.tuple[::-1] if edge.index in backward else edge.tuple for edge in graph.es]
    acyclic = type(graph)(n=len(cards), edges=edges, directed=True)
    layers = _layers(acyclic, [card.height for card in cards], _tallest(cards))
    points = acyclic.layout_sugiyama(layers=layers, maxiter=200)
    items, chains = _items(cards, edges, points)
    places = [*points, *(bend for bends in points.edge_routing for bend in bends)]
    columns: list[list[int]] = [[] for _ in range(max(layers) + 1)]
    for number in sorted(range(len(items)), key=lambda number: (places[number][0], number)):
        columns[round(places[number][1])].append(number)
    tops = _settle(items, columns)
    spans = list(_spans(items, columns))
    span_of = {number: spans[at] for at, column in enumerate(columns) for number in column}
    return Layout(
        boxes={key: Box(span_of[n][0], tops[n], cards[n].width, cards[n].height) for n, key in enumerate(keys)},
        passes={
            (keys[edge.source], keys[edge.target]): tuple(Pass(*span_of[n], tops[n] + _LANE / 2) for n in chain)
            for edge, chain in zip(graph.es, chains, strict=True)
        },
        size=Size(
            width=spans[-1][1], height=max(top + item.size.height for top, item in zip(tops, items, strict=True))
        ),
    )


def _items(
    cards: Iterable[Size], edges: Iterable[tuple[int, int]], points: igraph.Layout
) -> tuple[list[_Item], list[Sequence[int]]]:
    """Return the cards and the places of lines, and the places of each edge by their numbers."""
    items = [_Item(size, []) for size in cards]
    chains: list[Sequence[int]] = []
    for (source, target), bends in zip(edges, points.edge_routing, strict=True):
        chain = range(len(items), len(items) + len(bends))
        items += [_Item(Size(width=0, height=_LANE), [], is_line=True) for _ in bends]
        for left, right in pairwise([source, *chain, target]):
            items[left].neighbors.append(right)
            items[right].neighbors.append(left)
        chains.append(chain)
    return items, chains


def _tallest(cards: Sequence[Size]) -> float:
    """Return how tall a column may be, so that the group has about the desired ratio."""
    area = sum((card.width + _NARROW * 1.6) * (card.height + _BETWEEN) for card in cards)
    return max(sqrt(area / _RATIO_OF_CARDS), *(card.height for card in cards))


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
            top += items[number].size.height + _BETWEEN
        for number in column:
            tops[number] -= top / 2
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = [_wanted(items, tops, number) for number in column]
            gaps = [_gap(items[left], items[right]) for left, right in pairwise(column)]
            weights = [len(items[number].neighbors) + (4 if items[number].is_line else 1) for number in column]
            for number, top in zip(column, _apart(wanted, gaps, weights), strict=True):
                tops[number] = top
    least = min(tops)
    return [round(top - least, 1) for top in tops]


def _wanted(items: Sequence[_Item], tops: Sequence[float], number: int) -> float:
    """Return the top that puts the middle of an item level with those of its neighbors."""
    item = items[number]
    if not item.neighbors:
        return tops[number]
    middles = [tops[other] + items[other].size.height / 2 for other in item.neighbors]
    return sum(middles) / len(middles) - item.size.height / 2


def _gap(upper: _Item, lower: _Item) -> float:
    return upper.size.height + (2 if upper.is_line and lower.is_line else _BETWEEN)


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


def _spans(items: Sequence[_Item], columns: Sequence[Sequence[int]]) -> Iterator[tuple[float, float]]:
    """Yield where each column begins and ends; the more lines run between two, the wider apart they are."""
    left = 0.0
    column_of = {number: at for at, column in enumerate(columns) for number in column}
    for at, column in enumerate(columns):
        right = left + max((items[number].size.width for number in column), default=0.0)
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
