"""A yoyo backend on which the runner stands: yoyo's own books and steps, on a connection that is already there.

yoyo opens a connection for each migration, and records it in a transaction of its own afterwards. This backend keeps to
one connection, so that a migration and its record share the transaction that the runner has begun.
"""

from __future__ import annotations

import functools
import getpass
import os
import socket
import sqlite3
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from yoyo import internalmigrations
from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, default_migration_table

from waiaas_migrate.sqlite.connection import Database, connect_file


class MigrateBackend(SQLiteBackend):
    """yoyo's backend for SQLite, on a given connection or on a path of any characters."""

    def __init__(
        self,
        dburi: DatabaseURI,
        migration_table: str = default_migration_table,
        *,
        connection: sqlite3.Connection | None = None,
    ) -> None:
        self._given = connection
        super().__init__(dburi, migration_table)  # type: ignore[no-untyped-call]  # yoyo's methods are not annotated

    @property
    def _in_transaction(self) -> bool:
        """Whether yoyo shall use savepoints: the connection knows, whoever began its transaction."""
        return bool(self.connection.in_transaction)

    @_in_transaction.setter
    def _in_transaction(self, value: bool) -> None:
        """Do nothing: the count that yoyo keeps is needless."""

    @classmethod
    def on(cls, connection: sqlite3.Connection) -> MigrateBackend:
        """A backend on ``connection``, whose isolation level is None."""
        uri = DatabaseURI(scheme="sqlite", username=None, password=None, hostname=None, port=None, database="", args={})
        return cls(uri, connection=connection)

    def connect(self, dburi: DatabaseURI) -> sqlite3.Connection:
        """The given connection, or a new one to the path that ``dburi`` names, with every character for itself."""
        if self._given is not None:
            return self._given
        connection = connect_file(Database(name=dburi.database, path=Path(dburi.database)))
        connection.isolation_level = None
        return connection

    def copy(self) -> MigrateBackend:
        """A backend on the same connection, in the same transaction, where yoyo's own opens another connection."""
        return type(self)(self.uri, self.migration_table, connection=self.connection)

    def __enter__(self) -> Self:
        # yoyo swaps the module's converters for the time; dates are bound as text here, and need none.
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._given is None:
            self.connection.close()

    def begin(self) -> None:
        """Begin a transaction that may write from the start."""
        self.connection.execute("BEGIN IMMEDIATE")

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> sqlite3.Cursor:
        """Execute one statement. Dates are written in ISO 8601, as yoyo's adapter does."""
        plain = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in (params or {}).items()}
        cursor: sqlite3.Cursor = super().execute(sql, plain)
        return cursor

    def ensure_internal_schema_updated(self) -> None:
        """Make or upgrade the books, within the transaction where there is one; SQLite's lock is lock enough."""
        if self._internal_schema_updated:
            return
        if internalmigrations.needs_upgrading(self):
            internalmigrations.upgrade(self)
        self._internal_schema_updated = True

    def record(self, migration: Migration, operation: str) -> None:
        """Write the rows that say that ``migration`` was applied or rolled back."""
        self.log_migration(migration, operation)  # type: ignore[no-untyped-call]
        if operation == "apply":
            self.mark_one(migration, log=False)  # type: ignore[no-untyped-call]
        else:
            self.unmark_one(migration, log=False)  # type: ignore[no-untyped-call]

    def get_log_data(self, migration: Migration | None = None, operation: str = "apply") -> dict[str, Any]:
        """The values of a row in yoyo's log. The names of user and host are looked up once: DNS may be slow."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": _username(),
            "hostname": _hostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }


@functools.cache
def _username() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a user without a name.
        return str(os.getuid())


@functools.cache
def _hostname() -> str:
    return socket.getfqdn()
