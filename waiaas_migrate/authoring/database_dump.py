"""Dump a database as the steps that create it again, and read its content for comparisons."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from waiaas_migrate.schema.model import Schema, SqlText, Table
from waiaas_migrate.schema.rowid import rowid_alias, rowid_name
from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.planning.actions import CreateStatement, Step
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.quoting import quote_literal, quote_name
from waiaas_migrate.sqlite.reading.virtual_tables import shadow_names

#: Numbers in the header of a file that migrations may set (https://www.sqlite.org/pragma.html#pragma_user_version).
_NUMBERS = ("user_version", "application_id")
#: The AUTOINCREMENT counters (https://www.sqlite.org/autoinc.html).
_COUNTERS = "sqlite_sequence"

#: Expressions may be 1000 terms deep (https://www.sqlite.org/limits.html#max_expr_depth).
_MOST_TERMS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The rows of a database by table, sorted, and the numbers in its header."""

    rows: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, int]

    def differences(self, other: Content) -> list[str]:
        """Return the names of the tables and header numbers that differ."""
        tables = {name for name in self.rows.keys() | other.rows.keys() if self.rows.get(name) != other.rows.get(name)}
        return sorted(tables | {name for name in _NUMBERS if self.numbers[name] != other.numbers[name]})


def content_of(connection: sqlite3.Connection) -> Content:
    """Return the rows of all tables, with their rowids, counters and storage classes."""
    found = connection.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') "
        "AND (name NOT LIKE 'sqlite\\_%' ESCAPE '\\' OR name = ?)",
        (_COUNTERS,),
    ).fetchall()
    return Content(
        rows={name: _rows(connection, name, has_rowid=not is_without_rowid) for name, is_without_rowid in found},
        numbers={name: _number(connection, name) for name in _NUMBERS},
    )


def row_counts(content: Content) -> tuple[tuple[str, int], ...]:
    """Return the tables that have rows, and how many."""
    return tuple((name, len(rows)) for name, rows in sorted(content.rows.items()) if rows and name != _COUNTERS)


def _rows(connection: sqlite3.Connection, table: str, *, has_rowid: bool) -> tuple[str, ...]:
    columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_xinfo(?, 'main')", (table,))]
    parts = [part for name in columns for part in (f"typeof({quote_name(name)})", quote_name(name))]
    if has_rowid and table != _COUNTERS:
        parts.append("rowid")  # or a column of that name, which is compared anyway
    return tuple(sorted(map(repr, connection.execute(f"SELECT {', '.join(parts)} FROM main.{quote_name(table)}"))))


def _number(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA main.{name}").fetchone()[0])


def dump(connection: sqlite3.Connection, schema: Schema) -> list[Step]:
    """Return the steps that make the database on ``connection``, whose schema is ``schema``.

    Objects keep their text. Rows are inserted before triggers exist, so that none fires. The rows of virtual tables are
    left out: their modules decide how to keep them.
    """
    catalog = read_catalog(connection)
    shadows = shadow_names(connection, catalog)
    own = [row for row in catalog if row.name.lower() not in shadows]
    tables = [row for row in own if row.kind == "table"]
    return [
        *(_step(f"PRAGMA {name} = {value}") for name in _NUMBERS if (value := _number(connection, name))),
        *map(_create, tables),
        *(step for table in schema.tables for step in _inserts(connection, table)),
        *(_create(row) for kind in ("index", "view", "trigger") for row in own if row.kind == kind),
    ]


def _create(row: CatalogRow) -> Step:
    return _step(row.sql, words=f"{row.kind} {row.name}")


def _step(sql: str, words: str = "") -> Step:
    return Step(words=words, cost=Cost.CONSTANT, actions=(CreateStatement(statement=SqlText(sql=sql, key=sql)),))


def _inserts(connection: sqlite3.Connection, table: Table) -> Iterator[Step]:
    """Yield a step that inserts the rows of ``table``, if it has any, and one that sets its AUTOINCREMENT counter."""
    names = [column.name for column in table.columns if column.generated is None]
    hidden = rowid_name(table) if rowid_alias(table) is None else None
    shown = names if hidden is None else [*names, hidden]
    selected = ", ".join(map(quote_name, shown))
    order = f" ORDER BY {quote_name(hidden)}" if hidden is not None else ""
    rows = connection.execute(f"SELECT {selected} FROM main.{quote_name(table.name)}{order}").fetchall()
    if hidden is not None and [row[-1] for row in rows] == list(range(1, len(rows) + 1)):
        rows, selected = [row[:-1] for row in rows], ", ".join(map(quote_name, names))
    if rows:
        values = ",\n".join(f"    ({', '.join(map(_literal, row))})" for row in rows)
        yield _step(f"INSERT INTO {quote_name(table.name)} ({selected}) VALUES\n{values}", f"rows of {table.name}")
    if table.primary_key is not None and table.primary_key.autoincrement:
        yield from _counter(connection, table, has_rows=bool(rows))


def _counter(connection: sqlite3.Connection, table: Table, *, has_rows: bool) -> Iterator[Step]:
    found = connection.execute(f"SELECT seq FROM {_COUNTERS} WHERE name = ?", (table.name,)).fetchone()
    if found is None:
        return
    name = quote_literal(table.name)
    if has_rows:
        yield _step(f"UPDATE {_COUNTERS} SET seq = {found[0]} WHERE name = {name}")
    else:
        yield _step(f"INSERT INTO {_COUNTERS} (name, seq) VALUES ({name}, {found[0]})")


def _literal(value: str | float | bytes | None) -> str:
    """Return an SQL expression for ``value`` that is safe in a text file of any encoding and for yoyo's reader."""
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
