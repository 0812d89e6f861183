"""Turn a database into the steps that create it, and compare the content of databases. ``squash`` needs both."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from waiaas_migrate.authoring.row_proof import sorted_rows
from waiaas_migrate.schema.model import Schema, SqlText, Table
from waiaas_migrate.schema.rowid import rowid_alias, rowid_name
from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.planning.actions import CreateStatement, Step
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.quoting import quote_literal, quote_name
from waiaas_migrate.sqlite.reading.virtual_tables import shadow_names

#: The numbers in a database's header that migrations may set (https://www.sqlite.org/pragma.html#pragma_user_version).
_HEADER = ("user_version", "application_id")
#: The table of the AUTOINCREMENT counters (https://www.sqlite.org/autoinc.html).
_COUNTERS = "sqlite_sequence"

#: The most terms to join with ``||``. SQLite allows 1000 (https://www.sqlite.org/limits.html#max_expr_depth).
_MOST_TERMS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The sorted rows of a database by table, and the numbers in its header."""

    rows: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, int]

    def differences(self, other: Content) -> list[str]:
        """Return the names of the tables and header numbers that differ."""
        tables = {name for name in self.rows.keys() | other.rows.keys() if self.rows.get(name) != other.rows.get(name)}
        return sorted(tables | {name for name in _HEADER if self.numbers[name] != other.numbers[name]})


def content_of(connection: sqlite3.Connection) -> Content:
    """Return the rows, rowids and storage classes of all but virtual tables, the counters, and the header numbers."""
    tables = connection.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') "
        "AND (name NOT LIKE 'sqlite\\_%' ESCAPE '\\' OR name = ?)",
        (_COUNTERS,),
    ).fetchall()
    return Content(
        rows={name: _rows(connection, name, has_rowid=not is_without_rowid) for name, is_without_rowid in tables},
        numbers={name: _number(connection, name) for name in _HEADER},
    )


def row_counts(content: Content) -> tuple[tuple[str, int], ...]:
    """Return the tables that have rows, each with the number of rows; leave out the counters."""
    return tuple((name, len(rows)) for name, rows in sorted(content.rows.items()) if rows and name != _COUNTERS)


def _rows(connection: sqlite3.Connection, table: str, *, has_rowid: bool) -> tuple[str, ...]:
    columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_xinfo(?, 'main')", (table,))]
    if has_rowid and table != _COUNTERS:
        columns.append("rowid")  # if a column has this name, it is only compared twice
    return tuple(sorted_rows(connection, table, columns))


def _number(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA main.{name}").fetchone()[0])


def dump(connection: sqlite3.Connection, schema: Schema) -> list[Step]:
    """Return the steps that create the database on ``connection``, whose schema is ``schema``.

    CREATE statements keep their text. Rows are inserted before triggers exist, so that no trigger fires. The rows of
    virtual tables are left out, because only their modules know how to store them.
    """
    catalog = read_catalog(connection)
    shadows = shadow_names(connection, catalog)  # CREATE VIRTUAL TABLE creates them
    rows = [row for row in catalog if row.name.lower() not in shadows]
    return [
        *(_step(f"PRAGMA {name} = {value}") for name in _HEADER if (value := _number(connection, name))),
        *(_create(row) for row in rows if row.kind == "table"),
        *(step for table in schema.tables for step in _inserts(connection, table)),
        *(_create(row) for kind in ("index", "view", "trigger") for row in rows if row.kind == kind),
    ]


def _create(row: CatalogRow) -> Step:
    return _step(row.sql, words=f"{row.kind} {row.name}")


def _step(sql: str, words: str = "") -> Step:
    return Step(words=words, cost=Cost.CONSTANT, actions=(CreateStatement(statement=SqlText(sql=sql, key=sql)),))


def _inserts(connection: sqlite3.Connection, table: Table) -> Iterator[Step]:
    """Yield a step that inserts the rows of ``table``, if it has any, and a step that sets its AUTOINCREMENT counter.

    Rowids are inserted, too, unless a column is an alias of the rowid, or SQLite would choose the same rowids anyway.
    """
    names = [column.name for column in table.columns if column.generated is None]
    rowid = rowid_name(table) if rowid_alias(table) is None else None
    selected = names if rowid is None else [*names, rowid]
    order = f" ORDER BY {quote_name(rowid)}" if rowid is not None else ""
    query = f"SELECT {', '.join(map(quote_name, selected))} FROM main.{quote_name(table.name)}{order}"
    rows = connection.execute(query).fetchall()
    if rowid is not None and [row[-1] for row in rows] == list(range(1, len(rows) + 1)):
        rows, selected = [row[:-1] for row in rows], names
    if rows:
        columns = ", ".join(map(quote_name, selected))
        values = ",\n".join(f"    ({', '.join(map(_literal, row))})" for row in rows)
        yield _step(f"INSERT INTO {quote_name(table.name)} ({columns}) VALUES\n{values}", f"rows of {table.name}")
    if table.primary_key is not None and table.primary_key.autoincrement:
        yield from _counter_step(connection, table, has_rows=bool(rows))


def _counter_step(connection: sqlite3.Connection, table: Table, *, has_rows: bool) -> Iterator[Step]:
    """Yield the step that sets the AUTOINCREMENT counter of ``table``, if any. Inserting rows creates the counter."""
    counter = connection.execute(f"SELECT seq FROM {_COUNTERS} WHERE name = ?", (table.name,)).fetchone()
    if counter is None:
        return
    name = quote_literal(table.name)
    if has_rows:
        yield _step(f"UPDATE {_COUNTERS} SET seq = {counter[0]} WHERE name = {name}")
    else:
        yield _step(f"INSERT INTO {_COUNTERS} (name, seq) VALUES ({name}, {counter[0]})")


def _literal(value: str | float | bytes | None) -> str:
    """Return an SQL expression for ``value`` that yoyo's reader can't misread and any editor can show.

    Backslashes and unprintable characters become calls of ``char()``.
    """
    if not isinstance(value, str) or all(map(_is_plain, value)):
        return quote_literal(value)
    terms: list[str] = []
    for is_plain, characters in itertools.groupby(value, key=_is_plain):
        text = "".join(characters)
        terms += [quote_literal(text)] if is_plain else [f"char({ord(one)})" for one in text]
    while len(terms) > _MOST_TERMS:
        groups = (terms[start : start + _MOST_TERMS] for start in range(0, len(terms), _MOST_TERMS))
        terms = [f"({' || '.join(group)})" for group in groups]
    return " || ".join(terms)


def _is_plain(character: str) -> bool:
    return character.isprintable() and character != "\\"
