"""Keys that existing rows may have duplicates of, so that the migration fails and is rolled back."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.hazards.comparison import Comparison
from waiaas_migrate.schema.hazards.hazard import FIX_ROWS, Code, Hazard
from waiaas_migrate.schema.model import PrimaryKey
from waiaas_migrate.schema.names import fold


def find(change: c.Change, _: Comparison) -> Iterator[Hazard]:
    """Yield a hazard if two rows may have the same values in a new UNIQUE, unique index or primary key."""
    match change:
        case c.AddUnique(table=table, unique=unique):
            what = f"fails if two rows have the same {', '.join(part.column or '' for part in unique.parts)}."
            yield Hazard(code=Code.ADD_UNIQUE, where=table, what=what, fix=FIX_ROWS)
        case c.AddIndex(index=index) | c.ModifyIndex(new=index) if index.unique:
            what = "fails if two rows have the same values in the index."
            yield Hazard(code=Code.ADD_UNIQUE, where=index.name, what=what, fix=FIX_ROWS)
        case c.ModifyPrimaryKey(table=table, old=old, new=new):
            if new is not None and (old is None or not _terms(old) <= _terms(new)):
                what = "fails if two rows have the same values in the new key."
                yield Hazard(code=Code.CHANGE_PRIMARY_KEY, where=table, what=what, fix=FIX_ROWS)
        case _:
            return


def _terms(key: PrimaryKey) -> frozenset[tuple[str, str]]:
    """Return the columns and collations by which a key tells rows apart."""
    return frozenset((fold(part.column or ""), fold(part.collation or "")) for part in key.parts)
