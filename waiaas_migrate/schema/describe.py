"""Describe changes in words, for migrations and messages."""

from __future__ import annotations

from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema import model as m
from waiaas_migrate.schema.enum_lists import lists_of, literal

_Described = m.Table | m.Column | m.Unique | m.Check | m.ForeignKey | m.Index | c.StatementObject

_PAST_TENSES = {"add": "added", "drop": "dropped", "change": "changed", "rename": "renamed", "reorder": "reordered"}


def describe(change: c.Change, *, brief: bool = False) -> str:
    """Return ``change`` in words, such as ``add column agents.nickname (TEXT)``.

    ``brief`` leaves out the text of a CHECK, for a comment above the SQL that shows it.
    """
    match change:
        case (
            c.AddTable() | c.AddColumn() | c.AddUnique() | c.AddCheck() | c.AddForeignKey() | c.AddIndex()
            | c.AddObject()
        ):  # fmt: skip
            return f"add {_words(change.new, c.table_of(change), brief=brief, details=True)}"
        case (
            c.DropTable() | c.DropColumn() | c.DropUnique() | c.DropCheck() | c.DropForeignKey() | c.DropIndex()
            | c.DropObject()
        ):  # fmt: skip
            return f"drop {_words(change.old, c.table_of(change), brief=brief)}"
        case c.RenameTable(old=old, new=new):
            return f"rename table {old} to {new}"
        case c.RenameColumn(table=table, old=old, new=new):
            return f"rename column {table}.{old} to {new}"
        case c.ReorderColumns(table=table, old=before, new=after):
            return f"reorder columns of {table}: {', '.join(before)} become {', '.join(after)}"
        case _:
            return _modified(change, brief=brief)


def describe_made(change: c.Change) -> str:
    """Return ``change`` in the past tense, such as ``added table webhooks``."""
    verb, _, words = describe(change).partition(" ")
    return f"{_PAST_TENSES.get(verb, verb)} {words}"


def _words(  # noqa: C901, PLR0911 — an arm for each kind
    item: _Described, table: str | None, *, brief: bool = False, details: bool = False
) -> str:
    match item:
        case m.Table(name=name):
            columns = len(item.columns)
            return f"table {name}" + (f" ({columns} column{'' if columns == 1 else 's'})" if details else "")
        case m.Column(name=name):
            return f"column {table}.{name}" + (f" ({item.type})" if item.type and details else "")
        case m.Unique():
            return f"UNIQUE on {table} ({_terms(item.parts)})"
        case m.Check():
            return f"CHECK on {_check_place(table, item)}" + ("" if brief else f": {item.expression.sql}")
        case m.ForeignKey():
            return f"foreign key on {table}: {foreign_key_words(item)}"
        case m.Index(name=name):
            return f"{_index_kind(item)} {name} on {table}" + (f" ({_terms(item.parts)})" if details else "")
        case m.View(name=name):
            return f"view {name}"
        case m.Trigger(name=name):
            return f"trigger {name} on {item.table}"
        case m.VirtualTable(name=name):
            return f"virtual table {name}" + (f" using {item.module}" if details else "")
        case _:
            assert_never(item)


def _modified(change: c.Modification, *, brief: bool) -> str:  # noqa: PLR0911 — one return for each kind
    match change:
        case c.ModifyTableOptions(old=before, new=after):
            return f"change table {after.name}: {_option_words(before)} becomes {_option_words(after)}"
        case c.ModifyColumn(table=table, new=column):
            pairs = zip(_properties(change.old), _properties(column), strict=True)
            differences = [f"{old} becomes {new}" for old, new in pairs if old != new]
            return f"change column {table}.{column.name}: {'; '.join(differences)}"
        case c.ModifyPrimaryKey(table=table):
            return f"change primary key of {table}: {_key_words(change.old)} becomes {_key_words(change.new)}"
        case c.ModifyCheck(table=table, old=old, new=new):
            words = f"change CHECK on {_check_place(table, new)}"
            full = words if brief else f"{words}: {old.expression.sql} becomes {new.expression.sql}"
            return _list_difference(table, old, new) or full
        case c.ModifyForeignKey(table=table, old=old_key, new=key):
            return f"change foreign key on {table}: {foreign_key_words(old_key)} becomes {foreign_key_words(key)}"
        case c.ModifyIndex(table=table, new=index):
            return f"change index {index.name} on {table}: {_index_terms(change.old)} becomes {_index_terms(index)}"
        case c.ModifyObject():
            return f"change {_words(change.new, None)}"
        case _:
            assert_never(change)


def _properties(column: m.Column) -> tuple[str, ...]:
    """Return the properties of a column in words, except its name, in a fixed order."""
    rule, generated = column.not_null, column.generated
    conflict = f"on conflict {rule.on_conflict}" if rule and rule.on_conflict else ""
    storage = "stored" if generated and generated.stored else "virtual"
    return (
        f"type {column.type}" if column.type else "no type",
        _joined("NOT NULL", rule.name, conflict) if rule else "nullable",
        f"default {column.default.sql}" if column.default else "no default",
        f"collation {column.collation}" if column.collation else "no collation",
        f"generated as ({generated.expression.sql}) {storage}" if generated else "not generated",
    )


def _list_difference(table: str, old: m.Check, new: m.Check) -> str | None:
    """Describe the values that a list gains and loses; None unless only they change."""
    if (lists := lists_of(old, new)) is None:
        return None
    before, after = lists
    added = ", ".join(literal(value) for value in after.values if value not in before.values)
    removed = ", ".join(literal(value) for value in before.values if value not in after.values)
    if not (added or removed) or old.name != new.name:
        return None
    words = [f"allow {added}" if added else "", f"no longer allow {removed}" if removed else ""]
    return f"{table}.{new.column or before.column}: {' and '.join(filter(None, words))}"


def _check_place(table: str | None, check: m.Check) -> str:
    return check.place(str(table)) + (f" ({check.name})" if check.name else "")


def index_words(index: m.Index) -> str:
    """Return ``index`` in words, such as ``unique index idx_tasks_title (title)``."""
    where = f" where {index.where.sql}" if index.where else ""
    return f"{_index_kind(index)} {index.name} ({_terms(index.parts)}){where}"


def _index_kind(index: m.Index) -> str:
    return "unique index" if index.unique else "index"


def _index_terms(index: m.Index) -> str:
    where = f" where {index.where.sql}" if index.where else ""
    return f"{'unique ' if index.unique else ''}({_terms(index.parts)}){where}"


def _terms(parts: tuple[m.IndexPart, ...]) -> str:
    return ", ".join(
        _joined(
            part.column or (part.expression.sql if part.expression else ""),
            f"collate {part.collation}" if part.collation else "",
            "desc" if part.descending else "",
        )
        for part in parts
    )


def _key_words(key: m.PrimaryKey | None) -> str:
    if key is None:
        return "none"
    conflict = f"on conflict {key.on_conflict.lower()}" if key.on_conflict else ""
    return _joined(key.name, f"({_terms(key.parts)})", "autoincrement" if key.autoincrement else "", conflict)


def foreign_key_words(key: m.ForeignKey) -> str:
    """Return ``key`` in words, such as ``(task_id) references tasks (id)``."""
    return _joined(
        key.name,
        f"({', '.join(key.columns)}) references {key.table}",
        f"({', '.join(key.targets)})" if key.targets else "",
        f"on delete {key.on_delete.lower()}" if key.on_delete else "",
        f"on update {key.on_update.lower()}" if key.on_update else "",
        f"match {key.match.lower()}" if key.match else "",
        key.deferral.lower() if key.deferral else "",
    )


def _joined(*words: str | None) -> str:
    return " ".join(filter(None, words))


def _option_words(table: m.Table) -> str:
    words = [word for word, is_set in (("STRICT", table.strict), ("WITHOUT ROWID", table.without_rowid)) if is_set]
    return " and ".join(words) or "plain"
