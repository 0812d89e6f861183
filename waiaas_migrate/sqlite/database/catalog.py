"""Read the catalog ``sqlite_master`` (https://www.sqlite.org/schematab.html)."""

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

#: The tables in which yoyo (yoyo/backends/base.py) and the runner keep their records and locks.
_LOCK = "yoyo_lock"
_BOOKKEEPING = frozenset({"_yoyo_migration", "_yoyo_log", "_yoyo_version", _LOCK, "_yoyo_migration_text"})
#: The prefixes of SQLite's own tables, and of the tables with which yoyo tests whether DDL is transactional.
_INTERNAL_PREFIXES = ("sqlite_", "yoyo_tmp_")

#: The option of a STRICT table (https://www.sqlite.org/stricttables.html).
_STRICT = re.compile(r"\bSTRICT\b", re.IGNORECASE)

_COLUMNS = "type, name, tbl_name, sql"
#: A query for the whole catalog as one JSON value. With many threads, fetching single rows takes longer than the query,
#: because Python releases and reacquires its global lock for every row and column.
_AS_TEXT = f"SELECT json_group_array(json_array({_COLUMNS})) FROM sqlite_master WHERE sql NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRow:
    """A table, index, view or trigger of a database, with its CREATE statement ``sql``.

    ``table`` is the table of an index or trigger; for a table or view, it is the object's own name.
    """

    kind: str
    name: str
    table: str
    sql: str

    @property
    def is_virtual(self) -> bool:
        """Whether the object is a virtual table."""
        return self.kind == "table" and self.sql[:14].upper() == "CREATE VIRTUAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFacts:
    """The objects that users created in a database, and facts for the runner's checks.

    Args:
        rows: the objects, without those of SQLite, yoyo and the runner.
        fingerprint: a hash of ``rows``.
        names: the folded names of ``rows``.
        may_have_foreign_keys: whether the text of a table contains REFERENCES.
        may_have_strict_tables: whether the text of a table contains STRICT.
        has_lock_table: whether plain yoyo's lock table exists.
        impostor: the name of a bookkeeping table, such as ``yoyo_lock``, if another kind of object has this name.
    """

    rows: tuple[CatalogRow, ...]
    fingerprint: str
    names: frozenset[str]
    may_have_foreign_keys: bool
    may_have_strict_tables: bool
    has_lock_table: bool
    impostor: str | None


def is_internal(name: str) -> bool:
    """Return whether ``name`` belongs to SQLite, yoyo or the runner, not to the schema."""
    folded = name.lower()
    return folded in _BOOKKEEPING or folded.startswith(_INTERNAL_PREFIXES)


def read_catalog(connection: sqlite3.Connection) -> tuple[CatalogRow, ...]:
    """Return every object that a user created, in the catalog's order.

    Objects of SQLite, yoyo and the runner are left out, as are indexes of constraints, which have no CREATE statement.

    Raises:
        DatabaseFileError: the catalog is damaged.
    """
    return read_facts(connection).rows


def read_facts(connection: sqlite3.Connection) -> CatalogFacts:
    """Return the objects of :func:`read_catalog`, and facts about the catalog.

    Raises:
        DatabaseFileError: the catalog is damaged.
    """
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        text = cursor.execute(_AS_TEXT).fetchone()[0]
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_ERROR:
            raise
        # This SQLite was built without JSON functions, or the catalog contains a BLOB.
        rows = cursor.execute(f"SELECT {_COLUMNS} FROM sqlite_master WHERE sql NOT NULL").fetchall()
        if any(isinstance(value, bytes) for row in rows for value in row):
            what = "is damaged: its sqlite_master holds a BLOB where SQLite writes text. Restore a backup."
            raise DatabaseFileError(f"{database_name(connection)}: {what}") from None
        text = json.dumps(rows)
    return _facts(text)


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
    """Return a hash of the names and CREATE statements of ``rows``, whatever their order."""
    texts = sorted([row.kind, row.name, row.table, row.sql] for row in rows)
    return "sha256:" + hashlib.sha256(json.dumps(texts).encode()).hexdigest()
