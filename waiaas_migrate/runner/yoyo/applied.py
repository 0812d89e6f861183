"""Reading yoyo's bookkeeping without yoyo: which migrations a database has run. Nothing here writes.

The tables are asked for in ``main`` by name, since a connection may have other databases attached, with their books.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from waiaas_migrate.errors import DatabaseRefused, UnknownMigrationsError
from waiaas_migrate.files.migration_dir.migration_files import is_post_apply, migration_hash
from waiaas_migrate.sqlite.database.connection import database_name, result_code

_hash = functools.lru_cache(maxsize=1 << 16)(migration_hash)

#: The version of the books, and the hashes of the applied migrations; as one value, as the catalog is read.
#: Only a table has the index of a primary key: INDEXED BY refuses a view, which may be endless, before it is read.
_AS_TEXT = """SELECT
(SELECT max(version) FROM main._yoyo_version INDEXED BY sqlite_autoindex__yoyo_version_1)
|| ' ' || group_concat(ifnull(migration_hash, ''))
FROM main._yoyo_migration INDEXED BY sqlite_autoindex__yoyo_migration_1"""
_EXACTLY = "SELECT migration_hash FROM main._yoyo_migration INDEXED BY sqlite_autoindex__yoyo_migration_1"
_BOOK = "_yoyo_migration"
#: What has the name of one of yoyo's tables and isn't a table: a view may be endless. A virtual table has no root page.
_ODD = """SELECT name FROM main.sqlite_master
WHERE name COLLATE NOCASE IN ('_yoyo_migration', '_yoyo_log', '_yoyo_version', 'yoyo_lock')
AND (type <> 'table' OR rootpage = 0) AND type <> 'index' LIMIT 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What yoyo's books say: the hashes of the applied migrations, and the version of the books."""

    applied: frozenset[str]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The row of one applied migration. yoyo goes by the hash; the id is for people."""

    hash: str
    id: str


def read_applied(connection: sqlite3.Connection) -> tuple[Applied, ...] | None:
    """The applied migrations in the order in which they were; None where yoyo keeps no books in this database.

    Raises:
        DatabaseRefused: what is called like the books is something else.
    """
    refuse_odd_books(connection)
    try:
        return _read_new_books(connection)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
    try:
        return _read_old_books(connection)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise _odd_books(connection, _BOOK) from error


def refuse_odd_books(connection: sqlite3.Connection) -> None:
    """Refuse something else under the names of yoyo's tables, which yoyo itself would read, or write into.

    Raises:
        DatabaseRefused: names it.
    """
    odd = connection.execute(_ODD).fetchone()
    if odd is not None:
        raise _odd_books(connection, str(odd[0]))


def _odd_books(connection: sqlite3.Connection, name: str) -> DatabaseRefused:
    return DatabaseRefused(
        f"{database_name(connection)}: its {name} is not the table that yoyo makes, so nobody knows which migrations "
        f"have run. Nothing was changed. Restore a backup, use another file, or rename what has that name."
    )


def _read_new_books(connection: sqlite3.Connection) -> tuple[Applied, ...]:
    rows = _as_written(
        connection, "SELECT migration_hash, migration_id FROM main._yoyo_migration ORDER BY applied_at_utc, rowid"
    )
    return tuple(Applied(hash=_text(key), id=_text(name or key)) for key, name in rows)


def _as_written(connection: sqlite3.Connection, query: str) -> list[tuple[object, ...]]:
    """The rows of ``query``, its texts as bytes: what others have written need not be UTF-8."""
    before, connection.text_factory = connection.text_factory, bytes
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.text_factory = before


def _text(value: object) -> str:
    """What a row holds where yoyo writes text; others may have written anything."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _read_old_books(connection: sqlite3.Connection) -> tuple[Applied, ...] | None:
    """The books as yoyo kept them before version 6 (yoyo/internalmigrations/v1.py), or none."""
    columns = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info('_yoyo_migration', 'main')")}
    if not columns:
        return None
    if "migration_hash" in columns:
        # Another connection has made them since they were found missing.
        return _read_new_books(connection)
    rows = _as_written(connection, "SELECT id FROM main._yoyo_migration ORDER BY ctime, rowid")
    return tuple(Applied(hash=migration_hash(name), id=name) for name in (_text(name) for (name,) in rows))


def pending(connection: sqlite3.Connection, known: Sequence[str]) -> tuple[str, ...]:
    """Those of the ``known`` ids that the database has not run, in their order.

    Raises:
        UnknownMigrationsError: the database has run migrations that are not known.
        DatabaseRefused: what is called like the books is something else.
    """
    refuse_odd_books(connection)
    books = read_books(connection)
    applied = books.applied if books is not None else frozenset(row.hash for row in read_applied(connection) or ())
    return waiting(connection, applied, known)


def waiting(connection: sqlite3.Connection, applied: frozenset[str], known: Sequence[str]) -> tuple[str, ...]:
    """Those of the ``known`` ids that are not among the ``applied``, of which these are the hashes; in their order.

    Raises:
        UnknownMigrationsError: some of the applied are not known.
    """
    names, are_all_known = _held_against(applied, tuple(known))
    if not are_all_known:
        refuse_unknown(connection, read_applied(connection) or (), known)
    return names


@functools.lru_cache(maxsize=16)
def _held_against(applied: frozenset[str], known: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Those of the ``known`` that are not ``applied``, and whether all that are applied are known.

    Made out once for each: in a fleet many databases have run the same.
    """
    keys = {_hash(name): name for name in known}  # as yoyo records them
    return tuple(name for key, name in keys.items() if key not in applied), applied <= keys.keys()


def read_books(connection: sqlite3.Connection) -> Books | None:
    """What yoyo's books say.

    None where there are no books, or old ones, or where nothing was applied, or something stands in them that is no
    text: :func:`read_applied` knows all of these.
    """
    try:
        text: str | None = connection.execute(_AS_TEXT).fetchone()[0]
    except sqlite3.OperationalError as error:
        # What is no UTF-8 is an error of Python's, which has no code.
        if result_code(error) not in (0, sqlite3.SQLITE_ERROR):
            raise
        return None
    return None if text is None else _books(text)


@functools.lru_cache(maxsize=16)
def _books(text: str) -> Books:
    """What was read as one text, made out once for each: in a fleet many databases have run the same."""
    version, _, applied = text.partition(" ")
    return Books(
        applied=frozenset(applied.split(",")), version=int(version) if version.isdecimal() and version.isascii() else 0
    )


def has_run_exactly(connection: sqlite3.Connection, hashes: frozenset[str]) -> bool:
    """Whether the database has certainly run the migrations of these ``hashes``, and no others; one query tells."""
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        return {row[0] for row in cursor.execute(_EXACTLY)} == hashes
    except sqlite3.OperationalError as error:
        if result_code(error) not in (0, sqlite3.SQLITE_ERROR):
            raise
        return False


def refuse_unknown(connection: sqlite3.Connection, applied: Iterable[Applied], known: Iterable[str]) -> None:
    """Refuse a database that is ahead of the code.

    Raises:
        UnknownMigrationsError: names the migrations that are not known.
    """
    hashes = {_hash(name) for name in known}
    unknown = [row.id for row in applied if row.hash not in hashes and not is_post_apply(row.id)]
    if unknown:
        raise UnknownMigrationsError(database=database_name(connection), unknown=unknown)
