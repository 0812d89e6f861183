"""What a run tells whoever watches it, as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStarted:
    """A migration begins: the ``number``-th of ``total`` of this run."""

    migration: str
    number: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementStarted:
    """A statement of an SQL migration begins: the ``number``-th of its ``total``; ``line`` is the first of its code."""

    migration: str
    number: int
    total: int
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFinished:
    """A migration was run and recorded; it is not committed yet."""

    migration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """These migrations were committed, together."""

    migrations: tuple[str, ...]


Event = MigrationStarted | StatementStarted | MigrationFinished | Committed

#: Is handed every event; what it raises ends the run, which is then rolled back.
Observe = Callable[[Event], None]
