"""Read the catalog, ``sqlite_master``: the CREATE statements of a database (https://www.sqlite.org/schematab.html)."""

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

#: The tables that record what has run: yoyo's (yoyo/backends/base.py) and the runner's. yoyo also checks for
#: transactional DDL with a table named yoyo_tmp_….
_LOCK = "yoyo_lock"
_BOOKKEEPING = frozenset({"_yoyo_migration", "_yoyo_log", "_yoyo_version", _LOCK, "_yoyo_migration_text"})
_INTERNAL_PREFIXES = ("sqlite_", "yoyo_tmp_")

#: The option of a STRICT table (https://www.sqlite.org/stricttables.html).
_STRICT = re.compile(r"\bSTRICT\b", re.IGNORECASE)

_COLUMNS = "type, name, tbl_name, sql"
#: The catalog as one value. Python releases its global lock for every row and column that it fetches, and must get it
#: back: with many threads, that takes longer than the query.
_AS_TEXT = f"SELECT json_group_array(json_array({_COLUMNS})) FROM sqlite_master WHERE sql NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRow:
    """One object of a database: a table, index, view or trigger, and its CREATE statement in the catalog."""

    kind: str
    name: str
    table: str
    sql: str

    @property
    def is_virtual(self) -> bool:
        """Whether this is a virtual table."""
        return self.kind == "table" and self.sql[:14].upper() == "CREATE VIRTUAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFacts:
    """The objects that users declared, with their fingerprint and folded names.

    ``has_lock_table``: plain yoyo's lock table exists. ``impostor`` is the name of a bookkeeping table, such as
    ``yoyo_lock``, if a view, trigger or virtual table has that name.
    """

    rows: tuple[CatalogRow, ...]
    fingerprint: str
    names: frozenset[str]
    may_have_foreign_keys: bool
    may_have_strict_tables: bool
    has_lock_table: bool
    impostor: str | None


def is_internal(name: str) -> bool:
    """Return whether ``name`` belongs to SQLite or to the record of migrations, and so not to the schema."""
    folded = name.lower()
    return folded in _BOOKKEEPING or folded.startswith(_INTERNAL_PREFIXES)


def read_catalog(connection: sqlite3.Connection) -> tuple[CatalogRow, ...]:
    """Return every object that a user declared, in the catalog's order.

    SQLite's own objects and the record of migrations are left out, and so are the indexes of constraints, which have no
    CREATE statement.

    Raises:
        DatabaseFileError: the catalog is damaged.
    """
    return read_facts(connection).rows


def read_facts(connection: sqlite3.Connection) -> CatalogFacts:
    """Return the facts of the catalog; raises as :func:`read_catalog` does."""
    return _facts(_read_text(connection))


def _read_text(connection: sqlite3.Connection) -> str:
    """Return the rows of the catalog that have a CREATE statement, as JSON."""
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        text: str = cursor.execute(_AS_TEXT).fetchone()[0]
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_ERROR:
            raise
        # This SQLite was built without JSON, or there is a BLOB in the catalog.
        rows = cursor.execute(f"SELECT {_COLUMNS} FROM sqlite_master WHERE sql NOT NULL").fetchall()
        if any(isinstance(value, bytes) for row in rows for value in row):
            what = "is damaged: its sqlite_master holds a BLOB where SQLite writes text. Restore a backup."
            raise DatabaseFileError(f"{database_name(connection)}: {what}") from None
        return json.dumps(rows)
    return text


@functools.lru_cache(maxsize=16)
def _facts(text: str) -> CatalogFacts:
    objects = [CatalogRow(kind=kind, name=name, table=table, sql=sql) for kind, name, table, sql in json.loads(text)]
    rows = tuple(row for row in objects if not is_internal(row.name))
    records = [row for row in objects if row.name.lower() in _BOOKKEEPING and row.kind != "index"]
    return CatalogFacts(
        rows=rows,
        fingerprint=fingerprint(rows),
        names=frozenset(row.name.lower() for row in rows),
        may_have_foreign_keys=any(row.kind == "table" and "REFERENCES" in row.sql.upper() for row in rows),
        may_have_strict_tables=any(row.kind == "table" and _STRICT.search(row.sql) for row in rows),
        has_lock_table=any(row.name.lower() == _LOCK for row in records),
        impostor=next((row.name for row in records if row.kind != "table" or row.is_virtual), None),
    )


def fingerprint(rows: Iterable[CatalogRow]) -> str:
    """Return a hash of the CREATE statements of ``rows``, which ignores their order."""
    texts = sorted([row.kind, row.name, row.table, row.sql] for row in rows)
    return "sha256:" + hashlib.sha256(json.dumps(texts).encode()).hexdigest()
