"""Explain why SQLite refused a statement of a migration, and name the rows that break the constraint.

Duplicates are found as SQLite finds them: by the expressions, collations and condition of the key or index.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from waiaas_migrate.sqlite.planning.actions import DEFINITION_DIFFERS
from waiaas_migrate.sqlite.quoting import quote_literal, quote_name, unquote
from waiaas_migrate.sqlite.reading.virtual_tables import TOKEN

#: How many rows a message names.
_SHOWN = 5
#: How many characters or bytes of a key a message shows: enough to find the row.
_KEY_LENGTH = 60
_NEW_TABLE_PREFIX = "_waiaas_new_"
_NAME = r'(?:"(?:[^"]|"")*"|\w+)'

#: Guards and copies, as the templates write them.
_GUARD = re.compile(
    rf"NOT EXISTS \(SELECT 1 FROM (?P<source>(?P<table>{_NAME})(?: AS child)?) WHERE (?P<where>.*)\);?\s*\Z", re.DOTALL
)
_VIOLATIONS = re.compile(
    r"NOT EXISTS \(\s*(?P<query>SELECT child, row, parent\b.* FROM temp\._waiaas_violations)\);?\s*\Z", re.DOTALL
)
_COPY = re.compile(
    rf"INSERT (?:OR ABORT )?INTO {_NAME} \((?P<columns>.*?)\)\nSELECT (?P<sources>.*) FROM (?P<table>{_NAME});?\s*\Z",
    re.DOTALL,
)
_FAILED = re.compile(r"(?P<rule>CHECK|NOT NULL|UNIQUE) constraint failed: (?P<what>.*)\Z", re.DOTALL)

_DIRECTION = re.compile(r"\s+(?:ASC|DESC)\s*\Z", re.IGNORECASE)
_WHERE = re.compile(r"\s*WHERE\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The reason for a refusal, and the rows that break the constraint, such as ``2 rows: id 3, 4``, if known."""

    reason: str
    rows: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.rows})" if self.rows else self.reason


def refusal(connection: sqlite3.Connection, statement: str, error: sqlite3.Error) -> Refusal | None:
    """Return the reason for ``error``, and the rows that made SQLite refuse ``statement``.

    Call this while the failed transaction is open, to find the rows. Return None unless a constraint or an edit of the
    catalog failed.
    """
    failed = _FAILED.match(str(error))
    if failed is None:
        return _refused_edit(statement, error)
    rule, what = failed["rule"], failed["what"]
    if "_waiaas_guard" in statement:
        return _refused_by_guard(connection, statement, what)
    reason = str(error).replace(_NEW_TABLE_PREFIX, "")
    copy = _COPY.search(statement)
    if rule == "UNIQUE":
        return Refusal(reason=reason, rows=_duplicates(connection, statement, what, copy))
    table = copy["table"] if copy is not None else _table_in(what)
    where = f"NOT ({what})" if rule == "CHECK" else _null_condition(what)
    if where is None or table is None:
        return Refusal(reason=reason)
    # The constraint applies to the rows as the copy writes them. If these have no key columns, query the original rows.
    rows = "" if copy is None else _rows_where(connection, table, _copied_rows(copy), where)
    return Refusal(reason=reason, rows=rows or _rows_where(connection, table, table, where))


def _refused_by_guard(connection: sqlite3.Connection, statement: str, message: str) -> Refusal:
    guard = None if message.endswith(DEFINITION_DIFFERS) else _GUARD.search(statement)
    if guard is not None and guard["where"].strip().upper() == "TRUE":  # the guard allows no rows at all
        return Refusal(reason=f"{message}. Declare one in schema.yaml, and generate the migration again")
    if guard is not None:
        return Refusal(reason=message, rows=_rows_where(connection, guard["table"], guard["source"], guard["where"]))
    violations = _VIOLATIONS.search(statement)
    rows = "" if violations is None else _describe(connection, f"{violations['query']} ORDER BY 1, 2", _format_orphan)
    return Refusal(reason=message, rows=rows)


def _refused_edit(statement: str, error: sqlite3.Error) -> Refusal | None:
    """Return the reason if SQLite refused to edit the catalog; None for any other error."""
    if "UPDATE sqlite_schema" not in statement or "may not be modified" not in str(error):
        return None
    return Refusal(  # https://www.sqlite.org/c3ref/c_dbconfig_defensive.html
        reason=f"{error}: this SQLite is built to refuse edits of the catalog. Set `catalog_edits = false` in "
        f"[tool.waiaas-migrate], and generate the migration again; it then rebuilds tables instead"
    )


def _copied_rows(copy: re.Match[str]) -> str:
    """Return a subquery for the rows that the statement ``copy`` writes."""
    written = f"SELECT {copy['sources']} FROM {copy['table']}"
    return f"(WITH copied ({copy['columns']}) AS ({written}) SELECT * FROM copied)"


def _null_condition(what: str) -> str | None:
    """Return a condition for the rows with NULL in ``what``; None if ``what`` isn't ``table.column``."""
    column = what.partition(", ")[0].rpartition(".")[2]
    return f"{quote_name(column)} IS NULL" if "." in what else None


def _table_in(what: str) -> str | None:
    """Return the quoted table in ``what``; None if ``what`` isn't ``table.column``."""
    table = what.partition(".")[0]
    return quote_name(table) if "." in what and " " not in table else None


def _duplicates(connection: sqlite3.Connection, statement: str, what: str, copy: re.Match[str] | None) -> str:
    """Describe the duplicates in the unique index that ``statement`` creates, or in the columns that ``what`` names."""
    unique = _terms_of_index(statement)
    if unique is None:
        columns = [part.rpartition(".")[2] for part in what.split(", ") if "." in part]
        unique = _terms_of_columns(connection, what.partition(".")[0], columns) if columns else None
    if unique is None:
        return ""
    table = unique.table if copy is None else copy["table"]
    keys = _key_columns(connection, table)
    rows = "" if copy is None else _rows(connection, keys, unique.duplicates(keys, _copied_rows(copy)))
    return rows or _rows(connection, keys, unique.duplicates(keys, table))


def _rows_where(connection: sqlite3.Connection, table: str, source: str, where: str) -> str:
    """Describe the rows of ``source`` that meet the condition ``where``, by the primary key of ``table``."""
    keys = _key_columns(connection, table)
    return _rows(connection, keys, f"SELECT {', '.join(keys)} FROM {source} WHERE {where}")


def _rows(connection: sqlite3.Connection, keys: Sequence[str], query: str) -> str:
    """Describe the rows that ``query`` finds by their ``keys``, such as ``2 rows: id 3, 4``."""
    return _describe(connection, query, lambda row: "/".join(map(_format_value, row)), f"{'/'.join(keys)} ")


def _describe(
    connection: sqlite3.Connection, query: str, format_row: Callable[[Sequence[Any]], str], keys: str = ""
) -> str:
    """Return the number of rows that ``query`` finds, and the first ones; empty if it finds none or fails."""
    with suppress(sqlite3.Error):
        number = connection.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]
        rows = ", ".join(map(format_row, connection.execute(f"{query} LIMIT {_SHOWN}")))
        more = ", …" if number > _SHOWN else ""
        return f"{number} {'row' if number == 1 else 'rows'}: {keys}{rows}{more}" if number else ""
    return ""


def _format_orphan(row: Sequence[Any]) -> str:
    child, rowid, parent, *_ = row
    return f"{child}{'' if rowid is None else f' rowid {rowid}'} without {parent}"


def _format_value(value: str | float | bytes | None) -> str:
    """Return ``value`` as an SQL literal; a long text or BLOB is cut."""
    if isinstance(value, str | bytes) and len(value) > _KEY_LENGTH:
        return f"{quote_literal(value[:_KEY_LENGTH])}…"
    return quote_literal(value)


def _key_columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """Return the quoted primary key columns of ``table``; the rowid if there is no key, or a row has NULL in it."""
    query = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
    keys = [quote_name(column) for (column,) in connection.execute(query, (unquote(table),))]
    has_null = " OR ".join(f"{key} IS NULL" for key in keys)
    if not keys or connection.execute(f"SELECT 1 FROM {table} WHERE {has_null}").fetchone():
        return ["rowid"]
    return keys


@dataclass(frozen=True, slots=True, kw_only=True)
class _UniqueTerms:
    """The SQL expressions that must be unique among the rows of ``table`` that meet ``where``."""

    table: str
    terms: tuple[str, ...]
    where: str = "1"

    def duplicates(self, keys: Sequence[str], source: str) -> str:
        """Return a query for the ``keys`` of duplicate rows in ``source``; rows with NULL are never duplicates."""
        without_null = " AND ".join(f"({term}) IS NOT NULL" for term in self.terms)
        return (
            f"SELECT {', '.join(keys)} FROM (SELECT {', '.join(keys)}, "
            f"count(*) OVER (PARTITION BY {', '.join(self.terms)}) AS _waiaas_shared "
            f"FROM {source} WHERE ({self.where}) AND {without_null}) WHERE _waiaas_shared > 1"
        )


def _terms_of_index(statement: str) -> _UniqueTerms | None:
    """Return the terms of the unique index that ``statement`` creates; None for any other statement."""
    pieces = iter(TOKEN.findall(statement))
    code = (piece for piece in pieces if not piece.isspace() and not piece.startswith(("--", "/*")))
    if [word.upper() for word in itertools.islice(code, 3)] != ["CREATE", "UNIQUE", "INDEX"]:
        return None
    while next(code).upper() != "ON":
        pass
    table, _ = next(code), next(code)
    terms, depth = [""], 1
    for piece in pieces:
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if depth == 0:
            break
        if depth == 1 and piece == ",":
            terms.append("")
        else:
            terms[-1] += piece
    condition = "".join(pieces)
    where = _WHERE.match(condition)
    return _UniqueTerms(
        table=quote_name(unquote(table)),
        terms=tuple(_DIRECTION.sub("", term) for term in terms),
        where="1" if where is None else condition[where.end() :].rstrip().removesuffix(";") + "\n",
    )


def _terms_of_columns(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> _UniqueTerms:
    """Return the terms of a unique key of ``columns``, with the collations that the key in ``table`` uses."""
    query = """SELECT c.coll, c.name FROM pragma_index_list(?1, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS c
        WHERE i."unique" AND NOT i.partial AND c.key AND (SELECT group_concat(name, char(0)) FROM
        (SELECT name FROM pragma_index_xinfo(i.name, 'main') WHERE key ORDER BY seqno)) = ?2 COLLATE NOCASE"""
    collations = {name: coll for coll, name in connection.execute(query, (table, "\0".join(columns)))}
    terms = tuple(
        f"{quote_name(name)} COLLATE {quote_name(collations[name])}" if name in collations else quote_name(name)
        for name in columns
    )
    return _UniqueTerms(table=quote_name(table), terms=terms)
