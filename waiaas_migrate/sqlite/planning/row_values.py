"""What becomes of rows: the values they are given, and the rules they must meet before they are set."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing

from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.changes import AddCheck, AddColumn, Change, ModifyCheck, ModifyColumn
from waiaas_migrate.schema.enum_lists import values_held
from waiaas_migrate.schema.model import Check, Column, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import memory
from waiaas_migrate.sqlite.planning.actions import Copied, GuardNoRow, UpdateRows
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.ddl import names_in
from waiaas_migrate.sqlite.reading.quoted_strings import as_names
from waiaas_migrate.sqlite.reading.spelling import spelled_name, spelled_value

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


def updates(old: Table, new: Table) -> tuple[UpdateRows, ...]:
    """The statements that give the rows of ``old`` their new values in place; none if they stay as they are.

    One for each enum value that becomes another one. One for all if values change places, or if a rule or a backfill
    reads more than one of the columns: then all must change at once.
    """
    changing = [
        (column, value)
        for column in new.columns
        if column.generated is None and (value := value_of(old, column)) not in (None, spelled_name(column.name))
    ]
    if not changing:
        return ()
    columns = {fold(column.name) for column, _ in changing}
    apart = all(len(names_in(text) & columns) < 2 for text in (check.expression.sql for check in new.checks))
    if apart and all(_is_mapping_alone(old, column) for column, _ in changing):
        return tuple(_one_value(new, column, *pair) for column, _ in changing for pair in mapping(old, column).items())
    return (_all_at_once(old, new, changing),)


def overrides_conflicts(table: Table) -> bool:
    """Whether a constraint of ``table`` has an ON CONFLICT clause, by which a row could get lost."""
    rules = (*table.uniques, *(column.not_null for column in table.columns), table.primary_key)
    return any(rule is not None and rule.on_conflict is not None for rule in rules)


def _is_mapping_alone(old: Table, column: Column) -> bool:
    """Whether nothing but values of an enum change in ``column``, none into one that changes itself."""
    values = mapping(old, column)
    return bool(values) and not is_filled(old, column) and not set(values) & set(values.values())


def _one_value(new: Table, column: Column, before: str | int, after: str | int | None) -> UpdateRows:
    name = spelled_name(column.name)
    return UpdateRows(
        table=new.name,
        assignments=(Copied(column=column.name, source=spelled_value(after)),),
        where=f"{name} = {spelled_value(before)}",
        overrides=overrides_conflicts(new),
    )


def _all_at_once(old: Table, new: Table, changing: Sequence[tuple[Column, str | None]]) -> UpdateRows:
    conditions: list[str] = []
    for column, value in changing:
        name = spelled_name(column.name)
        if column_of(old, column.name) is None:
            conditions.append("TRUE")
        elif values := mapping(old, column):
            conditions.append(f"{name} IN ({', '.join(spelled_value(value) for value in values)})")
        if value is not None and value.startswith("coalesce("):
            conditions.append(f"{name} IS NULL")
    return UpdateRows(
        table=new.name,
        assignments=tuple(Copied(column=column.name, source=value or "NULL") for column, value in changing),
        where=None if "TRUE" in conditions else " OR ".join(conditions),
        overrides=overrides_conflicts(new),
    )


def guards(new: Table, change: Change) -> Iterator[GuardNoRow]:
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


def _list_guard(table: Table, before: Check, after: Check) -> Iterator[GuardNoRow]:
    """The removed values, looked for by equality; all rows held to the new rule where that is not all.

    By a collation of the column's own, a removed value may be equal to one that stays.
    """
    old, new = before.allowed, after.allowed
    # Whether "IS NULL OR" stands before a list makes no difference to rows: NULL passes any CHECK.
    if old is None or new is None or old.column != new.column:
        yield _check_guard(table, after)
        return
    column = column_of(table, new.column)
    mapped = {} if column is None else dict(column.hints.removed_values) | dict(column.hints.renamed_values)
    removed = [value for value in old.values if value not in new.values and value not in mapped]
    if removed:
        name = spelled_name(new.column if column is None else column.name)
        listed = ", ".join(spelled_value(value) for value in removed)
        rule = f"rows hold values in {name} that are no longer allowed ({listed})"
        is_binary = column is not None and canonical_collation(column.collation) is None
        where = f"{name} IN ({listed})" + ("" if is_binary else f" AND NOT ({after.expression.sql})")
        yield GuardNoRow(table=table.name, rule=rule, where=where)


#: A CHECK by its table's folded name.
Rule = tuple[str, Check]


def checks_always_met(old: Schema, new: Schema) -> frozenset[Rule]:
    """Return the CHECKs of ``new`` that the values given by the migration pass, whatever is in the rows.

    Such a CHECK reads only columns that the migration fills, each with its default or with a backfill that reads
    nothing. SQLite computes these values on one made-up row. ``old`` has the new names already.
    """
    return frozenset(_kept(old, new))


def _kept(old: Schema, new: Schema) -> Iterator[Rule]:
    before = old.by_name()
    for table in new.tables:
        was = before.get(fold(table.name))
        if was is None or not table.checks or was == table:
            continue
        filled = [column for column in table.columns if column_of(was, column.name) is None or is_filled(was, column)]
        yield from ((fold(table.name), check) for check in table.checks if filled and _passes(check, filled))


def _passes(check: Check, columns: Collection[Column]) -> bool:
    """Return whether one row of only ``columns``, with the values that the migration gives, passes ``check``.

    False also if that row can't be made, for example because a backfill reads another column.
    """
    plain = [column for column in columns if column.generated is None]
    if not plain:
        return False
    given = [column for column in plain if column.hints.backfill is not None]
    names = ", ".join(quote_name(column.name) for column in given)
    values = ", ".join(f"({as_names(column.hints.backfill.sql)})" for column in given if column.hints.backfill)
    with closing(memory()) as scratch:
        try:
            scratch.execute(f"CREATE TABLE filled ({', '.join(map(_definition, plain))})")
            scratch.execute(f"INSERT INTO filled ({names}) VALUES ({values})" if given else _DEFAULTS)
            # NULL passes a CHECK (https://www.sqlite.org/lang_createtable.html#check_constraints).
            (broken,) = scratch.execute(f"SELECT NOT ({as_names(check.expression.sql)}) FROM filled").fetchone()
        except sqlite3.Error:
            return False
    return not broken


_DEFAULTS = "INSERT INTO filled DEFAULT VALUES"


def _definition(column: Column) -> str:
    collation = f" COLLATE {quote_name(column.collation)}" if column.collation else ""
    default = f" DEFAULT ({column.default.sql})" if column.default is not None else ""
    return f"{quote_name(column.name)} {column.type or ''}{default}{collation}"
