"""Explain why SQLite refused a statement of a migration, and name the rows that break the constraint."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from waiaas_migrate.runner.duplicates import terms_of_columns, terms_of_index
from waiaas_migrate.sqlite.planning.actions import DEFINITION_DIFFERS
from waiaas_migrate.sqlite.quoting import quote_literal, quote_name, unquote

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
    """Describe the rows with the same values in the unique key or index of ``statement`` or ``what``."""
    unique = terms_of_index(statement)
    if unique is None:
        columns = [part.rpartition(".")[2] for part in what.split(", ") if "." in part]
        unique = terms_of_columns(connection, what.partition(".")[0], columns) if columns else None
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
