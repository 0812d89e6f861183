"""Read the records of applied migrations from yoyo's tables and the runner's; write nothing.

This module doesn't import yoyo, because opening a database that is up to date must be fast. Queries name the schema
``main``, since a connection may have attached other databases with yoyo's tables.
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

#: Returns the hash under which yoyo records a migration, given the migration's id.
cached_hash = functools.lru_cache(maxsize=1 << 16)(migration_hash)

#: The runner's table, beside yoyo's tables. ``identity.py`` creates and writes it.
TEXT_TABLE = "_yoyo_migration_text"

#: The hashes of the applied migrations, as one value, because Python takes longer to fetch many rows. INDEXED BY makes
#: SQLite refuse a view named _yoyo_migration, whose query may never end: only a table has a primary key's index.
_HASHES = """group_concat(ifnull(migration_hash, ''))
FROM main._yoyo_migration INDEXED BY sqlite_autoindex__yoyo_migration_1"""
#: The valid rows of the runner's table, which were written together with the current row in yoyo's table.
VALID_TEXTS = f"""FROM main._yoyo_migration AS y JOIN main.{TEXT_TABLE} AS i INDEXED BY sqlite_autoindex_{TEXT_TABLE}_1
ON i.migration_hash = y.migration_hash AND i.applied_at_utc = y.applied_at_utc"""
_ALL_TEXTS = f"SELECT group_concat(i.migration_hash || ' ' || i.content_hash) {VALID_TEXTS}"
_RECORDS = f"""SELECT
(SELECT max(version) FROM main._yoyo_version INDEXED BY sqlite_autoindex__yoyo_version_1), ({_ALL_TEXTS}), {_HASHES}"""
#: The manifest's hash that was recorded with one migration, and the hashes of all applied migrations.
_HEAD = f"SELECT (SELECT i.manifest_hash {VALID_TEXTS} WHERE i.migration_hash = ?), {_HASHES}"
#: The hash and id of each applied migration, in the order in which they were applied. yoyo writes a T between date and
#: time, but its `mark` command writes a space.
_ROWS = """SELECT migration_hash, migration_id FROM main._yoyo_migration
ORDER BY replace(applied_at_utc, 'T', ' '), rowid"""
#: The ids of the applied migrations, in the table of yoyo versions before 6 (yoyo/internalmigrations/v1.py).
_OLD_ROWS = "SELECT id FROM main._yoyo_migration ORDER BY ctime, rowid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of applied migrations in a database.

    Args:
        applied: the hashes under which yoyo records the applied migrations.
        version: the version of yoyo's tables; 0 if the version is unknown.
        texts: the hash of the text of each migration that the runner recorded, by the hash under which yoyo records it.
    """

    applied: frozenset[str]
    version: int
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedMigration:
    """The record of an applied migration; ``hash`` is yoyo's hash of its ``id``."""

    hash: str
    id: str


def read_applied(connection: sqlite3.Connection) -> tuple[AppliedMigration, ...] | None:
    """Return the applied migrations, oldest first; None if yoyo's table doesn't exist.

    Raises:
        DatabaseRefused: another object has the name of one of yoyo's tables.
    """
    from waiaas_migrate.sqlite.database.catalog import read_facts  # opening a database at head doesn't need it

    refuse_impostors(connection, read_facts(connection))
    # Look for the table first: if another connection created it after a failed query, it would seem to be an impostor.
    if not has_object(connection, "_yoyo_migration"):
        return None
    for query in (_ROWS, _OLD_ROWS, _ROWS):  # another connection may upgrade the table between two queries
        try:
            rows = _read_bytes(connection, query)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
        else:
            texts = ((_text(row[0]), _text(row[-1] or row[0])) for row in rows)
            if query is _OLD_ROWS:
                texts = ((migration_hash(name), name) for _, name in texts)
            return tuple(AppliedMigration(hash=key, id=name) for key, name in texts)
    raise _impostor_error(connection, "_yoyo_migration")


def has_object(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether the main database has a table or another object called ``name``."""
    query = "SELECT 1 FROM main.sqlite_master WHERE name = ? COLLATE NOCASE"
    return connection.execute(query, (name,)).fetchone() is not None


def refuse_impostors(connection: sqlite3.Connection, facts: CatalogFacts) -> None:
    """Check that the tables that record migrations are not views or other objects.

    Raises:
        DatabaseRefused: another object has the name of such a table.
    """
    if facts.impostor is not None:
        raise _impostor_error(connection, facts.impostor)


def _impostor_error(connection: sqlite3.Connection, name: str) -> DatabaseRefused:
    """Return the error about an object that has the name of a table that records migrations."""
    maker = "waiaas-migrate" if name.lower() == TEXT_TABLE else "yoyo"
    return DatabaseRefused(
        f"{database_name(connection)}: its {name} is not the table that {maker} makes, so nobody knows which "
        f"migrations have run. Nothing was changed. Restore a backup, use another file, or rename the object with "
        f"that name."
    )


def _read_bytes(connection: sqlite3.Connection, query: str) -> list[tuple[object, ...]]:
    """Return the rows of ``query``, with text as bytes, because it may not be UTF-8."""
    before, connection.text_factory = connection.text_factory, bytes
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.text_factory = before


def _text(value: object) -> str:
    """Return ``value`` as text; other tools than yoyo may have written other types."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def read_records(connection: sqlite3.Connection) -> Records:
    """Return the records of applied migrations; read them with one statement if possible.

    If a table is missing (as after plain yoyo), old or empty, or if the connection has a text factory, use several
    statements. Another process may write between them.

    Raises:
        DatabaseRefused: another object has the name of a table that records migrations.
    """
    version, texts, hashes = (_read_rows(connection, _RECORDS) or [(None, None, None)])[0]
    if isinstance(hashes, str) and isinstance(texts, str | None):
        version = version if isinstance(version, int) else 0
        return Records(applied=_hashes(hashes), version=version, texts=_texts(texts or ""))
    applied = frozenset(row.hash for row in read_applied(connection) or ())
    texts = next((text for (text,) in rows_of_texts(connection, _ALL_TEXTS)), None)
    return Records(applied=applied, version=0, texts=_texts(str(texts or "")))


def read_head_records(connection: sqlite3.Connection, last: str) -> tuple[frozenset[str] | None, object]:
    """Return the hashes of the applied migrations, and one recorded manifest hash.

    The manifest hash is the one recorded with ``last``, yoyo's hash of a migration. The hashes are None if there are
    none, or if one statement can't read them. The manifest hash is None if the runner's table doesn't have that
    migration, as after plain yoyo.
    """
    rows = _read_rows(connection, _HEAD, last)
    if rows is None:
        rows = _read_rows(connection, f"SELECT NULL, {_HASHES}") or [(None, None)]
    manifest_hash, hashes = rows[0]
    return _hashes(hashes) if isinstance(hashes, str) else None, manifest_hash


def _read_rows(connection: sqlite3.Connection, query: str, *values: str) -> list[tuple[Any, ...]] | None:
    """Return the rows of ``query``; None if a table is missing, old or unreadable."""
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        return cursor.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        # The code is 0 if Python itself raised the error, because a text is not UTF-8.
        if result_code(error) not in (0, sqlite3.SQLITE_ERROR):
            raise
        return None


def rows_of_texts(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a ``query`` on ``VALID_TEXTS``; empty if a table is missing.

    Raises:
        DatabaseRefused: another object has the name of the runner's table.
    """
    rows = _read_rows(connection, query)
    if rows is None and has_object(connection, TEXT_TABLE) and read_applied(connection) is not None:
        rows = _read_rows(connection, query)  # another connection may have created the tables meanwhile
        if rows is None:
            raise _impostor_error(connection, TEXT_TABLE)
    return rows or []


# The following functions are cached, because most databases of a fleet have the same records.


@functools.lru_cache(maxsize=16)
def _hashes(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


@functools.lru_cache(maxsize=16)
def _texts(text: str) -> Mapping[str, str]:
    pairs = (pair.partition(" ") for pair in text.split(",") if pair)
    return MappingProxyType({key: content for key, _, content in pairs})


def read_pending(
    connection: sqlite3.Connection,
    known: Sequence[str],
    squashed: frozenset[str] = frozenset(),
    *,
    applied: frozenset[str] | None = None,
) -> tuple[str, ...]:
    """Return the pending migrations of a database, in the order of ``known``.

    Args:
        connection: a connection to the database.
        known: the ids of the migrations in the folder.
        squashed: yoyo's hashes of squashed migrations, which the database may have applied.
        applied: the hashes of the applied migrations, if they were read before.

    Raises:
        UnknownMigrationsError: the database has applied a migration that is neither known nor squashed.
        DatabaseRefused: another object has the name of one of yoyo's tables.
    """
    if applied is None:
        applied = read_records(connection).applied
    names, are_all_known = _compare(applied, tuple(known))
    if not are_all_known:
        keys = squashed.union(map(cached_hash, known))
        rows = read_applied(connection) or ()
        unknown = [row.id for row in rows if row.hash not in keys and not is_post_apply(row.id)]
        if unknown:
            raise UnknownMigrationsError(database=database_name(connection), unknown=unknown)
    return names


@functools.lru_cache(maxsize=16)
def _compare(applied: frozenset[str], known: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Return the ids that are not applied, and whether all applied ones are known."""
    keys = {cached_hash(name): name for name in known}
    return tuple(name for key, name in keys.items() if key not in applied), applied <= keys.keys()
