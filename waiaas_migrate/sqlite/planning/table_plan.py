"""Choose how to change a table: by ALTER TABLE, a catalog edit, or a rebuild.

A catalog edit changes only the text of the table in sqlite_schema. It takes constant time, but works only if the stored
bytes stay the same. Changes to anything that determines these bytes need a rebuild: collations, primary keys, UNIQUE,
generated columns, table options, and types of another affinity. So does a changed DEFAULT, because rows older than the
column take its value from the catalog (https://www.sqlite.org/lang_altertable.html#altertabaddcol).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.model import Column, Schema, Table, written_on
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_alias
from waiaas_migrate.sqlite.planning import actions as a
from waiaas_migrate.sqlite.planning import table_text
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.layout import ColumnLayout, column_layout
from waiaas_migrate.sqlite.planning.rebuild import rebuild
from waiaas_migrate.sqlite.planning.row_values import row_guards, updates, waits_for_backfill
from waiaas_migrate.sqlite.planning.transition import TableChanges, Transition
from waiaas_migrate.sqlite.reading.ddl import is_safe_in_add_column, names_in
from waiaas_migrate.sqlite.reading.quoted_strings import is_string_term


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """The steps for one table, grouped by their place in the migration.

    Args:
        early_edits: catalog edits before rows get new values, such as a CHECK that allows these values.
        steps: steps that add columns, update rows or rebuild the table.
        late_edits: all other catalog edits.
        column_drops: steps that drop columns.
        is_rebuilt: the migration must create the indexes and triggers of the table again.
        updated_columns: the folded names of the columns in which rows get new values.
    """

    early_edits: tuple[a.EditDefinition, ...] = ()
    steps: tuple[a.Step, ...] = ()
    late_edits: tuple[a.EditDefinition, ...] = ()
    column_drops: tuple[a.Step, ...] = ()
    is_rebuilt: bool = False
    updated_columns: frozenset[str] = frozenset()


def plan_table(table: TableChanges) -> TablePlan:
    """Return the steps that change ``table``, without its indexes and triggers."""
    row_updates = updates(table.old, table.new)
    added = _ordered_additions(table)
    # A backfill may read a column that this migration drops, and the drop rewrites all rows anyway.
    must_copy = bool(row_updates and table.drops) or _reads_updated_rows(table, row_updates)
    # Another order of columns does not justify a rewrite of the table, unless something depends on the order.
    stored = _in_file_order(table)
    if table.transition.in_order and _names(stored) != _names(table.new):
        stored, must_copy = table.new, True
    if added is None or must_copy or any(_needs_rebuild(table, change) for change in table.changes):
        return TablePlan(steps=(rebuild(table, stored),), is_rebuilt=True)
    return _in_place(table, added, row_updates)


# Decide between a rebuild and changes in place


def _reads_updated_rows(table: TableChanges, row_updates: Sequence[a.UpdateRows]) -> bool:
    """Return whether a backfill could read rows that its own UPDATE has changed."""
    found = table.transition.reads.get(fold(table.new.name))
    if found is None or not found.reads_other_rows:
        return False
    return any(table.old.column(item.column) is not None for update in row_updates for item in update.assignments)


def _needs_rebuild(table: TableChanges, change: c.Alteration) -> bool:
    edits = table.transition.options.catalog_edits
    match change:
        case c.ModifyTableOptions() | c.ModifyPrimaryKey() | c.AddUnique() | c.DropUnique() | c.ReorderColumns():
            return True
        case c.AddColumn(new=column):
            return not _can_add_column(table, column)
        case c.DropColumn(old=column):
            return not _can_drop_column(table, column)
        case c.ModifyColumn(old=old, new=new):
            return _changes_storage(table, old, new) or not edits
        case (
            c.AddForeignKey() | c.DropForeignKey() | c.ModifyForeignKey()
            | c.AddCheck() | c.DropCheck() | c.ModifyCheck()
        ):  # fmt: skip
            return not edits and _needs_edit(table, change)
        case _:
            assert_never(change)


def _changes_storage(table: TableChanges, old: Column, new: Column) -> bool:
    shapes = [(column.default, canonical_collation(column.collation), column.generated) for column in (old, new)]
    if shapes[0] != shapes[1]:
        return True
    # Only the type INTEGER makes a primary key the rowid; other types of the same affinity do not.
    changes_rowid = rowid_alias(table.old) != rowid_alias(table.new)
    changes_type = fold(old.type or "") != fold(new.type or "")
    return changes_type and (changes_rowid or table.new.strict or affinity(old.type) != affinity(new.type))


def _can_add_column(table: TableChanges, column: Column) -> bool:
    if fold(column.name) in table.strings:
        return False
    if column.generated is not None:
        return not column.generated.stored
    column_affinity = affinity(column.type, strict=table.new.strict)
    if column.default is not None and not is_safe_in_add_column(column.default.sql, column_affinity):
        return False
    needs_edit = waits_for_backfill(column) or _adds_checks_later(table.new, column)
    return table.transition.options.catalog_edits or not needs_edit


def _can_drop_column(table: TableChanges, column: Column) -> bool:
    """Return whether DROP COLUMN can drop ``column``; False if in doubt."""
    name = fold(column.name)
    own_checks = [check for check in table.old.checks if written_on(check) == name]
    uses = [text.sql for owner, _, text in table.old.expressions() if owner not in own_checks]
    uses += _view_and_trigger_sql(table.transition.old)
    return (
        column.generated is None
        and name not in _key_columns(table.old)
        and not any(name in names_in(text) for text in uses)
        and _keeps_comments(table, name)
        and _schema_allows(table.transition)
    )


def _view_and_trigger_sql(schema: Schema) -> list[str]:
    """Return the SQL of all views and triggers."""
    return [trigger.statement.sql for trigger in schema.triggers] + [view.statement.sql for view in schema.views]


def _key_columns(table: Table) -> set[str]:
    keys = [table.primary_key, *table.uniques, *table.indexes]
    names = [part.column or "" for key in keys if key is not None for part in key.parts]
    names += [column for key in table.foreign_keys for column in key.columns]
    names += [target for key in table.foreign_keys if fold(key.table) == fold(table.name) for target in key.targets]
    return set(map(fold, names))


def _keeps_comments(table: TableChanges, name: str) -> bool:
    """Return whether other columns keep their comments if DROP COLUMN drops ``name``."""
    columns = [fold(column.name) for column in table.old.columns]
    dropped = {fold(drop.old.name) for drop in table.drops}
    at = columns.index(name)
    return table_text.drops_cleanly(table.text, at, is_last=dropped.issuperset(columns[at + 1 :]))


def _schema_allows(transition: Transition) -> bool:
    """Return whether DROP COLUMN works and leaves all other objects as they are.

    It fails if an index is on a string in double quotes, or if a view or trigger uses a table that the migration drops.
    It writes ``""`` as ``''`` in all views and triggers.
    """
    parts = [part for table in transition.old.tables for index in table.indexes for part in index.parts]
    dropped = {fold(table.name) for table in transition.dropped(Table)}
    return not (
        any(part.expression is not None and is_string_term(part.expression.sql) for part in parts)
        or any(dropped & names_in(text) for text in _view_and_trigger_sql(transition.new))
        or any('""' in text for text in _view_and_trigger_sql(transition.old))
    )


def _adds_checks_later(table: Table, column: Column) -> bool:
    """Return whether a new column has CHECKs that rows pass only after its backfill."""
    return column.hints.backfill is not None and bool(column_layout(table, column).checks)


def _ordered_additions(table: TableChanges) -> list[c.AddColumn] | None:
    """Return the added columns, each after those that it uses; None if impossible."""
    waiting = {fold(change.new.name): change for change in table.additions}
    used = {name: _used_names(table.new, change.new) - {name} for name, change in waiting.items()}
    ordered: list[c.AddColumn] = []
    while waiting:
        free = [name for name in waiting if not waiting.keys() & used[name]]
        if not free:
            return None
        ordered += [waiting.pop(name) for name in free]
    return ordered


def _used_names(table: Table, column: Column) -> frozenset[str]:
    """Return the folded names in the expressions of an ADD COLUMN."""
    checks = () if column.hints.backfill is not None else column_layout(table, column).checks
    texts = [check.expression for check in checks] + ([column.generated.expression] if column.generated else [])
    return frozenset[str]().union(*(names_in(text.sql) for text in texts))


def _needs_edit(table: TableChanges, change: c.Alteration) -> bool:
    """Return whether ``change`` needs a catalog edit besides ADD and DROP COLUMN."""
    added = {fold(addition.new.name): addition.new for addition in table.additions}
    match change:
        case c.AddCheck(new=check):
            column = added.get(fold(check.column or ""))
            return column is None or column.hints.backfill is not None
        case c.DropCheck(old=check):
            dropped = {fold(drop.old.name) for drop in table.drops}
            return fold(check.column or "") not in dropped
        case c.AddForeignKey(new=key):
            return not (key.inline and fold(key.columns[0]) in added)
        case c.AddColumn(new=column):
            return waits_for_backfill(column)
        case c.ModifyCheck() | c.ModifyColumn() | c.DropForeignKey() | c.ModifyForeignKey():
            return True
        case (
            c.DropColumn() | c.ReorderColumns() | c.ModifyTableOptions() | c.ModifyPrimaryKey()
            | c.AddUnique() | c.DropUnique()
        ):  # fmt: skip
            return False
        case _:
            assert_never(change)


# Write the steps


def _in_place(table: TableChanges, added: Sequence[c.AddColumn], row_updates: Sequence[a.UpdateRows]) -> TablePlan:
    """Return a plan without a rebuild. Edits that may allow updates come first."""
    updated = frozenset(fold(item.column) for update in row_updates for item in update.assignments)
    early = [change for change in table.changes if _allows_update(updated, change) and _needs_edit(table, change)]
    late = [_as_not_null(change) for change in table.changes if change not in early and _needs_edit(table, change)]
    editor = _DefinitionEditor(table)
    early_edits = editor.make(early)
    editor.add_columns(added)
    late_guards = [guard for change in early for guard in row_guards(table.new, change)]
    return TablePlan(
        # Rows pass the guards of early edits only after they are updated.
        early_edits=tuple(replace(edit, guards=()) for edit in early_edits),
        steps=tuple(_alterations(table, added, row_updates, late_guards)),
        late_edits=editor.make(late),
        column_drops=tuple(_column_drops(table)),
        updated_columns=updated,
    )


def _as_not_null(change: c.Alteration) -> c.Alteration:
    """Return ``change``; for an added column, the later change to NOT NULL."""
    if not isinstance(change, c.AddColumn):
        return change
    return c.ModifyColumn(table=change.table, old=replace(change.new, not_null=None), new=change.new)


def _allows_update(updated: frozenset[str], change: c.Alteration) -> bool:
    """Return whether ``change`` loosens or replaces a rule on an ``updated`` column."""
    match change:
        case c.ModifyCheck(old=check) | c.DropCheck(old=check):
            return bool(updated & names_in(check.expression.sql))
        case c.ModifyColumn(new=column):
            return column.not_null is None and fold(column.name) in updated
        case (
            c.AddCheck() | c.AddColumn() | c.DropColumn() | c.ReorderColumns()
            | c.ModifyTableOptions() | c.ModifyPrimaryKey() | c.AddUnique() | c.DropUnique()
            | c.AddForeignKey() | c.DropForeignKey() | c.ModifyForeignKey()
        ):  # fmt: skip
            return False
        case _:
            assert_never(change)


class _DefinitionEditor:
    def __init__(self, changes: TableChanges) -> None:
        self._changes, self._write = changes, changes.transition.write
        self._text, self._table = changes.text, changes.old

    def make(self, changes: Sequence[c.Alteration]) -> tuple[a.EditDefinition, ...]:
        """Make ``changes`` and return their edits.

        If the text can't be changed piece by piece, one edit replaces the whole text.
        """
        new = reduce(c.altered, changes, self._table)
        steps = table_text.text_steps(self._text, self._table, changes, self._write, new)
        if steps is None:
            text = table_text.renamed(self._write(new), table_text.written_name(self._text))
            steps = (table_text.TextStep(changes=tuple(changes), before=self._text, after=text),)
        if steps:
            self._text = steps[-1].after
        self._table = new
        return tuple(
            a.EditDefinition(
                table=new.name,
                words="; ".join(describe(change, brief=True) for change in step.changes),
                piece=table_text.smallest_piece(step.before, step.after),
                guards=tuple(guard for change in step.changes for guard in row_guards(self._changes.new, change)),
            )
            for step in steps
        )

    def add_columns(self, added: Sequence[c.AddColumn]) -> None:
        """Add columns to the definition as ALTER TABLE does."""
        for change in added:
            layout = _as_added(self._changes, change)
            self._text = table_text.with_added_column(self._text, self._write(layout))
            self._table = replace(
                self._table,
                columns=(*self._table.columns, layout.column),
                checks=(*self._table.checks, *layout.checks),
                foreign_keys=(*self._table.foreign_keys, *layout.foreign_keys),
            )


def _as_added(table: TableChanges, change: c.AddColumn) -> ColumnLayout:
    """Return a new column without the constraints that need its backfill first."""
    layout = column_layout(table.new, change.new)
    if waits_for_backfill(change.new):
        layout = replace(layout, column=replace(change.new, not_null=None))
    if _adds_checks_later(table.new, change.new):
        layout = replace(layout, checks=())
    return layout


def _alterations(
    table: TableChanges,
    added: Sequence[c.AddColumn],
    row_updates: Sequence[a.UpdateRows],
    late_guards: Sequence[a.GuardNoRow],
) -> Iterator[a.Step]:
    """Yield the steps that add columns, update rows, and then test ``late_guards``."""
    steps = []
    for change in added:
        new = _as_added(table, change)
        guards = () if waits_for_backfill(change.new) else row_guards(table.new, change)
        actions = (*guards, a.AddColumn(table=table.new.name, column=new))
        steps.append(a.Step(words=describe(change), cost=Cost.SCAN if new.checks else Cost.CONSTANT, actions=actions))
    if not row_updates:
        yield from steps
        return
    columns = dict.fromkeys(item.column for update in row_updates for item in update.assignments)
    words = "; ".join([*(step.words for step in steps), f"{table.new.name}: set {', '.join(columns)} in existing rows"])
    additions = [action for step in steps for action in step.actions]
    no_trigger = a.GuardObjects(table=table.new.name, names=table.triggers, triggers_only=True)
    yield a.Step(words=words, cost=Cost.SCAN, actions=(*additions, no_trigger, *row_updates, *late_guards))


def _column_drops(table: TableChanges) -> Iterator[a.Step]:
    is_legacy = bool(_view_and_trigger_sql(table.transition.old))
    for change in table.drops:
        action = a.DropColumn(table=table.new.name, column=change.old.name, is_legacy=is_legacy)
        yield a.Step(words=describe(change), cost=Cost.REBUILD, actions=(action,))


def _in_file_order(table: TableChanges) -> Table:
    """Return ``table.new`` with old columns first, as ALTER TABLE orders them."""
    new = {fold(column.name): column for column in table.new.columns}
    kept = [new[fold(column.name)] for column in table.old.columns if fold(column.name) in new]
    return replace(table.new, columns=(*kept, *(change.new for change in table.additions)))


def _names(table: Table) -> list[str]:
    return [fold(column.name) for column in table.columns]
