"""Find the external content of a full-text table: the table or view whose rows it indexes.

See https://www.sqlite.org/fts5.html#external_content_tables and https://www.sqlite.org/fts3.html#fts4_external_content_tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from waiaas_migrate.schema.model import VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.cursor import Cursor, split_commas
from waiaas_migrate.sqlite.reading.grammar import SqlError, significant, tokenize


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The content of a full-text table: a table or view, its column of row numbers, and the indexed columns; folded.

    An FTS4 table that names no columns indexes all columns.
    """

    table: str
    rowid: str
    columns: frozenset[str]


def content_of(virtual: VirtualTable) -> Content | None:
    """Return the external content of ``virtual``; None if it has none, or is not a full-text table."""
    if fold(virtual.module) not in ("fts4", "fts5"):
        return None
    options: dict[str, str] = {}
    columns: set[str] = set()
    cursor = Cursor(significant(tokenize(virtual.statement.sql)))
    while not cursor.is_done and cursor.peek() != "(":
        cursor.next()
    try:
        arguments = split_commas(cursor.balanced())
    except SqlError:
        return None
    for argument in arguments:
        if len(argument) > 2 and argument[1].text == "=":
            options[fold(argument[0].name)] = fold(argument[2].name)
        else:
            columns.add(fold(argument[0].name))
    table = options.get("content")
    if not table:
        return None
    if "languageid" in options:
        columns.add(options["languageid"])
    return Content(table=table, rowid=options.get("content_rowid", "rowid"), columns=frozenset(columns))
