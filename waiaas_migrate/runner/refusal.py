"""Why a statement of a migration was refused, with the number of rows that stand in its way and a few of their keys."""

from __future__ import annotations

import re
import sqlite3
from contextlib import suppress

from waiaas_migrate.runner.duplicates import terms_of_columns, terms_of_index
from waiaas_migrate.sqlite.planning.guards import DEFINITION_DIFFERS
from waiaas_migrate.sqlite.quoting import quote_literal, quote_name

_SHOWN = 5
#: Characters of a key, or bytes, that are enough to find the row.
_KEY = 60
_ASIDE = "_waiaas_new_"
_NAME = r'(?:"(?:[^"]|"")*"|\w+)'

#: The forms that the templates give to guards and to copies.
_GUARD = re.compile(
    rf"NOT EXISTS \(SELECT 1 FROM (?P<source>(?P<table>{_NAME})(?: AS child)?) WHERE (?P<where>.*)\);?\s*\Z", re.DOTALL
)
_LOST = re.compile(
    r"NOT EXISTS \(\s*(?P<query>SELECT child, row, parent\b.* FROM temp\._waiaas_violations)\);?\s*\Z", re.DOTALL
)
_COPY = re.compile(
    rf"INSERT (?:OR ABORT )?INTO {_NAME} \((?P<columns>.*?)\)\nSELECT (?P<sources>.*) FROM (?P<table>{_NAME});?\s*\Z",
    re.DOTALL,
)
_FAILED = re.compile(r"(?P<rule>CHECK|NOT NULL|UNIQUE) constraint failed: (?P<what>.*)\Z", re.DOTALL)


def refusal(connection: sqlite3.Connection, statement: str, error: sqlite3.Error) -> str | None:
    """What ``error`` means in words, asked of the rows while the failed transaction is still open.

    None where the statement is neither a guard nor one that met a constraint.
    """
    failed = _FAILED.match(str(error))
    if failed is None:
        return _defensive(statement, error)
    if "_waiaas_guard" in statement:
        said = failed["what"]
        guard = None if said.endswith(DEFINITION_DIFFERS) else _GUARD.search(statement)
        if guard is not None and guard["where"].strip().upper() == "TRUE":
            # Any row is in the way, and no change to one helps.
            said += ". Declare one in schema.yaml, and generate the migration again"
        elif guard is not None:
            said += _counted(connection, guard["table"], guard["source"], guard["where"])
        elif (lost := _LOST.search(statement)) is not None:
            said += _without_parent(connection, lost["query"])
        return said
    what = str(error).replace(_ASIDE, "")
    copy = _COPY.search(statement)
    if failed["rule"] == "UNIQUE":
        return what + _shared(connection, statement, failed["what"], copy)
    where = _offending(failed["rule"], failed["what"])
    table = copy["table"] if copy is not None else _table_named(failed["what"])
    if where is None or table is None:
        return what
    # What a rule is asked of are the rows as they would be; where their keys go, as they are.
    copied = "" if copy is None else _counted(connection, table, _copied(copy), where)
    return what + (copied or _counted(connection, table, table, where))


def _copied(copy: re.Match[str]) -> str:
    """The rows that a copy writes, as a source to select from."""
    written = f"SELECT {copy['sources']} FROM {copy['table']}"
    return f"(WITH copied ({copy['columns']}) AS ({written}) SELECT * FROM copied)"


def _defensive(statement: str, error: sqlite3.Error) -> str | None:
    """The catalog may not be edited (https://www.sqlite.org/c3ref/c_dbconfig_defensive.html)."""
    if "UPDATE sqlite_schema" not in statement or "may not be modified" not in str(error):
        return None
    return (
        f"{error}: this SQLite is built to refuse edits of the catalog. Set `catalog_edits = false` in "
        f"[tool.waiaas-migrate], generate the migration again, and rebuilds take their place"
    )


def _offending(rule: str, what: str) -> str | None:
    """The condition that the refused rows meet, as far as the message tells."""
    if rule == "CHECK":
        return f"NOT ({what})"
    column = what.partition(", ")[0].rpartition(".")[2]
    return f"{quote_name(column)} IS NULL" if "." in what else None


def _shared(connection: sqlite3.Connection, statement: str, what: str, copy: re.Match[str] | None) -> str:
    """How many rows share what a key or an index keeps apart, and a few of them."""
    unique = terms_of_index(statement)
    if unique is None:
        columns = [part.rpartition(".")[2] for part in what.split(", ") if "." in part]
        unique = terms_of_columns(connection, what.partition(".")[0], columns) if columns else None
    if unique is None:
        return ""
    table = unique.table if copy is None else copy["table"]
    keys = _key_columns(connection, table)
    copied = "" if copy is None else _named(connection, keys, unique.duplicates(keys, _copied(copy)))
    return copied or _named(connection, keys, unique.duplicates(keys, table))


def _table_named(what: str) -> str | None:
    table = what.partition(".")[0]
    return quote_name(table) if "." in what and " " not in table else None


def _counted(connection: sqlite3.Connection, table: str, source: str, where: str) -> str:
    """How many rows of ``table`` meet ``where``, and a few of their keys; nothing where that cannot be told."""
    keys = _key_columns(connection, table)
    return _named(connection, keys, f"SELECT {', '.join(keys)} FROM {source} WHERE {where}")


def _named(connection: sqlite3.Connection, keys: list[str], query: str) -> str:
    """How many rows ``query`` finds, and a few of their ``keys``; nothing if it finds none, or cannot be asked."""
    with suppress(sqlite3.Error):
        number = connection.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]
        if not number:
            return ""
        rows = connection.execute(f"{query} LIMIT {_SHOWN}").fetchall()
        shown = ", ".join("/".join(_short(value) for value in row) for row in rows)
        more = ", …" if number > len(rows) else ""
        return f" ({number} {'row' if number == 1 else 'rows'}: {'/'.join(keys)} {shown}{more})"
    return ""


def _short(value: str | float | bytes | None) -> str:
    """Return ``value`` as SQL, of a long text or BLOB only the beginning."""
    if isinstance(value, str | bytes) and len(value) > _KEY:
        return f"{quote_literal(value[:_KEY])}…"
    return quote_literal(value)


def _without_parent(connection: sqlite3.Connection, query: str) -> str:
    """How many rows ``query`` finds without their parent, and a few of them."""
    with suppress(sqlite3.Error):
        number = connection.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]
        found = connection.execute(f"{query} ORDER BY 1, 2 LIMIT {_SHOWN}").fetchall()
        rows = [f"{child}{'' if row is None else f' rowid {row}'} without {parent}" for child, row, parent, _ in found]
        more = ", …" if number > len(rows) else ""
        return f" ({number} {'row' if number == 1 else 'rows'}: {', '.join(rows)}{more})"
    return ""


def _key_columns(connection: sqlite3.Connection, table: str) -> list[str]:
    name = table[1:-1].replace('""', '"') if table.startswith('"') else table
    query = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
    return [quote_name(column) for (column,) in connection.execute(query, (name,))] or ["rowid"]
