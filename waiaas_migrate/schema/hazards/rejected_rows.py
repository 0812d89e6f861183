"""Hazards of constraints that existing rows may break, or that SQLite can't enforce."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema import foreign_keys as f
from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.enum_lists import lists_of
from waiaas_migrate.schema.hazards.context import HazardContext, names_column
from waiaas_migrate.schema.hazards.hazard import FIX_ROWS, Code, Hazard
from waiaas_migrate.schema.model import Check, ForeignKey, PrimaryKey, Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_column


def duplicates(change: c.AddUnique | c.AddIndex | c.ModifyIndex) -> Iterator[Hazard]:
    """Yield a hazard if two rows may have the same values in a new unique key."""
    if isinstance(change, c.AddUnique):
        what = f"fails if two rows have the same {', '.join(change.new.columns)}."
        yield Hazard(code=Code.ADD_UNIQUE, where=change.table, what=what, fix=FIX_ROWS)
    elif change.new.unique:
        what = "fails if two rows have the same values in the index."
        yield Hazard(code=Code.ADD_UNIQUE, where=change.new.name, what=what, fix=FIX_ROWS)


def modified_key(change: c.ModifyPrimaryKey) -> Iterator[Hazard]:
    """Yield a hazard if two rows may have the same values in the new primary key."""
    old, new = change.old, change.new
    if new is not None and (old is None or not _terms(old) <= _terms(new)):
        what = "fails if two rows have the same values in the new key."
        yield Hazard(code=Code.CHANGE_PRIMARY_KEY, where=change.table, what=what, fix=FIX_ROWS)


def modified_options(change: c.ModifyTableOptions) -> Iterator[Hazard]:
    """Yield a hazard if the table becomes STRICT."""
    if change.new.strict and not change.old.strict:
        what = "fails if a value is not of its column's type."
        yield Hazard(code=Code.ADD_STRICT, where=change.new.name, what=what, fix=FIX_ROWS)


def _terms(key: PrimaryKey) -> frozenset[tuple[str, str]]:
    """Return the columns and collations by which a key distinguishes rows."""
    return frozenset((fold(part.column or ""), fold(part.collation or "")) for part in key.parts)


def added_column(change: c.AddColumn, context: HazardContext) -> Iterator[Hazard]:
    """Yield a hazard if a new column is NOT NULL and gives existing rows no value."""
    column, table = change.new, context.table(change.table)
    has_value = column.default or column.hints.backfill or column.generated
    if column.not_null is not None and has_value is None and column != rowid_column(table):
        what = "fails if the table has rows, which would have no value."
        fix = "Add a `default`, or a `backfill` for existing rows."
        yield Hazard(code=Code.ADD_NOT_NULL, where=f"{table.name}.{column.name}", what=what, fix=fix)


def modified_column(change: c.ModifyColumn, context: HazardContext) -> Iterator[Hazard]:
    """Yield hazards if a column becomes NOT NULL or changes its collation."""
    before, after, where = change.old, change.new, f"{change.table}.{change.new.name}"
    if before.not_null is None and after.not_null is not None:
        if after.hints.backfill is None:
            what, fix = "fails if a row has no value.", "Declare with `backfill` which value such rows get."
            yield Hazard(code=Code.ADD_NOT_NULL, where=where, what=what, fix=fix)
        else:
            for check in _checks_of_backfill(change, context):
                what = f"fails if the backfill breaks CHECK ({check.expression.sql})."
                fix = "Correct such rows first, or correct the backfill."
                yield Hazard(code=Code.ADD_CHECK, where=where, what=what, fix=fix)
    is_recollated = canonical_collation(before.collation) != canonical_collation(after.collation)
    if is_recollated and (what := " ".join(_collation_failures(change, context))):
        yield Hazard(code=Code.CHANGE_COLLATION, where=where, what=what, fix=FIX_ROWS)


def _checks_of_backfill(change: c.ModifyColumn, context: HazardContext) -> Iterator[Check]:
    """Yield the existing CHECKs that the backfill of a column may break."""
    table = context.table(change.table)
    new_checks = [added.new for added in context.of_kind(c.AddCheck, change.table)]
    for check in table.checks:
        is_excluded = check in new_checks or (fold(table.name), check) in context.satisfied
        if not is_excluded and names_column(check.expression, fold(change.new.name)):
            yield check


def _collation_failures(change: c.ModifyColumn, context: HazardContext) -> Iterator[str]:
    """Yield a sentence for each rule that rows may break under another collation."""
    table, column = context.table(change.table), fold(change.new.name)
    unique = [index for index in table.indexes if index.unique]
    parts = [part for key in (table.primary_key, *table.uniques, *unique) if key is not None for part in key.parts]
    texts = [*(part.expression for part in parts), *(index.where for index in unique)]
    is_key = any(fold(part.column or "") == column and part.collation is None for part in parts)
    if is_key or any(names_column(text, column) for text in texts):
        yield "fails if two rows that must be unique have the same values under the new collation."
    if any(names_column(check.expression, column) for check in table.checks):
        yield "fails if a row breaks a CHECK under the new collation."
    children = [
        child.name
        for child in context.new.tables
        for key in child.foreign_keys
        if fold(key.table) == fold(table.name) and column in map(fold, f.targets_of(table, key))
    ]
    if children:
        yield f"fails if a row of {', '.join(dict.fromkeys(children))} has no parent under the new collation."


def new_check(change: c.AddCheck | c.ModifyCheck, context: HazardContext) -> Iterator[Hazard]:
    """Yield a hazard if rows may break a CHECK that is not a changed list of values."""
    check = change.new
    if not (context.is_satisfied(change) if isinstance(change, c.AddCheck) else lists_of(change.old, check)):
        what = f"fails if a row breaks CHECK ({check.expression.sql})."
        yield Hazard(code=Code.ADD_CHECK, where=check.place(change.table), what=what, fix=FIX_ROWS)


def new_key(change: c.AddForeignKey | c.ModifyForeignKey, context: HazardContext) -> Iterator[Hazard]:
    """Yield a hazard if existing rows may violate a new or changed foreign key."""
    key = change.new
    is_checked = any(checked is key for _, checked in c.foreign_keys_to_check(context.changes))
    if is_checked and f.fault(context.new, context.tables, key) is not f.Fault.MISMATCH:
        yield _possible_violation(change.table, key)


def _possible_violation(table: str, key: ForeignKey) -> Hazard:
    what = f"fails if a row has no parent in {key.table}."
    return Hazard(code=Code.ADD_FOREIGN_KEY, where=table, what=what, fix=FIX_ROWS)


def other_enforcement(old: Schema, new: Schema) -> Iterator[Hazard]:
    """Yield a hazard for each key that becomes enforceable, or has a new fault."""
    yield from (_possible_violation(table, key) for table, key in f.newly_enforceable_keys(old, new))
    known = {(f.identity(table, key), found) for table, key, found in f.faulty_keys(old)}
    for table, key, found in f.faulty_keys(new):
        if (f.identity(table, key), found) not in known:
            yield _mismatch(table, key, found)


def _mismatch(table: str, key: ForeignKey, found: f.Fault) -> Hazard:
    targets = f" ({', '.join(key.targets)})" if key.targets else ""
    refers = f"its foreign key on {', '.join(key.columns)} refers to {key.table}{targets}"
    if found is f.Fault.MISSING:
        why, declare = "which does not exist", f"Declare {key.table}"
    elif key.targets:
        why, declare = "which is not a unique key", f"Declare these columns of {key.table} unique"
    else:
        why, declare = "whose primary key has another number of columns", f"Refer to unique columns of {key.table}"
    what = f"{refers}, {why}. SQLite can't enforce it, and refuses to change the rows while foreign keys are on."
    fix = f"{declare}, or drop the foreign key."
    return Hazard(code=Code.FOREIGN_KEY_MISMATCH, where=table, what=what, fix=fix)
