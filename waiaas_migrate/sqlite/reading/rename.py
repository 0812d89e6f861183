"""Read ``ALTER TABLE … RENAME``."""

from __future__ import annotations

from typing import NamedTuple

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.cursor import Cursor
from waiaas_migrate.sqlite.reading.grammar import SqlError, significant, tokenize


class Rename(NamedTuple):
    """A rename of a table, or of its column ``column``; all names are folded, and ``column`` is empty for a table."""

    table: str
    column: str
    new: str


def rename_in(statement: str) -> Rename | None:
    """Return the rename that a statement makes; None for any other statement."""
    try:
        cursor = Cursor(significant(tokenize(statement)))
        if not cursor.accept("ALTER", "TABLE"):
            return None
        table = cursor.name()
        table = cursor.name() if cursor.accept(".") else table
        if cursor.accept("RENAME", "TO"):
            return Rename(fold(table), "", fold(cursor.name()))
        cursor.expect("RENAME")
        cursor.accept("COLUMN")
        column = cursor.name()
        cursor.expect("TO")
        return Rename(fold(table), fold(column), fold(cursor.name()))
    except SqlError:
        return None
