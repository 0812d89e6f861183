"""Adding up the effects of a migration, one step after the other."""

from __future__ import annotations

from collections.abc import Iterable

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.cost import Cost
from waiaas_migrate.sqlite.planning.effects import Announced, Effects

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

    def effects(self, hazards: Iterable[Announced] = ()) -> Effects:
        """All of it, the most expensive tables first."""
        return Effects(
            tables=tuple(sorted(self._tables.values(), key=lambda one: -_ORDER.index(one[1]))),
            changes_rows=self.changes_rows,
            changes_keys=self.changes_keys,
            loses=self.loses,
            hazards=tuple(dict.fromkeys(hazards)),
        )
