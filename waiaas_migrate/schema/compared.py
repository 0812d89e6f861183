"""Which rules read a column, and so compare its values."""

from __future__ import annotations

import re

from waiaas_migrate.schema.foreign_keys import targets_of
from waiaas_migrate.schema.model import Schema, SqlText, Table
from waiaas_migrate.schema.names import fold


def compared_otherwise(table: Table, column: str, new: Schema) -> list[str]:
    """What rows may refuse another collation of a column (folded) for; nothing where its values are not compared."""
    found: list[str] = []
    unique = [index for index in table.indexes if index.unique]
    keys = [key for key in (table.primary_key, *table.uniques, *unique) if key is not None]
    parts = [part for key in keys for part in key.parts]
    texts = [*(part.expression for part in parts), *(index.where for index in unique)]
    is_key = any(fold(part.column or "") == column and part.collation is None for part in parts)
    if is_key or any(names_column(text, column) for text in texts):
        found.append("values that are unique by the old collation may not be by the new one")
    if any(names_column(check.expression, column) for check in table.checks):
        found.append("values that a CHECK takes by the old collation may not pass by the new one")
    to_it = [(t.name, key) for t in new.tables for key in t.foreign_keys if fold(key.table) == fold(table.name)]
    children = dict.fromkeys(t for t, key in to_it if column in map(fold, targets_of(table, key)))
    if children:
        found.append(f"rows of {', '.join(children)} with a parent by the old collation may have none by the new one")
    return found


def names_column(text: SqlText | None, column: str) -> bool:
    """Whether the word ``column`` (folded) stands in ``text``."""
    return text is not None and re.search(rf"(?<!\w){re.escape(column)}(?!\w)", fold(text.sql)) is not None
