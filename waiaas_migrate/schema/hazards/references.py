"""Hazards of foreign keys that rows may violate, or that SQLite can't enforce."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.foreign_keys import Fault, fault, faulty_keys, identity, newly_enforceable_keys
from waiaas_migrate.schema.hazards.context import HazardContext
from waiaas_migrate.schema.hazards.hazard import FIX_ROWS, Code, Hazard
from waiaas_migrate.schema.model import ForeignKey, Schema


def new_key(change: c.AddForeignKey | c.ModifyForeignKey, context: HazardContext) -> Iterator[Hazard]:
    """Yield a hazard if existing rows may violate a new or changed foreign key."""
    key = change.new
    is_checked = any(checked is key for _, checked in c.foreign_keys_to_check(context.changes))
    if is_checked and fault(context.new, context.tables, key) is not Fault.MISMATCH:
        yield _possible_violation(change.table, key)


def _possible_violation(table: str, key: ForeignKey) -> Hazard:
    what = f"fails if a row has no parent in {key.table}."
    return Hazard(code=Code.ADD_FOREIGN_KEY, where=table, what=what, fix=FIX_ROWS)


def newly_enforceable(old: Schema, new: Schema) -> Iterator[Hazard]:
    """Yield a hazard for each foreign key that the migration makes enforceable."""
    return (_possible_violation(table, key) for table, key in newly_enforceable_keys(old, new))


def mismatches(old: Schema, new: Schema) -> Iterator[Hazard]:
    """Yield a hazard for each unenforceable foreign key that only ``new`` has."""
    known = {(identity(table, key), found) for table, key, found in faulty_keys(old)}
    for table, key, found in faulty_keys(new):
        if (identity(table, key), found) not in known:
            yield _mismatch(table, key, found)


def _mismatch(table: str, key: ForeignKey, found: Fault) -> Hazard:
    targets = f" ({', '.join(key.targets)})" if key.targets else ""
    refers = f"its foreign key on {', '.join(key.columns)} refers to {key.table}{targets}"
    if found is Fault.MISSING:
        why, declare = "which does not exist", f"Declare {key.table}"
    elif key.targets:
        why, declare = "which is not a unique key", f"Declare these columns of {key.table} unique"
    else:
        why, declare = "whose primary key has another number of columns", f"Refer to unique columns of {key.table}"
    what = f"{refers}, {why}. SQLite can't enforce it, and refuses to change the rows while foreign keys are on."
    fix = f"{declare}, or drop the foreign key."
    return Hazard(code=Code.FOREIGN_KEY_MISMATCH, where=table, what=what, fix=fix)
