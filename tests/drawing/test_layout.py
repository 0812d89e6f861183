"""The layout: cards and lines never overlap."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import combinations

import pytest

from waiaas_migrate.drawing.layout import Layout, arrange
from waiaas_migrate.drawing.sizes import Size


def random_layout(seed: int, cards: int) -> Layout:
    """Return the layout of cards of random sizes, with hubs, cycles, self-references, and cards without links."""
    chance = random.Random(seed)
    sizes = [Size(width=chance.randint(180, 330), height=chance.randint(60, 700)) for _ in range(cards)]
    links = [(chance.randrange(cards // 4), chance.randrange(cards - 5)) for _ in range(cards)]
    links += [(chance.randrange(cards - 5), chance.randrange(cards - 5)) for _ in range(cards // 3)]
    return arrange_numbered(sizes, links)


def arrange_numbered(sizes: Iterable[Size], links: Iterable[tuple[int, int]]) -> Layout:
    """Return the layout of cards whose keys are their numbers."""
    keyed = {str(number): size for number, size in enumerate(sizes)}
    return arrange(keyed, [(str(parent), str(child)) for parent, child in links])


@pytest.mark.parametrize("seed", range(4))
def test_cards_and_lines_keep_apart(seed: int) -> None:
    """No card overlaps another, no line passes through a card, and everything is within the picture."""
    layout = random_layout(seed, 60)
    boxes = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in layout.boxes.values()]
    assert len(boxes) == 60
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    passages = [one for passages in layout.passages.values() for one in passages]
    assert passages
    for left, top, right, bottom in boxes:
        assert left >= 0
        assert top >= 0
        assert right <= layout.size.width
        assert bottom <= layout.size.height
        assert not [one for one in passages if one.left < right and left < one.right and top < one.y < bottom]


def test_parents_are_left_of_their_children() -> None:
    """Without cycles, each parent is left of its child, and the lines between them run from left to right."""
    sizes = [Size(width=200, height=100 + 40 * number) for number in range(6)]
    layout = arrange_numbered(sizes, [(0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (4, 5)])
    for (parent, child), passages in layout.passages.items():
        stops = [
            layout.boxes[parent].x + 200,
            *(x for one in passages for x in (one.left, one.right)),
            layout.boxes[child].x,
        ]
        assert stops == sorted(stops)
    assert len(layout.passages["0", "3"]) == 2


def test_no_cards() -> None:
    """A schema without tables has an empty layout."""
    assert arrange({}, []).boxes == {}
