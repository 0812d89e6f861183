"""Reading yoyo's bookkeeping without yoyo: which migrations a database has run. Nothing here writes.

The tables are asked for in ``main`` by name, since a connection may have other databases attached, with their books.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from waiaas_migrate.errors import DatabaseRefused, UnknownMigrationsError
from waiaas_migrate.files.migration_dir.reader import is_post_apply, migration_hash
from waiaas_migrate.sqlite.connection import database_name, result_code

_hash = functools.lru_cache(maxsize=1 << 16)(migration_hash)

#: The version of the books, and the hashes of the applied migrations; as one value, as the catalog is read.
#: Only a table can be INDEXED BY the index of its primary key: a view in its place, which may have rows without end, is
#: an error at once.
_TABLE = "main._yoyo_migration INDEXED BY sqlite_autoindex__yoyo_migration_1"
_VERSIONS = "main._yoyo_version INDEXED BY sqlite_autoindex__yoyo_version_1"
_AS_TEXT = f"""SELECT (SELECT max(version) FROM {_VERSIONS}) || ' ' || group_concat(ifnull(migration_hash, ''))
FROM {_TABLE}"""
_EXACTLY = f"SELECT migration_hash FROM {_TABLE}"

#: What yoyo keeps in a database, and the columns of its list of migrations: now, and before version 6.
_BOOKS = ("_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock")
_COLUMNS = frozenset({"migration_hash", "migration_id", "applied_at_utc"})
_OLD_COLUMNS = frozenset({"id", "ctime"})


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
    """Return the applied migrations in the order in which they ran; None if yoyo keeps no books in this database.

    Raises:
        DatabaseRefused: something else has the name of yoyo's tables.
    """
    _refuse_other_kinds(connection)
    columns = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info('_yoyo_migration', 'main')")}
    try:
        if columns >= _COLUMNS:
            query = "SELECT migration_hash, migration_id FROM main._yoyo_migration ORDER BY applied_at_utc, rowid"
            rows = _as_written(connection, query)
            return tuple(Applied(hash=_text(key), id=_text(name or key)) for key, name in rows)
        if columns >= _OLD_COLUMNS:  # yoyo/internalmigrations/v1.py
            rows = _as_written(connection, "SELECT id FROM main._yoyo_migration ORDER BY ctime, rowid")
            return tuple(Applied(hash=migration_hash(name), id=name) for name in (_text(name) for (name,) in rows))
    except sqlite3.OperationalError as error:
        if result_code(error) != sqlite3.SQLITE_ERROR:
            raise
        raise _not_yoyos(connection, "_yoyo_migration", "table") from error
    if columns:
        raise _not_yoyos(connection, "_yoyo_migration", "table")
    return None


def _refuse_other_kinds(connection: sqlite3.Connection) -> None:
    """Refuse views and virtual tables in place of yoyo's tables: reading one may take forever."""
    marks = ", ".join("?" * len(_BOOKS))
    # Only what holds no rows itself has no root page (https://www.sqlite.org/schematab.html).
    query = f"SELECT name, type FROM main.sqlite_master WHERE rootpage = 0 AND lower(name) IN ({marks})"
    for name, kind in connection.execute(query, _BOOKS):
        if kind in ("table", "view"):
            raise _not_yoyos(connection, name, "view" if kind == "view" else "virtual table")


def _not_yoyos(connection: sqlite3.Connection, name: str, kind: str) -> DatabaseRefused:
    return DatabaseRefused(
        f"{database_name(connection)}: the {kind} {name} isn't one that yoyo makes, so nobody knows which migrations "
        f"have run. Nothing was changed. Rename that {kind}, or use another file."
    )


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


def pending(connection: sqlite3.Connection, known: Sequence[str]) -> tuple[str, ...]:
    """Those of the ``known`` ids that the database has not run, in their order.

    Raises:
        UnknownMigrationsError: the database has run migrations that are not known.
    """
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
    return Books(applied=frozenset(applied.split(",")), version=int(version) if version.isdigit() else 0)


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
