"""The rowid of a table: its names, and the column that is its alias.

See https://www.sqlite.org/rowidtable.html.
"""

from __future__ import annotations

from waiaas_migrate.schema.model import Column, Table
from waiaas_migrate.schema.names import fold

#: The names of the rowid, in order of preference. A column with such a name hides the rowid under that name.
ROWID_NAMES = ("rowid", "_rowid_", "oid")


def rowid_column(table: Table) -> Column | None:
    """Return the INTEGER PRIMARY KEY, which is an alias of the rowid, if any.

    ``INTEGER PRIMARY KEY DESC`` on a column is not an alias (https://www.sqlite.org/lang_createtable.html#rowid).
    """
    key = table.primary_key
    if key is None or table.without_rowid or len(key.parts) != 1 or (key.inline and key.parts[0].descending):
        return None
    column = table.column(key.columns[0])
    return column if column is not None and fold(column.type or "") == "integer" else None


def rowid_alias(table: Table) -> str | None:
    """Return the folded name of :func:`rowid_column`."""
    column = rowid_column(table)
    return None if column is None else fold(column.name)


def rowid_name(*tables: Table) -> str | None:
    """Return a name of the rowid that works in all ``tables``.

    Return None if a table is WITHOUT ROWID, or if columns hide every name.
    """
    if any(table.without_rowid for table in tables):
        return None
    taken = {fold(column.name) for table in tables for column in table.columns}
    return next((name for name in ROWID_NAMES if name not in taken), None)


def is_renumbered(old: Table, new: Table) -> bool:
    """Return whether rows may have other rowids in ``new`` than in ``old``."""
    return old.without_rowid != new.without_rowid or rowid_alias(old) != rowid_alias(new)
