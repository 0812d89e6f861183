"""The text of a CREATE TABLE, changed piece by piece: what does not change keeps its words, comments and order.

A migration that edits a table's definition shows the piece that changes and nothing else. That takes two things: the
new text, in which only the changed columns and constraints differ from the old one (:func:`changed_text`), and the
smallest piece that leads from one text to the other and that nothing else in the definition repeats (:func:`piece`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from waiaas_migrate.schema.altered import altered, column_changed
from waiaas_migrate.schema.changes import AddColumn, Change, DropColumn
from waiaas_migrate.schema.model import Check, ForeignKey, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.grammar import Kind, Token, tokenize
from waiaas_migrate.sqlite.layout import ColumnLayout, layout

Constraint = PrimaryKey | Unique | Check | ForeignKey
#: A column with the constraints on it, or a constraint of the table.
Item = ColumnLayout | Constraint

_INDENT = "    "
_KEYWORDS: dict[str, type[Constraint]] = {
    "PRIMARY": PrimaryKey,
    "UNIQUE": Unique,
    "CHECK": Check,
    "FOREIGN": ForeignKey,
}
_CLAUSES = frozenset(
    {"CONSTRAINT", "DEFAULT", "NOT", "NULL", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "COLLATE", "GENERATED", "AS"}
)
#: Pairs of words of which the second begins no clause of its own.
_PAIRS = frozenset({("SET", "NULL"), ("NOT", "NULL"), ("DEFAULT", "NULL"), ("SET", "DEFAULT"), ("ALWAYS", "AS")})


class Clauses(Protocol):
    """Writes the parts of a CREATE TABLE."""

    def item(self, item: Item) -> str:
        """Write a column with its constraints, or a constraint of the table."""
        ...  # pragma: no cover — a protocol's body never runs

    def table(self, table: Table) -> str:
        """Write the whole CREATE TABLE."""
        ...  # pragma: no cover — a protocol's body never runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a table's definition, and what takes its place."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A token and its position in the text."""

    token: Token
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.token.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A column or constraint in the text: its tokens, without the comments at either end."""

    tokens: tuple[_Placed, ...]

    @property
    def start(self) -> int:
        return self.tokens[0].start

    @property
    def end(self) -> int:
        return self.tokens[-1].end

    @property
    def kind(self) -> type[Constraint] | None:
        """The kind of a table constraint; None for a column."""
        words = [placed.token.word for placed in self.tokens[:3]]
        return _KEYWORDS.get(words[2] if words[0] == "CONSTRAINT" and len(words) > 2 else words[0])

    def clauses(self) -> Iterator[tuple[int, int]]:
        """Where the clauses of a column begin and end; a table constraint is one clause."""
        starts = [0] if self.kind is not None else list(_clause_starts([p.token.word for p in self.tokens]))
        for first, following in zip(starts, [*starts[1:], len(self.tokens)], strict=True):
            yield self.tokens[first].start, self.tokens[following - 1].end


def _clause_starts(words: Sequence[str]) -> Iterator[int]:
    depth = 0
    for at, word in enumerate(words):
        is_named = at > 1 and words[at - 2] == "CONSTRAINT"
        goes_on = is_named or (at and (words[at - 1], word) in _PAIRS) or words[at : at + 2] == ["NOT", "DEFERRABLE"]
        if at == 0 or (depth == 0 and word in _CLAUSES and not goes_on):
            yield at
        depth += (word == "(") - (word == ")")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A CREATE TABLE with the places of its columns and constraints, and of the parenthesis that ends them."""

    sql: str
    parts: tuple[_Part, ...]
    closing: int

    def gap(self, at: int) -> str:
        """What stands between part ``at`` and the next, or the end."""
        return self.sql[self.parts[at].end : self.parts[at + 1].start if at + 1 < len(self.parts) else self.closing]

    def has_comment(self, at: int) -> bool:
        """Whether a comment stands behind part ``at``."""
        return bool(self.gap(at).strip(" \t\r\n\f,"))

    def line_comment(self, at: int) -> str | None:
        """What stands behind part ``at`` on its line, a comment or nothing; None if there is more on other lines."""
        line, _, rest = self.gap(at).partition("\n")
        return None if rest.strip() or line.count("/*") > line.count("*/") else line

    @property
    def separator(self) -> str:
        """What stands between two parts: a new line, if the text has one for each."""
        before = self.sql[: self.parts[0].start]
        return "\n" + (before.rpartition("\n")[2] or _INDENT) if "\n" in before else " "


def _placed(sql: str) -> tuple[_Placed, ...]:
    found, position = [], 0
    for token in tokenize(sql):
        start = sql.index(token.text, position)
        found.append(_Placed(token=token, start=start))
        position = start + len(token.text)
    return tuple(found)


def _parsed(sql: str) -> _Text:
    parts: list[list[_Placed]] = [[]]
    depth, closing = 0, len(sql)
    for placed in _placed(sql):
        word = placed.token.word
        if word == ")":
            depth -= 1
            if depth == 0:
                closing = placed.start
                break
        if depth == 1 and word == ",":
            parts.append([])
        elif depth:
            parts[-1].append(placed)
        depth += word == "("
    return _Text(sql=sql, parts=tuple(_Part(tokens=_without_edges(part)) for part in parts), closing=closing)


def _without_edges(part: Sequence[_Placed]) -> tuple[_Placed, ...]:
    spoken = [at for at, placed in enumerate(part) if placed.token.kind is not Kind.COMMENT]
    return tuple(part[spoken[0] : spoken[-1] + 1])


def renamed(sql: str, name: str) -> str:
    """A CREATE TABLE of the catalog under another ``name``, which is written as given."""
    written = written_name(sql)
    at = sql.index(written, len("CREATE TABLE"))
    return sql[:at] + name + sql[at + len(written) :]


def written_name(sql: str) -> str:
    """The name of the table as a CREATE TABLE in the catalog writes it, with its quotes."""
    return next(p.token.text for p in _placed(sql) if p.token.word not in ("CREATE", "TABLE"))


def with_added_column(sql: str, column: str) -> str:
    """The text after ALTER TABLE … ADD COLUMN, which puts ``column`` before the constraints of the table."""
    text = _parsed(sql)
    at = max(number for number, part in enumerate(text.parts) if part.kind is None)
    position = text.closing
    if at + 1 < len(text.parts):
        position = next(p.start for p in _placed(sql) if p.start >= text.parts[at].end and p.token.word == ",")
    return f"{sql[:position]}, {column}{sql[position:]}"


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
    text = _parsed(sql)
    try:
        edits = sorted(_edits(text, before, after, clauses), key=lambda edit: (edit.start, edit.end))
    except _Unclear:
        return None
    if any(later.start < earlier.end for earlier, later in pairwise(edits)):
        return None
    for edit in reversed(edits):
        sql = sql[: edit.start] + edit.text + sql[edit.end :]
    return sql


def _edits(text: _Text, before: Table, after: Table, clauses: Clauses) -> Iterator[_Edit]:
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


def _as_written(text: _Text, table: Table) -> list[Item]:
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


def _removal(text: _Text, at: int, *, is_last: bool) -> _Edit:
    if text.line_comment(at) is None:
        raise _Unclear
    part = text.parts[at]
    if not is_last:
        return _Edit(start=part.start, end=text.parts[at + 1].start, text="")
    if not at or text.has_comment(at - 1):
        raise _Unclear
    line = text.gap(at).partition("\n")[0] if text.has_comment(at) else ""
    return _Edit(start=text.parts[at - 1].end, end=part.end + len(line), text="")


def _insertion(text: _Text, at: int, item: str) -> Iterator[_Edit]:
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


# The piece that changes


def piece(before: str, after: str) -> Piece:
    """The smallest piece of the definition ``before`` that leads to ``after`` and that occurs once.

    It is a clause of a column, a column or a constraint; more of the text only if the piece occurs elsewhere, too.
    """
    start = _common(before, after)
    tail = _common(before[start:][::-1], after[start:][::-1])
    end = len(before) - tail
    for first, last in _regions(_parsed(before), start, end):
        old = before[first:last]
        if old and first <= start and end <= last and _occurs_once(old, before):
            return Piece(old=old, new=after[first : len(after) - (len(before) - last)])
    return Piece(old=before, new=after)


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _occurs_once(piece: str, text: str) -> bool:
    return text.find(piece) == text.rfind(piece)


def _regions(text: _Text, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Places that may hold what stands from ``start`` to ``end``, from the smallest to the largest."""
    for part in text.parts:
        for first, last in part.clauses():
            if first < start and (end < last or start < end == last):
                yield first, last
    touched = [at for at, part in enumerate(text.parts) if part.start <= end and start <= part.end]
    low, high = (touched[0], touched[-1]) if touched else (len(text.parts) - 1, len(text.parts) - 1)
    last = max(end, text.parts[high].end)
    for at in range(low, -1, -1):
        yield min(start, text.parts[at].start), last
