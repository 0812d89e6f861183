"""The catalog, ``sqlite_master``: what a database holds, as text (https://www.sqlite.org/schematab.html)."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from waiaas_migrate.errors import DatabaseFileError
from waiaas_migrate.sqlite.database.connection import database_name

#: yoyo's bookkeeping (yoyo/backends/base.py); it tests for transactional DDL with a table named yoyo_tmp_….
_LOCK = "yoyo_lock"
_YOYO_TABLES = frozenset({"_yoyo_migration", "_yoyo_log", "_yoyo_version", _LOCK})
_INTERNAL_PREFIXES = ("sqlite_", "yoyo_tmp_")

#: What a STRICT table has behind its columns (https://www.sqlite.org/stricttables.html).
_STRICT = re.compile(r"\bSTRICT\b", re.IGNORECASE)

#: The catalog as one value. Python lets go of its lock, and must get it back, for every row and column that it fetches:
#: among many threads that takes longer than the reading.
_AS_TEXT = "SELECT json_group_array(json_array(type, name, tbl_name, sql)) FROM sqlite_master WHERE sql NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRow:
    """One object of a database: a table, index, view or trigger, and the CREATE statement that SQLite keeps of it."""

    kind: str
    name: str
    table: str
    sql: str

    @property
    def is_virtual(self) -> bool:
        """Whether this is a virtual table."""
        return self.kind == "table" and self.sql[:14].upper() == "CREATE VIRTUAL"


def is_internal(name: str) -> bool:
    """Whether ``name`` belongs to SQLite or to yoyo's bookkeeping, and so to no schema."""
    folded = name.lower()
    return folded in _YOYO_TABLES or folded.startswith(_INTERNAL_PREFIXES)


def read_catalog(connection: sqlite3.Connection) -> tuple[CatalogRow, ...]:
    """Every object that somebody declared, in the catalog's order.

    Left out are SQLite's and yoyo's own, and the indexes that come with a constraint, which have no text.
    """
    return _declared(_read_rows(connection))


#: Rows of the catalog as they are: type, name, tbl_name and sql, which an index that comes with a constraint lacks.
_Rows = tuple[tuple[str, str, str, str | None], ...]


def _read_rows(connection: sqlite3.Connection) -> _Rows:
    """The whole catalog, SQLite's and yoyo's own rows too, in its order.

    Raises:
        DatabaseFileError: somebody has written into it what is no text.
    """
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        rows = tuple(cursor.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid"))
    finally:
        cursor.close()
    if any(isinstance(value, bytes) for row in rows for value in row):
        what = "is damaged: its sqlite_master holds a BLOB where SQLite writes text. Restore a backup."
        raise DatabaseFileError(f"{database_name(connection)}: {what}")
    return rows


@functools.lru_cache(maxsize=16)
def _declared(rows: _Rows) -> tuple[CatalogRow, ...]:
    """What of ``rows`` somebody declared."""
    return tuple(
        CatalogRow(kind=kind, name=name, table=table, sql=sql)
        for kind, name, table, sql in rows
        if sql is not None and not is_internal(name)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFacts:
    """What a run asks of a catalog: what somebody declared, its fingerprint and folded names, and what may be in it.

    That is foreign keys, STRICT tables, and the table in which plain yoyo keeps its lock.
    """

    rows: tuple[CatalogRow, ...]
    fingerprint: str
    names: frozenset[str]
    has_keys: bool
    has_strict: bool
    has_lock: bool


def read_facts(connection: sqlite3.Connection) -> CatalogFacts:
    """The facts of the catalog as it is."""
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        text: str = cursor.execute(_AS_TEXT).fetchone()[0]
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_ERROR:
            raise
        return _facts_of(_read_rows(connection))  # built without JSON, or there is a BLOB in it
    return _known_facts(text)


@functools.lru_cache(maxsize=16)
def _known_facts(text: str) -> CatalogFacts:
    """What was read as one text, made out once for each: in a fleet many databases have the same catalog."""
    return _facts_of(tuple(map(tuple, json.loads(text))))


def _facts_of(rows: _Rows) -> CatalogFacts:
    found = _declared(rows)
    return CatalogFacts(
        rows=found,
        fingerprint=fingerprint(found),
        names=frozenset(row.name.lower() for row in found),
        has_keys=any(row.kind == "table" and "REFERENCES" in row.sql.upper() for row in found),
        has_strict=any(row.kind == "table" and _STRICT.search(row.sql) for row in found),
        has_lock=any(kind == "table" and name.lower() == _LOCK for kind, name, _, _ in rows),
    )


def fingerprint(rows: Iterable[CatalogRow]) -> str:
    """A hash over the text of ``rows``, whatever their order: equal fingerprints, equal catalogs."""
    texts = sorted([row.kind, row.name, row.table, row.sql] for row in rows)
    return "sha256:" + hashlib.sha256(json.dumps(texts).encode()).hexdigest()
