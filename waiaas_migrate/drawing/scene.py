"""A picture with its layout: where cards are, and the path of each relation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from waiaas_migrate.drawing import routes
from waiaas_migrate.drawing.cards import Card, Picture, Relation
from waiaas_migrate.drawing.layout import Layout, Pass, Point, arrange
from waiaas_migrate.drawing.sizes import Size, row_middle, size_of

#: The keys of cards: their folded names, or numbers in a history.
Link = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The place and size of a card."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A relation as drawn: one SVG path with the signs at its ends."""

    relation: Relation
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where the cards of one or more pictures are."""

    boxes: dict[str, Box]
    passes: Mapping[Link, tuple[Pass, ...]]
    size: Size

    def lines(self, picture: Picture) -> tuple[Line, ...]:
        """Return the relations of ``picture`` as drawn between its cards."""
        return tuple(
            Line(relation=relation, path=self._path(relation, picture.cards)) for relation in picture.relations
        )

    def _path(self, relation: Relation, cards: Mapping[str, Card]) -> str:
        child, parent = self.boxes[relation.child], self.boxes[relation.parent]
        below_child = child.y + row_middle(cards[relation.child], relation.columns[0])
        below_parent = parent.y + row_middle(cards[relation.parent], next(iter(relation.targets), ""))
        side = -1 if parent.x < child.x else 1
        many = Point(child.x + child.width * (side > 0), below_child)
        if relation.child == relation.parent:
            one = Point(parent.x + parent.width, below_parent)
            return self._with_ends(routes.loop(many, one), relation, (many, 1), (one, 1))
        one = Point(parent.x + parent.width * (side < 0), below_parent)
        start, end = (one, many) if side < 0 else (many, one)
        passes = self.passes[relation.parent, relation.child]
        return self._with_ends(routes.path(start, passes, end), relation, (many, side), (one, -side))

    @staticmethod
    def _with_ends(line: str, relation: Relation, many: tuple[Point, int], one: tuple[Point, int]) -> str:
        crow = routes.many_end(*many, single=relation.single)
        return line + crow + routes.one_end(*one, optional=relation.optional)


def scene_of(pictures: Sequence[Picture]) -> Scene:
    """Return a scene in which the cards of all ``pictures`` have places that never change.

    Raises:
        UsageError: igraph is not installed.
    """
    sizes: dict[str, Size] = {}
    for picture in pictures:
        for key, card in picture.cards.items():
            size, before = size_of(card), sizes.get(key, Size(width=0, height=0))
            width, height = max(size.width, before.width), max(size.height, before.height)
            sizes[key] = Size(width=width, height=height)
    keys = list(sizes)
    numbers = {key: number for number, key in enumerate(keys)}
    links = list(dict.fromkeys(_links(pictures)))
    layout = arrange(list(sizes.values()), [(numbers[parent], numbers[child]) for parent, child in links])
    return Scene(boxes=_boxes(keys, sizes, layout), passes=_passes(links, numbers, layout), size=layout.size)


def _links(pictures: Sequence[Picture]) -> Iterator[Link]:
    return ((relation.parent, relation.child) for picture in pictures for relation in picture.relations)


def _boxes(keys: Sequence[str], sizes: Mapping[str, Size], layout: Layout) -> dict[str, Box]:
    return {
        key: Box(x=corner.x, y=corner.y, width=sizes[key].width, height=sizes[key].height)
        for key, corner in zip(keys, layout.corners, strict=True)
    }


def _passes(links: Sequence[Link], numbers: Mapping[str, int], layout: Layout) -> dict[Link, tuple[Pass, ...]]:
    return {
        (parent, child): layout.passes[numbers[parent], numbers[child]] for parent, child in links if parent != child
    }
