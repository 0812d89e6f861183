"""The effects of running a migration, or of rolling it back, on the tables of a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from waiaas_migrate.schema.hazards.hazard import DESTRUCTIVE, Code
from waiaas_migrate.schema.names import fold


class Cost(StrEnum):
    """How the time of a step grows with the rows of its table."""

    CONSTANT = "constant"
    SCAN = "scan"
    REBUILD = "rebuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedHazard:
    """A hazard that a migration announces: its code, and the table or column that it is about."""

    code: str
    where: str

    def __str__(self) -> str:
        return f"{self.code} {self.where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """The effects of one direction of a migration.

    Args:
        tables: each table that it touches, by the name that the table has before, and the cost. None means any table
            in any way: :data:`WORST_CASE`.
        changes_rows: rows that are there can change or go, or new ones come.
        changes_keys: a foreign key comes or changes.
        loses: something other than through a rebuild or a destructive hazard can be lost.
        hazards: the announced hazards.
    """

    tables: tuple[tuple[str, Cost], ...] | None = ()
    changes_rows: bool = False
    changes_keys: bool = False
    loses: bool = False
    hazards: tuple[AnnouncedHazard, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether the tables are known. If not, nothing else is either, and the run can't be repeated."""
        return self.tables is not None

    @property
    def rebuilt(self) -> tuple[str, ...]:
        """The tables that are written again from scratch."""
        return tuple(name for name, cost in self.tables or () if cost is Cost.REBUILD)

    @property
    def may_lose(self) -> bool:
        """Whether running it can lose something."""
        return self.loses or bool(self.rebuilt) or any(hazard.code in DESTRUCTIVE for hazard in self.hazards)

    @property
    def may_change_rows(self) -> bool:
        """Whether rows that are there can change."""
        return self.changes_rows or bool(self.rebuilt)

    @property
    def may_break_keys(self) -> bool:
        """Whether a row can come to lack the parent that a foreign key asks for."""
        return self.may_change_rows or self.changes_keys

    @property
    def is_constant(self) -> bool:
        """Whether it takes the same time however many rows there are."""
        return self.tables is not None and all(cost is Cost.CONSTANT for _, cost in self.tables)

    @property
    def unenforceable(self) -> tuple[str, ...]:
        """The tables that get a foreign key that SQLite can't enforce, as announced."""
        return tuple(hazard.where for hazard in self.hazards if hazard.code == Code.FOREIGN_KEY_MISMATCH)


#: What is assumed of a migration when nothing is known about it.
WORST_CASE = Effects(tables=None, changes_rows=True, changes_keys=True, loses=True)

_ORDER = (Cost.CONSTANT, Cost.SCAN, Cost.REBUILD)


class Tally:
    """The effects so far."""

    def __init__(self) -> None:
        self.changes_rows = self.changes_keys = self.loses = False
        self._tables: dict[str, tuple[str, Cost]] = {}
        self._created: set[str] = set()
        self._dropped: set[str] = set()
        self._before: dict[str, str] = {}

    def touch(self, table: str, cost: Cost) -> None:
        """Note that ``table``, by its name at this point, is touched at this cost; the highest cost counts."""
        name = self._before.get(fold(table), table)
        known = self._tables.get(fold(name), (name, cost))
        self._tables[fold(name)] = known[0], max(known[1], cost, key=_ORDER.index)

    def create(self, table: str, cost: Cost) -> None:
        """Note that a table is new; one that takes the place of another that was dropped is a rebuild of it."""
        self._created.add(fold(table))
        self.touch(table, Cost.REBUILD if fold(table) in self._dropped else cost)

    def drop(self, table: str) -> None:
        """Note that ``table`` goes with its rows."""
        self._dropped.add(fold(table))
        self.write(table)

    def write(self, table: str) -> None:
        """Note that rows of ``table`` are written or go."""
        self.touch(table, Cost.SCAN)
        self.changes_rows = True

    def index(self, table: str) -> None:
        """Note that ``table`` gets an index, which costs nothing if the table is new and empty."""
        is_empty = fold(table) in self._created and not self.changes_rows
        self.touch(table, Cost.CONSTANT if is_empty else Cost.SCAN)

    def rename(self, old: str, new: str) -> None:
        """Note that a table gets another name; a new table that takes the place of one that was here is a rebuild."""
        self.changes_keys = True
        if fold(old) in self._created and fold(new) in self._tables:
            self._created.remove(fold(old))
            del self._tables[fold(old)]
            self.touch(new, Cost.REBUILD)
            return
        self.touch(old, Cost.CONSTANT)
        if fold(new) in self._dropped:
            self.touch(new, Cost.REBUILD)
        self._before[fold(new)] = self._before.pop(fold(old), old)

    def effects(self, hazards: Iterable[AnnouncedHazard] = ()) -> Effects:
        """All of it, the most expensive tables first."""
        return Effects(
            tables=tuple(sorted(self._tables.values(), key=lambda one: -_ORDER.index(one[1]))),
            changes_rows=self.changes_rows,
            changes_keys=self.changes_keys,
            loses=self.loses,
            hazards=tuple(dict.fromkeys(hazards)),
        )
