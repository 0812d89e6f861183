"""Find views, triggers and virtual tables that don't work, and SQLite's error for each.

A broken object also affects other statements: ALTER TABLE … RENAME fails if any view, trigger or index of the database
doesn't compile (https://www.sqlite.org/lang_altertable.html#compatibility_note).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from waiaas_migrate.schema.model import Schema, Trigger
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES
from waiaas_migrate.sqlite.database.catalog import CatalogRow
from waiaas_migrate.sqlite.database.memory import copy_database, drop_triggers, execute
from waiaas_migrate.sqlite.quoting import quote_name

#: Statements that rename the table which :func:`dropped_culprits` creates, and its column.
RENAME_TABLE = "ALTER TABLE _waiaas_probe RENAME TO _waiaas_probed"
RENAME_COLUMN = "ALTER TABLE _waiaas_probe RENAME COLUMN a TO b"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenObject:
    """A view, virtual table or trigger that doesn't work.

    ``fails``: every use of the object is an error. It is False for a trigger that never fires for a column in its
    UPDATE OF.
    """

    kind: str
    name: str
    error: str
    fails: bool = True


def broken_objects(
    database: sqlite3.Connection, schema: Schema, names: Collection[str] | None = None
) -> tuple[BrokenObject, ...]:
    """Return the views, virtual tables and triggers of ``database`` that don't work.

    ``schema`` is the schema of ``database``. ``names`` are the folded names of the objects to try; None for all.
    """
    queries = {("view", view.name): f"EXPLAIN SELECT * FROM {quote_name(view.name)}" for view in schema.views}
    for virtual in schema.virtual_tables:
        # Only reading the virtual table makes its module look for the tables that it needs.
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
    """Yield the triggers that don't work.

    CREATE TRIGGER doesn't check the names in the trigger's body, but compiling a statement that fires the trigger does.
    Only one trigger exists at a time, so that each error belongs to one trigger.
    """
    tables = schema.by_name()
    with closing(copy_database(database)) as scratch:
        drop_triggers(scratch)
        scratch.execute("BEGIN")
        for trigger in triggers:
            columns = _columns(scratch, trigger.table)
            if not columns:
                continue  # the trigger is on a view that doesn't work
            table = tables.get(fold(trigger.table))
            if table is not None and not table.without_rowid:
                columns = dict.fromkeys(ROWID_NAMES, True) | columns
            yield from _check_trigger(scratch, trigger, columns)


def _columns(database: sqlite3.Connection, table: str) -> dict[str, bool]:
    """Map each folded column of a table or view to whether UPDATE may set it; empty on an error."""
    query = "SELECT name, hidden FROM pragma_table_xinfo(?)"
    try:
        return {fold(name): hidden == 0 for name, hidden in database.execute(query, (table,))}
    except sqlite3.Error:
        return {}


def _check_trigger(
    scratch: sqlite3.Connection, trigger: Trigger, columns: Mapping[str, bool]
) -> Iterator[BrokenObject]:
    """Yield the faults of ``trigger``, which doesn't exist in ``scratch`` yet."""
    for column in trigger.columns:
        if not columns.get(fold(column)):
            reason = "is generated" if fold(column) in columns else "does not exist"
            text = f"it never fires for UPDATE OF {column}, since {trigger.table}.{column} {reason}"
            yield BrokenObject(kind="trigger", name=trigger.name, error=text, fails=False)
    statement = _firing_statement(trigger, [name for name, may_be_set in columns.items() if may_be_set])
    if statement is None:
        return
    execute(scratch, trigger.statement.sql)
    error = _error(scratch, f"EXPLAIN {statement}")
    execute(scratch, f"DROP TRIGGER {quote_name(trigger.name)}")
    if error is not None:
        text = f"{error}, so every {trigger.event} on {trigger.table} that fires it fails"
        yield BrokenObject(kind="trigger", name=trigger.name, error=text)


def _firing_statement(trigger: Trigger, settable: Collection[str]) -> str | None:
    """Return a statement that fires ``trigger``; None if no UPDATE can fire it."""
    table = quote_name(trigger.table)
    match trigger.event:
        case "INSERT":
            return f"INSERT INTO {table} DEFAULT VALUES"
        case "DELETE":
            return f"DELETE FROM {table}"
        case _:
            watched = {fold(column) for column in trigger.columns} or settable
            column = next((name for name in settable if name in watched), None)
            return None if column is None else f"UPDATE {table} SET {quote_name(column)} = NULL"


def culprit_of(connection: sqlite3.Connection, error: sqlite3.Error) -> CatalogRow | None:
    """Return the object that made ALTER TABLE fail with ``error``; None if no object did."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql NOT NULL"
    for kind, name, table, sql in connection.execute(query):
        # Compare whole names, because a name may contain text that looks like the next part of the message.
        if str(error).startswith((f"error in {kind} {name}: ", f"error in {kind} {name} after rename: ")):
            return CatalogRow(kind=kind, name=name, table=table, sql=sql)
    return None


def dropped_culprits(connection: sqlite3.Connection, rename: str) -> Iterator[tuple[CatalogRow, str]]:
    """Run ``rename`` until it succeeds; drop and yield each object that makes it fail, with SQLite's error.

    Raises:
        sqlite3.OperationalError: the statement failed for another reason.
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
            yield culprit, str(error)
        else:
            return


def names_that_block_renames(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the folded names of the objects that make every ALTER TABLE … RENAME TO fail."""
    connection.execute("SAVEPOINT probe")
    try:
        return frozenset(fold(culprit.name) for culprit, _ in dropped_culprits(connection, RENAME_TABLE))
    finally:
        connection.execute("ROLLBACK TO probe")
        connection.execute("RELEASE probe")
