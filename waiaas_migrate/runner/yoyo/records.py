"""Write records of migrations to yoyo's tables, with yoyo's own SQL."""

from __future__ import annotations

import functools
import getpass
import os
import socket
import sqlite3
import uuid
from datetime import UTC, datetime
from typing import Literal

from waiaas_migrate.runner.yoyo.applied import cached_hash

#: The operations in yoyo's log.
Operation = Literal["apply", "rollback", "mark", "unmark"]


@functools.lru_cache(maxsize=1)
def _statements() -> tuple[str, str, str]:
    """Return yoyo's SQL that writes to its log, adds a record and deletes a record."""
    from yoyo.backends.core.sqlite3 import SQLiteBackend
    from yoyo.connections import parse_uri
    from yoyo.migrations import default_migration_table

    backend = SQLiteBackend(parse_uri("sqlite:///:memory:"), default_migration_table)
    try:
        log, mark, unmark = backend.log_migration_sql, backend.mark_migration_sql, backend.unmark_migration_sql
        return backend.format_sql(log), backend.format_sql(mark), backend.format_sql(unmark)
    finally:
        backend.connection.close()


@functools.lru_cache(maxsize=1)
def records_version() -> int:
    """Return the version of the tables that the installed yoyo creates."""
    from yoyo import internalmigrations

    return int(max(internalmigrations.schema_versions))


def write_record(connection: sqlite3.Connection, name: str, operation: Operation) -> None:
    """Record that the migration ``name`` was applied, rolled back, marked or unmarked."""
    _, mark, unmark = _statements()
    when = write_log(connection, name, operation)
    row = {"migration_hash": cached_hash(name), "migration_id": name, "when": when}
    connection.execute(mark if operation in ("apply", "mark") else unmark, row)


def write_log(connection: sqlite3.Connection, name: str, operation: Operation = "apply") -> str:
    """Log an operation on the migration ``name``; return the logged time."""
    row = log_row(name, operation)
    connection.execute(_statements()[0], row)
    return row["created_at_utc"]


def log_row(name: str, operation: str) -> dict[str, str]:
    """Return a row of yoyo's log, by column."""
    return {
        "id": str(uuid.uuid4()),
        "migration_hash": cached_hash(name),
        "migration_id": name,
        "operation": operation,
        "username": username(),
        "hostname": hostname(),
        "created_at_utc": datetime.now(UTC).replace(tzinfo=None).isoformat(),
    }


@functools.cache
def username() -> str:
    """Return the name of the current user, or the user ID if the user has no name."""
    try:
        return _storable(getpass.getuser())
    except (KeyError, OSError):  # as in a container
        return str(os.getuid())


@functools.cache
def hostname() -> str:
    """Return the full name of this host. Looking it up may take seconds."""
    try:
        return _storable(socket.getfqdn())
    except UnicodeError:  # raised for a name that DNS can't have, such as "a..b"
        return _storable(socket.gethostname())


def _storable(name: str) -> str:
    """Return ``name`` as text that SQLite can store; the variable USER may be any bytes."""
    return name.encode(errors="backslashreplace").decode()
