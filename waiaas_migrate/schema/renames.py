"""Rename hints held against a schema: which are still to be done, in an order in which they can be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.schema.changes import RenameColumn, RenameTable
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold


class Impossible(NamedTuple):
    """A hint that can't be fulfilled: the keys of schema.yaml that lead to it, and what is wrong."""

    keys: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Renames:
    """The renames to be done, tables before columns; ``impossible`` are the hints that can't be fulfilled."""

    tables: tuple[RenameTable, ...] = ()
    columns: tuple[RenameColumn, ...] = ()
    impossible: tuple[Impossible, ...] = ()

    def table_after(self, name: str) -> str:
        """What the table ``name`` is called afterwards."""
        for rename in self.tables:
            name = rename.new if fold(rename.old) == fold(name) else name
        return name

    def column_after(self, table: str, name: str) -> str:
        """What the column ``name`` is called afterwards; ``table`` is the name that its table has then."""
        for rename in self.columns:
            if fold(rename.table) == fold(table) and fold(rename.old) == fold(name):
                name = rename.new
        return name

    def circles(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the renames after which the same names are there again: the table, or an empty text, and the names."""
        found = [("", circle) for circle in _circles([(rename.old, rename.new) for rename in self.tables])]
        for table in dict.fromkeys(rename.table for rename in self.columns):
            steps = [(rename.old, rename.new) for rename in self.columns if rename.table == table]
            found += [(table, circle) for circle in _circles(steps)]
        return tuple(found)

    def reversed(self) -> Renames:
        """What takes these renames back."""
        ends = _ends([(rename.old, rename.new) for rename in self.tables])
        origin = {fold(last): first for first, last in ends.items()}
        return Renames(
            tables=tuple(RenameTable(old=r.new, new=r.old) for r in reversed(self.tables)),
            columns=tuple(
                RenameColumn(table=origin.get(fold(r.table), r.table), old=r.new, new=r.old)
                for r in reversed(self.columns)
            ),
        )


def resolve(old: Schema, new: Schema, done: Collection[str] = ()) -> Renames:
    """The renames that the hints of ``new`` ask for on ``old``.

    ``done`` are the hints (as :func:`hints` has them) that an earlier migration fulfilled: where both names are there,
    as after a swap, nothing else could tell.

    A hint whose old name is gone and whose new name is there is fulfilled, and ignored. Chains are ordered so that
    each name is free when it is taken; circles (a swap) go by way of a name that nobody uses.
    """
    old_tables = {fold(table.name): table for table in old.tables}
    wanted = _undone("", {t.name: t.renamed_from for t in new.tables if t.renamed_from is not None}, old_tables, done)
    staying = {fold(table.name) for table in new.tables}
    tables, impossible = _steps(wanted, [table.name for table in old.tables], staying, ("tables",))
    came_from = {fold(target): source for source, target in _ends(tables).items()}
    columns: list[RenameColumn] = []
    for table in new.tables:
        before = old_tables.get(fold(came_from.get(fold(table.name), table.name)))
        hinted = {c.name: c.hints.renamed_from for c in table.columns if c.hints.renamed_from is not None}
        if before is None or not hinted:
            continue
        hinted = _undone(table.name, hinted, {fold(column.name) for column in before.columns}, done)
        staying = {fold(column.name) for column in table.columns}
        steps, problems = _steps(
            hinted, [column.name for column in before.columns], staying, ("tables", table.name, "columns")
        )
        columns += [RenameColumn(table=table.name, old=source, new=target) for source, target in steps]
        impossible += problems
    return Renames(
        tables=tuple(RenameTable(old=source, new=target) for source, target in tables),
        columns=tuple(columns),
        impossible=tuple(impossible),
    )


def hints(schema: Schema) -> tuple[str, ...]:
    """Every rename hint of ``schema``, as ``new < old`` for tables and ``table.new < old`` for columns."""
    tables = [_hint("", table.name, table.renamed_from) for table in schema.tables if table.renamed_from]
    columns = [
        _hint(table.name, column.name, column.hints.renamed_from)
        for table in schema.tables
        for column in table.columns
        if column.hints.renamed_from
    ]
    return (*tables, *columns)


def _hint(owner: str, new: str, old: str) -> str:
    return fold(f"{owner}.{new} < {old}" if owner else f"{new} < {old}")


def _undone(owner: str, wanted: Mapping[str, str], there: Collection[str], done: Collection[str]) -> dict[str, str]:
    return {new: old for new, old in wanted.items() if fold(new) not in there or _hint(owner, new, old) not in done}


def _ends(steps: Sequence[tuple[str, str]]) -> dict[str, str]:
    """First name to last name, where a rename goes by way of another."""
    ends: dict[str, str] = {}
    for source, target in steps:
        first = next((name for name, last in ends.items() if fold(last) == fold(source)), source)
        ends[first] = target
    return ends


def _circles(steps: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The names in each circle of renames; a chain ends in a name that was free."""
    ends = _ends(steps)
    left = {fold(first): last for first, last in ends.items()}
    circles: list[tuple[str, ...]] = []
    for first in ends:
        names = [first]
        while fold(names[-1]) in left:
            names.append(left.pop(fold(names[-1])))
        if len(names) > 1 and fold(names[-1]) == fold(first):
            circles.append(tuple(names[:-1]))
    return circles


def _steps(
    wanted: Mapping[str, str], existing: Sequence[str], staying: Collection[str], keys: tuple[str, ...]
) -> tuple[list[tuple[str, str]], list[Impossible]]:
    """``wanted`` (new name to old name) as renames in order, and what of it is impossible.

    ``staying`` are the folded names that are declared, and ``keys`` lead to them in schema.yaml.
    """
    spelled = {fold(name): name for name in existing}
    problems: list[tuple[str, str]] = []  # new name, and what is wrong with its hint
    waiting: dict[str, str] = {}  # target to source, both as they are spelled
    for target, source in wanted.items():
        if fold(source) in spelled and fold(source) != fold(target):
            waiting[target] = spelled[fold(source)]
        elif fold(source) not in spelled and fold(target) not in spelled:
            why = f"the migrations have neither {source} nor {target}."
            problems.append((target, f"{why} Correct the name, or remove the hint to add {target} as new."))
    while taken := _taken(waiting, spelled):
        source = waiting.pop(taken)
        if fold(source) not in staying:  # else the hint was fulfilled before, and the old name has been taken since
            way_out = f"Drop {taken} in a migration of its own first, or remove the hint to drop {source}."
            problems.append((taken, f"the migrations have both {source} and {taken}. {way_out}"))
    problems += [*_doubles(waiting), *_still_declared(waiting, staying)]
    return _ordered(waiting, spelled), [Impossible((*keys, new, "renamed_from"), what) for new, what in problems]


def _taken(waiting: Mapping[str, str], existing: Collection[str]) -> str | None:
    sources = {fold(source) for source in waiting.values()}
    return next((new for new in waiting if fold(new) in existing and fold(new) not in sources), None)


def _doubles(waiting: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for target, source in waiting.items():
        if fold(source) in seen:
            yield target, f"{seen[fold(source)]} says renamed_from {source} too. Keep one of the two."
        seen[fold(source)] = target


def _still_declared(waiting: Mapping[str, str], staying: Collection[str]) -> Iterator[tuple[str, str]]:
    for target, source in waiting.items():
        if fold(source) in staying and fold(source) not in map(fold, waiting):
            way_out = f"Remove the hint, or {source}; to add a new {source}, do so in a migration of its own."
            yield target, f"{source} is still declared. {way_out}"


def _ordered(waiting: Mapping[str, str], existing: Iterable[str]) -> list[tuple[str, str]]:
    """Renames such that each new name is free when its turn comes; a circle is opened by a passing name."""
    left = dict(waiting)
    occupied = {fold(name) for name in existing}
    steps: list[tuple[str, str]] = []
    while left:
        target = next((name for name in left if fold(name) not in occupied), None)
        if target is None:
            target, source = next(iter(left.items()))
            passing = f"_waiaas_{source}"
            while fold(passing) in occupied:
                passing += "_"
            steps.append((source, passing))
            occupied = occupied - {fold(source)} | {fold(passing)}
            left = {name: passing if fold(old) == fold(source) else old for name, old in left.items()}
            continue
        source = left.pop(target)
        steps.append((source, target))
        occupied = occupied - {fold(source)} | {fold(target)}
    return steps
