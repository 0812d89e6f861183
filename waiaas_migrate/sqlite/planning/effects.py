"""What running a migration, or rolling it back, does to the tables of a database."""

from __future__ import annotations

from dataclasses import dataclass

from waiaas_migrate.schema.hazard_codes import DESTRUCTIVE, Code
from waiaas_migrate.sqlite.planning.cost import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
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
            in any way: :data:`WORST`.
        changes_rows: rows that are there can change or go, or new ones come.
        changes_keys: a foreign key comes or changes.
        loses: something other than through a rebuild or a destructive hazard can be lost.
        hazards: the announced hazards.
    """

    tables: tuple[tuple[str, Cost], ...] | None = ()
    changes_rows: bool = False
    changes_keys: bool = False
    loses: bool = False
    hazards: tuple[Announced, ...] = ()

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
WORST = Effects(tables=None, changes_rows=True, changes_keys=True, loses=True)
