"""Read and change the text of a CREATE TABLE, and find the piece that a change affects.

A catalog edit shows only this piece, so that a review is easy. :func:`text_steps` writes the new text, in which only
the changed columns and constraints differ. :func:`smallest_piece` finds the smallest piece that contains the difference
and occurs only once.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import NamedTuple, assert_never

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Check, Constraint, ForeignKey, PrimaryKey, Table, Unique, written_on
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.actions import Piece
from waiaas_migrate.sqlite.planning.layout import ColumnLayout, layout
from waiaas_migrate.sqlite.reading.grammar import Kind, Token, tokenize
from waiaas_migrate.sqlite.reading.token_reader import TokenReader, split_commas

#: A column with the constraints written on it, or a constraint of the table.
Item = ColumnLayout | Constraint

_KINDS: dict[str, type[Constraint]] = {"PRIMARY": PrimaryKey, "UNIQUE": Unique, "CHECK": Check, "FOREIGN": ForeignKey}
#: Words that begin a clause in the definition of a column.
_CLAUSES = frozenset(
    {"CONSTRAINT", "DEFAULT", "NOT", "NULL", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "COLLATE", "GENERATED", "AS"}
)
#: Pairs of words in which the second word does not begin a clause.
_PAIRS = frozenset({("SET", "NULL"), ("NOT", "NULL"), ("DEFAULT", "NULL"), ("SET", "DEFAULT"), ("ALWAYS", "AS")})

#: Writes a CREATE TABLE, or a column or constraint in it.
Write = Callable[[Table | Item], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The tokens of a column or constraint, without comments at either end."""

    tokens: tuple[Token, ...]

    @property
    def start(self) -> int:
        """The position of the first character."""
        return self.tokens[0].start

    @property
    def end(self) -> int:
        """The position after the last character."""
        return self.tokens[-1].end

    @property
    def kind(self) -> type[Constraint] | None:
        """The type of a table constraint; None for a column."""
        words = [token.word for token in self.tokens[:3]]
        return _KINDS.get(words[2] if words[0] == "CONSTRAINT" and len(words) > 2 else words[0])

    def clauses(self) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each clause; a table constraint is one clause."""
        starts = [0] if self.kind is not None else list(_clause_starts([token.word for token in self.tokens]))
        for first, following in zip(starts, [*starts[1:], len(self.tokens)], strict=True):
            yield self.tokens[first].start, self.tokens[following - 1].end


def _clause_starts(words: Sequence[str]) -> Iterator[int]:
    depth = 0
    for at, word in enumerate(words):
        is_named = at > 1 and words[at - 2] == "CONSTRAINT"
        continues = is_named or (at and (words[at - 1], word) in _PAIRS) or words[at : at + 2] == ["NOT", "DEFERRABLE"]
        if at == 0 or (depth == 0 and word in _CLAUSES and not continues):
            yield at
        depth += (word == "(") - (word == ")")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableText:
    """A CREATE TABLE, its columns and constraints, and its closing parenthesis."""

    sql: str
    parts: tuple[Part, ...]
    closing: int

    def gap(self, at: int) -> str:
        """Return the text between part ``at`` and the next part or parenthesis."""
        return self.sql[self.parts[at].end : self.parts[at + 1].start if at + 1 < len(self.parts) else self.closing]

    def has_comment(self, at: int) -> bool:
        """Return whether a comment follows part ``at``."""
        return bool(self.gap(at).strip(" \t\r\n\f,"))

    def line_comment(self, at: int) -> str | None:
        """Return the rest of the line after part ``at``; None if a comment follows below."""
        line, _, rest = self.gap(at).partition("\n")
        return None if rest.strip() or line.count("/*") > line.count("*/") else line

    @property
    def separator(self) -> str:
        """The white space before a new part: a line break if the first part has one."""
        before = self.sql[: self.parts[0].start]
        return "\n" + (before.rpartition("\n")[2] or "    ") if "\n" in before else " "


def parse_table(sql: str) -> TableText:
    """Return the columns and constraints of a CREATE TABLE from the catalog."""
    tokens = tokenize(sql)
    reader = TokenReader(tokens)
    while reader.peek() != "(":
        reader.next()
    parts = []
    for part in split_commas(reader.read_parentheses()):
        code = [at for at, token in enumerate(part) if token.kind is not Kind.COMMENT]
        parts.append(Part(tokens=part[code[0] : code[-1] + 1]))
    return TableText(sql=sql, parts=tuple(parts), closing=tokens[reader.position - 1].start)


def drops_cleanly(sql: str, at: int, *, is_last: bool) -> bool:
    """Return whether DROP COLUMN removes the comments on column ``at`` and no others.

    SQLite removes the text from the column's name to the next column's name. If the column is the last one, SQLite
    removes the text from the preceding comma, which may be in a comment, to the end of the column.
    """
    text = parse_table(sql)
    if at == 0:
        return not is_last and not sql[: text.parts[0].start].partition("\n")[2].strip()
    if is_last:
        return not text.has_comment(at - 1) and not text.has_comment(at)
    return text.line_comment(at - 1) is not None and text.line_comment(at) is not None


def renamed(sql: str, name: str) -> str:
    """Return a CREATE TABLE with another name; ``name`` must be quoted if necessary."""
    token = _name(sql)
    return sql[: token.start] + name + sql[token.end :]


def written_name(sql: str) -> str:
    """Return the name of the table as the CREATE TABLE writes it, with quotes."""
    return _name(sql).text


def _name(sql: str) -> Token:
    return next(token for token in tokenize(sql) if token.word not in ("CREATE", "TABLE"))


def with_added_column(sql: str, column: str) -> str:
    """Return the text after ADD COLUMN, with the column before table constraints."""
    text = parse_table(sql)
    at = max(number for number, part in enumerate(text.parts) if part.kind is None)
    position, end = text.closing, text.parts[at].end
    if at + 1 < len(text.parts):
        position = next(token.start for token in tokenize(sql) if token.start >= end and token.word == ",")
    return f"{sql[:position]}, {column}{sql[position:]}"


def smallest_piece(before: str, after: str) -> Piece:
    """Return the smallest unique piece of ``before`` to replace, and its new text.

    The piece is a clause, a column or a constraint, or longer if these occur more than once.
    """
    start = _common_length(before, after)
    tail = _common_length(before[start:][::-1], after[start:][::-1])
    end = len(before) - tail
    for first, last in _regions(parse_table(before), start, end):
        old = before[first:last]
        if old and first <= start and end <= last and before.find(old) == before.rfind(old):
            return Piece(old=old, new=after[first : len(after) - (len(before) - last)])
    return Piece(old=before, new=after)


def _common_length(first: str, second: str) -> int:
    return next(
        (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def _regions(text: TableText, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield regions that may contain ``start`` to ``end``, the smallest first."""
    for part in text.parts:
        for first, last in part.clauses():
            if first < start and (end < last or start < end == last):
                yield first, last
    touched = [at for at, part in enumerate(text.parts) if part.start <= end and start <= part.end]
    low, high = (touched[0], touched[-1]) if touched else (len(text.parts) - 1, len(text.parts) - 1)
    last = max(end, text.parts[high].end)
    for at in range(low, -1, -1):
        yield min(start, text.parts[at].start), last


# Write the new text


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
        new = reduce(c.altered, group, table)
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
        case _:
            assert_never(change)


class _Edit(NamedTuple):
    """A replacement of the text from ``start`` to ``end``."""

    start: int
    end: int
    text: str


class _Unclear(Exception):
    """The text can't be changed piece by piece."""


def _changed_text(sql: str, before: Table, after: Table, write: Write) -> str | None:
    """Return ``sql``, the text of ``before``, changed to the text of ``after``.

    Return None if in doubt, for example if columns change their order, or a comment may belong to a dropped part.
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
    """Yield edits that insert ``item`` after part ``at`` (-1: first) and its comment."""
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
