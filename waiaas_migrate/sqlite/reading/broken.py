"""Views, triggers and virtual tables that do not work, and what SQLite says of each."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass

from waiaas_migrate.schema.model import Schema, Trigger
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES
from waiaas_migrate.sqlite.database.memory import copy, drop_triggers, execute
from waiaas_migrate.sqlite.quoting import quote_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An object that does not work.

    ``fails`` says that using it is an error; otherwise it is a trigger that never fires for a column it names.
    """

    kind: str
    name: str
    error: str
    fails: bool = True


def broken_objects(
    database: sqlite3.Connection, schema: Schema, names: Collection[str] | None = None
) -> tuple[Broken, ...]:
    """Return the views, triggers and virtual tables that do not work.

    Args:
        database: a database in memory, which is not changed.
        schema: what it holds.
        names: the folded names of the objects to look at; None for all.
    """
    views = [view.name for view in schema.views if names is None or fold(view.name) in names]
    triggers = [trigger for trigger in schema.triggers if names is None or fold(trigger.name) in names]
    virtual = [table.name for table in schema.virtual_tables if names is None or fold(table.name) in names]
    return (
        *_broken_views(database, views),
        *(_broken_triggers(database, schema, triggers) if triggers else ()),
        *_broken_virtual_tables(database, virtual),
    )


def _broken_views(database: sqlite3.Connection, names: Collection[str]) -> Iterator[Broken]:
    for name in names:
        error = _error(database, f"SELECT * FROM {quote_name(name)}")
        if error is not None:
            yield Broken(kind="view", name=name, error=error)


def _broken_virtual_tables(database: sqlite3.Connection, names: Collection[str]) -> Iterator[Broken]:
    for name in names:
        try:
            # A module looks for what it needs only when it is read.
            database.execute(f"SELECT 1 FROM {quote_name(name)} LIMIT 1").fetchall()
        except sqlite3.Error as error:
            yield Broken(kind="virtual table", name=name, error=str(error))


def _broken_triggers(database: sqlite3.Connection, schema: Schema, triggers: Collection[Trigger]) -> tuple[Broken, ...]:
    """Compile each trigger alone, so that what SQLite says of it is not said of another that it makes fire.

    CREATE TRIGGER does not look at what the trigger's statements name; a statement that fires it does.
    """
    found: list[Broken] = []
    tables = schema.by_name()
    with closing(copy(database)) as scratch:
        drop_triggers(scratch)
        scratch.execute("BEGIN")
        for trigger in triggers:
            columns = _columns(scratch, trigger.table)
            if not columns:
                continue  # a view that is broken itself
            table = tables.get(fold(trigger.table))
            if table is not None and not table.without_rowid:
                columns = dict.fromkeys(ROWID_NAMES, True) | columns
            found += _faults(scratch, trigger, columns)
    return tuple(found)


def _columns(database: sqlite3.Connection, table: str) -> dict[str, bool]:
    """Return the folded columns of a table or view, each with whether UPDATE may set it."""
    query = "SELECT name, hidden FROM pragma_table_xinfo(?)"
    try:
        return {fold(name): hidden == 0 for name, hidden in database.execute(query, (table,))}
    except sqlite3.Error:
        return {}


def _faults(scratch: sqlite3.Connection, trigger: Trigger, columns: dict[str, bool]) -> Iterator[Broken]:
    for column in trigger.columns:
        if not columns.get(fold(column)):
            why = "is generated" if fold(column) in columns else "does not exist"
            said = f"it never fires for UPDATE OF {column}, since {trigger.table}.{column} {why}"
            yield Broken(kind="trigger", name=trigger.name, error=said, fails=False)
    statement = _firing(trigger, [name for name, can_be_set in columns.items() if can_be_set])
    if statement is None:
        return
    execute(scratch, trigger.statement.sql)
    error = _error(scratch, statement)
    execute(scratch, f"DROP TRIGGER {quote_name(trigger.name)}")
    if error is not None:
        said = f"{error}, and so every {trigger.event} on {trigger.table} that fires it fails"
        yield Broken(kind="trigger", name=trigger.name, error=said)


def _firing(trigger: Trigger, columns: Collection[str]) -> str | None:
    """Return a statement that fires ``trigger``, whose table has ``columns`` that can be set; None if none does."""
    table = quote_name(trigger.table)
    match trigger.event:
        case "INSERT":
            return f"INSERT INTO {table} DEFAULT VALUES"
        case "DELETE":
            return f"DELETE FROM {table}"
        case _:
            listed = {fold(column) for column in trigger.columns} or columns
            column = next((name for name in columns if name in listed), None)
            return None if column is None else f"UPDATE {table} SET {quote_name(column)} = NULL"


def _error(database: sqlite3.Connection, statement: str) -> str | None:
    """Compile ``statement`` without running it, and return what SQLite has against it."""
    try:
        execute(database, f"EXPLAIN {statement}")
    except sqlite3.Error as error:
        return str(error)
    return None
