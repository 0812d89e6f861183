"""The input of a plan: the schemas before and after, and facts about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from waiaas_migrate.errors import Problem
from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Index, Schema, Table, Trigger, View, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import Renames
from waiaas_migrate.sqlite.planning.plan_options import PlanOptions
from waiaas_migrate.sqlite.planning.row_values import keeps_values
from waiaas_migrate.sqlite.planning.table_text import Write
from waiaas_migrate.sqlite.reading.dependencies import Dependencies
from waiaas_migrate.sqlite.reading.introspect import Known
from waiaas_migrate.sqlite.reading.quoted_strings import QuotedStrings

ObjectT = TypeVar("ObjectT", bound=Table | VirtualTable | Index | View | Trigger)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The change from one schema to another.

    Args:
        start: the current schema.
        old: the current schema after ``renames``.
        new: the schema to reach, with its hints.
        changes: the differences between ``old`` and ``new``.
        write: the function that writes a CREATE TABLE, or a column or constraint in it.
        renames: the tables and columns to rename first.
        set_aside: the folded names of views and triggers to drop before ALTER TABLE, which would fail or change them.
        options: the settings of the project.
        texts: the CREATE statements of the tables of ``old``, by folded name.
        reads: the columns and views that the backfills of each table read, by the table's folded name.
        problems: backfills that can't run.
        strings: the strings in double quotes in ``old``, by the object that contains them.
        known: tables and indexes by their CREATE statement, so that no statement is parsed twice.
        stale_indexes: the folded names of full-text tables over a view that must index their rows again.
        in_order: store the columns of each table in the order of ``new``.
    """

    start: Schema
    old: Schema
    new: Schema
    changes: tuple[c.Change, ...]
    write: Write
    renames: Renames = field(default=Renames())
    set_aside: frozenset[str] = frozenset()
    options: PlanOptions = field(default=PlanOptions())
    texts: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, Dependencies] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    strings: QuotedStrings = field(default_factory=dict)
    known: Known = field(default_factory=dict)
    stale_indexes: frozenset[str] = frozenset()
    in_order: bool = False

    def kept_tables(self) -> Iterator[tuple[Table, Table]]:
        """Yield each table that is in both schemas, as a pair from ``old`` and ``new``."""
        before = self.old.by_name()
        return ((before[fold(new.name)], new) for new in self.new.tables if fold(new.name) in before)

    def changing_columns(self) -> Iterator[tuple[str, str]]:
        """Yield the folded table and column of existing values that may change."""
        changed = {fold(c.table_of(change) or "") for change in self.changes}
        for old, table in self.kept_tables():
            for column in table.columns if fold(table.name) in changed else ():
                before = old.column(column.name)
                if before is not None and not keeps_values(old, table, before, column):
                    yield fold(table.name), fold(column.name)

    def dropped(self, kind: type[ObjectT]) -> tuple[ObjectT, ...]:
        """Return the dropped or replaced objects, except indexes of dropped tables."""
        return tuple(change.old for change in self._object_changes() if isinstance(change.old, kind))

    def created(self, kind: type[ObjectT]) -> tuple[ObjectT, ...]:
        """Return the added or replacing objects, except indexes of added tables."""
        return tuple(change.new for change in self._object_changes() if isinstance(change.new, kind))

    def _object_changes(self) -> Iterator[c.AddTable | c.DropTable | c.IndexChange | c.ObjectChange]:
        """Yield all changes except those that alter or rename a table."""
        table_changes = c.Alteration | c.RenameTable | c.RenameColumn
        return (change for change in self.changes if not isinstance(change, table_changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChanges:
    """The changes of one table from ``old``, which has its new name, to ``new``."""

    transition: Transition
    old: Table
    new: Table
    changes: tuple[c.Alteration, ...]

    @property
    def text(self) -> str:
        """The CREATE statement of ``old``."""
        return self.transition.texts[fold(self.old.name)]

    @property
    def strings(self) -> frozenset[str]:
        """The folded strings in double quotes, which SQLite could read as columns."""
        return frozenset(map(fold, self.transition.strings.get(("table", fold(self.old.name)), ())))

    @property
    def additions(self) -> list[c.AddColumn]:
        """The added columns."""
        return [change for change in self.changes if isinstance(change, c.AddColumn)]

    @property
    def drops(self) -> list[c.DropColumn]:
        """The dropped columns."""
        return [change for change in self.changes if isinstance(change, c.DropColumn)]

    @property
    def triggers(self) -> tuple[str, ...]:
        """The folded names of the triggers on the table."""
        triggers = self.transition.old.triggers
        return tuple(fold(trigger.name) for trigger in triggers if fold(trigger.table) == fold(self.old.name))
