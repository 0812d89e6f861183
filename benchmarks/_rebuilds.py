"""Rebuild ``transactions`` with this tool, bare SQL or another tool, each in its own process.

All of them give ``status`` another default, for which SQLite must rebuild the table. Run it as a script with the name
of a contender, a database, a migrations folder, and whether foreign keys are ``ON`` or ``OFF`` (SQLite's default) on
the caller's connection. It prints the elapsed and the processor time in seconds, and the peak memory.
"""

from __future__ import annotations

import importlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks._measure import peak_memory, timed
from waiaas_migrate.runner.open import close_database, open_database, push_schema
from waiaas_migrate.schema.model import Column, ForeignKey, Schema, Table
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.reading.introspect import introspect

OLD, NEW = "PENDING", "QUEUED"

#: SQLite's default on every new connection.
PLAIN = "PRAGMA foreign_keys = OFF"


def main() -> None:
    """Run one contender and print its figures."""
    name, database, migrations, foreign_keys = sys.argv[1:]
    pragma = f"PRAGMA foreign_keys = {foreign_keys}"
    run = CONTENDERS[name](Path(database), Path(migrations), pragma)
    before = time.process_time()
    seconds = timed(run)
    print(json.dumps({"seconds": seconds, "processor": time.process_time() - before, "peak": peak_memory()}))


# Each takes a database, a migrations folder and a PRAGMA for the connection. It imports its modules, and returns the
# function to time.


def tool(database: Path, migrations: Path, pragma: str) -> Callable[[], None]:
    """Run the generated migration as an application does, but without a backup, since no other tool makes one.

    If foreign keys must be enforced, the connection is the application's own.
    """
    importlib.import_module("waiaas_migrate.runner.yoyo_backend")

    def run() -> None:
        if pragma == PLAIN:
            close_database(open_database(database, migrations=migrations, backup="never"))
            return
        connection = connect_file(database)
        connection.execute(pragma)
        push_schema(connection, migrations=migrations, backup="never")
        close_database(connection)

    return run


def bare(database: Path, _: Path, __: str) -> Callable[[], None]:
    """Run the shortest SQL that SQLite documents (https://www.sqlite.org/lang_altertable.html); verify nothing."""

    def run() -> None:
        connection = connect_file(database)
        connection.isolation_level = None
        statements = bare_statements(connection)
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")
        close_database(connection)

    return run


def bare_statements(connection: sqlite3.Connection) -> list[str]:
    """Return the statements: create, copy, drop, rename, then the indexes."""
    rows = connection.execute(
        "SELECT type, sql FROM sqlite_master WHERE tbl_name = 'transactions' AND sql IS NOT NULL"
    ).fetchall()
    table = next(sql for kind, sql in rows if kind == "table")
    columns = ", ".join(row[0] for row in connection.execute("SELECT name FROM pragma_table_info('transactions')"))
    made = table.replace(f"DEFAULT '{OLD}'", f"DEFAULT '{NEW}'").replace("TABLE transactions", "TABLE made", 1)
    return [
        made,
        f"INSERT INTO made ({columns}) SELECT {columns} FROM transactions",
        "DROP TABLE transactions",
        "ALTER TABLE made RENAME TO transactions",
        *(sql for kind, sql in rows if kind == "index"),
    ]


def alembic(database: Path, _: Path, pragma: str) -> Callable[[], None]:
    """Use Alembic's batch mode, which reads the table by reflection."""
    import sqlalchemy
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    def run() -> None:
        engine = sqlalchemy.create_engine(f"sqlite:///{database}")
        sqlalchemy.event.listen(engine, "connect", lambda connection, _: connection.execute(pragma))
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            with context.begin_transaction(), Operations(context).batch_alter_table("transactions") as batch:
                batch.alter_column("status", server_default=NEW)
            connection.commit()
        engine.dispose()

    return run


def django(database: Path, _: Path, __: str) -> Callable[[], None]:
    """Use Django's schema editor, which handles foreign keys itself, on models close to the tables."""
    from benchmarks._django import configure, models_of

    configure(database)
    from django.db import connection

    with closing(connect_file(database)) as reading:
        schema = introspect(reading)
    connection.ensure_connection()

    def run() -> None:
        model = models_of(schema)["transactions"]
        field = model._meta.get_field("status")
        changed = field.clone()
        changed.db_default = NEW
        changed.set_attributes_from_name("status")
        changed.model = model
        with connection.schema_editor() as editor:
            editor.alter_field(model, field, changed)
        connection.close()

    return run


def sqlite_utils(database: Path, _: Path, pragma: str) -> Callable[[], None]:
    """Use sqlite-utils' transform."""
    from sqlite_utils import Database

    def run() -> None:
        opened = Database(str(database))
        opened.execute(pragma)
        opened["transactions"].transform(defaults={"status": NEW})
        opened.conn.close()

    return run


CONTENDERS: dict[str, Callable[[Path, Path, str], Callable[[], None]]] = {
    "tool": tool,
    "bare": bare,
    "alembic": alembic,
    "django": django,
    "sqlite_utils": sqlite_utils,
}
PEERS = ("alembic", "django", "sqlite_utils")


# What survives


def survivors(database: Path, wanted: Schema) -> dict[str, str]:
    """Compare ``transactions`` and its children in ``database`` with the wanted schema."""
    with closing(connect_file(database)) as connection:
        children = connection.execute("SELECT count(*) FROM pending_approvals").fetchone()[0]
        found = _transactions(introspect(connection))
    goal = _transactions(wanted)
    return {
        "child rows": f"{children:,}",
        "fk actions": _kept(_actions(goal), _actions(found)),
        "types": _kept(_types(goal), _types(found)),
        "indexes": _kept({i.name for i in goal.indexes}, {i.name for i in found.indexes}),
        "CHECKs": _kept({c.expression.key for c in goal.checks}, {c.expression.key for c in found.checks}),
        "NOT NULL": _kept(_not_null(goal), _not_null(found)),
        "default": _kept(_defaults(goal), _defaults(found)),
    }


def _transactions(schema: Schema) -> Table:
    return next(table for table in schema.tables if table.name == "transactions")


def _kept(wanted: set[Any], found: set[Any]) -> str:
    return f"{len(wanted & found)} of {len(wanted)}" + (f", {len(found - wanted)} other" if found - wanted else "")


def _actions(table: Table) -> set[tuple[str, str, str]]:
    def action(key: ForeignKey) -> str:
        return str(key.on_delete or "none") + (f" {key.deferral}" if key.deferral else "")

    return {(key.columns[0], key.table, action(key)) for key in table.foreign_keys}


def _types(table: Table) -> set[tuple[str, str]]:
    return {(column.name, (column.type or "").upper()) for column in table.columns}


def _not_null(table: Table) -> set[str]:
    return {column.name for column in table.columns if column.not_null is not None}


def _defaults(table: Table) -> set[tuple[str, str]]:
    def default(column: Column) -> str:
        return "" if column.default is None else column.default.key

    return {(column.name, default(column)) for column in table.columns if column.default is not None}


if __name__ == "__main__":
    main()
