"""Values that a list in a CHECK no longer allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.enum_lists import literal
from waiaas_migrate.schema.hazards.context import HazardContext
from waiaas_migrate.schema.hazards.hazard import Code, Hazard, allow
from waiaas_migrate.schema.model import NO_HINTS, Column


def removed_values(change: c.AddCheck | c.ModifyCheck, context: HazardContext) -> Iterator[Hazard]:
    """Yield a hazard for each value that a list drops, or that a hint removes from rows."""
    check = change.check if isinstance(change, c.AddCheck) else change.new
    if check.allowed is None:
        return
    column = context.table(change.table).column(check.allowed.column)
    if isinstance(change, c.ModifyCheck) and is_same_list(change) and change.old.allowed:
        values = [value for value in change.old.allowed.values if value not in check.allowed.values]
        yield from _removed(change.table, column, values)
    elif column is not None and not (isinstance(change, c.AddCheck) and context.is_satisfied(change)):
        yield from _removed(change.table, column, [value for value, _ in column.hints.removed_values])


def is_same_list(change: c.ModifyCheck) -> bool:
    """Return whether the CHECK is a list of values for the same column before and after."""
    old, new = change.old.allowed, change.new.allowed
    return old is not None and new is not None and old.column == new.column


def _removed(table: str, column: Column | None, values: Sequence[str | int]) -> Iterator[Hazard]:
    hints = column.hints if column is not None else NO_HINTS
    renamed, mapped = dict(hints.renamed_values), dict(hints.removed_values)
    where = f"{table}.{column.name if column is not None else ''}"
    for value in values:
        if value in renamed:
            continue
        if value in mapped:
            new = literal(mapped[value])
            what = f"changes {literal(value)} to {new} in every row. Afterwards nothing shows which rows it changed."
            fix = allow(Code.REMOVE_ENUM_VALUE)
        else:
            what = f"fails if a row holds {literal(value)}, which is no longer in the list."
            fix = (
                f"Declare what such rows get with `enum_values: {{removed: {{{value}: …}}}}` or `renamed`. "
                f"If no row holds it, run with --allow {Code.REMOVE_ENUM_VALUE}."
            )
        yield Hazard(code=Code.REMOVE_ENUM_VALUE, where=where, what=what, fix=fix)
