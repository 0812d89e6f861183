"""Literals of an enum value that a migration renames or removes: SQL that uses them silently means something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.schema.enum_lists import literal, values_held
from waiaas_migrate.schema.hazards.hazard import Code, Hazard, allow
from waiaas_migrate.schema.model import Check, Column, Schema, SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.allowed_values import Tree, tree_of
from waiaas_migrate.sqlite.reading.ddl import names_in
from waiaas_migrate.sqlite.reading.literal_uses import LiteralUse, literal_uses, other_names


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gone:
    """The values that a column no longer has, each with the one that replaces it in rows, if any."""

    table: Table
    column: Column
    values: Mapping[str | int, str | int | None]

    @property
    def where(self) -> str:
        return f"{self.table.name}.{self.column.name}"


class _Place(NamedTuple):
    """SQL that may use a value: the object that it belongs to, what to call it in a sentence, and its own table."""

    where: str
    subject: str
    text: SqlText
    own: str


def stale_values(old: Schema, new: Schema) -> tuple[Hazard, ...]:
    """Return a hazard for each place in ``new`` that uses an enum value of ``old`` which ``new`` no longer has."""
    found: dict[Hazard, None] = {}
    tables = new.by_name()
    for gone in _gone(old, new):
        for place, names in _places(new, gone):
            for use in literal_uses(tree_of(place.text), tables, place.own):
                if use.value in gone.values and (verb := _verb(use, gone, names)):
                    found[_hazard(place, gone, use.value, verb)] = None
        found |= dict.fromkeys(_stale_default(gone))
    return tuple(found)


def _gone(old: Schema, new: Schema) -> Iterator[_Gone]:
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
                yield _Gone(table=table, column=column, values=values)


def _places(new: Schema, gone: _Gone) -> Iterator[tuple[_Place, frozenset[str]]]:
    """Yield the SQL that can reach the column, with the names that the column may have there."""
    own = frozenset({fold(gone.column.name)})
    yield from ((place, own) for place in _places_of_table(gone.table))
    readers = _readers(new, gone.table)
    named = other_names(readers.values(), own)
    for view in new.views:
        if fold(view.name) in readers:
            yield _Place(view.name, "the view", view.statement, ""), named
    for trigger in new.triggers:
        if {fold(trigger.table), *names_in(trigger.statement.sql)} & {fold(gone.table.name), *readers}:
            place = _Place(trigger.name, "the trigger", trigger.statement, trigger.table)
            yield place, other_names([tree_of(trigger.statement)], named)


def _places_of_table(table: Table) -> Iterator[_Place]:
    for check in table.checks:
        where = f"{table.name}.{check.column}" if check.column else table.name
        yield _Place(where, _called(check), check.expression, table.name)
    for index in table.indexes:
        for text in (index.where, *(part.expression for part in index.parts)):
            if text is not None:
                yield _Place(index.name, "the index", text, table.name)
    for column in table.columns:
        if column.generated is not None:
            where = f"{table.name}.{column.name}"
            yield _Place(where, "the generated column", column.generated.expression, table.name)


def _called(check: Check) -> str:
    return "a CHECK" if check.name is None else f"the CHECK {check.name}"


def _readers(new: Schema, table: Table) -> dict[str, Tree]:
    """Return the trees of the views that read ``table``, also through other views, by folded name."""
    found: dict[str, Tree] = {}
    size = -1
    while len(found) > size:
        size = len(found)
        for view in new.views:
            if fold(view.name) not in found and names_in(view.statement.sql) & {fold(table.name), *found}:
                found[fold(view.name)] = tree_of(view.statement)
    return found


def _verb(use: LiteralUse, gone: _Gone, names: frozenset[str]) -> str:
    """Return what is done with the value and the column; empty if the value is used with other columns only."""
    own = fold(gone.table.name), fold(gone.column.name)
    direct = [one for one in use.columns if (one.table, one.column) == own and one.is_direct]
    indirect = [
        one for one in use.columns if (one.table, one.column) == own or (one.table is None and one.column in names)
    ]
    if not indirect:
        return ""
    if use.is_written:
        return "writes {} to {}" if direct else "may write {} to {}"
    return "compares {1} with {0}" if direct else "may compare {1} with {0}"


def _hazard(place: _Place, gone: _Gone, value: str | int, verb: str) -> Hazard:
    done = verb.format(literal(value), gone.where)
    return _stale(place.where, f"{place.subject} {done}, which is no longer a value of the enum.", gone, value)


def _stale_default(gone: _Gone) -> Iterator[Hazard]:
    default = gone.column.default
    for value in gone.values if default is not None else ():
        if default is not None and default.sql.strip("() ") == literal(value):
            what = f"the default is {literal(value)}, which is no longer a value of the enum."
            yield _stale(gone.where, what, gone, value)


def _stale(where: str, what: str, gone: _Gone, value: str | int) -> Hazard:
    new = gone.values[value]
    fix = f"{f'Write {literal(new)} instead.' if new is not None else 'Remove it.'} {allow(Code.STALE_VALUE)}"
    return Hazard(code=Code.STALE_VALUE, where=where, what=what, fix=fix, name=literal(value))
