"""Find SQL that still uses an enum value that a migration renames or removes.

Such SQL still runs, but its meaning has silently changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.schema.enum_lists import literal, values_held
from waiaas_migrate.schema.expressions import expressions
from waiaas_migrate.schema.hazards.hazard import Code, Hazard, allow
from waiaas_migrate.schema.model import Check, Column, Index, Schema, SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.plan import with_readers
from waiaas_migrate.sqlite.reading.allowed_values import tree_of
from waiaas_migrate.sqlite.reading.ddl import names_in
from waiaas_migrate.sqlite.reading.literal_uses import LiteralUse, column_aliases, literal_uses


@dataclass(frozen=True, slots=True, kw_only=True)
class _RemovedValues:
    """The values that a column no longer has, each with its replacement in rows, if any."""

    table: Table
    column: Column
    values: Mapping[str | int, str | int | None]

    @property
    def where(self) -> str:
        return f"{self.table.name}.{self.column.name}"


class _Place(NamedTuple):
    """SQL that may use a value.

    ``where`` names its object, ``subject`` names the object in a sentence, and ``own`` is the object's table.
    """

    where: str
    subject: str
    text: SqlText
    own: str


def stale_values(old: Schema, new: Schema) -> tuple[Hazard, ...]:
    """Return a hazard for each place in ``new`` that uses an enum value removed since ``old``."""
    found: dict[Hazard, None] = {}
    tables = new.by_name()
    for gone in _removed_values(old, new):
        for place, names in _places(new, gone):
            for use in literal_uses(tree_of(place.text), tables, place.own):
                if use.value in gone.values and (verb := _verb(use, gone, names)):
                    said = f"{place.subject} {verb.format(literal(use.value), gone.where)}"
                    found[_hazard(gone, use.value, place.where, said)] = None
        default = gone.column.default.sql.strip("() ") if gone.column.default is not None else None
        for value in gone.values:
            if default == literal(value):
                found[_hazard(gone, value, gone.where, f"the default is {literal(value)}")] = None
    return tuple(found)


def _removed_values(old: Schema, new: Schema) -> Iterator[_RemovedValues]:
    before = old.by_name()
    for table in new.tables:
        was = before.get(fold(table.name))
        for column in table.columns if was is not None and was != table else ():
            held = values_held(table, column)
            if was is None or held is None:
                continue
            hinted = {**dict(column.hints.removed_values), **dict(column.hints.renamed_values)}
            dropped = (values_held(was, column) or frozenset(hinted)) - held
            if dropped:
                values = {value: hinted.get(value) for value in sorted(dropped, key=str)}
                yield _RemovedValues(table=table, column=column, values=values)


def _places(new: Schema, gone: _RemovedValues) -> Iterator[tuple[_Place, frozenset[str]]]:
    """Yield the SQL that can reach the column, with the names that the column may have there."""
    own = frozenset({fold(gone.column.name)})
    for owner, where, text in expressions(gone.table):
        subject = {Check: "a CHECK", Index: "the index", Column: "the generated column"}[type(owner)]
        if isinstance(owner, Check) and owner.name is not None:
            subject = f"the CHECK {owner.name}"
        yield _Place(where, subject, text, gone.table.name), own
    reading = with_readers(new.views, frozenset({fold(gone.table.name)}))
    readers = {fold(view.name): tree_of(view.statement) for view in new.views if fold(view.name) in reading}
    named = column_aliases(readers.values(), own)
    for view in new.views:
        if fold(view.name) in readers:
            yield _Place(view.name, "the view", view.statement, ""), named
    for trigger in new.triggers:
        if {fold(trigger.table), *names_in(trigger.statement.sql)} & reading:
            place = _Place(trigger.name, "the trigger", trigger.statement, trigger.table)
            yield place, column_aliases([tree_of(trigger.statement)], named)


def _verb(use: LiteralUse, gone: _RemovedValues, names: frozenset[str]) -> str:
    """Return a verb phrase for the use of the value; empty if it is used only with other columns."""
    own = fold(gone.table.name), fold(gone.column.name)
    met = [one for one in use.columns if (one.table, one.column) == own or (one.table is None and one.column in names)]
    if not met:
        return ""
    is_certain = any(one.table is not None and one.is_direct for one in met)
    if use.is_written:
        return "writes {} to {}" if is_certain else "may write {} to {}"
    return "compares {1} with {0}" if is_certain else "may compare {1} with {0}"


def _hazard(gone: _RemovedValues, value: str | int, where: str, said: str) -> Hazard:
    new = gone.values[value]
    fix = f"{f'Write {literal(new)} instead.' if new is not None else 'Remove it.'} {allow(Code.STALE_VALUE)}"
    what = f"{said}, which is no longer a value of the enum."
    return Hazard(code=Code.STALE_VALUE, where=where, what=what, fix=fix, name=literal(value))
