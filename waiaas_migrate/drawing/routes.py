"""The lines of relations as SVG paths, with crow's feet at their ends."""

from __future__ import annotations

from collections.abc import Sequence

from waiaas_migrate.drawing.layout import Pass, Point

#: How far the signs at the ends of a line reach, and how far a line to the same card swings out.
_FOOT, _LOOP = 11, 34


def path(start: Point, passes: Sequence[Pass], end: Point) -> str:
    """Return a line from the right side of one card, through ``passes``, to the left side of another."""
    steps = [f"M{_n(start.x)} {_n(start.y)}"]
    at = start
    for one in passes:
        steps.append(_curve(at, Point(one.left, one.y)))
        steps.append(f"H{_n(one.right)}")
        at = Point(one.right, one.y)
    return "".join([*steps, _curve(at, end)])


def loop(start: Point, end: Point) -> str:
    """Return a line between two rows of the same card, on its right side."""
    out = max(start.x, end.x) + _LOOP
    return f"M{_n(start.x)} {_n(start.y)}C{_n(out)} {_n(start.y)} {_n(out)} {_n(end.y)} {_n(end.x)} {_n(end.y)}"


def many_end(at: Point, side: int, *, single: bool) -> str:
    """Return the sign for the child's end: a crow's foot, or a bar if at most one row refers to each parent.

    ``side`` is 1 if the line leaves the card to the right, and -1 if to the left.
    """
    if single:
        return _bar(at.x + side * 8, at.y)
    tip = _n(at.x + side * _FOOT)
    return f"M{_n(at.x)} {_n(at.y - 5)}L{tip} {_n(at.y)}L{_n(at.x)} {_n(at.y + 5)}"


def one_end(at: Point, side: int, *, optional: bool) -> str:
    """Return the sign for the parent's end: a bar, or a circle if a child may have no parent."""
    if not optional:
        return _bar(at.x + side * 8, at.y)
    left, right = sorted((at.x + side * 5, at.x + side * 11))
    return f"M{_n(left)} {_n(at.y)}a3 3 0 1 0 {_n(right - left)} 0a3 3 0 1 0 {_n(left - right)} 0"


def _bar(x: float, y: float) -> str:
    return f"M{_n(x)} {_n(y - 5)}V{_n(y + 5)}"


def _curve(start: Point, end: Point) -> str:
    middle = _n((start.x + end.x) / 2)
    return f"C{middle} {_n(start.y)} {middle} {_n(end.y)} {_n(end.x)} {_n(end.y)}"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
