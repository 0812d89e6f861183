"""Writing yoyo's books, in yoyo's own words, which are asked of it once."""

from __future__ import annotations

import functools
import getpass
import os
import socket
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from waiaas_migrate.files.migration_dir.migration_files import migration_hash

if TYPE_CHECKING:
    from yoyo.backends.core.sqlite3 import SQLiteBackend

#: What yoyo's log calls what was done.
Operation = Literal["apply", "rollback", "mark", "unmark"]

_key = functools.lru_cache(maxsize=1 << 16)(migration_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSql:
    """yoyo's statements that note something: in its log, that a migration is applied, and that it is not any more."""

    log: str
    mark: str
    unmark: str


def book_sql(backend: SQLiteBackend) -> BookSql:
    """The statements of a backend of yoyo's, with the names of its tables filled in."""
    log, mark, unmark = (
        str(backend.format_sql(template))
        for template in (backend.log_migration_sql, backend.mark_migration_sql, backend.unmark_migration_sql)
    )
    return BookSql(log=log, mark=mark, unmark=unmark)


@functools.lru_cache(maxsize=1)
def _own_sql() -> BookSql:
    """Those of yoyo's own backend for SQLite."""
    from yoyo.backends.core.sqlite3 import SQLiteBackend
    from yoyo.connections import parse_uri
    from yoyo.migrations import default_migration_table

    backend = SQLiteBackend(parse_uri("sqlite:///:memory:"), default_migration_table)
    try:
        return book_sql(backend)
    finally:
        backend.connection.close()


@functools.lru_cache(maxsize=1)
def books_version() -> int:
    """The version of the books that the installed yoyo keeps."""
    from yoyo import internalmigrations

    return int(max(internalmigrations.schema_versions))


def write_record(connection: sqlite3.Connection, name: str, operation: Operation, sql: BookSql | None = None) -> None:
    """Write the rows that say that the migration ``name`` was applied, rolled back, marked or unmarked."""
    sql = sql or _own_sql()
    when = write_log(connection, name, operation, sql)
    if operation in ("apply", "mark"):
        row = {"migration_hash": _key(name), "migration_id": name, "when": when}
        connection.execute(sql.mark, row)
    else:
        connection.execute(sql.unmark, {"migration_hash": _key(name)})


def write_log(
    connection: sqlite3.Connection, name: str, operation: Operation = "apply", sql: BookSql | None = None
) -> str:
    """Write into yoyo's log what was done with ``name``, and give the time that it notes."""
    when = datetime.now(UTC).replace(tzinfo=None).isoformat()
    row = {
        "id": str(uuid.uuid4()),
        "migration_hash": _key(name),
        "migration_id": name,
        "operation": operation,
        "username": username(),
        "hostname": hostname(),
        "created_at_utc": when,
    }
    connection.execute((sql or _own_sql()).log, row)
    return when


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
