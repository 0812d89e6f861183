"""Place cards in columns, and route the lines between them, with igraph.

A parent is left of its children, except in a cycle. igraph orders the cards of each column so that few lines cross, and
reserves a passage in each column that a line passes. igraph doesn't know the heights of cards, so :func:`_settle` keeps
igraph's order and moves the cards apart.
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

#: The space between cards in a column, and the height of a passage.
_CARD_SPACE, _PASSAGE_HEIGHT = 28.0, 10.0
#: The least and the most space between two columns, and the space that each line between them adds.
_LEAST_COLUMN_SPACE, _MOST_COLUMN_SPACE, _SPACE_PER_LINE = 68.0, 150.0, 5.0
#: The space between groups of tables that have no relation to each other.
_GROUP_SPACE = 64.0
#: The desired ratio of width to height: of the whole picture, and of a group before its passages make it higher.
_RATIO, _RATIO_OF_CARDS = 1.5, 2.3
#: How often :func:`_settle` moves the items of all columns.
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


class Passage(NamedTuple):
    """The horizontal part of a line, where it passes a column."""

    left: float
    right: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The boxes of cards, the passages of each link from left to right, and the total size."""

    boxes: Mapping[str, Box]
    passages: Mapping[Link, tuple[Passage, ...]]
    size: Size


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of a column: a card or a passage. Lines connect it with the items numbered ``neighbors``."""

    size: Size
    neighbors: list[int]
    is_passage: bool = False


def arrange(sizes: Mapping[str, Size], links: Iterable[Link]) -> Layout:
    """Return a layout of the cards in ``sizes``; links from a card to itself are ignored.

    Raises:
        UsageError: igraph is not installed.
    """
    graph = _graph(sizes, links)
    components = graph.connected_components(mode="weak")
    groups = [_layered(graph.induced_subgraph(sorted(component)), sizes) for component in components]
    offsets, whole = _packed([group.size for group in groups])
    boxes: dict[str, Box] = {}
    passages: dict[Link, tuple[Passage, ...]] = {}
    for group, (x, y) in zip(groups, offsets, strict=True):
        boxes |= {key: box._replace(x=box.x + x, y=box.y + y) for key, box in group.boxes.items()}
        for link, line in group.passages.items():
            passages[link] = tuple(Passage(one.left + x, one.right + x, one.y + y) for one in line)
    return Layout(boxes=boxes, passages=passages, size=whole)


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
    """Return the layout of a group of connected cards; its left and top are 0."""
    keys = graph.vs["name"]
    cards = [sizes[key] for key in keys]
    # Layers need a graph without cycles, so some edges are reversed.
    backward = set(graph.feedback_arc_set())
    edges = [edge.tuple[::-1] if edge.index in backward else edge.tuple for edge in graph.es]
    acyclic = type(graph)(n=len(cards), edges=edges, directed=True)
    layers = _layers(acyclic, [card.height for card in cards], _height_limit(cards))
    points = acyclic.layout_sugiyama(layers=layers, maxiter=200)
    items, passages = _items(cards, edges, points)
    places = [*points, *(bend for bends in points.edge_routing for bend in bends)]
    columns: list[list[int]] = [[] for _ in range(max(layers) + 1)]
    for number in sorted(range(len(items)), key=lambda number: (places[number][0], number)):
        columns[round(places[number][1])].append(number)
    tops = _settle(items, columns)
    spans = list(_spans(items, columns))
    span_of = {number: spans[index] for index, column in enumerate(columns) for number in column}
    return Layout(
        boxes={key: Box(span_of[n][0], tops[n], cards[n].width, cards[n].height) for n, key in enumerate(keys)},
        passages={
            (keys[edge.source], keys[edge.target]): tuple(
                Passage(*span_of[n], tops[n] + _PASSAGE_HEIGHT / 2) for n in numbers
            )
            for edge, numbers in zip(graph.es, passages, strict=True)
        },
        size=Size(
            width=spans[-1][1], height=max(top + item.size.height for top, item in zip(tops, items, strict=True))
        ),
    )


def _items(
    cards: Iterable[Size], edges: Iterable[tuple[int, int]], points: igraph.Layout
) -> tuple[list[_Item], list[Sequence[int]]]:
    """Return the items, cards first, and the numbers of the passages of each edge."""
    items = [_Item(size, []) for size in cards]
    passages: list[Sequence[int]] = []
    for (source, target), bends in zip(edges, points.edge_routing, strict=True):
        numbers = range(len(items), len(items) + len(bends))
        items += [_Item(Size(width=0, height=_PASSAGE_HEIGHT), [], is_passage=True) for _ in bends]
        for left, right in pairwise([source, *numbers, target]):
            items[left].neighbors.append(right)
            items[right].neighbors.append(left)
        passages.append(numbers)
    return items, passages


def _height_limit(cards: Sequence[Size]) -> float:
    """Return the height of a full column at which the group has about the desired ratio."""
    area = sum((card.width + _LEAST_COLUMN_SPACE * 1.6) * (card.height + _CARD_SPACE) for card in cards)
    return max(sqrt(area / _RATIO_OF_CARDS), *(card.height for card in cards))


def _layers(graph: igraph.Graph, heights: Sequence[float], height_limit: float) -> list[int]:
    """Return the layer of each card: the first that is right of its parents and has space left."""
    layers = [0] * len(heights)
    filled: dict[int, float] = {}
    for card in graph.topological_sorting():
        layer = max((layers[parent] + 1 for parent in graph.predecessors(card)), default=0)
        while filled.get(layer, 0) and filled[layer] + heights[card] > height_limit:
            layer += 1
        layers[card] = layer
        filled[layer] = filled.get(layer, 0) + heights[card] + _CARD_SPACE
    for card in reversed(graph.topological_sorting()):
        # A table without parents moves next to the leftmost of its children.
        latest = min((layers[child] for child in graph.successors(card)), default=0) - 1
        if latest > layers[card] and not graph.predecessors(card):
            layers[card] = latest
    used = sorted(set(layers))
    return [used.index(layer) for layer in layers]


def _settle(items: Sequence[_Item], columns: Sequence[Sequence[int]]) -> list[float]:
    """Return the top of each item, which is about level with its neighbors.

    The order of the items in a column stays. The highest item is at 0.
    """
    tops = [0.0] * len(items)
    for column in columns:
        top = 0.0
        for number in column:
            tops[number] = top
            top += items[number].size.height + _CARD_SPACE
        for number in column:
            tops[number] -= top / 2
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = [_wanted_top(items, tops, number) for number in column]
            gaps = [_gap(items[upper], items[lower]) for upper, lower in pairwise(column)]
            weights = [len(items[number].neighbors) + (4 if items[number].is_passage else 1) for number in column]
            for number, top in zip(column, _move_apart(wanted, gaps, weights), strict=True):
                tops[number] = top
    highest = min(tops)
    return [round(top - highest, 1) for top in tops]


def _wanted_top(items: Sequence[_Item], tops: Sequence[float], number: int) -> float:
    """Return the top at which the middle of an item is level with the mean middle of its neighbors."""
    item = items[number]
    if not item.neighbors:
        return tops[number]
    middles = [tops[other] + items[other].size.height / 2 for other in item.neighbors]
    return sum(middles) / len(middles) - item.size.height / 2


def _gap(upper: _Item, lower: _Item) -> float:
    """Return the least distance between the tops of two adjacent items of a column."""
    return upper.size.height + (2 if upper.is_passage and lower.is_passage else _CARD_SPACE)


def _move_apart(wanted: Sequence[float], gaps: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the positions closest to ``wanted`` with at least these ``gaps`` (isotonic regression)."""
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
    """Yield the left and the right of each column; leave more space between columns with more lines."""
    left = 0.0
    column_of = {number: index for index, column in enumerate(columns) for number in column}
    for index, column in enumerate(columns):
        right = left + max((items[number].size.width for number in column), default=0.0)
        yield left, right
        lines = sum(column_of[other] > index for number in column for other in items[number].neighbors)
        left = right + min(_LEAST_COLUMN_SPACE + lines * _SPACE_PER_LINE, _MOST_COLUMN_SPACE)


def _packed(sizes: Sequence[Size]) -> tuple[list[Point], Size]:
    """Return the positions of groups, in rows with the tallest first, and the total size."""
    area = sum((size.width + _GROUP_SPACE) * (size.height + _GROUP_SPACE) for size in sizes)
    width_limit = max([sqrt(area * _RATIO), *(size.width for size in sizes)], default=0.0)
    positions = [Point(0, 0)] * len(sizes)
    x = y = row_height = right = 0.0
    for number in sorted(range(len(sizes)), key=lambda number: (-sizes[number].height, number)):
        size = sizes[number]
        if x and (x + size.width > width_limit or (size.height < row_height / 3 and x > width_limit / 2)):
            x, y, row_height = 0.0, y + row_height + _GROUP_SPACE, 0.0
        positions[number] = Point(x, y)
        x += size.width + _GROUP_SPACE
        row_height = max(row_height, size.height)
        right = max(right, x - _GROUP_SPACE)
    return positions, Size(width=right, height=y + row_height)
