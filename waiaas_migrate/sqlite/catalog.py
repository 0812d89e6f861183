"""The catalog, ``sqlite_master``: what a database holds, as text (https://www.sqlite.org/schematab.html)."""

from __future__ import annotations

import functools
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waiaas_migrate.schema.model import Index, Table

#: yoyo's bookkeeping (yoyo/backends/base.py); it tests for transactional DDL with a table named yoyo_tmp_….
_YOYO_TABLES = frozenset({"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock"})
_INTERNAL_PREFIXES = ("sqlite_", "yoyo_tmp_")

#: What a CREATE TABLE (less its indexes, which have texts of their own) or CREATE INDEX is known to say, by its text.
Known = Mapping[str, Table | Index]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRow:
    """One object of a database: a table, index, view or trigger, and the CREATE statement that SQLite keeps of it."""

    kind: str
    name: str
    table: str
    sql: str


def is_internal(name: str) -> bool:
    """Whether ``name`` belongs to SQLite or to yoyo's bookkeeping, and so to no schema."""
    folded = name.lower()
    return folded in _YOYO_TABLES or folded.startswith(_INTERNAL_PREFIXES)


def read_catalog(connection: sqlite3.Connection) -> tuple[CatalogRow, ...]:
    """Every object that somebody declared, in the catalog's order.

    Left out are SQLite's and yoyo's own, and the indexes that come with a constraint, which have no text.
    """
    return declared(read_rows(connection))


#: Rows of the catalog as they are: type, name, tbl_name and sql, which an index that comes with a constraint lacks.
Rows = tuple[tuple[str, str, str, str | None], ...]


def read_rows(connection: sqlite3.Connection) -> Rows:
    """The whole catalog, SQLite's and yoyo's own rows too, in its order."""
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        return tuple(cursor.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid").fetchall())
    finally:
        cursor.close()


@functools.lru_cache(maxsize=16)
def declared(rows: Rows) -> tuple[CatalogRow, ...]:
    """What of ``rows`` somebody declared."""
    return tuple(
        CatalogRow(kind=kind, name=name, table=table, sql=sql)
        for kind, name, table, sql in rows
        if sql is not None and not is_internal(name)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFacts:
    """What a run asks of a catalog: its fingerprint, the folded names in it, and whether it may hold foreign keys.

    ``names`` are those of what somebody declared, ``internal`` the other ones.
    """

    fingerprint: str
    names: frozenset[str]
    internal: frozenset[str]
    has_keys: bool


@functools.lru_cache(maxsize=16)
def facts_of(rows: Rows) -> CatalogFacts:
    """The facts of a catalog, found once: in a fleet many databases have the same."""
    found = declared(rows)
    names = frozenset(row.name.lower() for row in found)
    return CatalogFacts(
        fingerprint=fingerprint(found),
        names=names,
        internal=frozenset(name.lower() for _, name, _, _ in rows) - names,
        has_keys=any(row.kind == "table" and "REFERENCES" in row.sql.upper() for row in found),
    )


def fingerprint(rows: Iterable[CatalogRow]) -> str:
    """A hash over the text of ``rows``, whatever their order: equal fingerprints, equal catalogs."""
    texts = sorted([row.kind, row.name, row.table, row.sql] for row in rows)
    return "sha256:" + hashlib.sha256(json.dumps(texts).encode()).hexdigest()
