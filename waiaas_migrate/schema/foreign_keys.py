"""What a foreign key refers to, and whether SQLite can follow it (https://www.sqlite.org/foreignkeys.html#fk_indexes)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from waiaas_migrate.schema.model import ForeignKey, IndexPart, Schema, Table
from waiaas_migrate.schema.names import fold

#: The tables of a schema by their folded names.
Tables = Mapping[str, Table]


class Fault(StrEnum):
    """Why a foreign key cannot be enforced.

    ``MISSING``: the parent is not there, which SQLite takes for a table without rows. ``MISMATCH``: the parent is no
    table, or no key of it has exactly these columns; SQLite refuses even to look at the rows.
    """

    MISSING = "missing"
    MISMATCH = "mismatch"


def fault(schema: Schema, tables: Tables, key: ForeignKey) -> Fault | None:
    """What is wrong with ``key`` in ``schema``, whose tables are ``tables``; None where SQLite can enforce it."""
    parent = tables.get(fold(key.table))
    if parent is None:
        return Fault.MISMATCH if fold(key.table) in {fold(name) for name in schema.names} else Fault.MISSING
    return None if _is_followed(parent, key) else Fault.MISMATCH


def targets_of(parent: Table | None, key: ForeignKey) -> tuple[str, ...]:
    """The columns that ``key`` refers to; where it names none, those of the primary key of ``parent``."""
    if key.targets or parent is None or parent.primary_key is None:
        return key.targets
    return tuple(part.column or "" for part in parent.primary_key.parts)


def faulty_keys(schema: Schema) -> Iterator[tuple[str, ForeignKey, Fault]]:
    """Every foreign key that cannot be enforced, with its table and what is wrong."""
    tables = schema.by_name()
    for table in schema.tables:
        for key in table.foreign_keys:
            found = fault(schema, tables, key)
            if found is not None:
                yield table.name, key, found


def mended_keys(old: Schema, new: Schema) -> Iterator[tuple[str, ForeignKey]]:
    """The foreign keys, each with its table, by which nobody could ask rows for a parent before, and by now can."""
    before = {identity(table, key) for table, key, wrong in faulty_keys(old) if wrong is Fault.MISMATCH}
    if before:
        tables = new.by_name()
        keys = [(table.name, key) for table in new.tables for key in table.foreign_keys]
        yield from ((t, key) for t, key in keys if identity(t, key) in before and fault(new, tables, key) is None)


def identity(table: str, key: ForeignKey) -> tuple[object, ...]:
    """What a foreign key is told by: its ends, however they are spelt."""
    return (fold(table), tuple(map(fold, key.columns)), fold(key.table), tuple(map(fold, key.targets)))


def _is_followed(parent: Table, key: ForeignKey) -> bool:
    primary = parent.primary_key
    if not key.targets:
        return primary is not None and len(primary.parts) == len(key.columns)
    targets = sorted(fold(target) for target in key.targets)
    key_parts = [other.parts for other in (primary, *parent.uniques) if other is not None]
    key_parts += [index.parts for index in parent.indexes if index.unique and index.where is None]
    return len(targets) == len(key.columns) and any(
        targets == sorted(fold(part.column or "") for part in parts) and _has_own_collations(parent, parts)
        for parts in key_parts
    )


def _has_own_collations(parent: Table, parts: Sequence[IndexPart]) -> bool:
    """Whether a unique key compares its columns as they compare themselves, as a foreign key needs it."""
    own = {fold(column.name): fold(column.collation or "binary") for column in parent.columns}
    return all(part.collation is None or fold(part.collation) == own.get(fold(part.column or "")) for part in parts)
