"""Changes turned into the steps that SQLite can take, in an order in which they work. The plan is data.

The order: what may be in the way goes first (triggers, views, indexes, tables), then names change, then tables are
made and altered, then indexes, virtual tables, views and triggers come, and last the foreign keys are looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from waiaas_migrate.schema.changes import (
    AddIndex,
    AddTable,
    AddTrigger,
    AddView,
    AddVirtualTable,
    Change,
    DropIndex,
    DropTable,
    DropTrigger,
    DropView,
    DropVirtualTable,
    ModifyIndex,
    ModifyTrigger,
    ModifyView,
    ModifyVirtualTable,
    table_of,
)
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.model import Index, ObjectKind, Schema, Table, Trigger, View
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.actions import (
    Action,
    BeginEdits,
    CreateIndex,
    CreateStatement,
    CreateTable,
    Drop,
    EditDefinition,
    EndEdits,
    GuardForeignKeysOff,
    Plan,
    RenameColumnTo,
    RenameTableTo,
    SetSecureDelete,
    Step,
)
from waiaas_migrate.sqlite.planning.backfill_order import read_tables, reading_order
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.foreign_key_steps import parent_guards, violation_guards
from waiaas_migrate.sqlite.planning.full_text import filling
from waiaas_migrate.sqlite.planning.table_plan import TableChanges, TablePlan, plan_table
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.reading.ddl import names_in
from waiaas_migrate.sqlite.reading.quoted_strings import is_text_term


def plan(transition: Transition) -> Plan:
    """The steps of ``transition``."""
    return Plan(steps=tuple(_Planner(transition).steps()))


def creation(schema: Schema, changes: Iterable[Change]) -> Plan:
    """The steps that make ``schema`` where there is nothing."""
    return plan(Transition(start=Schema(), old=Schema(), new=schema, changes=tuple(changes)))


class _Planner:
    """The plan of one transition: what happens to each table decides what must be made again afterwards."""

    def __init__(self, transition: Transition) -> None:
        self.t = transition
        self.old, self.new = transition.old.by_name(), transition.new.by_name()
        self.read = read_tables(transition)
        self.by_table: dict[str, list[Change]] = defaultdict(list)
        for change in transition.changes:
            name = table_of(change)
            if name is not None and not isinstance(change, AddIndex | DropIndex | ModifyIndex):
                self.by_table[fold(name)].append(change)
        self.mentioned = frozenset().union(*map(names_in, statements(transition.old)))
        gone = {fold(c.table.name) for c in transition.changes if isinstance(c, DropTable)}
        mentioned = frozenset[str]().union(*map(names_in, statements(transition.new)))
        # DROP COLUMN writes "" as '' wherever it stands.
        rewritten = any('""' in text for text in statements(transition.old))
        self.can_drop_columns = not (gone & mentioned or rewritten or has_text_index(transition.old))
        self.tables = {name: self._table(name, changes) for name, changes in self.by_table.items()}
        self.rebuilt = {name for name, planned in self.tables.items() if planned.is_rebuilt}
        self.updated = {name: planned.updated for name, planned in self.tables.items() if planned.updated}
        self.dropped = {fold(c.table.name) for c in transition.changes if isinstance(c, DropTable)}
        self.views_gone = {fold(view.name) for view in leaving_views(transition)}

    def _table(self, name: str, changes: Sequence[Change]) -> TablePlan:
        if self.t.clauses is None:
            raise ValueError("altering a table needs the clauses that its definition is made of")
        return plan_table(
            TableChanges(
                old=self.old[name],
                new=self.new[name],
                text=self.t.texts[name],
                changes=tuple(changes),
                clauses=self.t.clauses,
                triggers=self._triggers_of(name),
                mentioned=self.mentioned,
                has_statements=bool(statements(self.t.old)),
                can_drop_columns=self.can_drop_columns,
                strings=frozenset(map(fold, self.t.strings.get(("table", name), ()))),
                reads_itself=name in self.t.reads and self.t.reads[name].reads_itself,
                catalog_edits=self.t.options.catalog_edits,
                in_order=self.t.in_order,
            )
        )

    def steps(self) -> Iterator[Step]:
        """Every step, in order."""
        # A backfill that looks into another table does so before that one changes.
        ordered = reading_order(self.t, self.tables).tables
        tables = [self.tables[name] for name in ordered]
        parents = parent_guards(self.t)
        noted, compared = violation_guards(self.t)
        if self.rebuilt or self.dropped:
            yield _step("", GuardForeignKeysOff())
        secure_delete = self.t.options.secure_delete
        if self.rebuilt and secure_delete is not None:
            words = "overwrite deleted pages" if secure_delete else "leave deleted pages as they are"
            yield _step(words, SetSecureDelete(on=secure_delete))
        yield from self._making_way()
        yield from self._renaming()
        yield from noted
        yield from self._dropping(late=False)
        yield from self._creating()
        yield from _editing([edit for table in tables for edit in table.rules])
        yield from (step for table in tables for step in table.steps)
        yield from _editing([edit for table in tables for edit in table.edits])
        yield from (step for table in tables for step in table.drops)
        yield from self._dropping(late=True)
        yield from self._indexing()
        yield from self._finishing()
        yield from parents
        yield from compared

    # What goes

    def _leaving_triggers(self) -> Iterator[Trigger]:
        """Triggers that change or do not compile, and those that would fire, or be in the way, on what changes."""
        gone = {fold(c.trigger.name) for c in self.t.changes if isinstance(c, DropTrigger)}
        gone |= {fold(c.old.name) for c in self.t.changes if isinstance(c, ModifyTrigger)} | self.t.set_aside
        gone |= {fold(t.name) for t in self.t.old.triggers if self._fires(t)}
        views = self.views_gone
        yield from (t for t in self.t.start.triggers if fold(t.name) in gone or fold(t.table) in views)

    def _making_way(self) -> Iterator[Step]:
        for trigger in self._leaving_triggers():
            yield _drop("trigger", trigger.name)
        for view in leaving_views(self.t):
            yield _drop("view", view.name)

    def _renaming(self) -> Iterator[Step]:
        for table in self.t.renames.tables:
            yield _step(describe(table), RenameTableTo(old=table.old, new=table.new))
        for column in self.t.renames.columns:
            yield _step(describe(column), RenameColumnTo(table=column.table, old=column.old, new=column.new))

    def _fires(self, trigger: Trigger) -> bool:
        """Whether ``trigger`` fires on rows that the migration gives other values."""
        columns = self.updated.get(fold(trigger.table), frozenset())
        watched = {fold(column) for column in trigger.columns}
        return bool(columns) and trigger.event == "UPDATE" and (not watched or bool(watched & columns))

    def _triggers_of(self, name: str) -> tuple[str, ...]:
        """The folded names of the triggers on a table."""
        return tuple(fold(trigger.name) for trigger in self.t.old.triggers if fold(trigger.table) == name)

    def _dropping(self, *, late: bool) -> Iterator[Step]:
        """What goes; ``late``, once the backfills have read it."""
        leaving = [
            c.table for c in self.t.changes if isinstance(c, DropTable) and (fold(c.table.name) in self.read) is late
        ]
        if not late:
            yield from self._dropping_indexes()
        for change in self.t.changes:
            match change:
                case DropVirtualTable(table=virtual) | ModifyVirtualTable(old=virtual):
                    if (fold(virtual.name) in self.read) is late:
                        yield _drop("virtual table", virtual.name)
                case _:
                    continue
        yield from (_drop("table", table.name) for table in children_first(leaving))

    def _dropping_indexes(self) -> Iterator[Step]:
        new = [change.table for change in self.t.changes if isinstance(change, AddTable)]
        added = {fold(table.name) for table in new}
        taken = added | {fold(index.name) for table in new for index in table.indexes}
        for change in self.t.changes:
            match change:
                case DropTable(table=table) if fold(table.name) in self.read:
                    yield from (_drop("index", index.name) for index in table.indexes if fold(index.name) in taken)
                case DropIndex(table=table, index=index) | ModifyIndex(table=table, old=index):
                    # The index of a table that is built anew goes with it, which is too late for a table of its name.
                    if fold(table) not in self.rebuilt or fold(index.name) in added:
                        yield _drop("index", index.name)
                case _:
                    continue

    # What comes

    def _creating(self) -> Iterator[Step]:
        """New tables, each with those of its indexes whose names are free already."""
        for change in self.t.changes:
            if isinstance(change, AddTable):
                yield _step(describe(change), CreateTable(table=change.table))
                yield from self._new_indexes(change.table, free=True)

    def _new_indexes(self, table: Table, *, free: bool) -> Iterator[Step]:
        """The indexes of a new table whose names are free, or those that wait for a table's rebuild."""
        old = {fold(index.name) for name in self.rebuilt for index in self.old[name].indexes}
        for index in table.indexes:
            if (fold(index.name) not in old) is free:
                yield _index(table.name, index, Cost.CONSTANT)

    def _indexing(self) -> Iterator[Step]:
        added = [change.table for change in self.t.changes if isinstance(change, AddTable)]
        yield from (step for table in added for step in self._new_indexes(table, free=False))
        for table in (self.new[name] for name in self.tables if name in self.rebuilt):
            again = tuple(CreateIndex(table=table.name, index=index) for index in table.indexes)
            if again:
                yield Step(words="", cost=Cost.REBUILD, actions=again)
        for change in self.t.changes:
            match change:
                case AddIndex(table=name, index=index) | ModifyIndex(table=name, new=index):
                    if fold(name) not in self.rebuilt:
                        yield _index(name, index, Cost.SCAN)
                case _:
                    continue

    def _finishing(self) -> Iterator[Step]:
        for change in self.t.changes:
            match change:
                case AddVirtualTable(table=virtual) | ModifyVirtualTable(new=virtual):
                    yield _step(describe(change), CreateStatement(statement=virtual.statement))
                case _:
                    continue
        views = {fold(c.view.name) for c in self.t.changes if isinstance(c, AddView)} | self.views_gone
        for view in self.t.new.views:
            if fold(view.name) in views:
                yield _step(f"add view {view.name}", CreateStatement(statement=view.statement))
        yield from filling(self.t)
        gone = {fold(trigger.name) for trigger in self._leaving_triggers()}
        come = {fold(c.trigger.name) for c in self.t.changes if isinstance(c, AddTrigger)}
        for trigger in self.t.new.triggers:
            lost = fold(trigger.table) in self.rebuilt | self.dropped
            if lost or fold(trigger.name) in gone | come:
                words = f"add trigger {trigger.name} on {trigger.table}"
                yield _step(words, CreateStatement(statement=trigger.statement))


def leaving_views(transition: Transition) -> tuple[View, ...]:
    """The views that go, or step aside, before anything else happens."""
    gone = {fold(c.view.name) for c in transition.changes if isinstance(c, DropView)}
    gone |= {fold(c.old.name) for c in transition.changes if isinstance(c, ModifyView)} | transition.set_aside
    if transition.renames.tables or transition.renames.columns:
        gone = _with_dependents(transition.start.views, gone)
    return tuple(view for view in transition.start.views if fold(view.name) in gone)


def _with_dependents(views: Sequence[View], gone: set[str] | frozenset[str]) -> set[str]:
    """``gone``, and every view that stands on one of them: renaming stumbles at a view whose source is not there."""
    found = set(gone)
    while more := {fold(v.name) for v in views if fold(v.name) not in found and names_in(v.statement.sql) & found}:
        found |= more
    return found


def children_first(tables: Sequence[Table]) -> list[Table]:
    """``tables`` such that each stands before those that it refers to, where that is possible."""
    left, ordered = list(tables), list[Table]()
    while left:
        referred = {
            fold(key.table) for table in left for key in table.foreign_keys if fold(key.table) != fold(table.name)
        }
        free = [table for table in left if fold(table.name) not in referred] or left[:1]
        ordered += free
        left = [table for table in left if table not in free]
    return ordered


def statements(schema: Schema) -> list[str]:
    """The texts of views and triggers."""
    return [trigger.statement.sql for trigger in schema.triggers] + [view.statement.sql for view in schema.views]


def has_text_index(schema: Schema) -> bool:
    """Whether an index may stand on a mere string in double quotes, at which DROP COLUMN stumbles."""
    parts = [part for table in schema.tables for index in table.indexes for part in index.parts]
    return any(part.expression is not None and is_text_term(part.expression.sql) for part in parts)


def _index(table: str, index: Index, cost: Cost) -> Step:
    words = describe(AddIndex(table=table, index=index))
    return Step(words=words, cost=cost, actions=(CreateIndex(table=table, index=index),))


def _drop(kind: ObjectKind, name: str) -> Step:
    return _step(f"drop {kind} {name}", Drop(kind=kind, name=name))


def _editing(edits: Sequence[EditDefinition]) -> Iterator[Step]:
    """Edits of the catalog, together, since each makes every connection read it from scratch."""
    if edits:
        tables = tuple(dict.fromkeys(edit.table for edit in edits))
        is_scan = any(edit.asked for edit in edits)
        actions: tuple[Action, ...] = (BeginEdits(), *edits, EndEdits(tables=tables))
        yield Step(words="", cost=Cost.SCAN if is_scan else Cost.CONSTANT, actions=actions)


def _step(words: str, action: Action) -> Step:
    return Step(words=words, cost=Cost.CONSTANT, actions=(action,))
