"""The text of a CREATE TABLE after a change: only the columns and constraints that change get other words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from waiaas_migrate.schema.altered import altered, column_changed
from waiaas_migrate.schema.changes import AddColumn, Change, DropColumn
from waiaas_migrate.schema.model import Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.layout import ColumnLayout, layout
from waiaas_migrate.sqlite.planning.table_text import Clauses, Item, Text, parsed

# The new text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """What stands from ``start`` to ``end``, and what takes its place."""

    start: int
    end: int
    text: str


class _Unclear(Exception):
    """The text can't be changed piece by piece."""


def changed_text(sql: str, before: Table, after: Table, clauses: Clauses) -> str | None:
    """``sql``, the text of ``before``, as a text of ``after`` in which everything that stays keeps its words.

    None if that can't be done: columns or options change their order, or a comment stands where it is not clear which
    column it describes.
    """
    text = parsed(sql)
    try:
        edits = sorted(_edits(text, before, after, clauses), key=lambda edit: (edit.start, edit.end))
    except _Unclear:
        return None
    if any(later.start < earlier.end for earlier, later in pairwise(edits)):
        return None
    for edit in reversed(edits):
        sql = sql[: edit.start] + edit.text + sql[edit.end :]
    return sql


def _edits(text: Text, before: Table, after: Table, clauses: Clauses) -> Iterator[_Edit]:
    old, new = _as_written(text, before), _items(after)
    stays = _counterparts(old, new)
    if _names(stays) != [name for name in _names(new) if name in _names(stays)]:
        raise _Unclear
    for at, item in enumerate(stays):
        if item is None:
            yield _removal(text, at, is_last=not any(stays[at:]))
        elif item != old[at]:
            yield _Edit(start=text.parts[at].start, end=text.parts[at].end, text=clauses.item(item))
    for number, item in enumerate(new):
        if not any(item is other for other in stays):
            behind = _position(stays, new[:number] if isinstance(item, ColumnLayout) else stays)
            yield from _insertion(text, behind, clauses.item(item))
    if (before.strict, before.without_rowid) != (after.strict, after.without_rowid):
        yield _Edit(start=text.closing + 1, end=len(text.sql), text=_options(after))


def _items(table: Table) -> list[Item]:
    found = layout(table)
    keys = [] if found.primary_key is None else [found.primary_key]
    return [*found.columns, *keys, *found.uniques, *found.checks, *found.foreign_keys]


def _as_written(text: Text, table: Table) -> list[Item]:
    """The items of ``table`` in the order in which the text has them."""
    waiting: dict[type, list[Item]] = defaultdict(list)
    for item in _items(table):
        waiting[type(item)].append(item)
    found = [waiting[part.kind or ColumnLayout].pop(0) for part in text.parts if waiting[part.kind or ColumnLayout]]
    if len(found) != len(text.parts) or any(waiting.values()):  # constraints without a comma between them, say
        raise _Unclear
    return found


def _counterparts(old: Sequence[Item], new: Sequence[Item]) -> list[Item | None]:
    """For each item what it becomes, None if it goes; one that goes and one that comes of its kind are one change."""
    columns = {fold(item.column.name): item for item in new if isinstance(item, ColumnLayout)}
    found: list[Item | None] = []
    waiting = [item for item in new if not isinstance(item, ColumnLayout)]
    for item in old:
        if isinstance(item, ColumnLayout):
            found.append(columns.get(fold(item.column.name)))
        else:
            same = next((other for other in waiting if other == item), None)
            found.append(same)
            waiting = [other for other in waiting if other is not same]
    for at, item in enumerate(old):
        if found[at] is None and not isinstance(item, ColumnLayout):
            found[at] = next((other for other in waiting if type(other) is type(item)), None)
            waiting = [other for other in waiting if other is not found[at]]
    return found


def _names(items: Sequence[Item | None]) -> list[str]:
    return [fold(item.column.name) for item in items if isinstance(item, ColumnLayout)]


def _position(stays: Sequence[Item | None], before: Sequence[Item | None]) -> int:
    """The number of the last part that is one of ``before``; -1 if none is."""
    found = [at for at, item in enumerate(stays) if any(item is other for other in before if other is not None)]
    return max(found, default=-1)


def _removal(text: Text, at: int, *, is_last: bool) -> _Edit:
    above = text.sql[: text.parts[0].start].partition("(")[2].partition("\n")[2] if at == 0 else ""
    if text.line_comment(at) is None or above.strip() or (at and text.line_comment(at - 1) is None):
        raise _Unclear  # a comment above the part would come to stand above the next one
    part = text.parts[at]
    if not is_last:
        return _Edit(start=part.start, end=text.parts[at + 1].start, text="")
    if not at or text.has_comment(at - 1):
        raise _Unclear
    line = text.gap(at).partition("\n")[0] if text.has_comment(at) else ""
    return _Edit(start=text.parts[at - 1].end, end=part.end + len(line), text="")


def _insertion(text: Text, at: int, item: str) -> Iterator[_Edit]:
    """``item`` behind part ``at``, and behind the comment on the part's line."""
    if at < 0:
        start = text.parts[0].start
        yield _Edit(start=start, end=start, text=item + "," + text.separator)
        return
    end = text.parts[at].end
    if not text.has_comment(at):
        yield _Edit(start=end, end=end, text="," + text.separator + item)
        return
    if text.line_comment(at) is None:
        raise _Unclear
    if at + 1 < len(text.parts):
        start = text.parts[at + 1].start
        yield _Edit(start=start, end=start, text=item + "," + text.separator)
        return
    line_end = end + len(text.gap(at).partition("\n")[0])
    yield _Edit(start=end, end=end, text=",")
    yield _Edit(start=line_end, end=line_end, text=text.separator + item)


def _options(table: Table) -> str:
    words = [word for word, is_set in (("STRICT", table.strict), ("WITHOUT ROWID", table.without_rowid)) if is_set]
    return " " + ", ".join(words) if words else ""


# One change after the other


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStep:
    """A definition before and after ``changes``, which are about one column or one constraint."""

    changes: tuple[Change, ...]
    before: str
    after: str


def text_steps(
    sql: str, table: Table, changes: Sequence[Change], clauses: Clauses, order: Table
) -> tuple[TextStep, ...] | None:
    """The way from ``sql``, the text of ``table``, to its text after ``changes``, column by column.

    New columns take the place that they have in ``order``. None if the text can't be changed piece by piece.
    """
    places = {fold(column.name): at for at, column in enumerate(order.columns)}
    found: list[TextStep] = []
    for group in _by_column(changes):
        new = table
        for change in group:
            new = altered(new, change)
        if any(isinstance(change, AddColumn) for change in group):
            new = replace(new, columns=tuple(sorted(new.columns, key=lambda one: places.get(fold(one.name), -1))))
        after = changed_text(sql, table, new, clauses)
        if after is None:
            return None
        if after != sql:
            found.append(TextStep(changes=group, before=sql, after=after))
        sql, table = after, new
    return tuple(found)


def _by_column(changes: Sequence[Change]) -> Iterator[tuple[Change, ...]]:
    """``changes`` in groups: what goes with a column first, then each column by itself, then each constraint."""
    groups: dict[object, list[Change]] = defaultdict(list)
    for number, change in enumerate(changes):
        groups[column_changed(change) or number].append(change)
    yield from (tuple(group) for group in groups.values() if any(isinstance(one, DropColumn) for one in group))
    yield from (tuple(group) for group in groups.values() if not any(isinstance(one, DropColumn) for one in group))
