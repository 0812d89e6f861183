"""The order in which migrations are applied."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from waiaas_migrate.errors import Problem


class Dependent(Protocol):
    """What has an id and comes after others."""

    @property
    def id(self) -> str:
        """What others call it."""

    @property
    def path(self) -> Path:
        """Where it stands, for messages."""

    @property
    def depends(self) -> tuple[str, ...]:
        """The ids of what comes before."""


D = TypeVar("D", bound=Dependent)


def in_order(migrations: Sequence[D], known: Collection[str], problems: list[Problem]) -> tuple[D, ...]:
    """``migrations`` with each one behind those it depends on, and else as they stand.

    Of all that could come next the first one does, as in yoyo/topologicalsort.py. ``known`` are all ids that may be
    depended on; a post-apply hook is one, and has no bearing on the order.
    """
    position = {migration.id: index for index, migration in enumerate(migrations)}
    for migration in migrations:
        problems.extend(_unknown(migration, known))
    waiting = {m.id: {name for name in m.depends if name in position} for m in migrations}
    followers: dict[str, list[str]] = defaultdict(list)
    for follower, names in waiting.items():
        for name in names:
            followers[name].append(follower)
    ready = [position[name] for name, names in waiting.items() if not names]
    heapq.heapify(ready)
    ordered: list[D] = []
    while ready:
        migration = migrations[heapq.heappop(ready)]
        ordered.append(migration)
        for follower in followers[migration.id]:
            waiting[follower].discard(migration.id)
            if not waiting[follower]:
                heapq.heappush(ready, position[follower])
    if len(ordered) < len(migrations):
        circle = _circle({name: names for name, names in waiting.items() if names})
        what = f"depends on itself: {' → '.join([*circle, circle[0]])}."
        path = migrations[position[circle[0]]].path
        problems.append(Problem(file=str(path), what=what, fix="Take one of the dependencies out."))
    return tuple(ordered)


def _unknown(migration: Dependent, known: Collection[str]) -> Iterator[Problem]:
    for name in sorted({name for name in migration.depends if name not in known}):
        what = f"depends on {name}, which is not in this folder."
        fix = "Correct the name in its `-- depends:` or `__depends__`."
        yield Problem(file=str(migration.path), what=what, fix=fix)


def _circle(waiting: Mapping[str, Collection[str]]) -> list[str]:
    """A circle among migrations that wait for each other, or for one that does."""
    name, seen = min(waiting), list[str]()
    while name not in seen:
        seen.append(name)
        name = min(one for one in waiting[name] if one in waiting)
    return seen[seen.index(name) :]
