"""CHECKs that no row can break when a migration fills columns, because the values are known beforehand."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing

from waiaas_migrate.schema.model import Check, Column, Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import memory
from waiaas_migrate.sqlite.planning.row_values import column_of, is_filled
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.quoted_strings import as_names

#: A CHECK by its table's folded name.
Rule = tuple[str, Check]


def kept_rules(old: Schema, new: Schema) -> frozenset[Rule]:
    """Return the CHECKs of ``new`` that the values given by the migration pass, whatever is in the rows.

    Such a CHECK reads only columns that the migration fills, each with its default or with a backfill that reads
    nothing. SQLite computes these values on one made-up row. ``old`` has the new names already.
    """
    return frozenset(_kept(old, new))


def _kept(old: Schema, new: Schema) -> Iterator[Rule]:
    before = old.by_name()
    for table in new.tables:
        was = before.get(fold(table.name))
        if was is None or not table.checks or was == table:
            continue
        filled = [column for column in table.columns if column_of(was, column.name) is None or is_filled(was, column)]
        yield from ((fold(table.name), check) for check in table.checks if filled and _passes(check, filled))


def _passes(check: Check, columns: Collection[Column]) -> bool:
    """Return whether one row of only ``columns``, with the values that the migration gives, passes ``check``.

    False also if that row can't be made, for example because a backfill reads another column.
    """
    plain = [column for column in columns if column.generated is None]
    if not plain:
        return False
    given = [column for column in plain if column.hints.backfill is not None]
    names = ", ".join(quote_name(column.name) for column in given)
    values = ", ".join(f"({as_names(column.hints.backfill.sql)})" for column in given if column.hints.backfill)
    with closing(memory()) as scratch:
        try:
            scratch.execute(f"CREATE TABLE filled ({', '.join(map(_definition, plain))})")
            scratch.execute(f"INSERT INTO filled ({names}) VALUES ({values})" if given else _DEFAULTS)
            # NULL passes a CHECK (https://www.sqlite.org/lang_createtable.html#check_constraints).
            (broken,) = scratch.execute(f"SELECT NOT ({as_names(check.expression.sql)}) FROM filled").fetchone()
        except sqlite3.Error:
            return False
    return not broken


_DEFAULTS = "INSERT INTO filled DEFAULT VALUES"


def _definition(column: Column) -> str:
    collation = f" COLLATE {quote_name(column.collation)}" if column.collation else ""
    default = f" DEFAULT ({column.default.sql})" if column.default is not None else ""
    return f"{quote_name(column.name)} {column.type or ''}{default}{collation}"
