"""The catalog, ``sqlite_master``: what a database holds, as text (https://www.sqlite.org/schematab.html)."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waiaas_migrate.schema.model import Index, Table

#: yoyo's bookkeeping (yoyo/backends/base.py); it tests for transactional DDL with a table named yoyo_tmp_….
_YOYO_TABLES = frozenset({"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock"})
_INTERNAL_PREFIXES = ("sqlite_", "yoyo_tmp_")

#: What a CREATE TABLE (without its indexes) or CREATE INDEX in a catalog is known to say, by its text.
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
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        cursor.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        return tuple(
            CatalogRow(kind=kind, name=name, table=table, sql=sql)
            for kind, name, table, sql in cursor
            if not is_internal(name)
        )
    finally:
        cursor.close()


def fingerprint(rows: Iterable[CatalogRow]) -> str:
    """A hash over the text of ``rows``, whatever their order: equal fingerprints, equal catalogs."""
    texts = sorted([row.kind, row.name, row.table, row.sql] for row in rows)
    return "sha256:" + hashlib.sha256(json.dumps(texts).encode()).hexdigest()
