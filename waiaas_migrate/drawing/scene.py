"""Lay out pictures, and draw their relations as SVG paths with crow's feet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from waiaas_migrate.drawing.cards import Picture, Relation
from waiaas_migrate.drawing.layout import Layout, Passage, Point, arrange
from waiaas_migrate.drawing.sizes import Size, row_middle, size_of

#: The length of a crow's foot, and how far a line from a card to itself goes beside the card.
_FOOT, _LOOP = 11, 34


def layout_of(pictures: Sequence[Picture]) -> Layout:
    """Return one layout for all ``pictures``: a card has the same place in each.

    Raises:
        UsageError: igraph is not installed.
    """
    sizes: dict[str, Size] = {}
    for picture in pictures:
        for key, card in picture.cards.items():
            size = size_of(card)
            largest = sizes.get(key, size)
            sizes[key] = Size(width=max(size.width, largest.width), height=max(size.height, largest.height))
    return arrange(sizes, ((one.parent, one.child) for picture in pictures for one in picture.relations))


def lines(picture: Picture, layout: Layout) -> Iterator[tuple[Relation, str]]:
    """Yield each relation of ``picture`` with its line: one SVG path with the signs at its ends."""
    for relation in picture.relations:
        yield relation, _line(relation, picture, layout)


def _line(relation: Relation, picture: Picture, layout: Layout) -> str:
    child, parent = layout.boxes[relation.child], layout.boxes[relation.parent]
    child_y = child.y + row_middle(picture.cards[relation.child], relation.columns[0])
    parent_y = parent.y + row_middle(picture.cards[relation.parent], next(iter(relation.targets), ""))
    # 1 if the line leaves the card on the right, -1 on the left.
    child_side = -1 if parent.x < child.x else 1
    parent_side = 1 if child is parent else -child_side
    many = Point(child.x + child.width * (child_side > 0), child_y)
    one = Point(parent.x + parent.width * (parent_side > 0), parent_y)
    if child is parent:
        path = f"M{_n(many.x)} {_n(many.y)}{_curve(many, max(many.x, one.x) + _LOOP, one)}"
    else:
        start, end = sorted((many, one))
        path = _path(start, end, layout.passages[relation.parent, relation.child])
    many_sign = _bar(many, child_side) if relation.single else _crows_foot(many, child_side)
    return path + many_sign + (_circle(one, parent_side) if relation.optional else _bar(one, parent_side))


def _path(start: Point, end: Point, passages: Sequence[Passage]) -> str:
    """Return a line from one card's right side through ``passages`` to another's left side."""
    path, at = f"M{_n(start.x)} {_n(start.y)}", start
    for passage in passages:
        path += f"{_curve_to(at, Point(passage.left, passage.y))}H{_n(passage.right)}"
        at = Point(passage.right, passage.y)
    return path + _curve_to(at, end)


def _curve_to(start: Point, end: Point) -> str:
    return _curve(start, (start.x + end.x) / 2, end)


def _curve(start: Point, middle: float, end: Point) -> str:
    return f"C{_n(middle)} {_n(start.y)} {_n(middle)} {_n(end.y)} {_n(end.x)} {_n(end.y)}"


def _crows_foot(at: Point, side: int) -> str:
    """Return the sign for any number of children."""
    return f"M{_n(at.x)} {_n(at.y - 5)}L{_n(at.x + side * _FOOT)} {_n(at.y)}L{_n(at.x)} {_n(at.y + 5)}"


def _bar(at: Point, side: int) -> str:
    """Return the sign for one child or one parent."""
    return f"M{_n(at.x + side * 8)} {_n(at.y - 5)}V{_n(at.y + 5)}"


def _circle(at: Point, side: int) -> str:
    """Return the sign for an optional parent."""
    left, right = sorted((at.x + side * 5, at.x + side * 11))
    return f"M{_n(left)} {_n(at.y)}a3 3 0 1 0 {_n(right - left)} 0a3 3 0 1 0 {_n(left - right)} 0"


def _n(number: float) -> str:
    """Return ``number`` as text, rounded to a tenth of a pixel."""
    return f"{number:.1f}".removesuffix(".0")
