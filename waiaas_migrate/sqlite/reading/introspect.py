"""Read the schema of a database into the model: :func:`introspect`.

The CREATE statements in ``sqlite_master`` are parsed with SQLite's own grammar. Then the columns of each table are
compared with ``PRAGMA table_xinfo``; a difference is an error that names the table. Only the catalog is read, so the
connection needs none of the collations, functions and modules that the schema uses.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.schema.model import Column, Index, Schema, Table, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.reading import ddl, ddl_table
from waiaas_migrate.sqlite.reading.grammar import SqlError, tokenize
from waiaas_migrate.sqlite.reading.ownership import OtherTools
from waiaas_migrate.sqlite.reading.quoted_strings import QuotedStrings, requote_strings
from waiaas_migrate.sqlite.reading.virtual_tables import module_of, possible_shadow_tables, shadow_names

#: Tables (without their indexes) and indexes that were read before, by CREATE statement.
Known = Mapping[str, Table | Index]

_Object = TypeVar("_Object")

# Both sides of a comparison share most statements, and the meaning of a statement never changes.
_read_table = lru_cache(maxsize=8192)(ddl_table.read_table)
_read_index = lru_cache(maxsize=16384)(ddl.read_index)


def introspect(
    connection: sqlite3.Connection, known: Known | None = None, *, other_tools: OtherTools | None = None
) -> Schema:
    """Return the schema of a database, in the order of its catalog.

    Args:
        connection: a connection to the database.
        known: tables and indexes that were read before, which need not be parsed again.
        other_tools: decides which tables belong to other tools and are left out. None leaves out nothing, as for a
            database built in memory.

    Raises:
        UnsupportedError: an object can't be read exactly; the message names it.
        DatabaseFileError, sqlite3.DatabaseError: the catalog is damaged, or the file can't be read.
    """
    return introspect_with_strings(connection, known, other_tools=other_tools)[0]


def introspect_with_strings(
    connection: sqlite3.Connection, known: Known | None = None, *, other_tools: OtherTools | None = None
) -> tuple[Schema, QuotedStrings]:
    """Return the schema, as :func:`introspect` does, and its strings in double quotes."""
    rows = read_catalog(connection) if other_tools is None else read_project_catalog(connection, other_tools)
    schema = _read(connection, rows, known or {})
    requoted, strings = requote_strings(rows, schema)
    return (schema if requoted == rows else _read(connection, requoted, known or {})), strings


def _read(connection: sqlite3.Connection, rows: Sequence[CatalogRow], known: Known) -> Schema:
    """Parse ``rows`` into a schema; verify its columns on ``connection``."""
    virtual = tuple(_parse(row, ddl.read_virtual_table, row.name, row.sql) for row in rows if row.is_virtual)
    shadows = shadow_names(connection, rows)
    indexes: dict[str, list[CatalogRow]] = defaultdict(list)
    for row in rows:
        if row.kind == "index":
            indexes[fold(row.table)].append(row)
    ordinary = [row for row in rows if row.kind == "table" and not row.is_virtual and fold(row.name) not in shadows]
    tables = tuple(_table(row, indexes[fold(row.name)], known) for row in ordinary)
    _verify_columns(connection, tables, ordinary)
    names = _names_for_views_and_triggers(tables, virtual, rows)
    return Schema(
        tables=tables,
        views=tuple(_parse(row, ddl.read_view, row.name, row.sql, names) for row in rows if row.kind == "view"),
        triggers=tuple(
            _parse(row, ddl.read_trigger, row.name, row.sql, names)
            for row in rows
            if row.kind == "trigger" and fold(row.table) not in shadows
        ),
        virtual_tables=virtual,
    )


def read_project_catalog(connection: sqlite3.Connection, other_tools: OtherTools) -> tuple[CatalogRow, ...]:
    """Return the catalog of a live database without the objects of other tools.

    Raises:
        UnsupportedError: a table may be an ordinary table or the storage of a virtual table; the message names both.
    """
    rows = read_catalog(connection)
    project_rows = other_tools.exclude_from(rows)
    undeclared = {fold(row.name) for row in project_rows} - other_tools.declared
    unclear = {name: owner for name, owner in possible_shadow_tables(connection, rows).items() if name in undeclared}
    if unclear:
        virtual = next(iter(unclear.values()))
        tables = [name for name, owner in unclear.items() if owner is virtual]
        ignored = ", ".join(f'"{name}"' for name in (virtual.name, *tables))
        raise UnsupportedError(
            f"table {', '.join(tables)}: may belong to virtual table {virtual.name}, whose module "
            f"{module_of(virtual.sql)} is not loaded here. To leave these tables alone, set "
            f"`ignore = [{ignored}]` in [tool.waiaas-migrate]. Rename those that are ordinary tables."
        )
    return project_rows


def _parse(row: CatalogRow, reader: Callable[..., _Object], *args: object) -> _Object:
    """Call ``reader``, which parses the text of ``row``; name the object in its error."""
    try:
        return reader(*args)
    except SqlError as error:
        raise UnsupportedError(
            f"{row.kind} {row.name}: its text in sqlite_master cannot be read exactly: {error}. "
            f"Please report it with this text: {row.sql}"
        ) from None


def _table(row: CatalogRow, index_rows: Iterable[CatalogRow], known: Known) -> Table:
    found = known.get(row.sql)
    table = found if isinstance(found, Table) else _parse(row, _read_table, row.sql)
    indexes = tuple([_index(other, table, known) for other in index_rows])
    if table.name == row.name and table.indexes == indexes:
        return table
    return replace(table, name=row.name, indexes=indexes)


def _index(row: CatalogRow, table: Table, known: Known) -> Index:
    index = known.get(row.sql)
    if not isinstance(index, Index):
        index = _parse(row, _read_index, row.sql, tuple([column.name for column in table.columns]))
    return index if index.name == row.name else replace(index, name=row.name)


def _names_for_views_and_triggers(
    tables: Iterable[Table], virtual: Iterable[VirtualTable], rows: Sequence[CatalogRow]
) -> frozenset[str]:
    """Return the names that views and triggers can refer to; empty if there are no views and triggers."""
    if not any(row.kind in ("view", "trigger") for row in rows):
        return frozenset()
    names = {fold(row.name) for row in rows}
    names.update(fold(column.name) for table in tables for column in table.columns)
    for virtual_table in virtual:
        names.update(fold(token.name) for token in tokenize(virtual_table.statement.sql) if token.is_name)
    return frozenset(names)


#: The columns of CREATE TABLE statements that were verified before, by statement. SQLite reports the same columns for a
#: statement in every database.
_VERIFIED: dict[str, tuple[Column, ...]] = {}
_MAX_VERIFIED = 16384


def _verify_columns(connection: sqlite3.Connection, tables: Sequence[Table], rows: Iterable[CatalogRow]) -> None:
    """Refuse ``tables``, read from ``rows``, if SQLite reports other columns."""
    texts = {table.name: row.sql for table, row in zip(tables, rows, strict=True)}
    unverified = [table for table in tables if _VERIFIED.get(texts[table.name]) != table.columns]
    reported: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    if unverified:
        names = [table.name for table in unverified]
        query = f"""SELECT m.name, x.name, x."notnull" OR x.pk, x.dflt_value NOT NULL, x.hidden > 1
            FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x
            WHERE m.type = 'table' AND m.name IN ({", ".join("?" * len(names))})"""
        for name, *column in connection.execute(query, names):
            reported[name].append(tuple(column))
    if len(_VERIFIED) > _MAX_VERIFIED:
        _VERIFIED.clear()
    for table in unverified:
        keys = set(map(fold, table.primary_key.columns)) if table.primary_key else set()
        parsed = [
            (c.name, c.not_null is not None or fold(c.name) in keys, c.default is not None, c.generated is not None)
            for c in table.columns
        ]
        if parsed != reported[table.name]:
            raise UnsupportedError(
                f"table {table.name}: its text was read as {parsed}, but SQLite reports {reported[table.name]}. "
                f"Please report it with the table's text in sqlite_master."
            )
        _VERIFIED[texts[table.name]] = table.columns
