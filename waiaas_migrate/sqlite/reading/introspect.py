"""Read the schema of a database into the model.

The text in ``sqlite_master`` is read with SQLite's own grammar, and then compared with ``PRAGMA table_xinfo`` of each
table. If the two differ, reading fails and names the table. Only the catalog is read, so the connection needs none of
the collations, functions and modules that the schema uses.
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
from waiaas_migrate.sqlite.reading.quoted_strings import Strings, in_single_quotes
from waiaas_migrate.sqlite.reading.virtual_tables import module_of, shadow_names, undecided

#: The table (without its indexes) or index of each CREATE statement that was read before.
Known = Mapping[str, Table | Index]

_Object = TypeVar("_Object")

# Both sides of a comparison share most statements, and the meaning of a statement never changes.
_read_table = lru_cache(maxsize=8192)(ddl_table.read_table)
_read_index = lru_cache(maxsize=16384)(ddl.read_index)


def introspect(
    connection: sqlite3.Connection, known: Known | None = None, *, other_tools: OtherTools | None = None
) -> Schema:
    """Return the schema of the database that ``connection`` is open on, in the order of its catalog.

    Args:
        connection: the database.
        known: the tables and indexes of CREATE statements that were read before.
        other_tools: their tables are left out; None reads everything, as in a database built in memory.

    Raises:
        UnsupportedError: an object can't be read exactly; the message names it.
        sqlite3.DatabaseError: the file can't be read.
    """
    return introspect_with_strings(connection, known, other_tools=other_tools)[0]


def introspect_with_strings(
    connection: sqlite3.Connection, known: Known | None = None, *, other_tools: OtherTools | None = None
) -> tuple[Schema, Strings]:
    """Return the schema, and its strings in double quotes; for the arguments, see :func:`introspect`."""
    rows = read_catalog(connection) if other_tools is None else read_project_catalog(connection, other_tools)
    schema = _read(connection, rows, known or {})
    plain, strings = in_single_quotes(rows, schema)
    return (schema if plain == rows else _read(connection, plain, known or {})), strings


def _read(connection: sqlite3.Connection, rows: Sequence[CatalogRow], known: Known) -> Schema:
    """Return the schema in ``rows``, compared with what SQLite reports."""
    virtual = tuple(_exactly(row, ddl.read_virtual_table, row.name, row.sql) for row in rows if row.is_virtual)
    shadows = shadow_names(connection, rows)
    indexes: dict[str, list[CatalogRow]] = defaultdict(list)
    for row in rows:
        if row.kind == "index":
            indexes[fold(row.table)].append(row)
    ordinary = [row for row in rows if row.kind == "table" and not row.is_virtual and fold(row.name) not in shadows]
    tables = tuple(_table(row, indexes[fold(row.name)], known) for row in ordinary)
    _confirm(connection, tables, ordinary)
    names = _names(tables, virtual, rows)
    return Schema(
        tables=tables,
        views=tuple(_exactly(row, ddl.read_view, row.name, row.sql, names) for row in rows if row.kind == "view"),
        triggers=tuple(
            _exactly(row, ddl.read_trigger, row.name, row.sql, names)
            for row in rows
            if row.kind == "trigger" and fold(row.table) not in shadows
        ),
        virtual_tables=virtual,
    )


def read_project_catalog(connection: sqlite3.Connection, other_tools: OtherTools) -> tuple[CatalogRow, ...]:
    """Return the catalog of a live database without the objects of other tools.

    Raises:
        UnsupportedError: tables may be ordinary tables or part of a virtual table; the message names them.
    """
    rows = read_catalog(connection)
    ours = other_tools.exclude_from(rows)
    names = {fold(row.name) for row in ours} - other_tools.declared
    doubtful = {name: virtual for name, virtual in undecided(connection, rows).items() if name in names}
    if doubtful:
        virtual = next(iter(doubtful.values()))
        tables = [name for name, other in doubtful.items() if other is virtual]
        ignored = ", ".join(f'"{name}"' for name in (virtual.name, *tables))
        raise UnsupportedError(
            f"table {', '.join(tables)}: may belong to virtual table {virtual.name}, whose module "
            f"{module_of(virtual.sql)} is not loaded here. To leave these tables alone, set "
            f"`ignore = [{ignored}]` in [tool.waiaas-migrate]. Rename those that are ordinary tables."
        )
    return ours


def _exactly(row: CatalogRow, reader: Callable[..., _Object], *args: object) -> _Object:
    """Call ``reader`` with ``args``; name ``row`` in the error if its text can't be read."""
    try:
        return reader(*args)
    except SqlError as error:
        raise UnsupportedError(
            f"{row.kind} {row.name}: its text in sqlite_master cannot be read exactly: {error}. "
            f"Please report it with this text: {row.sql}"
        ) from None


def _table(row: CatalogRow, index_rows: Iterable[CatalogRow], known: Known) -> Table:
    found = known.get(row.sql)
    table = found if isinstance(found, Table) else _exactly(row, _read_table, row.sql)
    indexes = tuple([_index(other, table, known) for other in index_rows])
    if table.name == row.name and table.indexes == indexes:
        return table
    return replace(table, name=row.name, indexes=indexes)


def _index(row: CatalogRow, table: Table, known: Known) -> Index:
    index = known.get(row.sql)
    if not isinstance(index, Index):
        index = _exactly(row, _read_index, row.sql, tuple([column.name for column in table.columns]))
    return index if index.name == row.name else replace(index, name=row.name)


def _names(tables: Iterable[Table], virtual: Iterable[VirtualTable], rows: Sequence[CatalogRow]) -> frozenset[str]:
    """Return every name that a view or a trigger can refer to; none if there is no view or trigger."""
    if not any(row.kind in ("view", "trigger") for row in rows):
        return frozenset()
    names = {fold(row.name) for row in rows}
    names.update(fold(column.name) for table in tables for column in table.columns)
    for virtual_table in virtual:
        names.update(fold(token.name) for token in tokenize(virtual_table.statement.sql) if token.is_name)
    return frozenset(names)


#: The columns of each CREATE TABLE that SQLite confirmed. SQLite reports the same columns in every database.
_CONFIRMED: dict[str, tuple[Column, ...]] = {}
_MAX_CONFIRMED = 16384


def _confirm(connection: sqlite3.Connection, tables: Sequence[Table], rows: Iterable[CatalogRow]) -> None:
    """Compare the columns of ``tables``, which ``rows`` declare, with the columns that SQLite reports.

    Raises:
        UnsupportedError: the columns of a table differ; the message names the table.
    """
    texts = {table.name: row.sql for table, row in zip(tables, rows, strict=True)}
    waiting = [table for table in tables if _CONFIRMED.get(texts[table.name]) != table.columns]
    reported: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    if waiting:
        names = [table.name for table in waiting]
        query = f"""SELECT m.name, x.name, x."notnull" OR x.pk, x.dflt_value NOT NULL, x.hidden > 1
            FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x
            WHERE m.type = 'table' AND m.name IN ({", ".join("?" * len(names))})"""
        for name, *facts in connection.execute(query, names):
            reported[name].append(tuple(facts))
    if len(_CONFIRMED) > _MAX_CONFIRMED:
        _CONFIRMED.clear()
    for table in waiting:
        keys = set(map(fold, table.primary_key.columns)) if table.primary_key else set()
        read = [
            (c.name, c.not_null is not None or fold(c.name) in keys, c.default is not None, c.generated is not None)
            for c in table.columns
        ]
        if read != reported[table.name]:
            raise UnsupportedError(
                f"table {table.name}: its text was read as {read}, but SQLite reports {reported[table.name]}. "
                f"Please report it with the table's text in sqlite_master."
            )
        _CONFIRMED[texts[table.name]] = table.columns
