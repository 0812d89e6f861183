"""What is dangerous about a change, as codes: what destroys data, and what rows may refuse."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.canonical import canonical_collation
from waiaas_migrate.schema.changes import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddTable,
    AddUnique,
    Change,
    DropColumn,
    DropTable,
    DropVirtualTable,
    ModifyCheck,
    ModifyColumn,
    ModifyForeignKey,
    ModifyIndex,
    ModifyPrimaryKey,
    ModifyTableOptions,
    ModifyVirtualTable,
    asked_foreign_keys,
)
from waiaas_migrate.schema.compared import compared_otherwise, names_column
from waiaas_migrate.schema.enum_lists import literal
from waiaas_migrate.schema.foreign_keys import Fault, fault, faulty_keys, identity, mended_keys
from waiaas_migrate.schema.hazard_codes import DESTRUCTIVE, STOPPING, Code
from waiaas_migrate.schema.model import AllowedValues, Check, Column, ForeignKey, PrimaryKey, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import Renames, similar
from waiaas_migrate.schema.rowid import rowid_column


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """One danger: its code, where it is, what may happen, and the way out.

    ``name`` is the unknown function or collation, if the hazard is about one, and ``place`` is where schema.yaml says
    it, such as ``schema.yaml:5:13``.
    """

    code: Code
    where: str
    what: str
    fix: str
    name: str = ""
    place: str = ""

    @property
    def is_destructive(self) -> bool:
        """Whether it loses data, rather than refuse some."""
        return self.code in DESTRUCTIVE

    @property
    def stops_generate(self) -> bool:
        """Whether ``generate`` writes nothing unless it is allowed by name."""
        return self.code in STOPPING

    def __str__(self) -> str:
        place = f"{self.place}, " if self.place else ""
        return f"{self.code} {place}{self.where}: {self.what} {self.fix}"


def hazards(
    old: Schema, new: Schema, changes: Sequence[Change], kept: Collection[tuple[str, Check]] = ()
) -> tuple[Hazard, ...]:
    """Return the hazards of ``changes``, in their order, and then those of foreign keys.

    Args:
        old: The schema before the changes, under the new names.
        new: The schema after them.
        changes: What leads from one to the other.
        kept: The CHECKs, by the folded name of their table, that the values given to new columns are known to pass.
    """
    found = tuple(hazard for change in changes for hazard in _of(change, new, changes, kept))
    mended = (_without_parents(table, key) for table, key in mended_keys(old, new))
    return (*found, *mended, *_mismatches(old, new))


def _of(
    change: Change, new: Schema, changes: Sequence[Change], kept: Collection[tuple[str, Check]]
) -> Iterator[Hazard]:
    match change:
        case DropTable(table=table):
            yield _dropped_table(table, changes)
        case DropColumn(table=table_name, column=column):
            yield _dropped_column(table_name, column, changes)
        case DropVirtualTable() | ModifyVirtualTable():
            yield from _dropped_virtual_table(change)
        case AddColumn(table=table_name, column=column):
            yield from _added_column(next(t for t in new.tables if t.name == table_name), column)
        case ModifyColumn():
            yield from _modified_column(change, new)
            yield from _backfilled(change, new, changes, kept)
            yield from _renumbered(change, new, changes)
        case ModifyTableOptions(old=before_table, new=after_table):
            yield from _options(before_table, after_table)
        case AddCheck() | ModifyCheck():
            yield from _check(change, new, changes, kept)
        case _:
            yield from _keys(change, new, changes)


def broken_object(kind: str, name: str, error: str) -> Hazard:
    """Return the hazard of a view, trigger or virtual table that does not work once the migration has run."""
    what = f"the {kind} does not work afterwards: {error}."
    fix = f"Correct or drop it in schema.yaml. If it may stay broken, run with --allow {Code.BREAK_OBJECT}."
    return Hazard(code=Code.BREAK_OBJECT, where=name, what=what, fix=fix)


def swapped_names(renames: Renames) -> tuple[Hazard, ...]:
    """Return a hazard for each circle of renames: afterwards nothing shows whether it was done, or done twice."""
    return tuple(_swapped(table, names) for table, names in renames.circles())


def _swapped(table: str, names: Sequence[str]) -> Hazard:
    what, contents = (f"columns {', '.join(names)}", "values") if table else (f"tables {', '.join(names)}", "rows")
    return Hazard(
        code=Code.SWAP_NAMES,
        where=table or names[0],
        what=f"the {what} trade names, and so the {contents} under each name change. If a migration has done this "
        f"already, this one does it again.",
        fix="If one has, as after a merge or without manifest.json, remove these renamed_from hints.",
    )


def _mismatches(old: Schema, new: Schema) -> Iterator[Hazard]:
    """Foreign keys that cannot be enforced; those that could not be before, for the same reason, are not told again."""
    known = {(identity(table, key), wrong) for table, key, wrong in faulty_keys(old)}
    for table, key, wrong in faulty_keys(new):
        if (identity(table, key), wrong) not in known:
            yield _mismatch(table, key, wrong)


def _mismatch(table: str, key: ForeignKey, wrong: Fault) -> Hazard:
    """The hazard of a foreign key that can't be enforced."""
    targets = f" ({', '.join(key.targets)})" if key.targets else ""
    if wrong is Fault.MISSING:
        why, declare = "which is not there", f"Declare {key.table}"
    elif key.targets:
        why, declare = "which no key of that table makes unique", f"Declare these columns of {key.table} unique"
    else:
        why, declare = "which has no primary key of as many columns", f"Name columns of {key.table} that are unique"
    what = (
        f"its foreign key on {', '.join(key.columns)} refers to {key.table}{targets}, {why}; SQLite cannot follow it, "
        f"and refuses to change the rows wherever foreign keys are enforced."
    )
    fix = f"{declare}, or drop the foreign key."
    return Hazard(code=Code.FOREIGN_KEY_MISMATCH, where=table, what=what, fix=fix)


# What is lost


def _dropped_table(table: Table, changes: Iterable[Change]) -> Hazard:
    like = [c.table.name for c in changes if isinstance(c, AddTable) and similar(table, c.table)]
    fix = f"If that is meant, run with --allow {Code.DROP_TABLE}."
    if like:
        fix = (
            f"If it was renamed, write `renamed_from: {table.name}` under table {like[0]}; "
            f"if it is to go, run with --allow {Code.DROP_TABLE}."
        )
    return Hazard(code=Code.DROP_TABLE, where=table.name, what="the table and its rows are dropped.", fix=fix)


def _dropped_column(table: str, column: Column, changes: Iterable[Change]) -> Hazard:
    like = [
        c.column.name
        for c in changes
        if isinstance(c, AddColumn) and c.table == table and affinity(c.column.type) == affinity(column.type)
    ]
    fix = f"If that is meant, run with --allow {Code.DROP_COLUMN}."
    if like:
        fix = (
            f"If it was renamed, write `renamed_from: {column.name}` under column {like[0]}; "
            f"if it is to go, run with --allow {Code.DROP_COLUMN}."
        )
    where = f"{table}.{column.name}"
    return Hazard(code=Code.DROP_COLUMN, where=where, what="the column and its values are dropped.", fix=fix)


def _dropped_virtual_table(change: DropVirtualTable | ModifyVirtualTable) -> Iterator[Hazard]:
    what = "the virtual table and all that it holds are dropped."
    fix = f"If that is meant, run with --allow {Code.DROP_VIRTUAL_TABLE}."
    if isinstance(change, DropVirtualTable):
        if change.table.holds_data:
            yield Hazard(code=Code.DROP_VIRTUAL_TABLE, where=change.table.name, what=what, fix=fix)
    elif change.old.holds_data or change.new.holds_data:
        what = "it is dropped with all that it holds, and made again."
        fix += " Fill it again in a migration of your own, unless its content is now a table or a view."
        yield Hazard(code=Code.DROP_VIRTUAL_TABLE, where=change.old.name, what=what, fix=fix)


def _check(
    change: AddCheck | ModifyCheck, new: Schema, changes: Iterable[Change], kept: Collection[tuple[str, Check]]
) -> Iterator[Hazard]:
    if isinstance(change, ModifyCheck):
        yield from _changed_check(change, new)
        return
    modified = [c.new for c in changes if isinstance(c, ModifyColumn) and c.table == change.table]
    is_kept = (fold(change.table), change.check) in kept
    if not is_kept or any(names_column(change.check.expression, fold(column.name)) for column in modified):
        yield from _new_list(change.table, change.check, new)


def _changed_check(change: ModifyCheck, new: Schema) -> Iterator[Hazard]:
    held, allowed = change.old.allowed, change.new.allowed
    if held is None or allowed is None or held.column != allowed.column:
        yield from _new_list(change.table, change.new, new)
        return
    removed = [value for value in held.values if value not in allowed.values]
    yield from _removed_values(change.table, _listed(change.table, allowed, new), removed)


def _new_list(table: str, check: Check, new: Schema) -> Iterator[Hazard]:
    """A rule where there was none: what its hints do to values that no list held, and what else it asks of rows."""
    allowed = check.allowed
    column = None if allowed is None else _listed(table, allowed, new)
    if column is not None:
        yield from _removed_values(table, column, [value for value, _ in column.hints.removed_values])
    yield _new_rule(table, check)


def _listed(table: str, allowed: AllowedValues, new: Schema) -> Column | None:
    return next((c for t in new.tables if t.name == table for c in t.columns if fold(c.name) == allowed.column), None)


def _removed_values(table: str, column: Column | None, removed: Sequence[str | int]) -> Iterator[Hazard]:
    renamed = dict(column.hints.renamed_values) if column is not None else {}
    mapped = dict(column.hints.removed_values) if column is not None else {}
    for value in removed:
        if value in renamed:
            continue
        allow = f"run with --allow {Code.REMOVE_ENUM_VALUE}"
        if value in mapped:
            what = f"rows that hold {literal(value)} get {literal(mapped[value])}, and cannot be told apart afterwards."
            fix = f"If that is meant, {allow}."
        else:
            what = f"{literal(value)} is no longer allowed; the migration refuses to run while rows hold it."
            fix = f"Say what becomes of them with `enum_values: {{removed: {{{value}: …}}}}` or `renamed`, or {allow}."
        where = f"{table}.{column.name if column is not None else ''}"
        yield Hazard(code=Code.REMOVE_ENUM_VALUE, where=where, what=what, fix=fix)


def _modified_column(change: ModifyColumn, new: Schema) -> Iterator[Hazard]:
    table = next(table for table in new.tables if table.name == change.table)
    before, after = change.old, change.new
    where = f"{table.name}.{after.name}"
    old_kind, kind = affinity(before.type, strict=table.strict), affinity(after.type, strict=table.strict)
    if kind not in (old_kind, "BLOB") and after.generated is None:
        what = f"values that can be are converted from {before.type or 'no type'} to {after.type or 'no type'}."
        if after.hints.backfill is not None:
            what += " Its `backfill` is for rows without a value; to convert others, fill a column of another name."
        fix = f"If that is meant, run with --allow {Code.NARROW_TYPE}."
        yield Hazard(code=Code.NARROW_TYPE, where=where, what=what, fix=fix)
    if before.generated is None and after.generated is not None:
        what = "its stored values are dropped, and computed from now on."
        fix = f"If that is meant, run with --allow {Code.DROP_COLUMN}."
        yield Hazard(code=Code.DROP_COLUMN, where=where, what=what, fix=fix)
    if before.not_null is None and after.not_null is not None and after.hints.backfill is None:
        what = "the migration refuses to run while rows have no value."
        fix = "Say which value they get with `backfill`."
        yield Hazard(code=Code.ADD_NOT_NULL, where=where, what=what, fix=fix)
    if canonical_collation(before.collation) != canonical_collation(after.collation):
        found = compared_otherwise(table, fold(after.name), new)
        if found:
            what, fix = f"{'; '.join(found)}.", "Look for such rows first."
            yield Hazard(code=Code.CHANGE_COLLATION, where=where, what=what, fix=fix)


def _options(before: Table, after: Table) -> Iterator[Hazard]:
    if after.without_rowid and not before.without_rowid:
        what = "the rows lose their rowids."
        fix = f"If nothing uses them, run with --allow {Code.DROP_ROWID}."
        yield Hazard(code=Code.DROP_ROWID, where=after.name, what=what, fix=fix)
    untyped = [column.name for column in after.columns if fold(column.type or "") == "any"]
    if before.strict and not after.strict and untyped:
        what = f"{', '.join(untyped)}: ANY keeps every value as it is in a STRICT table only; elsewhere it converts."
        fix = f"If that is meant, run with --allow {Code.NARROW_TYPE}."
        yield Hazard(code=Code.NARROW_TYPE, where=after.name, what=what, fix=fix)
    if after.strict and not before.strict:
        what = "the migration refuses to run while a value is not of its column's type."
        yield Hazard(code=Code.ADD_STRICT, where=after.name, what=what, fix="Look for such rows first.")


def _renumbered(change: ModifyPrimaryKey | ModifyColumn, new: Schema, changes: Sequence[Change]) -> Iterator[Hazard]:
    """A column that was there and becomes the rowid (https://www.sqlite.org/lang_createtable.html#rowid)."""
    table = next(table for table in new.tables if table.name == change.table)
    column = rowid_column(table)
    before = {fold(c.new.name): c.old for c in changes if isinstance(c, ModifyColumn) and c.table == change.table}
    keys = [c for c in changes if isinstance(c, ModifyPrimaryKey) and c.table == change.table]
    if column is None or (isinstance(change, ModifyColumn) and (keys or fold(change.new.name) != fold(column.name))):
        return
    options = [c.old for c in changes if isinstance(c, ModifyTableOptions) and c.new.name == table.name]
    is_new = any(isinstance(c, AddColumn) and c.table == table.name and c.column == column for c in changes)
    columns = tuple(replace(one, type=before.get(fold(one.name), one).type) for one in table.columns)
    was = rowid_column(replace(table, columns=columns, primary_key=keys[0].old if keys else table.primary_key))
    had_none = any(old.without_rowid for old in options)
    if had_none or (is_new and column.hints.backfill is None) or (was is not None and was.name == column.name):
        return
    what = f"the rows get the values of {column.name} for their rowids, instead of those that they have."
    fix = f"If nothing uses them, run with --allow {Code.DROP_ROWID}."
    yield Hazard(code=Code.DROP_ROWID, where=table.name, what=what, fix=fix)


# What rows may refuse


def _distinguishes(key: PrimaryKey) -> frozenset[tuple[str, str]]:
    """By what a key tells rows apart: its columns and collations, in whatever order."""
    return frozenset((fold(part.column or ""), fold(part.collation or "")) for part in key.parts)


def _without_parents(table: str, key: ForeignKey) -> Hazard:
    what = f"the migration refuses to run while rows have no parent in {key.table}."
    return Hazard(code=Code.ADD_FOREIGN_KEY, where=table, what=what, fix="Look for such rows first.")


def _new_rule(table: str, check: Check) -> Hazard:
    what = f"the migration refuses to run while rows break CHECK ({check.expression.sql})."
    where = f"{table}.{check.column}" if check.column else table
    return Hazard(code=Code.ADD_CHECK, where=where, what=what, fix="Look for such rows first.")


def _backfilled(
    change: ModifyColumn, new: Schema, changes: Sequence[Change], kept: Collection[tuple[str, Check]]
) -> Iterator[Hazard]:
    """The CHECKs that a backfill may break in a column that was there, and takes NULL no more."""
    if change.old.not_null is not None or change.new.not_null is None or change.new.hints.backfill is None:
        return
    table = next(table for table in new.tables if table.name == change.table)
    told = [c.check for c in changes if isinstance(c, AddCheck) and c.table == change.table]
    for check in table.checks:
        is_known = check in told or (fold(table.name), check) in kept
        if not is_known and names_column(check.expression, fold(change.new.name)):
            where = f"{table.name}.{change.new.name}"
            what = f"the migration refuses to run while the backfill breaks CHECK ({check.expression.sql})."
            yield Hazard(
                code=Code.ADD_CHECK, where=where, what=what, fix="Look for such rows, or correct the backfill."
            )


def _added_column(table: Table, column: Column) -> Iterator[Hazard]:
    given = column.default or column.hints.backfill or column.generated
    is_rowid = column == rowid_column(table)
    if column.not_null is not None and given is None and not is_rowid:
        what = "the migration refuses to run where the table has rows: they would have no value."
        fix = "Give a `default`, or a `backfill` for the rows that are there."
        yield Hazard(code=Code.ADD_NOT_NULL, where=f"{table.name}.{column.name}", what=what, fix=fix)


def _keys(change: Change, new: Schema, changes: Sequence[Change]) -> Iterator[Hazard]:
    look = "Look for such rows first."
    match change:
        case AddUnique(table=table, unique=unique):
            columns = ", ".join(part.column or "" for part in unique.parts)
            what = f"the migration refuses to run while rows are equal in {columns}."
            yield Hazard(code=Code.ADD_UNIQUE, where=table, what=what, fix=look)
        case AddIndex(index=index) | ModifyIndex(new=index) if index.unique:
            what = "the migration refuses to run while rows are equal in the index."
            yield Hazard(code=Code.ADD_UNIQUE, where=index.name, what=what, fix=look)
        case AddForeignKey(table=table, foreign_key=key) | ModifyForeignKey(table=table, new=key):
            if not any(asked is key for _, asked in asked_foreign_keys(changes)):
                return
            if fault(new, new.by_name(), key) is Fault.MISMATCH:
                return  # nobody can ask it of rows
            yield _without_parents(table, key)
        case ModifyPrimaryKey(table=table, old=before, new=after):
            yield from _renumbered(change, new, changes)
            if after is None or (before is not None and _distinguishes(before) <= _distinguishes(after)):
                return  # what tells rows apart still does
            what = "the migration refuses to run while rows are equal in the new key."
            yield Hazard(code=Code.CHANGE_PRIMARY_KEY, where=table, what=what, fix=look)
        case _:
            return
