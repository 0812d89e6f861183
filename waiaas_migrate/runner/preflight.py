"""Refuse a database or a connection that isn't suitable for a run, before the run changes anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from waiaas_migrate.errors import DatabaseRefused
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.yoyo.applied import read_applied
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.connection import database_name
from waiaas_migrate.sqlite.planning.effects import Effects

#: How many tables a message names.
_SHOWN = 5


def refuse_unrecorded_tables(connection: sqlite3.Connection, folder: MigrationFolder) -> None:
    """Refuse a database that has tables but no record of migrations, unless the tables belong to other tools.

    Raises:
        DatabaseRefused: names the tables.
    """
    if read_applied(connection) is not None:
        return
    others = folder.other_tools.with_declared(folder.tables)
    tables = [row.name for row in others.exclude_from(read_catalog(connection)) if row.kind == "table"]
    # Read the records again: another connection may have created both the tables and the records a moment ago.
    if tables and read_applied(connection) is None:
        shown = ", ".join(tables[:_SHOWN]) + (" …" if len(tables) > _SHOWN else "")
        raise DatabaseRefused(
            f"{database_name(connection)}: holds tables ({shown}) but no record of migrations, so it is unknown which "
            f"ones have run. Nothing was changed. Adopt it with `waiaas-migrate adopt`, or use another file."
        )


def refuse_temporary_objects(connection: sqlite3.Connection, effects: Sequence[Effects]) -> None:
    """Refuse a connection with temporary objects that hide objects of the database from migrations.

    Also refuse temporary triggers on a table that a migration changes: they would fire, and would be lost if the table
    is rebuilt. If a migration may change any table, refuse every temporary object.

    Raises:
        DatabaseRefused: names the objects.
    """
    # This is the fastest check. Running the PRAGMA itself would also read file names, which may not be UTF-8.
    if ("temp",) not in connection.execute("SELECT name FROM pragma_database_list").fetchall():
        return
    query = "SELECT name, tbl_name FROM sqlite_temp_master WHERE sql IS NOT NULL"
    temporary: dict[str, str] = dict(connection.execute(query).fetchall())
    if not temporary:
        return
    touched = {fold(name) for one in effects for name, _ in one.tables or ()}
    existing = {name.lower() for (name,) in connection.execute("SELECT name FROM main.sqlite_master")}
    is_known = all(one.is_known for one in effects)
    refused = [
        name
        for name, table in temporary.items()
        if not is_known or fold(name) in existing | touched or (table not in temporary and fold(table) in touched)
    ]
    if refused:
        raise DatabaseRefused(
            f"{database_name(connection)}: this connection has temporary objects of these names: "
            f"{', '.join(refused)}. Nothing was changed. Drop them, or migrate on another connection."
        )
