"""Changes turned into the steps that SQLite can take, in an order in which they work. The plan is data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.schema.changes import (
    AddIndex,
    AddTable,
    AddTrigger,
    AddView,
    AddVirtualTable,
    Change,
)
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.model import Index, ObjectKind, SqlText, Table


class Cost(StrEnum):
    """How the time of a step grows with the rows of its table."""

    CONSTANT = "constant"
    SCAN = "scan"
    REBUILD = "rebuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """CREATE TABLE."""

    table: Table
    template: Literal["create_table"] = "create_table"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIndex:
    """CREATE INDEX; on a table with rows it reads them all."""

    table: str
    index: Index
    template: Literal["create_index"] = "create_index"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStatement:
    """A CREATE statement that the author wrote whole: a view, a trigger or a virtual table."""

    statement: SqlText
    template: Literal["create_statement"] = "create_statement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """DROP of an object by its name."""

    kind: ObjectKind
    name: str
    template: Literal["drop"] = "drop"


Action = CreateTable | CreateIndex | CreateStatement | Drop


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do: what it is for in words, its cost, and the action itself."""

    words: str
    cost: Cost
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps forward, and the steps that take them back."""

    forward: tuple[Step, ...]
    backward: tuple[Step, ...]


def plan(changes: Sequence[Change]) -> Plan:
    """The steps for ``changes``.

    Raises:
        UnsupportedError: names every change that there are no steps for.
    """
    unsupported = [change for change in changes if not isinstance(change, _SUPPORTED)]
    if unsupported:
        listed = "\n".join(f"  {describe(change)}" for change in unsupported)
        raise UnsupportedError(
            f"These changes cannot be generated yet:\n{listed}\n"
            f"Write a migration for them by hand in the migrations folder, then run generate again."
        )
    ordered = sorted(changes, key=_rank)
    forward = tuple(step for change in ordered for step in _forward(change))
    backward = tuple(step for change in reversed(ordered) for step in _backward(change))
    return Plan(forward=forward, backward=backward)


_SUPPORTED = (AddTable, AddVirtualTable, AddIndex, AddView, AddTrigger)


def _rank(change: Change) -> int:
    """Tables first, then what stands on them; within a kind, the order of the declaration (sorting is stable)."""
    return next(rank for rank, kind in enumerate(_SUPPORTED) if isinstance(change, kind))


def _forward(change: Change) -> Iterator[Step]:
    words = describe(change)
    match change:
        case AddTable(table=table):
            yield Step(words=words, cost=Cost.CONSTANT, action=CreateTable(table=table))
            for index in table.indexes:
                described = describe(AddIndex(table=table.name, index=index))
                yield Step(words=described, cost=Cost.CONSTANT, action=CreateIndex(table=table.name, index=index))
        case AddIndex(table=name, index=index):
            yield Step(words=words, cost=Cost.SCAN, action=CreateIndex(table=name, index=index))
        case AddVirtualTable(table=virtual):
            yield Step(words=words, cost=Cost.CONSTANT, action=CreateStatement(statement=virtual.statement))
        case AddView(view=view):
            yield Step(words=words, cost=Cost.CONSTANT, action=CreateStatement(statement=view.statement))
        case AddTrigger(trigger=trigger):
            yield Step(words=words, cost=Cost.CONSTANT, action=CreateStatement(statement=trigger.statement))


def _backward(change: Change) -> Iterator[Step]:
    match change:
        case AddTable(table=table):
            yield _dropping("table", table.name)
        case AddVirtualTable(table=virtual):
            yield _dropping("virtual table", virtual.name)
        case AddIndex(index=index):
            yield _dropping("index", index.name)
        case AddView(view=view):
            yield _dropping("view", view.name)
        case AddTrigger(trigger=trigger):
            yield _dropping("trigger", trigger.name)


def _dropping(kind: ObjectKind, name: str) -> Step:
    return Step(words=f"drop {kind} {name}", cost=Cost.CONSTANT, action=Drop(kind=kind, name=name))
