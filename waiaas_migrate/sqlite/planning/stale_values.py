"""Find SQL that still uses an enum value that a migration renames or removes.

Such SQL still runs, but its meaning has silently changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.schema.enum_lists import literal, values_in_lists
from waiaas_migrate.schema.hazards.hazard import Code, Hazard, how_to_allow
from waiaas_migrate.schema.model import Check, Column, Index, Schema, SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.plan import with_readers
from waiaas_migrate.sqlite.reading.allowed_values import tree_of
from waiaas_migrate.sqlite.reading.ddl import names_in
from waiaas_migrate.sqlite.reading.literal_uses import LiteralUse, column_aliases, literal_uses


@dataclass(frozen=True, slots=True, kw_only=True)
class _RemovedValues:
    """The enum values that a column loses, each with its replacement in rows, if any."""

    table: Table
    column: Column
    values: Mapping[str | int, str | int | None]

    @property
    def where(self) -> str:
        return f"{self.table.name}.{self.column.name}"


class _Place(NamedTuple):
    """SQL that may use a removed value, in the object named ``where``.

    ``subject`` describes the object in a sentence. ``table`` is the table of the object, empty for a view.
    """

    where: str
    subject: str
    text: SqlText
    table: str


def stale_values(old: Schema, new: Schema) -> tuple[Hazard, ...]:
    """Return a hazard for each use of an enum value that ``new`` no longer has."""
    found: dict[Hazard, None] = {}
    tables = new.by_name()
    for removed in _removed_values(old, new):
        for place, names in _places(new, removed):
            for use in literal_uses(tree_of(place.text), tables, place.table):
                if use.value in removed.values and (verb := _verb(use, removed, names)):
                    problem = f"{place.subject} {verb.format(literal(use.value), removed.where)}"
                    found[_hazard(removed, use.value, place.where, problem)] = None
        default = removed.column.default.sql.strip("() ") if removed.column.default is not None else None
        for value in removed.values:
            if default == literal(value):
                found[_hazard(removed, value, removed.where, f"the default is {literal(value)}")] = None
    return tuple(found)


def _removed_values(old: Schema, new: Schema) -> Iterator[_RemovedValues]:
    before = old.by_name()
    for table in new.tables:
        old_table = before.get(fold(table.name))
        if old_table is None or old_table == table:
            continue
        for column in table.columns:
            kept = values_in_lists(table, column)
            if kept is None:
                continue
            hinted = column.hints.replacements
            dropped = (values_in_lists(old_table, column) or frozenset(hinted)) - kept
            if dropped:
                values = {value: hinted.get(value) for value in sorted(dropped, key=str)}
                yield _RemovedValues(table=table, column=column, values=values)


def _places(new: Schema, removed: _RemovedValues) -> Iterator[tuple[_Place, frozenset[str]]]:
    """Yield the SQL that may use the column, with the names of the column there."""
    names = frozenset({fold(removed.column.name)})
    for owner, where, text in removed.table.expressions():
        subject = {Check: "a CHECK", Index: "the index", Column: "the generated column"}[type(owner)]
        if isinstance(owner, Check) and owner.name is not None:
            subject = f"the CHECK {owner.name}"
        yield _Place(where, subject, text, removed.table.name), names
    sources = with_readers(new.views, frozenset({fold(removed.table.name)}))
    views = [view for view in new.views if fold(view.name) in sources]
    view_names = column_aliases([tree_of(view.statement) for view in views], names)
    yield from ((_Place(view.name, "the view", view.statement, ""), view_names) for view in views)
    for trigger in new.triggers:
        if {fold(trigger.table), *names_in(trigger.statement.sql)} & sources:
            place = _Place(trigger.name, "the trigger", trigger.statement, trigger.table)
            yield place, column_aliases([tree_of(trigger.statement)], view_names)


def _verb(use: LiteralUse, removed: _RemovedValues, names: frozenset[str]) -> str:
    """Return a verb phrase for the use of a value; empty if only other columns use it."""
    key = fold(removed.table.name), fold(removed.column.name)
    columns = [
        column
        for column in use.columns
        if (column.table, column.column) == key or (column.table is None and column.column in names)
    ]
    if not columns:
        return ""
    is_certain = any(column.table is not None and column.is_direct for column in columns)
    if use.is_written:
        return "writes {} to {}" if is_certain else "may write {} to {}"
    return "compares {1} with {0}" if is_certain else "may compare {1} with {0}"


def _hazard(removed: _RemovedValues, value: str | int, where: str, problem: str) -> Hazard:
    new = removed.values[value]
    fix = f"{f'Write {literal(new)} instead.' if new is not None else 'Remove it.'} {how_to_allow(Code.STALE_VALUE)}"
    what = f"{problem}, which is no longer a value of the enum."
    return Hazard(code=Code.STALE_VALUE, where=where, what=what, fix=fix, name=literal(value))
