"""Find views, triggers and virtual tables that don't work, with SQLite's error for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from waiaas_migrate.schema.model import Schema, Trigger
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES
from waiaas_migrate.sqlite.database.memory import copy, drop_triggers, execute
from waiaas_migrate.sqlite.quoting import quote_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An object that doesn't work.

    ``fails``: using it is an error. Otherwise it is a trigger that never fires for a column that it names.
    """

    kind: str
    name: str
    error: str
    fails: bool = True


def broken_objects(
    database: sqlite3.Connection, schema: Schema, names: Collection[str] | None = None
) -> tuple[Broken, ...]:
    """Return the views, virtual tables and triggers in ``database``, which has ``schema``, that don't work.

    ``names`` are the folded names of the objects to look at; None for all.
    """
    triggers = [trigger for trigger in schema.triggers if names is None or fold(trigger.name) in names]
    views = {view.name: f"EXPLAIN SELECT * FROM {quote_name(view.name)}" for view in schema.views}
    # The module of a virtual table looks for what it needs only when the table is read.
    virtual = {one.name: f"SELECT 1 FROM {quote_name(one.name)} LIMIT 1" for one in schema.virtual_tables}
    return (
        *_failing(database, "view", views, names),
        *(_broken_triggers(database, schema, triggers) if triggers else ()),
        *_failing(database, "virtual table", virtual, names),
    )


def _failing(
    database: sqlite3.Connection, kind: str, queries: Mapping[str, str], names: Collection[str] | None
) -> Iterator[Broken]:
    for name, query in queries.items():
        if (names is None or fold(name) in names) and (error := _error(database, query)) is not None:
            yield Broken(kind=kind, name=name, error=error)


def _error(database: sqlite3.Connection, statement: str) -> str | None:
    """Run ``statement`` and return SQLite's error; None if it works."""
    try:
        execute(database, statement).fetchall()
    except sqlite3.Error as error:
        return str(error)
    return None


def _broken_triggers(database: sqlite3.Connection, schema: Schema, triggers: Collection[Trigger]) -> Iterator[Broken]:
    """Compile each trigger without the others, so that no error is about another trigger that it makes fire.

    CREATE TRIGGER doesn't check the names in the trigger's statements; compiling a statement that fires it does.
    """
    tables = schema.by_name()
    with closing(copy(database)) as scratch:
        drop_triggers(scratch)
        scratch.execute("BEGIN")
        for trigger in triggers:
            columns = _columns(scratch, trigger.table)
            if not columns:
                continue  # the trigger is on a view that doesn't work either
            table = tables.get(fold(trigger.table))
            if table is not None and not table.without_rowid:
                columns = dict.fromkeys(ROWID_NAMES, True) | columns
            yield from _faults(scratch, trigger, columns)


def _columns(database: sqlite3.Connection, table: str) -> dict[str, bool]:
    """Map the folded names of the columns of a table or view to whether UPDATE may set them."""
    query = "SELECT name, hidden FROM pragma_table_xinfo(?)"
    try:
        return {fold(name): hidden == 0 for name, hidden in database.execute(query, (table,))}
    except sqlite3.Error:
        return {}


def _faults(scratch: sqlite3.Connection, trigger: Trigger, columns: Mapping[str, bool]) -> Iterator[Broken]:
    for column in trigger.columns:
        if not columns.get(fold(column)):
            why = "is generated" if fold(column) in columns else "does not exist"
            text = f"it never fires for UPDATE OF {column}, since {trigger.table}.{column} {why}"
            yield Broken(kind="trigger", name=trigger.name, error=text, fails=False)
    statement = _firing(trigger, [name for name, can_be_set in columns.items() if can_be_set])
    if statement is None:
        return
    execute(scratch, trigger.statement.sql)
    error = _error(scratch, f"EXPLAIN {statement}")
    execute(scratch, f"DROP TRIGGER {quote_name(trigger.name)}")
    if error is not None:
        text = f"{error}, so every {trigger.event} on {trigger.table} that fires it fails"
        yield Broken(kind="trigger", name=trigger.name, error=text)


def _firing(trigger: Trigger, columns: Collection[str]) -> str | None:
    """Return a statement that fires ``trigger``, given the columns that UPDATE may set; None if no statement does."""
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
