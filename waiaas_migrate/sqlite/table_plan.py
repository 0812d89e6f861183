"""The cheapest exactly right way to change one table that stays: native ALTER TABLE, a catalog edit, or a rebuild.

Where the bytes on disk stay the same, only the table's text is changed, in constant time. A DEFAULT is never changed
that way: rows older than a column read it from the catalog (https://www.sqlite.org/lang_altertable.html#altertabaddcol);
nor is anything that shapes what is stored: collations, keys, UNIQUE, generated columns, options, another affinity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from waiaas_migrate.schema.affinity import affinity
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
from waiaas_migrate.sqlite.actions import Action, AddColumnTo, DropColumnFrom, EditCatalog, Step, UpdateRows
from waiaas_migrate.sqlite.cost import Cost
from waiaas_migrate.sqlite.ddl import is_constant, names_in
from waiaas_migrate.sqlite.layout import ColumnLayout, column_layout
from waiaas_migrate.sqlite.rebuild import rebuild, rowid_alias
from waiaas_migrate.sqlite.row_steps import column_of, guards, update, waits_for_backfill


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChanges:
    """A table before and after, what changes in it, and what the choice depends on.

    ``old`` carries its new name already. ``mentioned`` are the folded names that views and triggers use.
    ``can_drop_columns``: nothing elsewhere in the schema is in the way of DROP COLUMN. In the way are indexes on a
    string in double quotes, and views and triggers that use a table which has just gone. ``strings`` are the folded
    strings that stand in double quotes in the table or its indexes: a new column of that name would take them over.
    ``reads_itself``: a backfill looks into other rows of the table. ``in_order``: the columns shall stand in the file
    as in ``new``.
    """

    old: Table
    new: Table
    changes: tuple[Change, ...]
    mentioned: frozenset[str]
    can_drop_columns: bool = True
    strings: frozenset[str] = frozenset()
    reads_itself: bool = False
    catalog_edits: bool = True
    in_order: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """The steps for one table; ``is_rebuilt`` where its indexes and triggers went with the old one."""

    steps: tuple[Step, ...]
    is_rebuilt: bool = False
    updates_rows: bool = False


def plan_table(table: TableChanges) -> TablePlan:
    """The steps that make ``table.old`` into ``table.new``, indexes and triggers aside."""
    rows = update(table.old, table.new)
    added = _additions(table)
    # Values may be made from a column that goes with the same migration; dropping it writes all rows anew anyhow.
    out_of_place = rows is not None and any(isinstance(change, DropColumn) for change in table.changes)
    # An UPDATE would find rows before it as it has just left them.
    out_of_place |= (
        rows is not None
        and table.reads_itself
        and any(column_of(table.old, item.column) is not None for item in rows.assignments)
    )
    # Without a word on it, the columns keep the order that they have in the file.
    physical = _physical(table, [change for change in table.changes if isinstance(change, AddColumn)])
    if table.in_order and _names(physical) != _names(table.new):
        physical, out_of_place = table.new, True
    if added is None or out_of_place or any(_needs_rebuild(table, change) for change in table.changes):
        return TablePlan(steps=(rebuild(table.old, physical, table.changes),), is_rebuilt=True)
    steps = [*_added(table, added), *_dropped(table)]
    edited = [change for change in table.changes if _is_edit(table, change)]
    if edited or rows is not None:
        steps += _edit(table, edited, _edited(table, added), rows)
    return TablePlan(steps=tuple(steps), updates_rows=rows is not None)


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
    texts = [check.expression.sql for check in old.checks if fold(check.column or "") != name]
    texts += [c.generated.expression.sql for c in old.columns if c.generated is not None]
    texts += [index.where.sql for index in old.indexes if index.where is not None]
    texts += [p.expression.sql for index in old.indexes for p in index.parts if p.expression is not None]
    indexed = [fold(part.column or "") for index in old.indexes for part in index.parts]
    return name not in indexed and not any(name in names_in(text) for text in texts)


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


def _added(table: TableChanges, added: Sequence[AddColumn]) -> Iterator[Step]:
    for change in added:
        place = column_layout(table.new, change.column)
        if waits_for_backfill(change.column):
            place = replace(place, column=replace(change.column, not_null=None))
        if _waits_with_checks(table.new, change.column):
            place = replace(place, checks=())
        before = () if waits_for_backfill(change.column) else guards(table.new, change)
        action = AddColumnTo(table=table.new.name, column=place)
        yield Step(words=describe(change), cost=_adding_cost(place), actions=(*before, action))


def _adding_cost(place: ColumnLayout) -> Cost:
    return Cost.SCAN if place.checks else Cost.CONSTANT


def _dropped(table: TableChanges) -> Iterator[Step]:
    for change in table.changes:
        if isinstance(change, DropColumn):
            action = DropColumnFrom(table=table.new.name, column=change.column.name)
            yield Step(words=describe(change), cost=Cost.REBUILD, actions=(action,))


def _physical(table: TableChanges, added: Sequence[AddColumn]) -> Table:
    """``table.new`` with its columns in the order that they have in the file."""
    new = {fold(column.name): column for column in table.new.columns}
    stay = [new.pop(fold(column.name)) for column in table.old.columns if fold(column.name) in new]
    return replace(table.new, columns=(*stay, *(change.column for change in added)))


def _names(table: Table) -> list[str]:
    return [fold(column.name) for column in table.columns]


def _edited(table: TableChanges, added: Sequence[AddColumn]) -> Table:
    """``table.new`` with columns and keys in the order that they have in the file, for an edit of its text.

    SQLite finds the index of a key by the number of the key in the text
    (https://www.sqlite.org/fileformat2.html#intschema): in another order, it would take one for another's. The rowid
    needs no index.
    """
    has_index = rowid_alias(table.new) is None
    key = table.old.primary_key if has_index else table.new.primary_key
    return replace(_physical(table, added), primary_key=key, uniques=table.old.uniques)


def _edit(table: TableChanges, edited: Sequence[Change], text: Table, rows: UpdateRows | None) -> Iterator[Step]:
    """Change the table's text; where rows get other values, first without the rules that change."""
    words = "; ".join(_edit_words(table.new.name, change) for change in edited) or _filling_words(table.new.name, rows)
    before = [guard for change in edited for guard in guards(table.new, change)]
    actions: list[Action] = []
    if rows is not None and _breaks_old_rule(rows, edited):
        actions.append(EditCatalog(table=_without_rules(text, edited), has_keys=_has_keys(text)))
    if rows is not None:
        actions.append(rows)
    if edited:
        actions += [*before, EditCatalog(table=text, has_keys=_has_keys(text))]
    yield Step(words=words, cost=Cost.SCAN if before or rows is not None else Cost.CONSTANT, actions=tuple(actions))


def _edit_words(table: str, change: Change) -> str:
    """What an edit is for; that a column comes was said before it."""
    if isinstance(change, AddColumn):
        return f"fill column {table}.{change.column.name}, which is NOT NULL from then on"
    return describe(change)


def _filling_words(table: str, rows: UpdateRows | None) -> str:
    columns = [f"{table}.{item.column}" for item in (rows.assignments if rows is not None else ())]
    return f"fill column{'s' if len(columns) > 1 else ''} {', '.join(columns)}"


def _breaks_old_rule(rows: UpdateRows, edited: Iterable[Change]) -> bool:
    """Whether a CHECK that changes or goes is about a column that rows get other values in."""
    given = {fold(item.column) for item in rows.assignments}
    checks = [change.old for change in edited if isinstance(change, ModifyCheck)]
    checks += [change.check for change in edited if isinstance(change, DropCheck)]
    return any(given & names_in(check.expression.sql) for check in checks)


def _has_keys(table: Table) -> bool:
    """Whether ``table`` has more than one key with an index, which could be taken for each other."""
    key_has_index = table.primary_key is not None and rowid_alias(table) is None
    return len(table.uniques) + key_has_index > 1


def _without_rules(text: Table, edited: Collection[Change]) -> Table:
    """``text`` without each CHECK and NOT NULL that is new, while rows are being carried over."""
    new_checks = [change.check for change in edited if isinstance(change, AddCheck)]
    new_checks += [change.new for change in edited if isinstance(change, ModifyCheck)]
    tightened = {fold(c.new.name) for c in edited if isinstance(c, ModifyColumn) and c.new.not_null is not None}
    tightened |= {fold(c.column.name) for c in edited if isinstance(c, AddColumn)}
    return replace(
        text,
        checks=tuple(check for check in text.checks if check not in new_checks),
        columns=tuple(replace(c, not_null=None) if fold(c.name) in tightened else c for c in text.columns),
    )
