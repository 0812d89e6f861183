"""A database's schema, read back into the model.

The text in ``sqlite_master`` is read with SQLite's own grammar, and then held against what SQLite itself says of
each table (``PRAGMA table_xinfo``): where the two witnesses differ, reading fails by name rather than tell a
half-truth. Only the catalog is read, so that collations, functions and modules which this connection does not have
are no hindrance.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.schema.model import Column, Index, Schema, Table, Trigger, View, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.reading import ddl, ddl_table
from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, tokenize
from waiaas_migrate.sqlite.reading.ownership import OtherTools
from waiaas_migrate.sqlite.reading.quoted_strings import in_single_quotes, strings_in
from waiaas_migrate.sqlite.reading.virtual_tables import module_of, told_shadow_names, undecided

#: What a CREATE TABLE (less its indexes, which have texts of their own) or CREATE INDEX is known to say, by its text.
Known = Mapping[str, Table | Index]


def introspect(
    connection: sqlite3.Connection, known: Known | None = None, *, others: OtherTools | None = None
) -> Schema:
    """The schema of the database behind ``connection``, in the order of its catalog.

    Args:
        connection: the database.
        known: texts that need no reading, since what they say is known already.
        others: leave out what belongs to other tools; None reads everything, as in a database built in memory.

    Raises:
        UnsupportedError: names what cannot be read exactly.
        sqlite3.DatabaseError: where the file cannot be read.
    """
    return introspect_quoted(connection, known, others=others)[0]


#: Words in double quotes that are strings, by the kind and folded name of the table, view or trigger that holds them.
Strings = Mapping[tuple[str, str], frozenset[str]]


def introspect_quoted(
    connection: sqlite3.Connection, known: Known | None = None, *, others: OtherTools | None = None
) -> tuple[Schema, Strings]:
    """The same, and the words in double quotes that SQLite takes for strings; an index's count as its table's."""
    rows = read_catalog(connection) if others is None else read_ours(connection, others)
    schema = _read(connection, rows, known or {})
    plain = in_single_quotes(rows, schema)
    if plain == rows:
        return schema, {}
    strings: dict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
    for before, after in zip(rows, plain, strict=True):
        owner = ("table", before.table) if before.kind == "index" else (before.kind, before.name)
        strings[owner[0], fold(owner[1])] |= strings_in(before, after)
    return _read(connection, plain, known or {}), {owner: words for owner, words in strings.items() if words}


def _read(connection: sqlite3.Connection, rows: Sequence[CatalogRow], known: Known) -> Schema:
    """The schema that ``rows`` say, held against what SQLite says of it."""
    virtual = tuple(_virtual_table(row) for row in rows if row.is_virtual)
    shadows = told_shadow_names(connection, rows)
    by_table: dict[str, list[CatalogRow]] = defaultdict(list)
    for row in rows:
        by_table[fold(row.table)].append(row)
    ordinary = [row for row in rows if row.kind == "table" and not row.is_virtual and fold(row.name) not in shadows]
    tables = tuple(_table(row, by_table[fold(row.name)], known) for row in ordinary)
    _confirm(connection, tables, ordinary)
    names = _names(tables, virtual, rows)
    return Schema(
        tables=tables,
        views=tuple(_view(row, names) for row in rows if row.kind == "view"),
        triggers=tuple(
            _trigger(row, names) for row in rows if row.kind == "trigger" and fold(row.table) not in shadows
        ),
        virtual_tables=virtual,
    )


def read_ours(connection: sqlite3.Connection, others: OtherTools) -> tuple[CatalogRow, ...]:
    """Return the catalog of a live database less what belongs to other tools.

    Raises:
        UnsupportedError: names tables that are either ordinary or part of a virtual table, and nobody here can tell.
    """
    rows = read_catalog(connection)
    ours = others.without(rows)
    _refuse_undecided(connection, rows, {fold(row.name) for row in ours} - others.declared)
    return ours


def _refuse_undecided(connection: sqlite3.Connection, rows: Sequence[CatalogRow], ours: Container[str]) -> None:
    doubtful = {name: virtual for name, virtual in undecided(connection, rows).items() if name in ours}
    if doubtful:
        virtual = next(iter(doubtful.values()))
        names = [name for name, other in doubtful.items() if other is virtual]
        ignored = ", ".join(f'"{name}"' for name in (virtual.name, *names))
        raise UnsupportedError(
            f"table {', '.join(names)}: may belong to virtual table {virtual.name}, whose module "
            f"{module_of(virtual)} is not loaded here. To leave these tables alone, set "
            f"`ignore_tables = [{ignored}]` in [tool.waiaas-migrate]. Rename those that are ordinary tables."
        )


def _reading(row: CatalogRow, error: SqlError) -> UnsupportedError:
    return UnsupportedError(
        f"{row.kind} {row.name}: its text in sqlite_master cannot be read exactly: {error}. "
        f"Please report it with this text: {row.sql}"
    )


def _table(row: CatalogRow, belonging: Iterable[CatalogRow], known: Known) -> Table:
    found = known.get(row.sql)
    try:
        table = found if isinstance(found, Table) else _read_table(row.sql)
    except SqlError as error:
        raise _reading(row, error) from None
    indexes = tuple([_index(other, table, known) for other in belonging if other.kind == "index"])
    if table.name == row.name and table.indexes == indexes:
        return table
    return replace(table, name=row.name, indexes=indexes)


def _index(row: CatalogRow, table: Table, known: Known) -> Index:
    found = known.get(row.sql)
    try:
        index = (
            found
            if isinstance(found, Index)
            else _read_index(row.sql, tuple([column.name for column in table.columns]))
        )
    except SqlError as error:
        raise _reading(row, error) from None
    return index if index.name == row.name else replace(index, name=row.name)


# Both sides of a comparison hold mostly the same text, and what a text says never changes.


@lru_cache(maxsize=8192)
def _read_table(sql: str) -> Table:
    return ddl_table.table(sql)


@lru_cache(maxsize=16384)
def _read_index(sql: str, columns: tuple[str, ...]) -> Index:
    return ddl.index(sql, columns)[1]


def _view(row: CatalogRow, names: frozenset[str]) -> View:
    try:
        return ddl.view(row.name, row.sql, names)
    except SqlError as error:
        raise _reading(row, error) from None


def _trigger(row: CatalogRow, names: frozenset[str]) -> Trigger:
    try:
        return ddl.trigger(row.name, row.sql, names)
    except SqlError as error:
        raise _reading(row, error) from None


def _virtual_table(row: CatalogRow) -> VirtualTable:
    try:
        return ddl.virtual_table(row.name, row.sql)
    except SqlError as error:
        raise _reading(row, error) from None


def _names(tables: Iterable[Table], virtual: Iterable[VirtualTable], rows: Sequence[CatalogRow]) -> frozenset[str]:
    """Every name that a view or a trigger may mean; none where there is no such reader."""
    if not any(row.kind in ("view", "trigger") for row in rows):
        return frozenset()
    names = {fold(row.name) for row in rows}
    for table in tables:
        names.update(fold(column.name) for column in table.columns)
    for virtual_table in virtual:
        tokens = tokenize(virtual_table.statement.sql)
        names.update(fold(token.name) for token in tokens if token.kind in (Kind.WORD, Kind.NAME))
    return frozenset(names)


#: The columns that each text was read as where SQLite agreed, which it does for that text in every database.
_CONFIRMED: dict[str, tuple[Column, ...]] = {}
_MOST_CONFIRMED = 16384
_MOST_PARAMETERS = 500


def _confirm(connection: sqlite3.Connection, tables: Sequence[Table], rows: Iterable[CatalogRow]) -> None:
    """Hold what was read against what SQLite says of each column."""
    texts = {table.name: row.sql for table, row in zip(tables, rows, strict=True)}
    waiting = [table for table in tables if _CONFIRMED.get(texts[table.name]) != table.columns]
    if not waiting:
        return
    told = _column_facts(connection, [table.name for table in waiting])
    if len(_CONFIRMED) > _MOST_CONFIRMED:
        _CONFIRMED.clear()
    for table in waiting:
        keys = {fold(part.column or "") for part in table.primary_key.parts} if table.primary_key else set()
        read = [
            (c.name, c.not_null is not None or fold(c.name) in keys, c.default is not None, c.generated is not None)
            for c in table.columns
        ]
        if read != told[table.name]:
            raise UnsupportedError(
                f"table {table.name}: its text was read as {read}, but SQLite says {told[table.name]}. "
                f"Please report it with the table's text in sqlite_master."
            )
        _CONFIRMED[texts[table.name]] = table.columns


def _column_facts(
    connection: sqlite3.Connection, names: Sequence[str]
) -> dict[str, list[tuple[str, bool, bool, bool]]]:
    """What SQLite says of the columns of tables: name, NOT NULL or part of the key, with a default, generated."""
    told: dict[str, list[tuple[str, bool, bool, bool]]] = defaultdict(list)
    few = names if len(names) <= _MOST_PARAMETERS else ()
    where = f"AND m.name IN ({', '.join('?' * len(few))})" if few else ""
    for table, column, not_null, default, generated in connection.execute(
        'SELECT m.name, x.name, x."notnull" OR x.pk, x.dflt_value IS NOT NULL, x.hidden > 1 '
        f"FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x WHERE m.type = 'table' {where}",
        tuple(few),
    ):
        told[table].append((column, bool(not_null), bool(default), bool(generated)))
    return told
