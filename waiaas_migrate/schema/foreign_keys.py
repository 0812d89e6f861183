"""Find the targets of foreign keys, and keys that SQLite cannot enforce.

The rules are those of https://www.sqlite.org/foreignkeys.html#fk_indexes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from waiaas_migrate.schema.model import ForeignKey, Schema, Table
from waiaas_migrate.schema.names import fold


class Fault(StrEnum):
    """The reason why SQLite cannot enforce a foreign key.

    ``MISSING``: the parent does not exist, which SQLite treats like an empty table. ``MISMATCH``: the parent is not a
    table, or has no unique key over exactly the columns that the key refers to. SQLite then refuses to check rows.
    """

    MISSING = "missing"
    MISMATCH = "mismatch"


def fault(schema: Schema, tables: Mapping[str, Table], key: ForeignKey) -> Fault | None:
    """Return why SQLite cannot enforce ``key``; None if it can."""
    parent = tables.get(fold(key.table))
    if parent is not None:
        return None if is_enforceable(parent, key) else Fault.MISMATCH
    return Fault.MISMATCH if fold(key.table) in map(fold, schema.names) else Fault.MISSING


def is_enforceable(parent: Table, key: ForeignKey) -> bool:
    """Return whether ``key`` refers to all columns of a unique key of ``parent``.

    The unique key must compare each column by its own collation. Without targets, only the number of columns counts.
    """
    if not key.targets:
        return parent.primary_key is not None and len(parent.primary_key.parts) == len(key.columns)
    collations = {fold(column.name): fold(column.collation or "binary") for column in parent.columns}
    targets = sorted(map(fold, key.targets))
    return len(targets) == len(key.columns) and any(
        targets == sorted(fold(part.column or "") for part in parts)
        and all(
            part.collation is None or fold(part.collation) == collations.get(fold(part.column or "")) for part in parts
        )
        for parts in parent.unique_keys
    )


def targets_of(parent: Table | None, key: ForeignKey) -> tuple[str, ...]:
    """Return the targets of ``key``; without any, the primary key of ``parent``."""
    if key.targets or parent is None or parent.primary_key is None:
        return key.targets
    return parent.primary_key.columns


def faulty_keys(schema: Schema) -> Iterator[tuple[str, ForeignKey, Fault]]:
    """Yield the table, the key and the fault of each unenforceable foreign key."""
    tables = schema.by_name()
    for table in schema.tables:
        for key in table.foreign_keys:
            if (found := fault(schema, tables, key)) is not None:
                yield table.name, key, found


def newly_enforceable_keys(old: Schema, new: Schema) -> Iterator[tuple[str, ForeignKey]]:
    """Yield the table and the key of each mismatch in ``old`` that ``new`` corrects."""
    mismatches = {identity(table, key) for table, key, found in faulty_keys(old) if found is Fault.MISMATCH}
    if mismatches:
        tables = new.by_name()
        keys = [(table.name, key) for table in new.tables for key in table.foreign_keys]
        yield from ((t, key) for t, key in keys if identity(t, key) in mismatches and fault(new, tables, key) is None)


def identity(table: str, key: ForeignKey) -> tuple[object, ...]:
    """Return the folded names that identify a foreign key: its tables and columns."""
    return (fold(table), tuple(map(fold, key.columns)), fold(key.table), tuple(map(fold, key.targets)))
