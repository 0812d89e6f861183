"""Hazards of changes that delete, convert or replace data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.enum_lists import lists_of, literal
from waiaas_migrate.schema.hazards.context import HazardContext
from waiaas_migrate.schema.hazards.hazard import Code, Hazard, how_to_allow
from waiaas_migrate.schema.model import NO_HINTS, Table, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.renames import Renames
from waiaas_migrate.schema.rowid import rowid_column

_FIX_ROWID = f"If nothing uses the rowids, run with --allow {Code.DROP_ROWID}."


def dropped_rows(change: c.DropObject | c.ModifyObject) -> Iterator[Hazard]:
    """Yield a hazard if a virtual table with data is dropped or created again."""
    old, new = change.old, change.new
    if isinstance(old, VirtualTable) and (old.holds_data or (isinstance(new, VirtualTable) and new.holds_data)):
        what, fix = f"deletes every row of {old.name}.", how_to_allow(Code.DROP_VIRTUAL_TABLE)
        if new is not None:
            what = f"deletes every row of {old.name}, and creates it again."
            fix += " Fill it in a separate migration, unless it now reads a table or a view."
        yield Hazard(code=Code.DROP_VIRTUAL_TABLE, where=old.name, what=what, fix=fix)


def dropped_table(change: c.DropTable, context: HazardContext) -> Hazard:
    """Return the hazard; suggest a rename if a new table is similar."""
    name, fix = change.old.name, how_to_allow(Code.DROP_TABLE)
    for other in context.changes:
        if isinstance(other, c.AddTable) and _is_similar(change.old, other.new):
            fix = f"If it was renamed, write `renamed_from: {name}` under table {other.new.name}. {fix}"
            break
    return Hazard(code=Code.DROP_TABLE, where=name, what=f"deletes every row of {name}.", fix=fix)


def _is_similar(dropped: Table, added: Table) -> bool:
    """Return whether most columns of the two tables have the same names."""
    old, new = ({fold(column.name) for column in table.columns} for table in (dropped, added))
    return 2 * len(old & new) > max(len(old), len(new))


def dropped_column(change: c.DropColumn, context: HazardContext) -> Hazard:
    """Return the hazard; suggest a rename if a new column has the same affinity."""
    name, fix = change.old.name, how_to_allow(Code.DROP_COLUMN)
    for added in context.of_kind(c.AddColumn, change.table):
        if affinity(added.new.type) == affinity(change.old.type):
            fix = f"If it was renamed, write `renamed_from: {name}` under column {added.new.name}. {fix}"
            break
    where = f"{change.table}.{name}"
    return Hazard(code=Code.DROP_COLUMN, where=where, what=f"deletes every value of {where}.", fix=fix)


def modified_column(change: c.ModifyColumn, context: HazardContext) -> Iterator[Hazard]:
    """Yield hazards if SQLite converts or computes values, or uses them as rowids."""
    before, after, table = change.old, change.new, context.table(change.table)
    where = f"{table.name}.{after.name}"
    old_affinity, new_affinity = (affinity(column.type, strict=table.strict) for column in (before, after))
    if new_affinity not in (old_affinity, "BLOB") and after.generated is None:
        what = f"converts every value that it can from {before.type or 'no type'} to {after.type or 'no type'}."
        fix, name = how_to_allow(Code.NARROW_TYPE), ""
        if after.hints.backfill is not None:
            name = "backfill"
            fix += " The `backfill` only fills rows without a value; to convert others, fill a column of another name."
        yield Hazard(code=Code.NARROW_TYPE, where=where, what=what, fix=fix, name=name)
    if before.generated is None and after.generated is not None:
        what = f"deletes every stored value of {where}, which SQLite computes from now on."
        yield Hazard(code=Code.DROP_COLUMN, where=where, what=what, fix=how_to_allow(Code.DROP_COLUMN))
    yield from replaced_rowids(change, context)


def modified_options(change: c.ModifyTableOptions) -> Iterator[Hazard]:
    """Yield a hazard if a table loses its rowids, or STRICT with a column of type ANY."""
    old, new = change.old, change.new
    if new.without_rowid and not old.without_rowid:
        yield Hazard(code=Code.DROP_ROWID, where=new.name, what="deletes the rowid of every row.", fix=_FIX_ROWID)
    # Type ANY keeps values as they are only in STRICT tables (https://www.sqlite.org/stricttables.html).
    untyped = ", ".join(column.name for column in new.columns if fold(column.type or "") == "any")
    if untyped and old.strict and not new.strict:
        what = f"converts text in {untyped} to a number if it looks like one, as type ANY does without STRICT."
        yield Hazard(code=Code.NARROW_TYPE, where=new.name, what=what, fix=how_to_allow(Code.NARROW_TYPE))


def replaced_rowids(change: c.ModifyPrimaryKey | c.ModifyColumn, context: HazardContext) -> Iterator[Hazard]:
    """Yield a hazard if a column with values becomes an alias of the rowid."""
    table = context.table(change.table)
    column = rowid_column(table)
    keys = list(context.of_kind(c.ModifyPrimaryKey, change.table))
    if column is None or (isinstance(change, c.ModifyColumn) and (keys or fold(change.new.name) != fold(column.name))):
        return
    old_types = {fold(other.new.name): other.old.type for other in context.of_kind(c.ModifyColumn, change.table)}
    columns = tuple(replace(item, type=old_types.get(fold(item.name), item.type)) for item in table.columns)
    old_key = keys[0].old if keys else table.primary_key
    old_alias = rowid_column(replace(table, columns=columns, primary_key=old_key))
    is_new = any(added.new == column for added in context.of_kind(c.AddColumn, change.table))
    had_no_rowid = any(options.old.without_rowid for options in context.of_kind(c.ModifyTableOptions, change.table))
    was_alias = old_alias is not None and old_alias.name == column.name
    if had_no_rowid or (is_new and column.hints.backfill is None) or was_alias:
        return
    what = f"replaces the rowid of every row with its value of {column.name}."
    yield Hazard(code=Code.DROP_ROWID, where=table.name, what=what, fix=_FIX_ROWID)


def removed_values(change: c.AddCheck | c.ModifyCheck, context: HazardContext) -> Iterator[Hazard]:
    """Yield a hazard for each value that a list drops or a hint removes from rows."""
    allowed = change.new.allowed
    if allowed is None or (isinstance(change, c.AddCheck) and context.is_satisfied(change)):
        return
    column = context.table(change.table).column(allowed.column)
    hints = column.hints if column is not None else NO_HINTS
    renamed, replaced = dict(hints.renamed_values), dict(hints.removed_values)
    lists = lists_of(change.old, change.new)
    removed = replaced if lists is None else [value for value in lists[0].values if value not in allowed.values]
    where = f"{change.table}.{column.name if column is not None else ''}"
    for value in removed:
        if value in renamed:
            continue
        if value in replaced:
            new = literal(replaced[value])
            what = f"changes {literal(value)} to {new} in every row. Afterwards nothing shows which rows it changed."
            fix = how_to_allow(Code.REMOVE_ENUM_VALUE)
        else:
            what = f"fails if a row holds {literal(value)}, which is no longer in the list."
            fix = (
                f"Declare what such rows get with `enum_values: {{removed: {{{value}: …}}}}` or `renamed`. "
                f"If no row holds it, run with --allow {Code.REMOVE_ENUM_VALUE}."
            )
        yield Hazard(code=Code.REMOVE_ENUM_VALUE, where=where, what=what, fix=fix)


def swapped_names(renames: Renames) -> Iterator[Hazard]:
    """Yield a hazard for each cycle of renames, such as a swap."""
    for table, names in renames.cycles():
        kind, content = ("columns", "values") if table else ("tables", "rows")
        what = f"exchanges the names of {kind} {', '.join(names)}, and so the {content} under each name."
        what += " If an earlier migration has exchanged them, this migration exchanges them again."
        fix = "In that case, which a merge or a lost manifest.json may cause, remove these renamed_from hints."
        yield Hazard(code=Code.SWAP_NAMES, where=table or names[0], what=what, fix=fix, name="renamed_from")
