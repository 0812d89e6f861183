"""Prove with sample rows that a migration and its rollback keep the values of columns that they shouldn't change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress

from waiaas_migrate.errors import ApplyError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import run_in_memory
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.model import Column, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_name
from waiaas_migrate.sqlite.database.memory import copy_database
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.quoting import quote_name

#: The number of sample rows of each table.
_ROWS = 4
#: The name of a table, and the names of some of its columns.
TableColumns = tuple[str, list[str]]


def changed_rows(before: sqlite3.Connection, transition: Transition, migration: MigrationFile) -> list[str]:
    """Run a migration and its rollback on sample rows; return a message for each table whose rows change by mistake.

    Every table that the migration could change gets sample rows. If the migration or its rollback refuses the rows, for
    example because of a new NOT NULL, the rows after it aren't compared.
    """
    tables = _tables_within_reach(transition.start, f"{migration.sql}\n{migration.rollback}")
    kept = list(_kept_columns(transition, tables))
    with closing(copy_database(before)) as database, suppress(ApplyError):
        insert_sample_rows(database, tables)
        wanted = [sorted_rows(database, *columns) for columns, _ in kept]
        run_in_memory(database, migration)
        if changed := _differences(database, f"{migration.id}.sql", [columns for _, columns in kept], wanted):
            return changed
        run_in_memory(database, migration, "rollback")
        return _differences(database, f"{migration.id}.rollback.sql", [columns for columns, _ in kept], wanted)
    return []


def _differences(
    database: sqlite3.Connection, file: str, kept: Sequence[TableColumns], wanted: Sequence[list[str]]
) -> list[str]:
    """Return a message for each table of ``kept`` whose rows differ from the ``wanted`` rows."""
    return [
        f"{file} changes rows of {table}: {rows} become {found}"
        for (table, columns), rows in zip(kept, wanted, strict=True)
        if (found := sorted_rows(database, table, columns)) != rows
    ]


def _tables_within_reach(schema: Schema, text: str) -> tuple[Table, ...]:
    """Return the tables that ``text`` may change: tables that it, a trigger or a view names.

    The proof doesn't enforce foreign keys, so no statement changes other tables through ON DELETE or ON UPDATE.
    """
    texts = [text, *(view.statement.sql for view in schema.views)]
    texts += [trigger.statement.sql for trigger in schema.triggers]
    folded = fold("\n".join(texts))
    # SQL can spell a name with special characters in several ways, so tables with such names are always included.
    return tuple(
        table for table in schema.tables if (name := fold(table.name)) in folded or not name.replace("_", "").isalnum()
    )


def _kept_columns(transition: Transition, tables: Iterable[Table]) -> Iterator[tuple[TableColumns, TableColumns]]:
    """Yield the columns of each table that must keep their values, by their names before and after the migration."""
    renames, after = transition.renames, transition.new.by_name()
    for start in tables:
        new = after.get(fold(renames.table_after(start.name)))
        if new is None:
            continue
        columns = {fold(column.name): column for column in new.columns}
        pairs = [(old, columns.get(fold(renames.column_after(new.name, old.name)))) for old in start.columns]
        kept = [(old.name, now.name) for old, now in pairs if now is not None and _keeps_values(old, now, start, new)]
        if (rowid := rowid_name(start, new)) is not None:
            kept.append((rowid, rowid))
        if kept:
            yield (start.name, [old for old, _ in kept]), (new.name, [now for _, now in kept])


def _keeps_values(old: Column, new: Column, before: Table, after: Table) -> bool:
    hints = new.hints
    if old.generated is not None or new.generated is not None or hints.backfill is not None:
        return False
    is_mapped = hints.renamed_values or hints.removed_values
    return not is_mapped and affinity(old.type, strict=before.strict) == affinity(new.type, strict=after.strict)


def insert_sample_rows(connection: sqlite3.Connection, tables: Iterable[Table]) -> None:
    """Insert up to four rows into each of ``tables``, as many as its constraints allow.

    In row n, columns of the same type have the same value in every table, so that foreign keys find their parents. Only
    the last row has NULLs: in each column that allows NULL, has no list of allowed values, and isn't in the key.
    """
    for table in tables:
        columns = [column for column in table.columns if column.generated is None]
        lists = {check.allowed.column: check.allowed.values for check in table.checks if check.allowed is not None}
        names = ", ".join(quote_name(column.name) for column in columns)
        marks = ", ".join("?" * len(columns))
        for number in range(1, _ROWS + 1):
            values = [_value(table, column, number, lists.get(fold(column.name))) for column in columns]
            # A CHECK, a key or a trigger may refuse some of the rows. The remaining rows are enough.
            with suppress(sqlite3.Error):
                connection.execute(f"INSERT INTO {quote_name(table.name)} ({names}) VALUES ({marks})", values)


def _value(table: Table, column: Column, number: int, allowed: tuple[str | int, ...] | None) -> object:
    if allowed:
        return allowed[number % len(allowed)]
    key = () if table.primary_key is None else table.primary_key.parts
    in_key = any(fold(part.column or "") == fold(column.name) for part in key)
    if number == _ROWS and column.not_null is None and not in_key:
        return None
    match affinity(column.type):
        case "TEXT":
            return f"{number}"
        case "BLOB":
            return f"{number}".encode()  # digits are valid JSON, which a CHECK may require
        case _:
            return number


def sorted_rows(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> list[str]:
    """Return the rows of a table as sorted texts, with the storage class of each value."""
    parts = ", ".join(f"typeof({quote_name(name)}), {quote_name(name)}" for name in columns)
    return sorted(map(repr, connection.execute(f"SELECT {parts} FROM main.{quote_name(table)}")))
