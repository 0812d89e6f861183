"""Find views, triggers and virtual tables that don't work, with SQLite's error for each.

ALTER TABLE … RENAME also fails if any view, trigger or index does not compile, and names the first one
(https://www.sqlite.org/lang_altertable.html#compatibility_note).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from waiaas_migrate.schema.model import Schema, Trigger
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES
from waiaas_migrate.sqlite.database.memory import copy_database, drop_triggers, execute
from waiaas_migrate.sqlite.quoting import quote_name

RENAME_TABLE = "ALTER TABLE _waiaas_probe RENAME TO _waiaas_probed"
RENAME_COLUMN = "ALTER TABLE _waiaas_probe RENAME COLUMN a TO b"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenObject:
    """An object that doesn't work.

    ``fails``: using the object is an error. If False, the object is a trigger that never fires for one of its columns.
    """

    kind: str
    name: str
    error: str
    fails: bool = True


def broken_objects(
    database: sqlite3.Connection, schema: Schema, names: Collection[str] | None = None
) -> tuple[BrokenObject, ...]:
    """Return the views, virtual tables and triggers of ``database`` that don't work.

    ``schema`` is the schema of the database. ``names`` are the folded names of the objects to look at; None for all.
    """
    queries = {("view", view.name): f"EXPLAIN SELECT * FROM {quote_name(view.name)}" for view in schema.views}
    for virtual in schema.virtual_tables:
        # Its module looks for other tables only when this one is read.
        queries["virtual table", virtual.name] = f"SELECT 1 FROM {quote_name(virtual.name)} LIMIT 1"
    triggers = [trigger for trigger in schema.triggers if names is None or fold(trigger.name) in names]
    broken = [
        BrokenObject(kind=kind, name=name, error=error)
        for (kind, name), query in queries.items()
        if (names is None or fold(name) in names) and (error := _error(database, query)) is not None
    ]
    return (*broken, *(_broken_triggers(database, schema, triggers) if triggers else ()))


def _error(database: sqlite3.Connection, statement: str) -> str | None:
    """Run ``statement`` and return SQLite's error; None if it works."""
    try:
        execute(database, statement).fetchall()
    except sqlite3.Error as error:
        return str(error)
    return None


def _broken_triggers(
    database: sqlite3.Connection, schema: Schema, triggers: Collection[Trigger]
) -> Iterator[BrokenObject]:
    """Compile each trigger without the others, so that each error belongs to its own trigger.

    CREATE TRIGGER doesn't check the names in the trigger's statements; compiling a statement that fires it does.
    """
    tables = schema.by_name()
    with closing(copy_database(database)) as scratch:
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
    """Return the columns of a table or view by folded name; True if UPDATE may set the column."""
    query = "SELECT name, hidden FROM pragma_table_xinfo(?)"
    try:
        return {fold(name): hidden == 0 for name, hidden in database.execute(query, (table,))}
    except sqlite3.Error:
        return {}


def _faults(scratch: sqlite3.Connection, trigger: Trigger, columns: Mapping[str, bool]) -> Iterator[BrokenObject]:
    for column in trigger.columns:
        if not columns.get(fold(column)):
            why = "is generated" if fold(column) in columns else "does not exist"
            text = f"it never fires for UPDATE OF {column}, since {trigger.table}.{column} {why}"
            yield BrokenObject(kind="trigger", name=trigger.name, error=text, fails=False)
    statement = _firing(trigger, [name for name, can_be_set in columns.items() if can_be_set])
    if statement is None:
        return
    execute(scratch, trigger.statement.sql)
    error = _error(scratch, f"EXPLAIN {statement}")
    execute(scratch, f"DROP TRIGGER {quote_name(trigger.name)}")
    if error is not None:
        text = f"{error}, so every {trigger.event} on {trigger.table} that fires it fails"
        yield BrokenObject(kind="trigger", name=trigger.name, error=text)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """An object at which ALTER TABLE fails, its CREATE statement, and SQLite's error."""

    kind: str
    name: str
    sql: str
    error: str


def culprit_of(connection: sqlite3.Connection, error: sqlite3.Error) -> Culprit | None:
    """Return the object at which ALTER TABLE failed, according to ``error``."""
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL"):
        # Compare whole names, because a name may contain text that looks like the rest of the message.
        if str(error).startswith((f"error in {kind} {name}: ", f"error in {kind} {name} after rename: ")):
            return Culprit(kind=kind, name=name, sql=sql, error=str(error))
    return None


def dropped_culprits(connection: sqlite3.Connection, rename: str) -> Iterator[Culprit]:
    """Run ``rename`` until it succeeds; each time, drop and yield the object at which it failed.

    Raises:
        sqlite3.OperationalError: it failed for another reason.
    """
    execute(connection, "CREATE TABLE _waiaas_probe (a)")
    while True:
        try:
            execute(connection, rename)
        except sqlite3.OperationalError as error:
            culprit = culprit_of(connection, error)
            if culprit is None:
                raise
            execute(connection, f"DROP {culprit.kind.upper()} {quote_name(culprit.name)}")
            yield culprit
        else:
            return


def names_that_block_renames(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the folded names of the views and triggers at which every ALTER TABLE … RENAME fails."""
    connection.execute("SAVEPOINT probe")
    try:
        return frozenset(fold(culprit.name) for culprit in dropped_culprits(connection, RENAME_TABLE))
    finally:
        connection.execute("ROLLBACK TO probe")
        connection.execute("RELEASE probe")
