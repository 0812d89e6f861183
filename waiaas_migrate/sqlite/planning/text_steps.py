"""Change columns and constraints in the text of a CREATE TABLE; keep other text."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import NamedTuple

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.applied import altered
from waiaas_migrate.schema.model import Table, written_on
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.layout import ColumnLayout, layout
from waiaas_migrate.sqlite.planning.table_text import Item, TableText, Write, parse_table


class _Edit(NamedTuple):
    """A replacement of the text from ``start`` to ``end``."""

    start: int
    end: int
    text: str


class _Unclear(Exception):
    """The text can't be changed piece by piece."""


def _changed_text(sql: str, before: Table, after: Table, write: Write) -> str | None:
    """Return ``sql``, the text of ``before``, changed to the text of ``after``.

    Return None if columns change their order, or if a comment may belong to a dropped column or to another one.
    """
    text = parse_table(sql)
    try:
        edits = sorted(_edits(text, before, after, write), key=lambda edit: edit[:2])
    except _Unclear:
        return None
    if any(later.start < earlier.end for earlier, later in pairwise(edits)):
        return None
    for edit in reversed(edits):
        sql = sql[: edit.start] + edit.text + sql[edit.end :]
    return sql


def _edits(text: TableText, before: Table, after: Table, write: Write) -> Iterator[_Edit]:
    old, new = _as_written(text, before), _items(after)
    kept = _counterparts(old, new)
    if _names(kept) != [name for name in _names(new) if name in _names(kept)]:
        raise _Unclear
    for at, item in enumerate(kept):
        if item is None:
            yield _removal(text, at, is_last=not any(kept[at:]))
        elif item != old[at]:
            yield _Edit(text.parts[at].start, text.parts[at].end, write(item))
    for number, item in enumerate(new):
        if not any(item is other for other in kept):
            above = new[:number] if isinstance(item, ColumnLayout) else kept
            found = [at for at, one in enumerate(kept) if one is not None and any(one is other for other in above)]
            yield from _insertion(text, max(found, default=-1), write(item))
    if (before.strict, before.without_rowid) != (after.strict, after.without_rowid):
        words = ["STRICT"] * after.strict + ["WITHOUT ROWID"] * after.without_rowid
        yield _Edit(text.closing + 1, len(text.sql), " " + ", ".join(words) if words else "")


def _items(table: Table) -> list[Item]:
    found = layout(table)
    keys = [] if found.primary_key is None else [found.primary_key]
    return [*found.columns, *keys, *found.uniques, *found.checks, *found.foreign_keys]


def _as_written(text: TableText, table: Table) -> list[Item]:
    """Return the columns and constraints of ``table`` in the order of the text."""
    waiting: dict[type, list[Item]] = defaultdict(list)
    for item in _items(table):
        waiting[type(item)].append(item)
    found = [waiting[part.kind or ColumnLayout].pop(0) for part in text.parts if waiting[part.kind or ColumnLayout]]
    if len(found) != len(text.parts) or any(waiting.values()):  # for example, no comma separates two constraints
        raise _Unclear
    return found


def _counterparts(old: Sequence[Item], new: Sequence[Item]) -> list[Item | None]:
    """Return the new item for each item of ``old``; None for a dropped item.

    A dropped and an added constraint of the same kind count as one changed constraint.
    """
    columns = {fold(item.column.name): item for item in new if isinstance(item, ColumnLayout)}
    found: list[Item | None] = [
        columns.get(fold(item.column.name)) if isinstance(item, ColumnLayout) else None for item in old
    ]
    waiting = [item for item in new if not isinstance(item, ColumnLayout)]
    for is_successor in (operator.eq, lambda one, other: type(one) is type(other)):
        for at, item in enumerate(old):
            if found[at] is None and not isinstance(item, ColumnLayout):
                found[at] = next((other for other in waiting if is_successor(item, other)), None)
                waiting = [other for other in waiting if other is not found[at]]
    return found


def _names(items: Sequence[Item | None]) -> list[str]:
    return [fold(item.column.name) for item in items if isinstance(item, ColumnLayout)]


def _removal(text: TableText, at: int, *, is_last: bool) -> _Edit:
    above = text.sql[: text.parts[0].start].partition("(")[2].partition("\n")[2] if at == 0 else ""
    if text.line_comment(at) is None or above.strip() or (at and text.line_comment(at - 1) is None):
        raise _Unclear  # a comment above this part would end up above the next part
    part = text.parts[at]
    if not is_last:
        return _Edit(part.start, text.parts[at + 1].start, "")
    if not at or text.has_comment(at - 1):
        raise _Unclear
    line = text.gap(at).partition("\n")[0] if text.has_comment(at) else ""
    return _Edit(text.parts[at - 1].end, part.end + len(line), "")


def _insertion(text: TableText, at: int, item: str) -> Iterator[_Edit]:
    """Insert ``item`` after part ``at`` and its comment."""
    end = text.parts[at].end
    if at >= 0 and not text.has_comment(at):
        yield _Edit(end, end, "," + text.separator + item)
    elif at >= 0 and text.line_comment(at) is None:
        raise _Unclear
    elif at + 1 < len(text.parts):
        start = text.parts[at + 1].start
        yield _Edit(start, start, item + "," + text.separator)
    else:
        line_end = end + len(text.gap(at).partition("\n")[0])
        yield _Edit(end, end, ",")
        yield _Edit(line_end, line_end, text.separator + item)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStep:
    """The text of a table before and after changes to one column or constraint."""

    changes: tuple[c.Alteration, ...]
    before: str
    after: str


def text_steps(
    sql: str, table: Table, changes: Sequence[c.Alteration], write: Write, order: Table
) -> tuple[TextStep, ...] | None:
    """Return the steps that make ``changes`` to ``sql``, the text of ``table``.

    Added columns get the position that they have in ``order``. Return None if the text can't be changed piece by piece.
    """
    positions = {fold(column.name): at for at, column in enumerate(order.columns)}
    found: list[TextStep] = []
    for group in _by_column(changes):
        new = reduce(altered, group, table)
        if any(isinstance(change, c.AddColumn) for change in group):
            new = replace(new, columns=tuple(sorted(new.columns, key=lambda one: positions.get(fold(one.name), -1))))
        after = _changed_text(sql, table, new, write)
        if after is None:
            return None
        if after != sql:
            found.append(TextStep(changes=group, before=sql, after=after))
        sql, table = after, new
    return tuple(found)


def _by_column(changes: Sequence[c.Alteration]) -> Iterator[tuple[c.Alteration, ...]]:
    """Yield the changes by column or constraint, with dropped columns first."""
    groups: dict[object, list[c.Alteration]] = defaultdict(list)
    for number, change in enumerate(changes):
        groups[_changed_column(change) or number].append(change)
    found = sorted(groups.values(), key=lambda group: not any(isinstance(change, c.DropColumn) for change in group))
    yield from map(tuple, found)


def _changed_column(change: c.Alteration) -> str | None:
    """Return the folded name of the column whose definition ``change`` edits, if any."""
    match change:
        case c.AddColumn(new=column) | c.DropColumn(old=column) | c.ModifyColumn(new=column):
            return fold(column.name)
        case (
            c.AddCheck(new=item) | c.DropCheck(old=item) | c.ModifyCheck(old=item)
            | c.AddForeignKey(new=item) | c.DropForeignKey(old=item) | c.ModifyForeignKey(old=item)
        ):  # fmt: skip
            return written_on(item)
        case (
            c.ModifyTableOptions() | c.ReorderColumns() | c.ModifyPrimaryKey() | c.AddUnique()
            | c.DropUnique()
        ):  # fmt: skip
            return None
