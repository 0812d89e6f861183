"""Read ALTER TABLE … RENAME statements."""

from __future__ import annotations

from typing import NamedTuple

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.grammar import SqlError, tokenize, without_comments
from waiaas_migrate.sqlite.reading.token_reader import TokenReader


class Rename(NamedTuple):
    """A rename of a column, or of a table if ``column`` is empty; names are folded."""

    table: str
    column: str
    new: str


def rename_in(statement: str) -> Rename | None:
    """Return the rename in ``statement``; None if the statement renames nothing."""
    try:
        reader = TokenReader(without_comments(tokenize(statement)))
        if not reader.accept("ALTER", "TABLE"):
            return None
        table = reader.read_name()
        table = reader.read_name() if reader.accept(".") else table
        reader.expect("RENAME")
        column = ""
        if not reader.accept("TO"):
            reader.accept("COLUMN")
            column = reader.read_name()
            reader.expect("TO")
        return Rename(fold(table), fold(column), fold(reader.read_name()))
    except SqlError:
        return None
