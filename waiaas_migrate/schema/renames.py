"""Find the renames that hints request and no migration has made yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.schema.changes import RenameColumn, RenameTable
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold


class ImpossibleHint(NamedTuple):
    """A hint that can't be followed: its keys in schema.yaml, and the problem with it."""

    keys: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Renames:
    """The renames of a migration, and the hints that it can't follow."""

    tables: tuple[RenameTable, ...] = ()
    columns: tuple[RenameColumn, ...] = ()
    impossible: tuple[ImpossibleHint, ...] = ()

    def table_after(self, name: str) -> str:
        """Return the name of the table ``name`` after the renames."""
        for rename in self.tables:
            name = rename.new if fold(rename.old) == fold(name) else name
        return name

    def column_after(self, table: str, name: str) -> str:
        """Return the new name of a column; ``table`` is the new name of its table."""
        for rename in self.columns:
            if fold(rename.table) == fold(table) and fold(rename.old) == fold(name):
                name = rename.new
        return name

    def cycles(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the cycles of renames, such as swaps.

        Each cycle is a table and the names of its columns. For a cycle of table names, the table is empty.
        """
        steps = {"": [(rename.old, rename.new) for rename in self.tables]}
        for rename in self.columns:
            steps.setdefault(rename.table, []).append((rename.old, rename.new))
        return tuple((table, cycle) for table, renames in steps.items() for cycle in _cycles(renames))

    def reversed(self) -> Renames:
        """Return the renames that undo these."""
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
    """Return the renames that the hints of ``new`` request and ``old`` needs.

    ``old`` is the schema that the migrations build. A rename is made if ``old`` has the old name and ``new`` has only
    the new one. A rename that changes only the case is made if ``old`` has another case. The schema does not show
    whether a swap was made, because both names exist before and after it. So hints in ``done``, which earlier
    migrations followed, are skipped if ``old`` has the new name (:func:`hints` returns their form). Renames come in an
    order in which each new name is free; a cycle, such as a swap, uses a temporary name.
    """
    old_tables, new_tables = old.by_name(), new.by_name()
    wanted = {table.name: table.renamed_from for table in new.tables if table.renamed_from is not None}
    tables, impossible = _steps("", wanted, [table.name for table in old.tables], new_tables, done)
    came_from = {fold(target): source for source, target in _ends(tables).items()}
    columns: list[RenameColumn] = []
    for table in new.tables:
        before = old_tables.get(fold(came_from.get(fold(table.name), table.name)))
        hinted = {c.name: c.hints.renamed_from for c in table.columns if c.hints.renamed_from is not None}
        if before is not None and hinted:
            existing = [column.name for column in before.columns]
            declared = {fold(column.name) for column in table.columns}
            steps, problems = _steps(table.name, hinted, existing, declared, done)
            columns += [RenameColumn(table=table.name, old=source, new=target) for source, target in steps]
            impossible += problems
    renamed = tuple(RenameTable(old=source, new=target) for source, target in tables)
    return Renames(tables=renamed, columns=tuple(columns), impossible=tuple(impossible))


def hints(schema: Schema) -> tuple[str, ...]:
    """Return the rename hints of ``schema``: ``new < old`` or ``table.new < old``."""
    found = [("", table.name, table.renamed_from) for table in schema.tables]
    found += [
        (table.name, column.name, column.hints.renamed_from) for table in schema.tables for column in table.columns
    ]
    return tuple(_hint_text(owner, new, old) for owner, new, old in found if old)


def _hint_text(owner: str, new: str, old: str) -> str:
    return fold(f"{owner}.{new} < {old}" if owner else f"{new} < {old}")


def _ends(steps: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Map the first name of each chain of renames to its last name."""
    ends: dict[str, str] = {}
    for source, target in steps:
        first = next((name for name, last in ends.items() if fold(last) == fold(source)), source)
        ends[first] = target
    return ends


def _cycles(steps: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    ends = _ends(steps)
    unvisited = {fold(first): last for first, last in ends.items()}
    cycles: list[tuple[str, ...]] = []
    for first in ends:
        names = [first]
        while fold(names[-1]) in unvisited:
            names.append(unvisited.pop(fold(names[-1])))
        if len(names) > 2 and fold(names[-1]) == fold(first):  # if a name leads to itself, only its case changes
            cycles.append(tuple(names[:-1]))
    return cycles


def _steps(
    owner: str, wanted: Mapping[str, str], existing: Sequence[str], declared: Collection[str], done: Collection[str]
) -> tuple[list[tuple[str, str]], list[ImpossibleHint]]:
    """Return the ``wanted`` renames in order, and the impossible hints.

    ``owner`` is the table of renamed columns; empty for tables. ``existing`` are the names in the schema that the
    migrations build, and ``declared`` the folded names in schema.yaml.
    """
    spelled = {fold(name): name for name in existing}
    problems: list[tuple[str, str]] = []  # the new name, and the problem with its hint
    waiting: dict[str, str] = {}  # old name by new name, both as they are spelled
    for target, source in wanted.items():
        if fold(target) in spelled and fold(target) != fold(source) and _hint_text(owner, target, source) in done:
            continue
        if fold(source) in spelled and spelled[fold(source)] != target:
            waiting[target] = spelled[fold(source)]
        elif fold(source) not in spelled and fold(target) not in spelled:
            fix = f"Correct the name, or remove the hint to add {target} as new."
            problems.append((target, f"the migrations have neither {source} nor {target}. {fix}"))
    while taken := _taken(waiting, spelled):
        source = waiting.pop(taken)
        if fold(source) not in declared:  # otherwise the hint was followed before, and the name was used again since
            fix = f"Drop {taken} in a separate migration first, or remove the hint to drop {source}."
            problems.append((taken, f"the migrations have both {source} and {taken}. {fix}"))
    problems += _contradictions(waiting, declared)
    keys = ("tables", owner, "columns") if owner else ("tables",)
    return _ordered(waiting, spelled), [ImpossibleHint((*keys, new, "renamed_from"), text) for new, text in problems]


def _taken(waiting: Mapping[str, str], existing: Collection[str]) -> str | None:
    """Return a new name that is in use and that no rename frees, if any."""
    sources = {fold(source) for source in waiting.values()}
    return next((new for new in waiting if fold(new) in existing and fold(new) not in sources), None)


def _contradictions(waiting: Mapping[str, str], declared: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the new name and the problem of each contradictory hint."""
    claimed: dict[str, str] = {}
    for target, source in waiting.items():
        if fold(source) in claimed:
            yield target, f"{claimed[fold(source)]} says renamed_from {source} too. Keep one of the two."
        claimed[fold(source)] = target
        if fold(source) in declared and fold(source) not in map(fold, waiting):
            fix = f"Remove the hint, or {source}; to add a new {source}, do so in a separate migration."
            yield target, f"{source} is still declared. {fix}"


def _ordered(waiting: Mapping[str, str], existing: Iterable[str]) -> list[tuple[str, str]]:
    """Return the renames in an order in which each new name is free.

    Cycles use a temporary name. So do names that change only their case, because SQLite can't rename a table to its own
    name in another case.
    """
    remaining = dict(waiting)
    occupied = {fold(name) for name in existing}
    steps: list[tuple[str, str]] = []
    while remaining:
        target = next((name for name in remaining if fold(name) not in occupied), None)
        if target is None:
            source = next(iter(remaining.values()))
            target = f"_waiaas_{source}"
            while fold(target) in occupied:
                target += "_"
            remaining = {name: target if fold(old) == fold(source) else old for name, old in remaining.items()}
        else:
            source = remaining.pop(target)
        steps.append((source, target))
        occupied = occupied - {fold(source)} | {fold(target)}
    return steps
