"""The effects of a migration or a rollback, which the manifest records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from waiaas_migrate.schema.hazards.hazard import DESTRUCTIVE, Code
from waiaas_migrate.schema.names import fold


class Cost(StrEnum):
    """The cost of a step: it touches no row, reads every row, or rewrites the table."""

    CONSTANT = "constant"
    SCAN = "scan"
    REBUILD = "rebuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedHazard:
    """A hazard in the header comment of a migration, and the affected object."""

    code: str
    where: str

    def __str__(self) -> str:
        return f"{self.code} {self.where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """The effects of one direction of a migration.

    Args:
        tables: each table that the migration reads or writes, under its name before the migration, with its highest
            cost; None if any table may be affected at any cost.
        changes_rows: the migration may add, change or delete rows.
        changes_keys: the migration may add, change or check foreign keys.
        loses: the migration may lose data for a reason other than a rebuild or a destructive hazard.
        hazards: the hazards in the header comment.
    """

    tables: tuple[tuple[str, Cost], ...] | None = ()
    changes_rows: bool = False
    changes_keys: bool = False
    loses: bool = False
    hazards: tuple[AnnouncedHazard, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether the affected tables are known."""
        return self.tables is not None

    @property
    def rebuilt(self) -> tuple[str, ...]:
        """The tables that are rewritten."""
        return tuple(name for name, cost in self.tables or () if cost is Cost.REBUILD)

    @property
    def may_lose(self) -> bool:
        """Whether data can be lost."""
        return self.loses or bool(self.rebuilt) or any(hazard.code in DESTRUCTIVE for hazard in self.hazards)

    @property
    def may_change_rows(self) -> bool:
        """Whether rows can change."""
        return self.changes_rows or bool(self.rebuilt)

    @property
    def is_constant(self) -> bool:
        """Whether the time does not depend on the number of rows."""
        return self.tables is not None and all(cost is Cost.CONSTANT for _, cost in self.tables)

    @property
    def unenforceable(self) -> tuple[str, ...]:
        """The tables to which the migration adds a foreign key that SQLite can't enforce."""
        return tuple(hazard.where for hazard in self.hazards if hazard.code == Code.FOREIGN_KEY_MISMATCH)


#: The effects to assume if nothing is known about a migration.
WORST_CASE = Effects(tables=None, changes_rows=True, changes_keys=True, loses=True)

#: From cheap to expensive.
_ORDER = tuple(Cost)


class Tally:
    """Adds up the effects of actions or statements."""

    def __init__(self) -> None:
        self.changes_rows = self.changes_keys = self.loses = False
        self._tables: dict[str, tuple[str, Cost]] = {}
        self._created: set[str] = set()
        self._dropped: set[str] = set()
        self._old_names: dict[str, str] = {}

    def touch(self, table: str, cost: Cost) -> None:
        """Add an access to ``table``, which counts if it is the most expensive so far."""
        name = self._old_names.get(fold(table), table)
        known = self._tables.get(fold(name), (name, cost))
        self._tables[fold(name)] = known[0], max(known[1], cost, key=_ORDER.index)

    def create(self, table: str, cost: Cost) -> None:
        """Add a new table, which counts as a rebuild if a dropped table had its name."""
        self._created.add(fold(table))
        self.touch(table, Cost.REBUILD if fold(table) in self._dropped else cost)

    def drop(self, table: str) -> None:
        """Add a DROP TABLE, which deletes the rows."""
        self._dropped.add(fold(table))
        self.write(table)

    def write(self, table: str) -> None:
        """Add a write to rows of ``table``, or a deletion of rows."""
        self.touch(table, Cost.SCAN)
        self.changes_rows = True

    def index(self, table: str) -> None:
        """Add a new index, which takes constant time on a new table without rows."""
        is_empty = fold(table) in self._created and not self.changes_rows
        self.touch(table, Cost.CONSTANT if is_empty else Cost.SCAN)

    def rename(self, old: str, new: str) -> None:
        """Add a rename. A new table that replaces an existing one counts as a rebuild."""
        self.changes_keys = True
        if fold(old) in self._created and fold(new) in self._tables:
            self._created.remove(fold(old))
            del self._tables[fold(old)]
            self.touch(new, Cost.REBUILD)
            return
        self.touch(old, Cost.CONSTANT)
        if fold(new) in self._dropped:
            self.touch(new, Cost.REBUILD)
        self._old_names[fold(new)] = self._old_names.pop(fold(old), old)

    def effects(self, hazards: Iterable[AnnouncedHazard] = ()) -> Effects:
        """Return the sum with the announced ``hazards``, most expensive tables first."""
        return Effects(
            tables=tuple(sorted(self._tables.values(), key=lambda pair: -_ORDER.index(pair[1]))),
            changes_rows=self.changes_rows,
            changes_keys=self.changes_keys,
            loses=self.loses,
            hazards=tuple(dict.fromkeys(hazards)),
        )
