"""What becomes of rows: the values they are given, and the rules they must meet before they are set."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.changes import AddCheck, AddColumn, Change, ModifyCheck, ModifyColumn
from waiaas_migrate.schema.enum_lists import membership_of, values_held
from waiaas_migrate.schema.model import Check, Column, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.actions import Action, Copied, GuardNoRow, UpdateRows
from waiaas_migrate.sqlite.spelling import spelled_name, spelled_value

_QUERY = re.compile(r"(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)


def has_default(column: Column) -> bool:
    """Whether rows that are there read a value from the column's default; DEFAULT NULL is none."""
    return column.default is not None and column.default.sql.upper() != "NULL"


def waits_for_backfill(column: Column) -> bool:
    """Whether a new column can be NOT NULL only once its rows were filled."""
    return column.not_null is not None and not has_default(column) and column.hints.backfill is not None


def column_of(table: Table, name: str) -> Column | None:
    """The column of ``table`` by its name."""
    return next((column for column in table.columns if fold(column.name) == fold(name)), None)


def is_filled(old: Table, column: Column) -> bool:
    """Whether the column's backfill gives rows a value: the column is new to them, or may be NULL in them no more."""
    if column.hints.backfill is None:
        return False
    before = column_of(old, column.name)
    return before is None or (before.not_null is None and column.not_null is not None)


def value_of(old: Table, column: Column) -> str | None:
    """The SQL expression over ``old`` that gives ``column`` its value; None where its default does."""
    before = column_of(old, column.name)
    backfill = column.hints.backfill
    if before is None:
        return None if backfill is None else f"({backfill.sql})"
    source = _mapped(old, column)
    if backfill is not None and is_filled(old, column):
        given = f"({backfill.sql})" if _QUERY.match(backfill.sql) else backfill.sql
        return f"coalesce({source}, {given})"
    return source


def mapping(old: Table, column: Column) -> dict[str | int, str | int | None]:
    """The enum values that rows may still hold and that ``column`` maps to others; any, where no list held them."""
    hinted = {**dict(column.hints.removed_values), **dict(column.hints.renamed_values)}
    if not hinted:
        return {}
    known = values_held(old, column)
    return {before: after for before, after in hinted.items() if known is None or before in known}


def _mapped(old: Table, column: Column) -> str:
    name = spelled_name(column.name)
    values = mapping(old, column)
    if not values:
        return name
    cases = " ".join(f"WHEN {spelled_value(old)} THEN {spelled_value(new)}" for old, new in values.items())
    return f"CASE {name} {cases} ELSE {name} END"


def update(old: Table, new: Table) -> UpdateRows | None:
    """The one UPDATE that carries the rows of ``old`` over, in place; None where they stay as they are."""
    assignments, conditions = [], []
    for column in new.columns:
        value = value_of(old, column)
        name = spelled_name(column.name)
        if column.generated is not None or value is None or value == name:
            continue
        assignments.append(Copied(column=column.name, source=value))
        values = mapping(old, column)
        if column_of(old, column.name) is None:
            conditions.append("TRUE")
        elif values:
            conditions.append(f"{name} IN ({', '.join(spelled_value(value) for value in values)})")
        if value.startswith("coalesce("):
            conditions.append(f"{name} IS NULL")
    if not assignments:
        return None
    where = None if "TRUE" in conditions else " OR ".join(conditions)
    return UpdateRows(table=new.name, assignments=tuple(assignments), where=where)


def guards(new: Table, change: Change) -> Iterator[Action]:
    """What must be so before ``change`` holds for rows that are there."""
    match change:
        case AddCheck(check=check):
            yield _check_guard(new, check)
        case ModifyCheck(old=before, new=after):
            yield from _list_guard(new, before, after)
        case ModifyColumn(old=before, new=after) if before.not_null is None and after.not_null is not None:
            yield _null_guard(new, after)
        case AddColumn(column=column) if waits_for_backfill(column):
            yield _null_guard(new, column)
        case AddColumn(column=column) if column.not_null and not has_default(column) and column.generated is None:
            rule = f"it has rows, and the new column {column.name} is NOT NULL without a default or a backfill"
            yield GuardNoRow(table=new.name, rule=rule, where="TRUE")
        case _:
            return


def _null_guard(table: Table, column: Column) -> GuardNoRow:
    rule = f"rows have no value in {column.name}, which becomes NOT NULL"
    return GuardNoRow(table=table.name, rule=rule, where=f"{spelled_name(column.name)} IS NULL")


def _check_guard(table: Table, check: Check) -> GuardNoRow:
    rule = f"rows break the new CHECK ({check.expression.sql})"
    return GuardNoRow(table=table.name, rule=rule, where=f"NOT ({check.expression.sql})")


def _list_guard(table: Table, before: Check, after: Check) -> Iterator[Action]:
    """The removed values, looked for by equality; all rows held to the new rule where that is not all.

    By a collation of the column's own, a removed value may be equal to one that stays.
    """
    old, new = membership_of(before), membership_of(after)
    # Whether "IS NULL OR" stands before a list makes no difference to rows: NULL passes any CHECK.
    if old is None or new is None or old.column != new.column:
        yield _check_guard(table, after)
        return
    removed = [value for value in old.values if value not in new.values]
    if removed:
        column = column_of(table, new.column)
        name = spelled_name(new.column if column is None else column.name)
        listed = ", ".join(spelled_value(value) for value in removed)
        rule = f"rows hold values in {name} that are no longer allowed ({listed})"
        is_binary = column is not None and canonical_collation(column.collation) is None
        where = f"{name} IN ({listed})" + ("" if is_binary else f" AND NOT ({after.expression.sql})")
        yield GuardNoRow(table=table.name, rule=rule, where=where)
