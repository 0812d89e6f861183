"""Write to yoyo's tables, with yoyo's own statements."""

from __future__ import annotations

import functools
import getpass
import os
import socket
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from waiaas_migrate.runner.yoyo.applied import cached_hash

#: The words of yoyo's log for what was done with a migration.
Operation = Literal["apply", "rollback", "mark", "unmark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSql:
    """yoyo's statements that write to its log, record a migration as applied, and remove that record."""

    log: str
    mark: str
    unmark: str


@functools.lru_cache(maxsize=1)
def _record_sql() -> RecordSql:
    """Return the statements of yoyo's backend for SQLite."""
    from yoyo.backends.core.sqlite3 import SQLiteBackend
    from yoyo.connections import parse_uri
    from yoyo.migrations import default_migration_table

    backend = SQLiteBackend(parse_uri("sqlite:///:memory:"), default_migration_table)
    try:
        return RecordSql(
            log=str(backend.format_sql(backend.log_migration_sql)),
            mark=str(backend.format_sql(backend.mark_migration_sql)),
            unmark=str(backend.format_sql(backend.unmark_migration_sql)),
        )
    finally:
        backend.connection.close()


@functools.lru_cache(maxsize=1)
def records_version() -> int:
    """Return the version of yoyo's tables that the installed yoyo makes."""
    from yoyo import internalmigrations

    return int(max(internalmigrations.schema_versions))


def write_record(connection: sqlite3.Connection, name: str, operation: Operation) -> None:
    """Record that the migration ``name`` was applied, rolled back, marked or unmarked."""
    when = write_log(connection, name, operation)
    if operation in ("apply", "mark"):
        row = {"migration_hash": cached_hash(name), "migration_id": name, "when": when}
        connection.execute(_record_sql().mark, row)
    else:
        connection.execute(_record_sql().unmark, {"migration_hash": cached_hash(name)})


def write_log(connection: sqlite3.Connection, name: str, operation: Operation = "apply") -> str:
    """Write to yoyo's log what was done with the migration ``name``, and return the time that it notes."""
    row = log_row(name, operation)
    connection.execute(_record_sql().log, row)
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
    """Return the name of the current user, or the number if the user has no name here."""
    try:
        return _storable(getpass.getuser())
    except (KeyError, OSError):
        # A container may run as a user without a name.
        return str(os.getuid())


@functools.cache
def hostname() -> str:
    """Return the full name of this host, which may take seconds to look up."""
    try:
        return _storable(socket.getfqdn())
    except UnicodeError:  # raised for a name that DNS can't have, such as "a..b"
        return _storable(socket.gethostname())


def look_up_names() -> None:
    """Look up user and host now, so that writing a record under the write lock doesn't wait for a resolver."""
    username()
    hostname()


def _storable(name: str) -> str:
    """Return ``name`` as text that SQLite can store; USER may hold any bytes."""
    return name.encode(errors="backslashreplace").decode()
