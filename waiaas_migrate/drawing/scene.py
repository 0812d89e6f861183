"""Where the cards of pictures are, and the lines of their relations: SVG paths with crow's feet at their ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from waiaas_migrate.drawing.cards import Picture, Relation
from waiaas_migrate.drawing.layout import Layout, Pass, Point, arrange
from waiaas_migrate.drawing.sizes import Size, row_middle, size_of

#: How far the signs at the ends of a line reach, and how far a line to the same card swings out.
_FOOT, _LOOP = 11, 34


def layout_of(pictures: Sequence[Picture]) -> Layout:
    """Return a layout in which the cards of all ``pictures`` have places that never change.

    Raises:
        UsageError: igraph is not installed.
    """
    sizes: dict[str, Size] = {}
    for picture in pictures:
        for key, card in picture.cards.items():
            size = size_of(card)
            before = sizes.get(key, size)
            sizes[key] = Size(width=max(size.width, before.width), height=max(size.height, before.height))
    return arrange(sizes, ((one.parent, one.child) for picture in pictures for one in picture.relations))


def lines(picture: Picture, layout: Layout) -> Iterator[tuple[Relation, str]]:
    """Yield each relation of ``picture`` with its line: one SVG path with the signs at its ends."""
    for relation in picture.relations:
        yield relation, _line(relation, picture, layout)


def _line(relation: Relation, picture: Picture, layout: Layout) -> str:
    child, parent = layout.boxes[relation.child], layout.boxes[relation.parent]
    child_y = child.y + row_middle(picture.cards[relation.child], relation.columns[0])
    parent_y = parent.y + row_middle(picture.cards[relation.parent], next(iter(relation.targets), ""))
    # 1 if the line leaves the card to the right, and -1 if to the left.
    child_side = -1 if parent.x < child.x else 1
    parent_side = 1 if child is parent else -child_side
    many = Point(child.x + child.width * (child_side > 0), child_y)
    one = Point(parent.x + parent.width * (parent_side > 0), parent_y)
    if child is parent:
        path = f"M{_n(many.x)} {_n(many.y)}{_curve(many, max(many.x, one.x) + _LOOP, one)}"
    else:
        start, end = sorted((many, one))
        path = _path(start, end, layout.passes[relation.parent, relation.child])
    many_sign = _bar(many, child_side) if relation.single else _crows_foot(many, child_side)
    return path + many_sign + (_circle(one, parent_side) if relation.optional else _bar(one, parent_side))


def _path(start: Point, end: Point, passes: Sequence[Pass]) -> str:
    """Return a line from the right side of one card, through ``passes``, to the left side of another."""
    path, at = f"M{_n(start.x)} {_n(start.y)}", start
    for one in passes:
        path += f"{_curve_to(at, Point(one.left, one.y))}H{_n(one.right)}"
        at = Point(one.right, one.y)
    return path + _curve_to(at, end)


def _curve_to(start: Point, end: Point) -> str:
    return _curve(start, (start.x + end.x) / 2, end)


def _curve(start: Point, middle: float, end: Point) -> str:
    return f"C{_n(middle)} {_n(start.y)} {_n(middle)} {_n(end.y)} {_n(end.x)} {_n(end.y)}"


def _crows_foot(at: Point, side: int) -> str:
    """Return the sign for many: the child's end."""
    return f"M{_n(at.x)} {_n(at.y - 5)}L{_n(at.x + side * _FOOT)} {_n(at.y)}L{_n(at.x)} {_n(at.y + 5)}"


def _bar(at: Point, side: int) -> str:
    """Return the sign for exactly one."""
    return f"M{_n(at.x + side * 8)} {_n(at.y - 5)}V{_n(at.y + 5)}"


def _circle(at: Point, side: int) -> str:
    """Return the sign for a parent that a child may lack."""
    left, right = sorted((at.x + side * 5, at.x + side * 11))
    return f"M{_n(left)} {_n(at.y)}a3 3 0 1 0 {_n(right - left)} 0a3 3 0 1 0 {_n(left - right)} 0"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
