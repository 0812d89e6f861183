"""Read the text of a CREATE TABLE, and find the piece that a change affects.

A catalog edit shows only this piece, so that a review is easy. ``text_steps.py`` writes the new text, in which only the
changed columns and constraints differ. :func:`smallest_piece` finds the smallest piece that contains the difference and
occurs only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from waiaas_migrate.schema.model import Check, Constraint, ForeignKey, PrimaryKey, Table, Unique
from waiaas_migrate.sqlite.planning.actions import Piece
from waiaas_migrate.sqlite.planning.layout import ColumnLayout
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
        """Return the rest of the line after part ``at``; None if more lines follow."""
        line, _, rest = self.gap(at).partition("\n")
        return None if rest.strip() or line.count("/*") > line.count("*/") else line

    @property
    def separator(self) -> str:
        """The white space before a part: a line break if each part has its own line."""
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
