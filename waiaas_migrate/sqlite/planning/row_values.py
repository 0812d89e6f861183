"""Plan the new values of rows, and guards against rows that break a constraint."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from typing import assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.enum_lists import lists_of, values_in_lists
from waiaas_migrate.schema.model import Check, Column, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import open_memory
from waiaas_migrate.sqlite.planning.actions import Assignment, GuardNoRow, UpdateRows
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.ddl import names_in
from waiaas_migrate.sqlite.reading.quoted_strings import quote_as_names
from waiaas_migrate.sqlite.reading.spelling import sql_name, sql_value

_QUERY = re.compile(r"(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)


def has_default(column: Column) -> bool:
    """Return whether the default gives existing rows a value; DEFAULT NULL does not."""
    return column.default is not None and column.default.sql.upper() != "NULL"


def waits_for_backfill(column: Column) -> bool:
    """Return whether a new column can be NOT NULL only after its backfill."""
    return column.not_null is not None and not has_default(column) and column.hints.backfill is not None


def is_filled(old: Table, column: Column) -> bool:
    """Return whether a backfill fills ``column``: it is new or becomes NOT NULL."""
    if column.hints.backfill is None:
        return False
    before = old.column(column.name)
    return before is None or (before.not_null is None and column.not_null is not None)


def value_of(old: Table, column: Column) -> str | None:
    """Return the SQL that computes ``column`` from an old row; None for its default."""
    before = old.column(column.name)
    backfill = column.hints.backfill
    if before is None:
        return None if backfill is None else f"({backfill.sql})"
    source = name = sql_name(column.name)
    if values := replaced_values(old, column):
        cases = " ".join(f"WHEN {sql_value(value)} THEN {sql_value(new)}" for value, new in values.items())
        source = f"CASE {name} {cases} ELSE {name} END"
    if backfill is not None and is_filled(old, column):
        fallback = f"({backfill.sql})" if _QUERY.match(backfill.sql) else backfill.sql
        return f"coalesce({source}, {fallback})"
    return source


def keeps_values(old: Table, new: Table, before: Column, after: Column) -> bool:
    """Return whether rows keep the values of a column.

    The values of a generated column may still change with other columns.
    """
    columns = (old, before), (new, after)
    shapes = [(affinity(c.type, strict=t.strict), canonical_collation(c.collation), c.generated) for t, c in columns]
    return shapes[0] == shapes[1] and value_of(old, after) == sql_name(after.name)


def replaced_values(old: Table, column: Column) -> dict[str | int, str | int | None]:
    """Return the replacement of each enum value that rows may have in ``column``."""
    replacements = column.hints.replacements
    known = values_in_lists(old, column) if replacements else None
    return {before: after for before, after in replacements.items() if known is None or before in known}


def updates(old: Table, new: Table) -> tuple[UpdateRows, ...]:
    """Return the UPDATE statements that give the rows of ``old`` their new values.

    Each replaced enum value gets its own statement. But one statement changes all values at once if values are swapped,
    if a column has a backfill, or if a CHECK reads several changed columns.
    """
    changing = [
        (column, value)
        for column in new.columns
        if column.generated is None and (value := value_of(old, column)) not in (None, sql_name(column.name))
    ]
    if not changing:
        return ()
    columns = {fold(column.name) for column, _ in changing}
    are_independent = all(len(names_in(check.expression.sql) & columns) < 2 for check in new.checks)
    if are_independent and all(_only_replaces_values(old, column) for column, _ in changing):
        return tuple(
            UpdateRows(
                table=new.name,
                assignments=(Assignment(column=column.name, source=sql_value(after)),),
                where=f"{sql_name(column.name)} = {sql_value(before)}",
                or_abort=has_conflict_clause(new),
            )
            for column, _ in changing
            for before, after in replaced_values(old, column).items()
        )
    return (_update_at_once(old, new, changing),)


def has_conflict_clause(table: Table) -> bool:
    """Return whether an ON CONFLICT clause of ``table`` could skip or delete rows."""
    rules = (*table.uniques, *(column.not_null for column in table.columns), table.primary_key)
    return any(rule is not None and rule.on_conflict is not None for rule in rules)


def _only_replaces_values(old: Table, column: Column) -> bool:
    """Return whether ``column`` only gets replaced enum values, without a swap."""
    values = replaced_values(old, column)
    return bool(values) and not is_filled(old, column) and not set(values) & set(values.values())


def _update_at_once(old: Table, new: Table, changing: Sequence[tuple[Column, str | None]]) -> UpdateRows:
    conditions: list[str] = []
    for column, value in changing:
        name = sql_name(column.name)
        if old.column(column.name) is None:
            conditions.append("TRUE")
        elif values := replaced_values(old, column):
            conditions.append(f"{name} IN ({', '.join(sql_value(value) for value in values)})")
        if value is not None and value.startswith("coalesce("):
            conditions.append(f"{name} IS NULL")
    return UpdateRows(
        table=new.name,
        assignments=tuple(Assignment(column=column.name, source=value or "NULL") for column, value in changing),
        where=None if "TRUE" in conditions else " OR ".join(conditions),
        or_abort=has_conflict_clause(new),
    )


def row_guards(new: Table, change: c.Alteration) -> Iterator[GuardNoRow]:  # noqa: C901 — one arm for each kind of change
    """Yield the guards that fail if existing rows do not allow ``change``."""
    match change:
        case c.AddCheck(new=check):
            yield _check_guard(new, check)
        case c.ModifyCheck(old=before, new=after):
            yield from _list_guard(new, before, after)
        case c.ModifyColumn(old=before, new=after):
            if before.not_null is None and after.not_null is not None:
                yield _null_guard(new, after)
        case c.AddColumn(new=column):
            if waits_for_backfill(column):
                yield _null_guard(new, column)
            elif column.not_null and not has_default(column) and column.generated is None:
                rule = f"it has rows, and the new column {column.name} is NOT NULL without a default or a backfill"
                yield GuardNoRow(table=new.name, rule=rule, where="TRUE")
        case (
            c.DropColumn() | c.ReorderColumns() | c.DropCheck() | c.ModifyTableOptions()
            | c.ModifyPrimaryKey() | c.AddUnique() | c.DropUnique()
            | c.AddForeignKey() | c.DropForeignKey() | c.ModifyForeignKey()
        ):  # fmt: skip
            pass  # SQLite itself tests keys, and foreign_key_steps.py yields the guards of foreign keys.
        case _:
            assert_never(change)


def _null_guard(table: Table, column: Column) -> GuardNoRow:
    rule = f"rows have no value in {column.name}, which becomes NOT NULL"
    return GuardNoRow(table=table.name, rule=rule, where=f"{sql_name(column.name)} IS NULL")


def _check_guard(table: Table, check: Check) -> GuardNoRow:
    rule = f"rows break the new CHECK ({check.expression.sql})"
    return GuardNoRow(table=table.name, rule=rule, where=f"NOT ({check.expression.sql})")


def _list_guard(table: Table, before: Check, after: Check) -> Iterator[GuardNoRow]:
    """Yield a guard against values that a list loses, or rows that break a CHECK.

    If the collation is not BINARY, a removed value may be equal to one that stays, so the guard tests the CHECK, too.
    """
    # "IS NULL OR" before a list makes no difference, because NULL passes any CHECK.
    if (lists := lists_of(before, after)) is None:
        yield _check_guard(table, after)
        return
    old, new = lists
    column = table.column(new.column)
    replaced = {} if column is None else column.hints.replacements
    removed = [value for value in old.values if value not in new.values and value not in replaced]
    if removed:
        name = sql_name(new.column if column is None else column.name)
        listed = ", ".join(sql_value(value) for value in removed)
        rule = f"rows hold values in {name} that are no longer allowed ({listed})"
        is_binary = column is not None and canonical_collation(column.collation) is None
        where = f"{name} IN ({listed})" + ("" if is_binary else f" AND NOT ({after.expression.sql})")
        yield GuardNoRow(table=table.name, rule=rule, where=where)


def checks_always_met(old: Schema, new: Schema) -> frozenset[tuple[str, Check]]:
    """Return the CHECKs that all rows pass, in pairs of folded table name and CHECK.

    The migration sets all values that such a CHECK reads: each column gets a default, NULL, or a backfill that
    reads no column. SQLite tests the CHECK on a sample row with these values. ``old`` is the schema after the renames.
    """
    found: set[tuple[str, Check]] = set()
    before = old.by_name()
    for table in new.tables:
        old_table = before.get(fold(table.name))
        if old_table is None or not table.checks or old_table == table:
            continue
        columns = [column for column in table.columns if column.generated is None]
        filled = [item for item in columns if old_table.column(item.name) is None or is_filled(old_table, item)]
        found |= {(fold(table.name), check) for check in table.checks if filled and _passes(check, filled)}
    return frozenset(found)


def _passes(check: Check, columns: Collection[Column]) -> bool:
    """Return whether a sample row with only ``columns`` passes ``check``.

    Also return False if the row can't be inserted, for example because a backfill reads another column.
    """
    backfills = {column.name: column.hints.backfill.sql for column in columns if column.hints.backfill is not None}
    names = ", ".join(map(quote_name, backfills))
    values = ", ".join(f"({quote_as_names(sql)})" for sql in backfills.values())
    with closing(open_memory()) as scratch:
        try:
            scratch.execute(f"CREATE TABLE filled ({', '.join(map(_column_definition, columns))})")
            scratch.execute(f"INSERT INTO filled {f'({names}) VALUES ({values})' if backfills else 'DEFAULT VALUES'}")
            # NULL passes a CHECK (https://www.sqlite.org/lang_createtable.html#check_constraints).
            (broken,) = scratch.execute(f"SELECT NOT ({quote_as_names(check.expression.sql)}) FROM filled").fetchone()
        except sqlite3.Error:
            return False
    return not broken


def _column_definition(column: Column) -> str:
    collation = f" COLLATE {quote_name(column.collation)}" if column.collation else ""
    default = f" DEFAULT ({column.default.sql})" if column.default is not None else ""
    return f"{quote_name(column.name)} {column.type or ''}{default}{collation}"
