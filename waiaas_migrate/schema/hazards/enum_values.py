"""Hazards of enum values that a list in a CHECK no longer allows."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.enum_lists import lists_of, literal
from waiaas_migrate.schema.hazards.context import HazardContext
from waiaas_migrate.schema.hazards.hazard import Code, Hazard, how_to_allow
from waiaas_migrate.schema.model import NO_HINTS


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
