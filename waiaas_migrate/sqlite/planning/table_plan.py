"""The cheapest exactly right way to change one table that stays: native ALTER TABLE, a catalog edit, or a rebuild.

Where the bytes on disk stay the same, only the table's text is changed, in constant time. A DEFAULT is never changed
that way: rows older than a column read it from the catalog (https://www.sqlite.org/lang_altertable.html#altertabaddcol);
nor is anything that shapes what is stored: collations, keys, UNIQUE, generated columns, options, another affinity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.altered import altered
from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.changes import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddUnique,
    Change,
    DropCheck,
    DropColumn,
    DropForeignKey,
    DropUnique,
    ModifyCheck,
    ModifyColumn,
    ModifyForeignKey,
    ModifyPrimaryKey,
    ModifyTableOptions,
    ReorderColumns,
)
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.model import Column, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_alias
from waiaas_migrate.sqlite.planning.actions import (
    AddColumnTo,
    DropColumnFrom,
    EditDefinition,
    GuardNoRow,
    GuardObjects,
    Step,
    UpdateRows,
)
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.layout import ColumnLayout, column_layout
from waiaas_migrate.sqlite.planning.rebuild import Rebuild, rebuild
from waiaas_migrate.sqlite.planning.row_values import column_of, guards, updates, waits_for_backfill
from waiaas_migrate.sqlite.planning.table_text import (
    Clauses,
    drops_cleanly,
    piece,
    renamed,
    with_added_column,
    written_name,
)
from waiaas_migrate.sqlite.planning.text_steps import TextStep, text_steps
from waiaas_migrate.sqlite.reading.ddl import is_constant, names_in


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChanges:
    """A table before and after, what changes in it, and what the choice depends on.

    ``old`` carries its new name already, and ``text`` is its definition. ``triggers`` are the folded names of its
    triggers, ``mentioned`` those that views and triggers use, and ``has_statements`` says whether there are any.
    ``can_drop_columns``: nothing elsewhere in the schema is in the way of DROP COLUMN. In the way are indexes on a
    string in double quotes, and views and triggers that use a table which has just gone. ``strings`` are the folded
    strings that stand in double quotes in the table or its indexes: a new column of that name would take them over.
    ``reads_itself``: a backfill looks into other rows of the table. ``in_order``: the columns must stand in the file as
    in ``new``.
    """

    old: Table
    new: Table
    text: str
    changes: tuple[Change, ...]
    clauses: Clauses
    triggers: tuple[str, ...] = ()
    mentioned: frozenset[str] = frozenset()
    has_statements: bool = True
    can_drop_columns: bool = True
    strings: frozenset[str] = frozenset()
    reads_itself: bool = False
    catalog_edits: bool = True
    in_order: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """The steps for one table, by their place among those of other tables.

    ``rules`` are edits that let rows get their new values, ``steps`` alter the table and its rows, ``edits`` bring the
    rest, and ``drops`` are columns that go. ``is_rebuilt``: its indexes and triggers went with the old table.
    ``updated`` are the folded names of columns that rows get other values in.
    """

    rules: tuple[EditDefinition, ...] = ()
    steps: tuple[Step, ...] = ()
    edits: tuple[EditDefinition, ...] = ()
    drops: tuple[Step, ...] = ()
    is_rebuilt: bool = False
    updated: frozenset[str] = frozenset()


def plan_table(table: TableChanges) -> TablePlan:
    """The steps that make ``table.old`` into ``table.new``, indexes and triggers aside."""
    rows = updates(table.old, table.new)
    added = _additions(table)
    # Values may be made from a column that goes with the same migration; dropping it writes all rows anyhow.
    out_of_place = bool(rows) and any(isinstance(change, DropColumn) for change in table.changes)
    # An UPDATE would find rows before it as it has just left them.
    out_of_place |= table.reads_itself and any(
        column_of(table.old, item.column) is not None for update in rows for item in update.assignments
    )
    # Unless something depends on it, the columns keep the order that they have in the file.
    physical = _physical(table, [change for change in table.changes if isinstance(change, AddColumn)])
    if table.in_order and _names(physical) != _names(table.new):
        physical, out_of_place = table.new, True
    if added is None or out_of_place or any(_needs_rebuild(table, change) for change in table.changes):
        wanted = Rebuild(
            old=table.old,
            text=table.text,
            new=physical,
            changes=table.changes,
            has_quoted_strings=bool(table.strings),
        )
        objects = (*(fold(index.name) for index in table.old.indexes), *table.triggers)
        return TablePlan(steps=(rebuild(wanted, table.clauses, objects),), is_rebuilt=True)
    return _in_place(table, added, rows)


# What a change needs


def _needs_rebuild(table: TableChanges, change: Change) -> bool:
    match change:
        case ModifyTableOptions() | ModifyPrimaryKey() | AddUnique() | DropUnique() | ReorderColumns():
            return True
        case AddColumn(column=column):
            return not _can_be_added(table, column)
        case DropColumn(column=column):
            return not _can_be_dropped(table, column)
        case ModifyColumn(old=old, new=new):
            return _changes_storage(table, old, new) or not table.catalog_edits
        case AddForeignKey() | DropForeignKey() | ModifyForeignKey() | AddCheck() | DropCheck() | ModifyCheck():
            return not table.catalog_edits and _is_edit(table, change)
        case _:
            return False


def _changes_storage(table: TableChanges, old: Column, new: Column) -> bool:
    if (old.default, canonical_collation(old.collation), old.generated) != (
        new.default,
        canonical_collation(new.collation),
        new.generated,
    ):
        return True
    # INTEGER, and no other type of its affinity, makes the primary key the rowid.
    becomes_rowid = rowid_alias(table.old) != rowid_alias(table.new)
    retyped = fold(old.type or "") != fold(new.type or "")
    return retyped and (becomes_rowid or table.new.strict or affinity(old.type) != affinity(new.type))


def _can_be_added(table: TableChanges, column: Column) -> bool:
    """What ADD COLUMN can do also where there are rows (https://www.sqlite.org/lang_altertable.html#altertabaddcol)."""
    if fold(column.name) in table.strings:
        return False
    if column.generated is not None:
        return not column.generated.stored
    kind = affinity(column.type, strict=table.new.strict)
    if column.default is not None and not is_constant(column.default.sql, kind):
        return False
    return table.catalog_edits or not (waits_for_backfill(column) or _waits_with_checks(table.new, column))


def _waits_with_checks(table: Table, column: Column) -> bool:
    """Whether a new column has CHECKs that hold only once its rows were filled."""
    return column.hints.backfill is not None and bool(column_layout(table, column).checks)


def _additions(table: TableChanges) -> list[AddColumn] | None:
    """The columns to be added, each after those that its expressions use; None where there is no such order."""
    waiting = [change for change in table.changes if isinstance(change, AddColumn)]
    ordered: list[AddColumn] = []
    while waiting:
        names = {fold(change.column.name) for change in waiting}
        free = [c for c in waiting if not (names - {fold(c.column.name)}) & _used_by(table.new, c.column)]
        if not free:
            return None
        ordered += free
        waiting = [change for change in waiting if change not in free]
    return ordered


def _used_by(table: Table, column: Column) -> frozenset[str]:
    """The folded names in the expressions that come with a new column."""
    checks = () if column.hints.backfill is not None else column_layout(table, column).checks
    texts = [check.expression.sql for check in checks]
    if column.generated is not None:
        texts.append(column.generated.expression.sql)
    return frozenset[str]().union(*map(names_in, texts))


def _can_be_dropped(table: TableChanges, column: Column) -> bool:
    """Whether nothing but its own column definition uses the column; in doubt it is not."""
    name = fold(column.name)
    old = table.old
    if not table.can_drop_columns:
        return False
    keys = [part.column for key in [old.primary_key, *old.uniques] if key is not None for part in key.parts]
    keys += [one for foreign in old.foreign_keys for one in foreign.columns]
    keys += [target for key in old.foreign_keys if fold(key.table) == fold(old.name) for target in key.targets]
    if name in table.mentioned or any(name == fold(key or "") for key in keys) or column.generated is not None:
        return False
    if not _leaves_comments(table, name):
        return False
    texts = [check.expression.sql for check in old.checks if fold(check.column or "") != name]
    texts += [c.generated.expression.sql for c in old.columns if c.generated is not None]
    texts += [index.where.sql for index in old.indexes if index.where is not None]
    texts += [p.expression.sql for index in old.indexes for p in index.parts if p.expression is not None]
    indexed = [fold(part.column or "") for index in old.indexes for part in index.parts]
    return name not in indexed and not any(name in names_in(text) for text in texts)


def _leaves_comments(table: TableChanges, name: str) -> bool:
    """Whether the comments of the columns that stay are the same if the column called ``name`` is dropped."""
    columns = _names(table.old)
    gone = {fold(change.column.name) for change in table.changes if isinstance(change, DropColumn)}
    at = columns.index(name)
    return drops_cleanly(table.text, at, is_last=gone.issuperset(columns[at + 1 :]))


def _is_edit(table: TableChanges, change: Change) -> bool:
    """Whether ``change`` is made by changing the table's text, and is not part of a column that comes or goes."""
    come = {fold(c.column.name) for c in table.changes if isinstance(c, AddColumn)}
    filled = {fold(c.column.name) for c in table.changes if isinstance(c, AddColumn) and c.column.hints.backfill}
    gone = {fold(c.column.name) for c in table.changes if isinstance(c, DropColumn)}
    match change:
        case AddCheck(check=check):
            return fold(check.column or "") not in come - filled
        case DropCheck(check=check):
            return fold(check.column or "") not in gone
        case AddForeignKey(foreign_key=key):
            return not (key.inline and fold(key.columns[0]) in come)
        case AddColumn(column=column):
            return waits_for_backfill(column)
        case ModifyCheck() | ModifyColumn() | DropForeignKey() | ModifyForeignKey():
            return True
        case _:
            return False


# The steps


def _in_place(table: TableChanges, added: Sequence[AddColumn], rows: Sequence[UpdateRows]) -> TablePlan:
    """Native steps and edits of the definition. Rules that values are about to meet come before the rows change."""
    rules = [change for change in table.changes if rows and _is_rule_of(rows, change) and _is_edit(table, change)]
    late = [_tightened(one) for one in table.changes if one not in rules and _is_edit(table, one)]
    edits = _Edits(table)
    first = tuple(edit for edit, _ in edits.made(rules))
    held = _asked(table, rules)
    edits.add_columns(table, added)
    made = edits.made(late)
    return TablePlan(
        rules=first,
        steps=tuple(_altered(table, added, rows, held)),
        edits=tuple(replace(edit, asked=_asked(table, changes)) for edit, changes in made),
        drops=tuple(_dropped(table)),
        updated=frozenset(fold(item.column) for update in rows for item in update.assignments),
    )


def _asked(table: TableChanges, changes: Sequence[Change]) -> tuple[GuardNoRow, ...]:
    return tuple(guard for change in changes for guard in guards(table.new, change))


def _tightened(change: Change) -> Change:
    """What is left to do for a column that was added: it becomes NOT NULL once its rows are filled."""
    if not isinstance(change, AddColumn):
        return change
    old = replace(change.column, not_null=None)
    return ModifyColumn(table=change.table, old=old, new=change.column)


def _is_rule_of(rows: Sequence[UpdateRows], change: Change) -> bool:
    """Whether a rule changes, or NOT NULL goes, in a column in which rows get other values."""
    given = {fold(item.column) for update in rows for item in update.assignments}
    match change:
        case ModifyCheck(old=check) | DropCheck(check=check):
            return bool(given & names_in(check.expression.sql))
        case ModifyColumn(new=column):
            return column.not_null is None and fold(column.name) in given
        case _:
            return False


class _Edits:
    """The definition of a table while it is edited piece by piece."""

    def __init__(self, table: TableChanges) -> None:
        self._name, self._clauses = table.old.name, table.clauses
        self._text, self._table = table.text, table.old

    def made(self, changes: Sequence[Change]) -> list[tuple[EditDefinition, tuple[Change, ...]]]:
        """The edits that make ``changes``, each with those that it makes.

        One edit of the whole definition if it can't be changed piece by piece.
        """
        new = self._table
        for change in changes:
            new = altered(new, change)
        steps = text_steps(self._text, self._table, changes, self._clauses, new)
        if steps is None:
            text = renamed(self._clauses.table(new), written_name(self._text))
            steps = (TextStep(changes=tuple(changes), before=self._text, after=text),)
        if steps:
            self._text = steps[-1].after
        self._table = new
        return [
            (
                EditDefinition(
                    table=self._name,
                    words="; ".join(describe(change, brief=True) for change in step.changes),
                    piece=piece(step.before, step.after),
                ),
                step.changes,
            )
            for step in steps
        ]

    def add_columns(self, table: TableChanges, added: Sequence[AddColumn]) -> None:
        """Let the definition have the columns that ALTER TABLE has added, as it adds them to the text."""
        for change in added:
            place = _as_added(table, change)
            self._text = with_added_column(self._text, self._clauses.item(place))
            self._table = replace(
                self._table,
                columns=(*self._table.columns, place.column),
                checks=(*self._table.checks, *place.checks),
                foreign_keys=(*self._table.foreign_keys, *place.foreign_keys),
            )


def _as_added(table: TableChanges, change: AddColumn) -> ColumnLayout:
    """A new column as ALTER TABLE can add it: without the rules that hold only once its rows are filled."""
    place = column_layout(table.new, change.column)
    if waits_for_backfill(change.column):
        place = replace(place, column=replace(change.column, not_null=None))
    if _waits_with_checks(table.new, change.column):
        place = replace(place, checks=())
    return place


def _added(table: TableChanges, added: Sequence[AddColumn]) -> Iterator[Step]:
    for change in added:
        place = _as_added(table, change)
        before = () if waits_for_backfill(change.column) else guards(table.new, change)
        action = AddColumnTo(table=table.new.name, column=place)
        cost = Cost.SCAN if place.checks else Cost.CONSTANT
        yield Step(words=describe(change), cost=cost, actions=(*before, action))


def _altered(
    table: TableChanges, added: Sequence[AddColumn], rows: Sequence[UpdateRows], held: Sequence[GuardNoRow]
) -> Iterator[Step]:
    """New columns, and what rows get in these and in others; ``held`` is what they must be then."""
    steps = list(_added(table, added))
    if not rows:
        yield from steps
        return
    columns = dict.fromkeys(item.column for update in rows for item in update.assignments)
    said = f"{table.new.name}: set {', '.join(columns)} in the rows that are there"
    words = "; ".join([*(step.words for step in steps), said])
    actions = [action for step in steps for action in step.actions]
    guard = GuardObjects(table=table.new.name, names=table.triggers, triggers_only=True)
    yield Step(words=words, cost=Cost.SCAN, actions=(*actions, guard, *rows, *held))


def _dropped(table: TableChanges) -> Iterator[Step]:
    for change in table.changes:
        if isinstance(change, DropColumn):
            name, is_legacy = change.column.name, table.has_statements
            action = DropColumnFrom(table=table.new.name, column=name, is_legacy=is_legacy)
            yield Step(words=describe(change), cost=Cost.REBUILD, actions=(action,))


def _physical(table: TableChanges, added: Sequence[AddColumn]) -> Table:
    """``table.new`` with its columns in the order that they have in the file."""
    new = {fold(column.name): column for column in table.new.columns}
    stay = [new.pop(fold(column.name)) for column in table.old.columns if fold(column.name) in new]
    return replace(table.new, columns=(*stay, *(change.column for change in added)))


def _names(table: Table) -> list[str]:
    return [fold(column.name) for column in table.columns]
