"""Changes in words."""

from __future__ import annotations

from typing import assert_never

from waiaas_migrate.schema.changes import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddTable,
    AddTrigger,
    AddUnique,
    AddView,
    AddVirtualTable,
    Change,
    CheckChange,
    ColumnChange,
    DropCheck,
    DropColumn,
    DropForeignKey,
    DropIndex,
    DropTable,
    DropTrigger,
    DropUnique,
    DropView,
    DropVirtualTable,
    IndexChange,
    KeyChange,
    ModifyCheck,
    ModifyColumn,
    ModifyForeignKey,
    ModifyIndex,
    ModifyPrimaryKey,
    ModifyTableOptions,
    ModifyTrigger,
    ModifyView,
    ModifyVirtualTable,
    RenameColumn,
    RenameTable,
    ReorderColumns,
    TableChange,
    TriggerChange,
    ViewChange,
    VirtualTableChange,
)
from waiaas_migrate.schema.enum_lists import literal
from waiaas_migrate.schema.model import Check, Column, ForeignKey, Index, IndexPart, PrimaryKey, Table


def describe(change: Change) -> str:  # noqa: PLR0911  one return for each kind of change
    """``change`` in words, such as ``add column agents.nickname (TEXT)``."""
    match change:
        case AddTable() | DropTable() | RenameTable() | ModifyTableOptions():
            return _describe_table(change)
        case AddColumn() | DropColumn() | RenameColumn() | ModifyColumn() | ReorderColumns():
            return _describe_column(change)
        case AddCheck() | DropCheck() | ModifyCheck():
            return _describe_check(change)
        case AddIndex() | DropIndex() | ModifyIndex():
            return _describe_index(change)
        case AddView() | DropView() | ModifyView():
            return _describe_view(change)
        case AddTrigger() | DropTrigger() | ModifyTrigger():
            return _describe_trigger(change)
        case AddVirtualTable() | DropVirtualTable() | ModifyVirtualTable():
            return _describe_virtual_table(change)
        case _:
            return _describe_key(change)


def describe_briefly(change: Change) -> str:
    """``change`` in words without the text of a CHECK, for a comment above the SQL that shows it."""
    words = describe(change)
    match change:
        case AddCheck() | DropCheck():
            return words.partition(": ")[0]
        case ModifyCheck(table=table, old=old, new=new) if _describe_lists(table, old, new) is None:
            return words.partition(": ")[0]
        case _:
            return words


def _describe_table(change: TableChange) -> str:
    match change:
        case AddTable(table=table):
            return f"add table {table.name} ({_count(len(table.columns), 'column')})"
        case DropTable(table=table):
            return f"drop table {table.name}"
        case RenameTable(old=old, new=new):
            return f"rename table {old} to {new}"
        case ModifyTableOptions(old=before, new=after):
            return f"change table {after.name}: {_options(before)} becomes {_options(after)}"
        case _:
            assert_never(change)


def _describe_column(change: ColumnChange) -> str:
    match change:
        case AddColumn(table=table, column=column):
            return f"add column {table}.{column.name}" + (f" ({column.type})" if column.type else "")
        case DropColumn(table=table, column=column):
            return f"drop column {table}.{column.name}"
        case RenameColumn(table=table, old=old, new=new):
            return f"rename column {table}.{old} to {new}"
        case ModifyColumn(table=table, old=before, new=after):
            return f"change column {table}.{after.name}: {'; '.join(_differences(before, after))}"
        case ReorderColumns(table=table, old=old_order, new=new_order):
            return f"reorder columns of {table}: {', '.join(old_order)} become {', '.join(new_order)}"
        case _:
            assert_never(change)


def _differences(old: Column, new: Column) -> list[str]:
    """What differs between two states of a column, in words."""
    return [
        f"{before} becomes {after}" for before, after in zip(_facts(old), _facts(new), strict=True) if before != after
    ]


def _facts(column: Column) -> tuple[str, ...]:
    """What there is to say of a column beside its name, one thing after the other."""
    return (
        f"type {column.type}" if column.type else "no type",
        _not_null(column),
        f"default {column.default.sql}" if column.default else "no default",
        f"collation {column.collation}" if column.collation else "no collation",
        _generated(column),
    )


def _not_null(column: Column) -> str:
    rule = column.not_null
    if rule is None:
        return "nullable"
    named = f" {rule.name}" if rule.name else ""
    return f"NOT NULL{named}" + (f" on conflict {rule.on_conflict}" if rule.on_conflict else "")


def _generated(column: Column) -> str:
    if column.generated is None:
        return "not generated"
    return f"generated as ({column.generated.expression.sql}) {'stored' if column.generated.stored else 'virtual'}"


def _describe_check(change: CheckChange) -> str:
    match change:
        case AddCheck(table=table, check=check):
            return f"add CHECK on {_checked(table, check)}: {check.expression.sql}"
        case DropCheck(table=table, check=check):
            return f"drop CHECK on {_checked(table, check)}: {check.expression.sql}"
        case ModifyCheck(table=table, old=old, new=new):
            lists = _describe_lists(table, old, new)
            return lists or f"change CHECK on {_checked(table, new)}: {old.expression.sql} becomes {new.expression.sql}"
        case _:
            assert_never(change)


def _describe_lists(table: str, old: Check, new: Check) -> str | None:
    """What two lists of values differ in; None if one CHECK is more than a list, or both allow the same."""
    before, after = old.allowed, new.allowed
    if before is None or after is None or before.column != after.column or before.nullable != after.nullable:
        return None
    come = [literal(value) for value in after.values if value not in before.values]
    gone = [literal(value) for value in before.values if value not in after.values]
    allowed = [f"allow {', '.join(come)}"] if come else []
    refused = [f"no longer allow {', '.join(gone)}"] if gone else []
    if not (come or gone) or old.name != new.name:
        return None
    return f"{table}.{new.column or before.column}: {' and '.join([*allowed, *refused])}"


def _checked(table: str, check: Check) -> str:
    return (f"{table}.{check.column}" if check.column else table) + (f" ({check.name})" if check.name else "")


def _describe_index(change: IndexChange) -> str:
    match change:
        case AddIndex(table=table, index=index):
            return f"add {_kind(index)} {index.name} on {table} ({_terms(index.parts)})"
        case DropIndex(table=table, index=index):
            return f"drop {_kind(index)} {index.name} on {table}"
        case ModifyIndex(table=table, old=old, new=new):
            return f"change index {new.name} on {table}: {_indexed(old)} becomes {_indexed(new)}"
        case _:
            assert_never(change)


def _kind(index: Index) -> str:
    return "unique index" if index.unique else "index"


def _indexed(index: Index) -> str:
    where = f" where {index.where.sql}" if index.where else ""
    return f"{'unique ' if index.unique else ''}({_terms(index.parts)}){where}"


def _terms(parts: tuple[IndexPart, ...]) -> str:
    return ", ".join(
        (part.column or (part.expression.sql if part.expression else ""))
        + (f" collate {part.collation}" if part.collation else "")
        + (" desc" if part.descending else "")
        for part in parts
    )


def _describe_key(change: KeyChange) -> str:
    match change:
        case ModifyPrimaryKey(table=table, old=before, new=after):
            return f"change primary key of {table}: {_keyed(before)} becomes {_keyed(after)}"
        case AddUnique(table=table, unique=unique):
            return f"add UNIQUE on {table} ({_terms(unique.parts)})"
        case DropUnique(table=table, unique=unique):
            return f"drop UNIQUE on {table} ({_terms(unique.parts)})"
        case AddForeignKey(table=table, foreign_key=key):
            return f"add foreign key on {table}: {_referenced(key)}"
        case DropForeignKey(table=table, foreign_key=key):
            return f"drop foreign key on {table}: {_referenced(key)}"
        case ModifyForeignKey(table=table, old=old, new=new):
            return f"change foreign key on {table}: {_referenced(old)} becomes {_referenced(new)}"
        case _:
            assert_never(change)


def _keyed(key: PrimaryKey | None) -> str:
    if key is None:
        return "none"
    options = (" autoincrement" if key.autoincrement else "") + (
        f" on conflict {key.on_conflict.lower()}" if key.on_conflict else ""
    )
    return (f"{key.name} " if key.name else "") + f"({_terms(key.parts)}){options}"


def _referenced(key: ForeignKey) -> str:
    targets = f" ({', '.join(key.targets)})" if key.targets else ""
    actions = [
        f"on delete {key.on_delete.lower()}" if key.on_delete else "",
        f"on update {key.on_update.lower()}" if key.on_update else "",
        f"match {key.match.lower()}" if key.match else "",
        key.deferral.lower() if key.deferral else "",
    ]
    name = f"{key.name} " if key.name else ""
    said = "".join(f" {action}" for action in actions if action)
    return f"{name}({', '.join(key.columns)}) references {key.table}{targets}{said}"


def _describe_view(change: ViewChange) -> str:
    match change:
        case AddView(view=view):
            return f"add view {view.name}"
        case DropView(view=view):
            return f"drop view {view.name}"
        case ModifyView(new=new):
            return f"change view {new.name}"
        case _:
            assert_never(change)


def _describe_trigger(change: TriggerChange) -> str:
    match change:
        case AddTrigger(trigger=trigger):
            return f"add trigger {trigger.name} on {trigger.table}"
        case DropTrigger(trigger=trigger):
            return f"drop trigger {trigger.name} on {trigger.table}"
        case ModifyTrigger(new=new):
            return f"change trigger {new.name} on {new.table}"
        case _:
            assert_never(change)


def _describe_virtual_table(change: VirtualTableChange) -> str:
    match change:
        case AddVirtualTable(table=table):
            return f"add virtual table {table.name} using {table.module}"
        case DropVirtualTable(table=table):
            return f"drop virtual table {table.name}"
        case ModifyVirtualTable(new=new):
            return f"change virtual table {new.name}"
        case _:
            assert_never(change)


def _options(table: Table) -> str:
    words = [word for word, is_set in (("STRICT", table.strict), ("WITHOUT ROWID", table.without_rowid)) if is_set]
    return " and ".join(words) or "plain"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
