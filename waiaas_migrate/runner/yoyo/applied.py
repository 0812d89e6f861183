"""Read from yoyo's tables which migrations a database has run. This module neither writes nor imports yoyo.

Queries name the schema ``main``, since a connection may have attached databases with yoyo's tables.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from waiaas_migrate.errors import DatabaseRefused, UnknownMigrationsError
from waiaas_migrate.files.migration_dir.migration_files import is_post_apply, migration_hash
from waiaas_migrate.sqlite.database.connection import database_name, result_code

if TYPE_CHECKING:
    from waiaas_migrate.sqlite.database.catalog import CatalogFacts

#: Returns the key under which yoyo records a migration with a given id.
cached_hash = functools.lru_cache(maxsize=1 << 16)(migration_hash)

#: The table that the runner adds to yoyo's tables (``identity.py``).
TEXTS = "_yoyo_migration_text"

#: The hashes of the applied migrations, as one value. Python releases its lock for each row, so many rows would take
#: longer. INDEXED BY makes SQLite refuse a view of this name, which may be endless: only a table has the index of a
#: primary key.
_HASHES = """group_concat(ifnull(migration_hash, ''))
FROM main._yoyo_migration INDEXED BY sqlite_autoindex__yoyo_migration_1"""
#: The valid rows of the runner's table: those that were written together with yoyo's current record.
VALID_TEXTS = f"""FROM main._yoyo_migration AS y JOIN main.{TEXTS} AS i INDEXED BY sqlite_autoindex_{TEXTS}_1
ON i.migration_hash = y.migration_hash AND i.applied_at_utc = y.applied_at_utc"""
_ALL_TEXTS = f"SELECT group_concat(i.migration_hash || ' ' || i.content_hash) {VALID_TEXTS}"
_RECORDS = f"""SELECT
(SELECT max(version) FROM main._yoyo_version INDEXED BY sqlite_autoindex__yoyo_version_1), ({_ALL_TEXTS}), {_HASHES}"""
#: The manifest's hash recorded with one migration, and the hashes of all.
_HEAD = f"SELECT (SELECT i.manifest_hash {VALID_TEXTS} WHERE i.migration_hash = ?), {_HASHES}"
#: yoyo separates date and time by a T, but its `mark` command uses a space.
_ROWS = """SELECT migration_hash, migration_id FROM main._yoyo_migration
ORDER BY replace(applied_at_utc, 'T', ' '), rowid"""
#: The query for the table of yoyo versions before 6 (yoyo/internalmigrations/v1.py).
_OLD_ROWS = "SELECT id FROM main._yoyo_migration ORDER BY ctime, rowid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of migrations in a database.

    Args:
        applied: the hashes under which yoyo records the applied migrations.
        version: the version of yoyo's tables; 0 if it is unknown.
        texts: the text hash of each migration that the runner applied or adopted, by yoyo's hash.
    """

    applied: frozenset[str]
    version: int
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The record of one applied migration. yoyo identifies it by the hash; the id is for people."""

    hash: str
    id: str


def read_applied(connection: sqlite3.Connection) -> tuple[Applied, ...] | None:
    """Return the applied migrations in the order they were applied; None if yoyo's table doesn't exist.

    Raises:
        DatabaseRefused: an object with the name of one of yoyo's tables is something else.
    """
    from waiaas_migrate.sqlite.database.catalog import read_facts  # opening a database at head doesn't need it

    refuse_impostors(connection, read_facts(connection))
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


def refuse_impostors(connection: sqlite3.Connection, facts: CatalogFacts) -> None:
    """Refuse a database in which another object has the name of a table that records migrations.

    Raises:
        DatabaseRefused: names the object.
    """
    if facts.impostor is not None:
        raise impostor(connection, facts.impostor)


def impostor(connection: sqlite3.Connection, name: str) -> DatabaseRefused:
    """Return the error about an object ``name`` that replaces a table that records migrations."""
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
    """Return ``value`` as text. yoyo writes only text, but other tools may have written anything."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _applied(key: str, name: str, *, is_old: bool) -> Applied:
    return Applied(hash=migration_hash(name) if is_old else key, id=name)


def read_records(connection: sqlite3.Connection) -> Records:
    """Return the records of the database, if possible as of one moment.

    Several statements are needed if a table is missing (as after plain yoyo) or old, or if the connection has a text
    factory. Another process may write between these statements.

    Raises:
        DatabaseRefused: an object with the name of a table that records migrations is something else.
    """
    version, texts, hashes = _read_row(connection, _RECORDS) or (None, None, None)
    if isinstance(hashes, str) and isinstance(texts, str | None):
        return _records(version if isinstance(version, int) else 0, texts or "", hashes)
    applied = frozenset(row.hash for row in read_applied(connection) or ())
    texts = next((text for (text,) in rows_of_texts(connection, _ALL_TEXTS)), None)
    return Records(applied=applied, version=0, texts=_texts(str(texts or "")))


def read_head_records(connection: sqlite3.Connection, last: str) -> tuple[frozenset[str] | None, object]:
    """Return the hashes of the applied migrations, and the manifest's hash recorded with the migration ``last``.

    The hashes are None if they can't be read quickly. The manifest's hash is None if only yoyo recorded the migration.
    """
    row = _read_row(connection, _HEAD, last) or (None, *(_read_row(connection, f"SELECT {_HASHES}") or (None,)))
    return _hashes(row[1]) if isinstance(row[1], str) else None, row[0]


def _read_row(connection: sqlite3.Connection, query: str, *values: str) -> tuple[object, ...] | None:
    """Return the only row of ``query``; None if a table is missing or has other columns."""
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        row: tuple[object, ...] = cursor.execute(query, values).fetchone()
    except sqlite3.OperationalError as error:
        # For text that is not UTF-8, Python itself raises this error, without a code.
        if result_code(error) not in (0, sqlite3.SQLITE_ERROR):
            raise
        return None
    return row


def rows_of_texts(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of ``query``, which reads ``VALID_TEXTS``; none if the runner's table or yoyo's is missing.

    Raises:
        DatabaseRefused: another object has the name of the runner's table.
    """
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        return cursor.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if result_code(error) not in (0, sqlite3.SQLITE_ERROR):
            raise
        exists = f"SELECT 1 FROM main.sqlite_master WHERE name = '{TEXTS}' COLLATE NOCASE"
        if connection.execute(exists).fetchone() is None or read_applied(connection) is None:
            return []
        raise impostor(connection, TEXTS) from error


# Cached, since most databases of a fleet have the same records.


@functools.lru_cache(maxsize=16)
def _records(version: int, texts: str, hashes: str) -> Records:
    return Records(applied=_hashes(hashes), version=version, texts=_texts(texts))


@functools.lru_cache(maxsize=16)
def _hashes(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


def _texts(text: str) -> Mapping[str, str]:
    pairs = (pair.partition(" ") for pair in text.split(",") if pair)
    return MappingProxyType({key: content for key, _, content in pairs})


def pending(
    connection: sqlite3.Connection, known: Sequence[str], squashed: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Return the ids in ``known`` that the database has not run, in the order of ``known``.

    ``squashed`` are hashes of other migrations that the database may have recorded.

    Raises:
        UnknownMigrationsError: the database has run migrations that are not known.
        DatabaseRefused: an object with the name of one of yoyo's tables is something else.
    """
    return not_applied(connection, read_records(connection).applied, known, squashed)


def not_applied(
    connection: sqlite3.Connection,
    applied: frozenset[str],
    known: Sequence[str],
    squashed: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Return the ids in ``known`` whose hashes are not in ``applied``, in the order of ``known``.

    ``squashed`` are hashes of other migrations that ``applied`` may contain.

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
