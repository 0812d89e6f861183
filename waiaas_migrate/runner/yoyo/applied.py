"""Read from yoyo's tables which migrations a database has run. Nothing here imports yoyo or writes.

The tables are read from ``main`` by name, since a connection may have attached databases with yoyo's tables.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from waiaas_migrate.errors import DatabaseRefused, UnknownMigrationsError
from waiaas_migrate.files.migration_dir.migration_files import is_post_apply, migration_hash
from waiaas_migrate.sqlite.database.connection import database_name, result_code

#: The key under which yoyo records a migration, by its id.
cached_hash = functools.lru_cache(maxsize=1 << 16)(migration_hash)

#: The runner's own table beside yoyo's (``identity.py``).
TEXTS = "_yoyo_migration_text"

#: The version of yoyo's tables, and the hashes of the applied migrations. One value takes less time than many rows, for
#: each of which Python releases its lock. Only a table has the index of a primary key: INDEXED BY refuses a view, which
#: may be endless, before it is read.
_AS_TEXT = """SELECT
(SELECT max(version) FROM main._yoyo_version INDEXED BY sqlite_autoindex__yoyo_version_1)
|| ' ' || group_concat(ifnull(migration_hash, ''))
FROM main._yoyo_migration INDEXED BY sqlite_autoindex__yoyo_migration_1"""
#: The same, and the chain's hash recorded with one migration, unless yoyo's record is another one by now.
_WITH_LINK = _AS_TEXT.replace(
    "FROM main._yoyo_migration",
    """, (SELECT i.manifest_hash
FROM main._yoyo_migration_text AS i INDEXED BY sqlite_autoindex__yoyo_migration_text_1
JOIN main._yoyo_migration AS y ON y.migration_hash = i.migration_hash AND y.applied_at_utc = i.applied_at_utc
WHERE i.migration_hash = ?)
FROM main._yoyo_migration""",
)
#: yoyo separates date and time by a T or, as its `mark` does, by a space.
_ROWS = """SELECT migration_hash, migration_id FROM main._yoyo_migration
ORDER BY replace(applied_at_utc, 'T', ' '), rowid"""
#: The table as yoyo kept it before version 6 (yoyo/internalmigrations/v1.py).
_OLD_ROWS = "SELECT id FROM main._yoyo_migration ORDER BY ctime, rowid"
#: An object that has the name of one of these tables and isn't a table. A virtual table has no root page.
_IMPOSTOR = """SELECT name FROM main.sqlite_master
WHERE name COLLATE NOCASE IN ('_yoyo_migration', '_yoyo_log', '_yoyo_version', 'yoyo_lock', '_yoyo_migration_text')
AND (type <> 'table' OR rootpage = 0) AND type <> 'index' LIMIT 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What yoyo has recorded: the hashes of the applied migrations, and the version of its tables."""

    applied: frozenset[str]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The record of one applied migration. yoyo identifies it by the hash; the id is for people."""

    hash: str
    id: str


def read_applied(connection: sqlite3.Connection) -> tuple[Applied, ...] | None:
    """Return the applied migrations in the order they were applied; None if yoyo has no table in this database.

    Raises:
        DatabaseRefused: an object with the name of one of yoyo's tables is something else.
    """
    refuse_impostors(connection)
    # Look for the table first: another connection may make it meanwhile, with the columns that this one looks for.
    exists = "SELECT 1 FROM main.sqlite_master WHERE name = '_yoyo_migration' COLLATE NOCASE"
    if connection.execute(exists).fetchone() is None:
        return None
    for query in (_ROWS, _OLD_ROWS, _ROWS):  # another connection may upgrade the table meanwhile
        try:
            rows = _read_bytes(connection, query)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
        else:
            return tuple(_applied(*map(_text, (row[0], row[-1] or row[0])), is_old=len(row) == 1) for row in rows)
    raise impostor(connection, "_yoyo_migration")


def refuse_impostors(connection: sqlite3.Connection) -> None:
    """Refuse other objects with the names of the tables that record migrations, which would be read or written.

    Raises:
        DatabaseRefused: names one.
    """
    found = connection.execute(_IMPOSTOR).fetchone()
    if found is not None:
        raise impostor(connection, str(found[0]))


def impostor(connection: sqlite3.Connection, name: str) -> DatabaseRefused:
    """Return the refusal of an object called ``name``, in place of a table that records migrations."""
    maker = "waiaas-migrate" if name.lower() == TEXTS else "yoyo"
    return DatabaseRefused(
        f"{database_name(connection)}: its {name} is not the table that {maker} makes, so nobody knows which "
        f"migrations have run. Nothing was changed. Restore a backup, use another file, or rename the object with "
        f"that name."
    )


def _read_bytes(connection: sqlite3.Connection, query: str) -> list[tuple[object, ...]]:
    """Return the rows of ``query`` with texts as bytes, since they may not be UTF-8."""
    before, connection.text_factory = connection.text_factory, bytes
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.text_factory = before


def _text(value: object) -> str:
    """Return ``value`` as text; anything may be in the column, though yoyo writes only text."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _applied(key: str, name: str, *, is_old: bool) -> Applied:
    return Applied(hash=migration_hash(name) if is_old else key, id=name)


def read_records(connection: sqlite3.Connection) -> Records | None:
    """Return yoyo's records, in a fraction of the time of :func:`read_applied`.

    Return None if nothing was applied, if yoyo's tables are missing or old, if they hold anything but text, or if the
    connection has a text factory: :func:`read_applied` can handle all of these.
    """
    row = _read_row(connection, _AS_TEXT)
    return None if row is None else _records_in(row[0])


def read_with_link(connection: sqlite3.Connection, last: str) -> tuple[Records | None, object]:
    """Return yoyo's records as :func:`read_records` does, and the chain's hash recorded with ``last``.

    That hash is None if only yoyo recorded the migration whose hash is ``last``.
    """
    row = _read_row(connection, _WITH_LINK, last)
    return (read_records(connection), None) if row is None else (_records_in(row[0]), row[1])


def _read_row(connection: sqlite3.Connection, query: str, *values: str) -> tuple[object, ...] | None:
    """Return the only row of ``query``; None if a table is missing or has other columns."""
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        row: tuple[object, ...] = cursor.execute(query, values).fetchone()
    except sqlite3.OperationalError as error:
        # Python itself raises the error for text that is not UTF-8, without a code.
        if result_code(error) not in (0, sqlite3.SQLITE_ERROR):
            raise
        return None
    return row


def _records_in(text: object) -> Records | None:
    return _records(text) if isinstance(text, str) else None


@functools.lru_cache(maxsize=16)
def _records(text: str) -> Records:
    """Parse the records read as one text; many databases of a fleet have the same."""
    version, _, applied = text.partition(" ")
    is_number = version.isdecimal() and version.isascii()
    return Records(applied=frozenset(applied.split(",")), version=int(version) if is_number else 0)


def pending(
    connection: sqlite3.Connection, known: Sequence[str], squashed: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Return those of the ``known`` ids that the database has not run, in their order.

    ``squashed`` are hashes that the database may have recorded, too.

    Raises:
        UnknownMigrationsError: the database has run migrations that are not known.
        DatabaseRefused: an object with the name of one of yoyo's tables is something else.
    """
    refuse_impostors(connection)
    records = read_records(connection)
    if records is not None:
        return not_applied(connection, records.applied, known, squashed)
    return not_applied(connection, frozenset(row.hash for row in read_applied(connection) or ()), known, squashed)


def not_applied(
    connection: sqlite3.Connection,
    applied: frozenset[str],
    known: Sequence[str],
    squashed: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Return those of the ``known`` ids whose hashes are not among ``applied``, in their order.

    ``squashed`` are hashes that may be among ``applied``, too.

    Raises:
        UnknownMigrationsError: the database has run migrations that are not known.
    """
    names, are_all_known = _compared(applied, tuple(known))
    if not are_all_known:
        keys = squashed.union(map(cached_hash, known))
        rows = read_applied(connection) or ()
        unknown = [row.id for row in rows if row.hash not in keys and not is_post_apply(row.id)]
        if unknown:
            raise UnknownMigrationsError(database=database_name(connection), unknown=unknown)
    return names


@functools.lru_cache(maxsize=16)
def _compared(applied: frozenset[str], known: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Return the known ids that are not applied, and whether all applied migrations are known."""
    keys = {cached_hash(name): name for name in known}
    return tuple(name for key, name in keys.items() if key not in applied), applied <= keys.keys()
