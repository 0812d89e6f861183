"""Build queries for the duplicate rows that keep SQLite from creating a unique key or index.

Rows are compared as SQLite compares them: by the expressions, collations and condition of the key or index.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from waiaas_migrate.sqlite.quoting import quote_name, unquote
from waiaas_migrate.sqlite.reading.virtual_tables import TOKEN

_DIRECTION = re.compile(r"\s+(?:ASC|DESC)\s*\Z", re.IGNORECASE)
_WHERE = re.compile(r"\s*WHERE\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueTerms:
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


def terms_of_index(statement: str) -> UniqueTerms | None:
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
    return UniqueTerms(
        table=quote_name(unquote(table)),
        terms=tuple(_DIRECTION.sub("", term) for term in terms),
        where="1" if where is None else condition[where.end() :].rstrip().removesuffix(";") + "\n",
    )


def terms_of_columns(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> UniqueTerms:
    """Return the terms of a unique key of ``columns``, with the collations that the key in ``table`` uses."""
    query = """SELECT c.coll, c.name FROM pragma_index_list(?1, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS c
        WHERE i."unique" AND NOT i.partial AND c.key AND (SELECT group_concat(name, char(0)) FROM
        (SELECT name FROM pragma_index_xinfo(i.name, 'main') WHERE key ORDER BY seqno)) = ?2 COLLATE NOCASE"""
    collations = {name: coll for coll, name in connection.execute(query, (table, "\0".join(columns)))}
    terms = tuple(
        f"{quote_name(name)} COLLATE {quote_name(collations[name])}" if name in collations else quote_name(name)
        for name in columns
    )
    return UniqueTerms(table=quote_name(table), terms=terms)
