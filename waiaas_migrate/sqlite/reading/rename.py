"""Read ``ALTER TABLE … RENAME``."""

from __future__ import annotations

from typing import NamedTuple

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.grammar import SqlError, tokenize, without_comments
from waiaas_migrate.sqlite.reading.token_reader import TokenReader


class Rename(NamedTuple):
    """A rename of a table, or of its column ``column``; all names are folded, and ``column`` is empty for a table."""

    table: str
    column: str
    new: str


def rename_in(statement: str) -> Rename | None:
    """Return the rename that a statement makes; None for any other statement."""
    try:
        reader = TokenReader(without_comments(tokenize(statement)))
        if not reader.accept("ALTER", "TABLE"):
            return None
        table = reader.read_name()
        table = reader.read_name() if reader.accept(".") else table
        if reader.accept("RENAME", "TO"):
            return Rename(fold(table), "", fold(reader.read_name()))
        reader.expect("RENAME")
        reader.accept("COLUMN")
        column = reader.read_name()
        reader.expect("TO")
        return Rename(fold(table), fold(column), fold(reader.read_name()))
    except SqlError:
        return None
