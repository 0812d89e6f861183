"""Turn changes into steps that SQLite can run, in an order that works."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Index, ObjectKind, Schema, Table, Trigger, View, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning import actions as a
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
    def __init__(self, transition: Transition) -> None:
        self._transition = transition
        self._old, self._new = transition.old.by_name(), transition.new.by_name()
        self._backfill_sources = frozenset(table for found in transition.reads.values() for table, _ in found.columns)
        changes: dict[str, list[c.Alteration]] = defaultdict(list)
        for change in transition.changes:
            if isinstance(change, c.Alteration):
                changes[fold(c.table_of(change) or "")].append(change)
        self._tables = {
            name: plan_table(
                TableChanges(transition=transition, old=self._old[name], new=self._new[name], changes=tuple(found))
            )
            for name, found in changes.items()
        }
        self._rebuilt = {name for name, planned in self._tables.items() if planned.is_rebuilt}
        self._dropped = _names(transition.dropped(Table))
        self._dropped_views = _names(views_to_drop(transition))

    def steps(self) -> Iterator[a.Step]:
        """Yield every step, in order."""
        tables = [self._tables[name] for name in backfill_order(self._transition, self._tables)[0]]
        renames = self._transition.renames
        note_violations, compare_violations = violation_guards(self._transition)
        yield from self._settings()
        yield from (_drop("trigger", trigger.name) for trigger in self._triggers_to_drop())
        yield from (_drop("view", view.name) for view in views_to_drop(self._transition))
        yield from (_step(describe(rename), rename) for rename in renames.tables)
        yield from (_step(describe(rename), rename) for rename in renames.columns)
        yield from note_violations
        yield from self._drop_indexes()
        yield from self._drop_tables(read_by_backfills=False)
        yield from self._create_tables()
        yield from _edit_step([edit for table in tables for edit in table.early_edits])
        yield from (step for table in tables for step in table.steps)
        yield from _edit_step([edit for table in tables for edit in table.late_edits])
        yield from (step for table in tables for step in table.column_drops)
        yield from self._drop_tables(read_by_backfills=True)
        yield from self._create_indexes()
        yield from self._create_virtual_tables()
        yield from self._create_views()
        yield from fill_steps(self._transition)
        yield from self._create_triggers()
        yield from parent_guards(self._transition)
        yield from compare_violations

    def _settings(self) -> Iterator[a.Step]:
        if self._rebuilt or self._dropped:
            yield _step("", a.GuardForeignKeysOff())
        secure_delete = self._transition.options.secure_delete
        if self._rebuilt and secure_delete is not None:
            words = "overwrite deleted pages" if secure_delete else "leave deleted pages as they are"
            yield _step(words, a.SecureDelete(on=secure_delete))

    # Drop

    def _triggers_to_drop(self) -> list[Trigger]:
        """Return the triggers that change, lose their view, would fire, or block a rename."""
        transition, views = self._transition, self._dropped_views
        names = _names(transition.dropped(Trigger)) | transition.set_aside
        names |= _names(trigger for trigger in transition.old.triggers if self._fires(trigger))
        return [t for t in transition.start.triggers if fold(t.name) in names or fold(t.table) in views]

    def _fires(self, trigger: Trigger) -> bool:
        """Return whether ``trigger`` fires on rows that the migration updates."""
        planned = self._tables.get(fold(trigger.table))
        if planned is None or not planned.updated_columns or trigger.event != "UPDATE":
            return False
        return not trigger.columns or not planned.updated_columns.isdisjoint(map(fold, trigger.columns))

    def _drop_indexes(self) -> Iterator[a.Step]:
        """Drop removed indexes, and those of removed tables whose name a new table or index takes."""
        new = self._transition.created(Table)
        taken = _names(new) | {fold(index.name) for table in new for index in table.indexes}
        for table in self._transition.dropped(Table):
            if fold(table.name) in self._backfill_sources:
                yield from (_drop("index", index.name) for index in table.indexes if fold(index.name) in taken)
        yield from (_drop("index", index.name) for index in self._transition.dropped(Index))

    def _drop_tables(self, *, read_by_backfills: bool) -> Iterator[a.Step]:
        """Drop the old tables that backfills read, or all other old tables."""
        sources = self._backfill_sources
        for virtual in self._transition.dropped(VirtualTable):
            if (fold(virtual.name) in sources) is read_by_backfills:
                yield _drop("virtual table", virtual.name)
        dropped = self._transition.dropped(Table)
        tables = [table for table in dropped if (fold(table.name) in sources) is read_by_backfills]
        yield from (_drop("table", table.name) for table in _children_first(tables))

    # Create

    def _create_tables(self) -> Iterator[a.Step]:
        for table in self._transition.created(Table):
            yield _step(describe(c.AddTable(new=table)), a.CreateTable(table=table))
            yield from self._create_indexes_of(table, in_use=False)

    def _create_indexes_of(self, table: Table, *, in_use: bool) -> Iterator[a.Step]:
        """Create a new table's indexes whose names indexes of rebuilt tables use; if not ``in_use``, the others."""
        used = {fold(index.name) for name in self._rebuilt for index in self._old[name].indexes}
        for index in table.indexes:
            if (fold(index.name) in used) is in_use:
                yield _create_index(table.name, index, Cost.CONSTANT)

    def _create_indexes(self) -> Iterator[a.Step]:
        for table in self._transition.created(Table):
            yield from self._create_indexes_of(table, in_use=True)
        for table in (self._new[name] for name in self._tables if name in self._rebuilt):
            actions = tuple(a.CreateIndex(table=table.name, index=index) for index in table.indexes)
            if actions:
                yield a.Step(words="", cost=Cost.REBUILD, actions=actions)
        owners = {fold(index.name): name for name, table in self._new.items() for index in table.indexes}
        for index in self._transition.created(Index):
            owner = owners[fold(index.name)]
            if owner not in self._rebuilt:
                yield _create_index(self._new[owner].name, index, Cost.SCAN)

    def _create_virtual_tables(self) -> Iterator[a.Step]:
        for change in self._transition.changes:
            if isinstance(change.new, VirtualTable):
                yield _step(describe(change), a.CreateStatement(statement=change.new.statement))

    def _create_views(self) -> Iterator[a.Step]:
        names = _names(self._transition.created(View)) | self._dropped_views
        for view in self._transition.new.views:
            if fold(view.name) in names:
                yield _step(f"add view {view.name}", a.CreateStatement(statement=view.statement))

    def _create_triggers(self) -> Iterator[a.Step]:
        names = _names(self._triggers_to_drop()) | _names(self._transition.created(Trigger))
        for trigger in self._transition.new.triggers:
            if fold(trigger.table) in self._rebuilt | self._dropped or fold(trigger.name) in names:
                words = f"add trigger {trigger.name} on {trigger.table}"
                yield _step(words, a.CreateStatement(statement=trigger.statement))


def views_to_drop(transition: Transition) -> tuple[View, ...]:
    """Return the views to drop before other steps; some of them are created again."""
    names = _names(transition.dropped(View)) | transition.set_aside
    if transition.renames.tables or transition.renames.columns:  # a rename fails if a view reads a dropped view
        names = with_readers(transition.start.views, names)
    return tuple(view for view in transition.start.views if fold(view.name) in names)


def with_readers(views: Sequence[View], names: frozenset[str]) -> frozenset[str]:
    """Return ``names`` (folded), and the names of all views that read any of them, directly or through views."""
    found = names
    while more := _names(v for v in views if fold(v.name) not in found and names_in(v.statement.sql) & found):
        found |= more
    return found


def backfill_order(transition: Transition, tables: Collection[str]) -> tuple[list[str], list[str]]:
    """Return ``tables`` (folded), each before the tables that its backfills read.

    The second list contains the tables that have no such order, because their backfills read each other.
    """
    dropped = [change for change in transition.changes if isinstance(change, c.DropColumn)]
    changing = {*transition.changing_columns(), *((fold(drop.table), fold(drop.old.name)) for drop in dropped)}
    reads = {name: found.columns for name, found in transition.reads.items()}
    sources = {
        name: {table for table, _ in reads.get(name, frozenset()) & changing if table != name and table in tables}
        for name in tables
    }
    waiting, ordered = list(tables), list[str]()
    while waiting:
        read = frozenset[str]().union(*(sources[name] for name in waiting))
        free = next((name for name in waiting if name not in read), None)
        if free is None:
            # A table that reads no other waiting table is not part of the cycle.
            return ordered + waiting, [name for name in waiting if sources[name] & set(waiting)]
        waiting.remove(free)
        ordered.append(free)
    return ordered, []


def _children_first(tables: Sequence[Table]) -> Iterator[Table]:
    """Yield ``tables``, each before those that it refers to, if possible."""
    waiting = tables
    while waiting:
        referred = {fold(k.table) for table in waiting for k in table.foreign_keys if fold(k.table) != fold(table.name)}
        free = [table for table in waiting if fold(table.name) not in referred] or waiting[:1]
        yield from free
        waiting = [table for table in waiting if table not in free]


def _names(objects: Iterable[Table | Index | View | Trigger | VirtualTable]) -> frozenset[str]:
    return frozenset(fold(item.name) for item in objects)


def _step(words: str, action: a.Action) -> a.Step:
    return a.Step(words=words, cost=Cost.CONSTANT, actions=(action,))


def _drop(kind: ObjectKind, name: str) -> a.Step:
    return _step(f"drop {kind} {name}", a.Drop(kind=kind, name=name))


def _create_index(table: str, index: Index, cost: Cost) -> a.Step:
    words = describe(c.AddIndex(table=table, new=index))
    return a.Step(words=words, cost=cost, actions=(a.CreateIndex(table=table, index=index),))


def _edit_step(edits: Sequence[a.EditDefinition]) -> Iterator[a.Step]:
    if edits:  # one step, because each makes all connections read the catalog again
        tables = tuple(dict.fromkeys(edit.table for edit in edits))
        cost = Cost.SCAN if any(edit.guards for edit in edits) else Cost.CONSTANT
        yield a.Step(words="", cost=cost, actions=(a.BeginEdits(), *edits, a.EndEdits(tables=tables)))
