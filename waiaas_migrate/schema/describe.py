"""Changes in words."""

from __future__ import annotations

from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema import model as m
from waiaas_migrate.schema.enum_lists import literal

_MADE = {"add": "added", "drop": "dropped", "change": "changed", "rename": "renamed", "reorder": "reordered"}


def describe(change: c.Change, *, brief: bool = False) -> str:  # noqa: PLR0911 — one return for each kind
    """Return ``change`` in words, such as ``add column agents.nickname (TEXT)``.

    ``brief`` leaves out the text of a CHECK, for a comment above the SQL that shows it.
    """
    match change:
        case c.AddCheck(table=table, check=check):
            return f"add CHECK on {_checked(table, check)}" + ("" if brief else f": {check.expression.sql}")
        case c.DropCheck(table=table, check=check):
            return f"drop CHECK on {_checked(table, check)}" + ("" if brief else f": {check.expression.sql}")
        case c.ModifyCheck(table=table, old=old, new=new):
            words = f"change CHECK on {_checked(table, new)}"
            full = words if brief else f"{words}: {old.expression.sql} becomes {new.expression.sql}"
            return _allowed_values(table, old, new) or full
        case c.AddIndex() | c.DropIndex() | c.ModifyIndex():
            return _describe_index(change)
        case c.AddObject() | c.DropObject() | c.ModifyObject():
            return _describe_object(change)
        case c.AddTable() | c.DropTable() | c.RenameTable() | c.ModifyTableOptions():
            return _describe_table(change)
        case c.AddColumn() | c.DropColumn() | c.RenameColumn() | c.ModifyColumn() | c.ReorderColumns():
            return _describe_column(change)
        case _:
            return _describe_key(change)


def describe_made(change: c.Change) -> str:
    """Return a ``change`` that somebody made in words, such as ``added column agents.nickname (TEXT)``."""
    verb, _, rest = describe(change).partition(" ")
    return f"{_MADE.get(verb, verb)} {rest}"


def _describe_table(change: c.TableChange) -> str:
    match change:
        case c.AddTable(table=table):
            columns = len(table.columns)
            return f"add table {table.name} ({columns} column{'' if columns == 1 else 's'})"
        case c.DropTable(table=table):
            return f"drop table {table.name}"
        case c.RenameTable(old=old, new=new):
            return f"rename table {old} to {new}"
        case c.ModifyTableOptions(old=before, new=after):
            return f"change table {after.name}: {_options(before)} becomes {_options(after)}"
        case _:
            assert_never(change)


def _describe_column(change: c.ColumnChange) -> str:
    match change:
        case c.AddColumn(table=table, column=column):
            return f"add column {table}.{column.name}" + (f" ({column.type})" if column.type else "")
        case c.DropColumn(table=table, column=column):
            return f"drop column {table}.{column.name}"
        case c.RenameColumn(table=table, old=old, new=new):
            return f"rename column {table}.{old} to {new}"
        case c.ModifyColumn(table=table, old=before, new=after):
            pairs = zip(_properties(before), _properties(after), strict=True)
            differences = [f"{old} becomes {new}" for old, new in pairs if old != new]
            return f"change column {table}.{after.name}: {'; '.join(differences)}"
        case c.ReorderColumns(table=table, old=old_order, new=new_order):
            return f"reorder columns of {table}: {', '.join(old_order)} become {', '.join(new_order)}"
        case _:
            assert_never(change)


def _properties(column: m.Column) -> tuple[str, ...]:
    """Return the properties of a column in words, except its name, in a fixed order."""
    rule, generated = column.not_null, column.generated
    conflict = f"on conflict {rule.on_conflict}" if rule and rule.on_conflict else ""
    kept = "stored" if generated and generated.stored else "virtual"
    return (
        f"type {column.type}" if column.type else "no type",
        _joined("NOT NULL", rule.name, conflict) if rule else "nullable",
        f"default {column.default.sql}" if column.default else "no default",
        f"collation {column.collation}" if column.collation else "no collation",
        f"generated as ({generated.expression.sql}) {kept}" if generated else "not generated",
    )


def _allowed_values(table: str, old: m.Check, new: m.Check) -> str | None:
    """Return how two lists of values differ; None if one CHECK is more than a list, or both allow the same."""
    before, after = old.allowed, new.allowed
    if before is None or after is None or before.column != after.column:
        return None
    added = ", ".join(literal(value) for value in after.values if value not in before.values)
    removed = ", ".join(literal(value) for value in before.values if value not in after.values)
    if not (added or removed) or old.name != new.name:
        return None
    words = [f"allow {added}" if added else "", f"no longer allow {removed}" if removed else ""]
    return f"{table}.{new.column or before.column}: {' and '.join(filter(None, words))}"


def _checked(table: str, check: m.Check) -> str:
    return (f"{table}.{check.column}" if check.column else table) + (f" ({check.name})" if check.name else "")


def _describe_index(change: c.IndexChange) -> str:
    match change:
        case c.AddIndex(table=table, index=index):
            return f"add {_kind(index)} {index.name} on {table} ({_terms(index.parts)})"
        case c.DropIndex(table=table, index=index):
            return f"drop {_kind(index)} {index.name} on {table}"
        case c.ModifyIndex(table=table, old=old, new=new):
            return f"change index {new.name} on {table}: {_indexed(old)} becomes {_indexed(new)}"
        case _:
            assert_never(change)


def index_words(index: m.Index) -> str:
    """Return ``index`` in words, such as ``unique index idx_tasks_title (title)``."""
    where = f" where {index.where.sql}" if index.where else ""
    return f"{_kind(index)} {index.name} ({_terms(index.parts)}){where}"


def _kind(index: m.Index) -> str:
    return "unique index" if index.unique else "index"


def _indexed(index: m.Index) -> str:
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


def _describe_key(change: c.KeyChange) -> str:
    match change:
        case c.ModifyPrimaryKey(table=table, old=before, new=after):
            return f"change primary key of {table}: {_keyed(before)} becomes {_keyed(after)}"
        case c.AddUnique(table=table, unique=unique):
            return f"add UNIQUE on {table} ({_terms(unique.parts)})"
        case c.DropUnique(table=table, unique=unique):
            return f"drop UNIQUE on {table} ({_terms(unique.parts)})"
        case c.AddForeignKey(table=table, foreign_key=key):
            return f"add foreign key on {table}: {foreign_key_words(key)}"
        case c.DropForeignKey(table=table, foreign_key=key):
            return f"drop foreign key on {table}: {foreign_key_words(key)}"
        case c.ModifyForeignKey(table=table, old=old, new=new):
            return f"change foreign key on {table}: {foreign_key_words(old)} becomes {foreign_key_words(new)}"
        case _:
            assert_never(change)


def _keyed(key: m.PrimaryKey | None) -> str:
    if key is None:
        return "none"
    conflict = f"on conflict {key.on_conflict.lower()}" if key.on_conflict else ""
    return _joined(key.name, f"({_terms(key.parts)})", "autoincrement" if key.autoincrement else "", conflict)


def foreign_key_words(key: m.ForeignKey) -> str:
    """Return ``key`` in words, such as ``(task_id) references tasks (id) on delete cascade``."""
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


def _describe_object(change: c.ObjectChange) -> str:
    match change:
        case c.AddObject(item=m.VirtualTable(name=name, module=module)):
            return f"add virtual table {name} using {module}"
        case c.AddObject(item=item):
            verb = "add"
        case c.DropObject(item=item):
            verb = "drop"
        case c.ModifyObject(new=item):
            verb = "change"
        case _:
            assert_never(change)
    if isinstance(item, m.Trigger):
        return f"{verb} trigger {item.name} on {item.table}"
    return f"{verb} {'view' if isinstance(item, m.View) else 'virtual table'} {item.name}"


def _options(table: m.Table) -> str:
    words = [word for word, is_set in (("STRICT", table.strict), ("WITHOUT ROWID", table.without_rowid)) if is_set]
    return " and ".join(words) or "plain"
