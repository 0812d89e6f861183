"""The events that a run sends to its listener, and requests to stop a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStarted:
    """A migration begins. It is the ``number``-th of ``total`` migrations in this run."""

    migration: str
    number: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementStarted:
    """A statement of an SQL migration begins: the ``number``-th of ``total``. ``line`` is its first line of code."""

    migration: str
    number: int
    total: int
    line: str
    sql: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFinished:
    """A migration has run and is recorded, but not committed yet."""

    migration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """One or more migrations were committed in one transaction."""

    migrations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a run, sent at most ten times a second.

    ``words`` describe the current step, for example by the first line of the statement, which is the ``statement``-th
    of ``statements``. ``done`` of ``total`` rows or pages are done; both are None if unknown.
    """

    migration: str
    words: str
    statement: int = 0
    statements: int = 0
    done: int | None = None
    total: int | None = None
    unit: Literal["rows", "pages"] = "rows"


Event = MigrationStarted | StatementStarted | MigrationFinished | Committed | Progress

#: Receives every event. If it raises an exception, the run ends and is rolled back.
Listener = Callable[[Event], None]


class StopRequest(Protocol):
    """A request to stop a run, such as a ``threading.Event``."""

    def is_set(self) -> bool:
        """Return whether the run must stop."""
        ...  # pragma: no cover — a protocol's body never runs
