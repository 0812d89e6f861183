"""Turn changes into steps that SQLite can run, in an order that works.

The first steps drop triggers, views, indexes and tables that could be in the way. The next steps rename, create and
alter tables. Then come steps that create indexes, virtual tables, views and triggers. Guards of foreign keys come last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Index, ObjectKind, Schema, Table, Trigger, View, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning import actions as a
from waiaas_migrate.sqlite.planning.backfill_order import backfill_order
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.foreign_key_steps import parent_guards, violation_guards
from waiaas_migrate.sqlite.planning.full_text import fill_steps
from waiaas_migrate.sqlite.planning.table_plan import plan_table
from waiaas_migrate.sqlite.planning.table_text import Write
from waiaas_migrate.sqlite.planning.transition import TableChanges, Transition
from waiaas_migrate.sqlite.reading.ddl import names_in


def plan(transition: Transition) -> tuple[a.Step, ...]:
    """Return the steps of ``transition``."""
    return tuple(_Planner(transition).steps())


def creation(schema: Schema, write: Write) -> tuple[a.Step, ...]:
    """Return the steps that create ``schema`` in an empty database."""
    return plan(Transition(start=Schema(), old=Schema(), new=schema, changes=diff(Schema(), schema), write=write))


class _Planner:
    """Plans one transition, given the plans for its tables."""

    def __init__(self, transition: Transition) -> None:
        self.t = transition
        self.old, self.new = transition.old.by_name(), transition.new.by_name()
        self.read = frozenset(table for found in transition.reads.values() for table, _ in found.columns)
        changes: dict[str, list[c.Alteration]] = defaultdict(list)
        for change in transition.changes:
            if isinstance(change, c.Alteration):
                changes[fold(c.table_of(change) or "")].append(change)
        self.tables = {
            name: plan_table(
                TableChanges(transition=transition, old=self.old[name], new=self.new[name], changes=tuple(found))
            )
            for name, found in changes.items()
        }
        self.rebuilt = {name for name, planned in self.tables.items() if planned.is_rebuilt}
        self.dropped = _names(transition.dropped(Table))
        self.views_gone = _names(leaving_views(transition))

    def steps(self) -> Iterator[a.Step]:
        """Yield every step, in order."""
        tables = [self.tables[name] for name in backfill_order(self.t, self.tables)[0]]
        note_violations, compare_violations = violation_guards(self.t)
        yield from self._settings()
        yield from (_drop("trigger", trigger.name) for trigger in self._triggers_to_drop())
        yield from (_drop("view", view.name) for view in leaving_views(self.t))
        yield from self._renames()
        yield from note_violations
        yield from self._drop_indexes()
        yield from self._drop_tables(read_by_backfills=False)
        yield from self._create_tables()
        yield from _edits([edit for table in tables for edit in table.rules])
        yield from (step for table in tables for step in table.steps)
        yield from _edits([edit for table in tables for edit in table.edits])
        yield from (step for table in tables for step in table.drops)
        yield from self._drop_tables(read_by_backfills=True)
        yield from self._create_indexes()
        yield from self._create_virtual_tables()
        yield from self._create_views()
        yield from fill_steps(self.t)
        yield from self._create_triggers()
        yield from parent_guards(self.t)
        yield from compare_violations

    def _settings(self) -> Iterator[a.Step]:
        if self.rebuilt or self.dropped:
            yield _step("", a.GuardForeignKeysOff())
        secure_delete = self.t.options.secure_delete
        if self.rebuilt and secure_delete is not None:
            words = "overwrite deleted pages" if secure_delete else "leave deleted pages as they are"
            yield _step(words, a.SecureDelete(on=secure_delete))

    def _renames(self) -> Iterator[a.Step]:
        renames: tuple[c.RenameTable | c.RenameColumn, ...] = (*self.t.renames.tables, *self.t.renames.columns)
        yield from (_step(describe(rename), rename) for rename in renames)

    # Drop

    def _triggers_to_drop(self) -> list[Trigger]:
        """Return the triggers to drop: those that change, lose their view, would fire, or would make a rename fail."""
        gone = _names(self.t.dropped(Trigger)) | self.t.set_aside
        gone |= _names(trigger for trigger in self.t.old.triggers if self._fires(trigger))
        return [t for t in self.t.start.triggers if fold(t.name) in gone or fold(t.table) in self.views_gone]

    def _fires(self, trigger: Trigger) -> bool:
        """Return whether ``trigger`` fires on rows that the migration updates."""
        planned = self.tables.get(fold(trigger.table))
        if planned is None or not planned.updated or trigger.event != "UPDATE":
            return False
        return not trigger.columns or not planned.updated.isdisjoint(map(fold, trigger.columns))

    def _drop_indexes(self) -> Iterator[a.Step]:
        """Drop indexes that change, and those whose names a new table or its indexes need."""
        new = self.t.created(Table)
        taken = _names(new) | {fold(index.name) for table in new for index in table.indexes}
        for table in self.t.dropped(Table):
            if fold(table.name) in self.read:
                yield from (_drop("index", index.name) for index in table.indexes if fold(index.name) in taken)
        yield from (_drop("index", index.name) for index in self.t.dropped(Index))

    def _drop_tables(self, *, read_by_backfills: bool) -> Iterator[a.Step]:
        """Drop the tables that no backfill reads, or those that backfills read."""
        for virtual in self.t.dropped(VirtualTable):
            if (fold(virtual.name) in self.read) is read_by_backfills:
                yield _drop("virtual table", virtual.name)
        leaving = [table for table in self.t.dropped(Table) if (fold(table.name) in self.read) is read_by_backfills]
        yield from (_drop("table", table.name) for table in _children_first(leaving))

    # Create

    def _create_tables(self) -> Iterator[a.Step]:
        """Create new tables, each with the indexes whose names are free."""
        for table in self.t.created(Table):
            yield _step(describe(c.AddTable(new=table)), a.CreateTable(table=table))
            yield from self._indexes_of_new(table, free=True)

    def _indexes_of_new(self, table: Table, *, free: bool) -> Iterator[a.Step]:
        """Create the indexes of a new table whose names are ``free``, or those whose names are still in use."""
        held = {fold(index.name) for name in self.rebuilt for index in self.old[name].indexes}
        for index in table.indexes:
            if (fold(index.name) not in held) is free:
                yield _create_index(table.name, index, Cost.CONSTANT)

    def _create_indexes(self) -> Iterator[a.Step]:
        for table in self.t.created(Table):
            yield from self._indexes_of_new(table, free=False)
        for table in (self.new[name] for name in self.tables if name in self.rebuilt):
            again = tuple(a.CreateIndex(table=table.name, index=index) for index in table.indexes)
            if again:
                yield a.Step(words="", cost=Cost.REBUILD, actions=again)
        owners = {fold(index.name): name for name, table in self.new.items() for index in table.indexes}
        for index in self.t.created(Index):
            owner = owners[fold(index.name)]
            if owner not in self.rebuilt:
                yield _create_index(self.new[owner].name, index, Cost.SCAN)

    def _create_virtual_tables(self) -> Iterator[a.Step]:
        for change in self.t.changes:
            if isinstance(change.new, VirtualTable):
                yield _step(describe(change), a.CreateStatement(statement=change.new.statement))

    def _create_views(self) -> Iterator[a.Step]:
        needed = _names(self.t.created(View)) | self.views_gone
        for view in self.t.new.views:
            if fold(view.name) in needed:
                yield _step(f"add view {view.name}", a.CreateStatement(statement=view.statement))

    def _create_triggers(self) -> Iterator[a.Step]:
        needed = _names(self._triggers_to_drop()) | _names(self.t.created(Trigger))
        for trigger in self.t.new.triggers:
            if fold(trigger.table) in self.rebuilt | self.dropped or fold(trigger.name) in needed:
                words = f"add trigger {trigger.name} on {trigger.table}"
                yield _step(words, a.CreateStatement(statement=trigger.statement))


def leaving_views(transition: Transition) -> tuple[View, ...]:
    """Return the views to drop first, whether or not they are created again."""
    gone = _names(transition.dropped(View)) | transition.set_aside
    if transition.renames.tables or transition.renames.columns:  # a rename fails if a view reads a dropped one
        gone = with_readers(transition.start.views, gone)
    return tuple(view for view in transition.start.views if fold(view.name) in gone)


def with_readers(views: Sequence[View], names: frozenset[str]) -> frozenset[str]:
    """Return ``names`` and all views that read one of these, also through other views; all names are folded."""
    found = names
    while more := _names(v for v in views if fold(v.name) not in found and names_in(v.statement.sql) & found):
        found |= more
    return found


def _children_first(tables: Sequence[Table]) -> Iterator[Table]:
    """Yield ``tables``, each before the tables that it refers to, if possible."""
    left = tables
    while left:
        referred = {fold(k.table) for table in left for k in table.foreign_keys if fold(k.table) != fold(table.name)}
        free = [table for table in left if fold(table.name) not in referred] or left[:1]
        yield from free
        left = [table for table in left if table not in free]


def _names(objects: Iterable[Table | Index | View | Trigger | VirtualTable]) -> frozenset[str]:
    return frozenset(fold(one.name) for one in objects)


def _step(words: str, action: a.Action) -> a.Step:
    return a.Step(words=words, cost=Cost.CONSTANT, actions=(action,))


def _drop(kind: ObjectKind, name: str) -> a.Step:
    return _step(f"drop {kind} {name}", a.Drop(kind=kind, name=name))


def _create_index(table: str, index: Index, cost: Cost) -> a.Step:
    words = describe(c.AddIndex(table=table, new=index))
    return a.Step(words=words, cost=cost, actions=(a.CreateIndex(table=table, index=index),))


def _edits(edits: Sequence[a.EditDefinition]) -> Iterator[a.Step]:
    """Yield one step for all edits, because each such step makes every connection read the catalog again."""
    if edits:
        tables = tuple(dict.fromkeys(edit.table for edit in edits))
        cost = Cost.SCAN if any(edit.asked for edit in edits) else Cost.CONSTANT
        yield a.Step(words="", cost=cost, actions=(a.BeginEdits(), *edits, a.EndEdits(tables=tables)))
