"""Read CREATE TABLE into the model (https://www.sqlite.org/lang_createtable.html)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from waiaas_migrate.schema import model as m
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.allowed_values import allowed_values
from waiaas_migrate.sqlite.reading.ddl import names_in_scope, read_bare_default, read_index_part, read_stored_expression
from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token, tokenize, without_comments
from waiaas_migrate.sqlite.reading.spelling import spell
from waiaas_migrate.sqlite.reading.token_reader import TokenReader, split_commas

_TABLE_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
_COLUMN_CONSTRAINTS = frozenset(
    "CONSTRAINT DEFAULT NULL NOT PRIMARY UNIQUE CHECK REFERENCES COLLATE GENERATED AS DEFERRABLE".split()
)
#: Comments that this package writes for yoyo's statement splitter (:mod:`waiaas_migrate.sqlite.reading.spelling`).
_CLOSING_COMMENT = re.compile(r"/\*['\"]+\*/")


def read_table(sql: str) -> m.Table:
    """Read a CREATE TABLE that SQLite has accepted; return the table without its indexes.

    Raises:
        SqlError: ``sql`` is not a CREATE TABLE, or contains syntax that this module doesn't know.
    """
    tokens = tokenize(sql)
    reader = TokenReader(without_comments(tokens))
    reader.expect("CREATE", "TABLE")
    reader.accept("IF", "NOT", "EXISTS")
    name = reader.read_name()
    parts = split_commas(reader.read_parentheses())
    after = [token for token in reader.read_rest() if token.word != ";"]
    options = {" ".join(fold(token.name) for token in part) for part in split_commas(after)} if after else set()
    if unknown := options - {"strict", "without rowid"}:
        raise SqlError(f"unknown table option {unknown.pop()!r}")
    without_rowid = "without rowid" in options
    table_comment, part_comments = _find_comments(tokens)
    body = _TableBody(name, parts)
    try:
        for at, part in enumerate(parts):
            body.read(part, comment=part_comments.get(at))
    except ValueError as error:  # a word that the model doesn't know, such as a new conflict clause
        raise SqlError(str(error)) from None
    return m.Table(
        name=name,
        columns=tuple(body.columns),
        primary_key=body.primary_key if without_rowid else _rowid_key(body.primary_key, body.columns),
        uniques=tuple(body.uniques),
        checks=tuple(body.checks),
        foreign_keys=tuple(body.foreign_keys),
        strict="strict" in options,
        without_rowid=without_rowid,
        comment=table_comment,
    )


def _rowid_key(key: m.PrimaryKey | None, columns: Sequence[m.Column]) -> m.PrimaryKey | None:
    """Drop DESC from a table's constraint on one INTEGER column, because it has no effect."""
    if key is None or key.inline or len(key.parts) != 1 or not key.parts[0].descending:
        return key
    types = {fold(column.name): column.type or "" for column in columns}
    if types.get(fold(key.parts[0].column or ""), "").upper() != "INTEGER":
        return key
    return replace(key, parts=(replace(key.parts[0], descending=False),))


class _TableBody:
    def __init__(self, table_name: str, parts: Sequence[Sequence[Token]]) -> None:
        self._table_name = table_name
        columns = (part[0].name for part in parts if part[0].word not in _TABLE_CONSTRAINTS)
        self._columns_by_name = {fold(name): name for name in columns}
        self._names = names_in_scope([*self._columns_by_name, table_name])
        self.columns: list[m.Column] = []
        self.primary_key: m.PrimaryKey | None = None
        self.uniques: list[m.Unique] = []
        self.checks: list[m.Check] = []
        self.foreign_keys: list[m.ForeignKey] = []

    def read(self, part: Sequence[Token], comment: str | None) -> None:
        """Read a column with its constraints, or a constraint of the table."""
        reader = TokenReader(part)
        column = name = None
        if part[0].word not in _TABLE_CONSTRAINTS:
            column = reader.read_name()
            self.columns.append(m.Column(name=column, type=_read_type(reader), comment=comment))
        while not reader.is_at_end:  # SQLite ignores a name without a constraint
            if reader.accept("CONSTRAINT"):
                name = reader.read_name()
            else:
                self._read_constraint(reader, column, name)
                name = None

    def _read_expression(self, reader: TokenReader) -> m.SqlText:
        return read_stored_expression(reader.read_parentheses(), self._names, self._table_name)

    def _read_constraint(self, reader: TokenReader, column: str | None, name: str | None) -> None:
        match reader.next().word:
            case "PRIMARY":
                reader.expect("KEY")
                self._read_primary_key(reader, column, name)
            case "UNIQUE":
                parts = self._read_parts(reader.read_parentheses()) if column is None else (m.IndexPart(column=column),)
                unique = m.Unique(parts=parts, on_conflict=_read_conflict(reader), name=name, inline=column is not None)
                self.uniques.append(unique)
            case "CHECK":
                expression = self._read_expression(reader)
                allowed = allowed_values(expression)
                self.checks.append(m.Check(expression=expression, name=name, column=column, allowed=allowed))
                _read_conflict(reader)  # the grammar allows the clause, but it has no effect
            case "FOREIGN" if column is None:
                reader.expect("KEY")
                columns = reader.read_names()
                reader.expect("REFERENCES")
                key = _read_reference(reader, columns, name=name, inline=False)
                self.foreign_keys.append(replace(key, deferral=_read_deferral(reader)))
            case "REFERENCES" if column is not None:
                self.foreign_keys.append(_read_reference(reader, (column,), name=name, inline=True))
            case word if column is not None:
                self._read_column_constraint(reader, word, name)
            case word:
                raise SqlError(f"unknown table constraint {word!r}")

    def _read_primary_key(self, reader: TokenReader, column: str | None, name: str | None) -> None:
        parts: tuple[m.IndexPart, ...]
        if column is not None:
            parts = (m.IndexPart(column=column, descending=reader.accept_any("ASC", "DESC") == "DESC"),)
            conflict, autoincrement = _read_conflict(reader), reader.accept("AUTOINCREMENT")
        else:
            inside = reader.read_parentheses()
            autoincrement = bool(inside) and inside[-1].word == "AUTOINCREMENT"
            parts, conflict = self._read_parts(inside[:-1] if autoincrement else inside), _read_conflict(reader)
        self.primary_key = m.PrimaryKey(
            parts=parts,
            autoincrement=autoincrement,
            on_conflict=conflict,
            name=name,
            inline=column is not None,
            uniques_before=sum(not unique.inline for unique in self.uniques),
        )

    def _read_parts(self, tokens: Sequence[Token]) -> tuple[m.IndexPart, ...]:
        return tuple(read_index_part(part, self._columns_by_name, self._names) for part in split_commas(tokens))

    def _read_column_constraint(self, reader: TokenReader, word: str, name: str | None) -> None:
        """Read a constraint that only columns have; it belongs to the last column."""
        column = self.columns[-1]
        match word:
            case "DEFAULT":
                self.columns[-1] = replace(column, default=self._read_default(reader))
            case "NOT" if reader.accept("NULL"):
                not_null = m.NotNull(on_conflict=_read_conflict(reader), name=name)
                self.columns[-1] = replace(column, not_null=not_null)
            case "NOT" | "DEFERRABLE":
                reader.position -= 1  # _read_deferral reads the word again
                deferral = _read_deferral(reader)
                if deferral is None or not self.foreign_keys:
                    raise SqlError(f"column {column.name!r}: {word} without a constraint that it belongs to")
                self.foreign_keys[-1] = replace(self.foreign_keys[-1], deferral=deferral)
            case "NULL":
                _read_conflict(reader)  # the grammar allows the clause, but it has no effect
            case "COLLATE":
                self.columns[-1] = replace(column, collation=reader.read_name())
            case "GENERATED" | "AS":
                self.columns[-1] = replace(column, generated=self._read_generated(reader, word))
            case _:
                raise SqlError(f"column {column.name!r}: unknown constraint {word!r}")

    def _read_default(self, reader: TokenReader) -> m.SqlText:
        if reader.peek() == "(":
            return self._read_expression(reader)
        sign = [reader.next()] if reader.peek() in ("+", "-") else []
        return read_bare_default([*sign, reader.next()])

    def _read_generated(self, reader: TokenReader, word: str) -> m.Generated:
        if word == "GENERATED":
            reader.expect("ALWAYS", "AS")
        expression = self._read_expression(reader)
        has_no_kind = reader.is_at_end or reader.peek() in _COLUMN_CONSTRAINTS
        kind = "" if has_no_kind else fold(reader.read_name())
        return m.Generated(expression=expression, stored=kind == "stored", virtual=kind == "virtual")


def _read_type(reader: TokenReader) -> str | None:
    """Read the declared type of a column; None if the column has no type."""
    found: list[Token] = []
    depth = 0
    while not reader.is_at_end and (depth or reader.peek() not in _COLUMN_CONSTRAINTS):
        token = reader.next()
        depth += (token.word == "(") - (token.word == ")")
        found.append(token)
    return spell(found) or None


def _read_conflict(reader: TokenReader) -> m.Conflict | None:
    """Read an ON CONFLICT clause if one comes next; return None for ABORT, the default."""
    if not reader.accept("ON", "CONFLICT"):
        return None
    word = reader.next().word
    return None if word == "ABORT" else m.Conflict(word)


def _read_reference(reader: TokenReader, columns: tuple[str, ...], *, name: str | None, inline: bool) -> m.ForeignKey:
    table_name = reader.read_name()
    targets = reader.read_names() if reader.peek() == "(" else ()
    key = m.ForeignKey(columns=columns, table=table_name, targets=targets, name=name, inline=inline)
    while (word := reader.accept_any("ON", "MATCH")) is not None:
        if word == "MATCH":
            key = replace(key, match=reader.read_name())
        elif reader.accept("DELETE"):
            key = replace(key, on_delete=_read_action(reader))
        elif reader.accept("UPDATE"):
            key = replace(key, on_update=_read_action(reader))
        else:
            reader.expect("INSERT")
            _read_action(reader)  # the grammar allows ON INSERT, but it has no effect
    return key


def _read_action(reader: TokenReader) -> m.Action | None:
    word = reader.next().word
    if word in ("SET", "NO"):
        word += " " + reader.next().word
    return None if word == "NO ACTION" else m.Action(word)


def _read_deferral(reader: TokenReader) -> m.Deferral | None:
    words = "NOT DEFERRABLE" if reader.accept("NOT", "DEFERRABLE") else "DEFERRABLE"
    if words == "DEFERRABLE" and not reader.accept("DEFERRABLE"):
        return None
    if reader.accept("INITIALLY"):
        words += " INITIALLY " + reader.next().word
    return m.Deferral(words)


def _find_comments(tokens: Sequence[Token]) -> tuple[str | None, dict[int, str]]:
    """Return the table's comment, and the comments on its parts by index.

    A part is a column or a constraint. A comment at the end of a line describes the part on that line. A comment on a
    line of its own describes the next part.
    """
    found: dict[int, list[str]] = {}
    pending: list[str] = []  # comments on lines of their own, before the part that they describe
    depth, part = 0, -1  # the part -1 is the table itself
    last_part = -1
    is_new_line = False
    for token in tokens:
        is_new_line = is_new_line or "\n" in token.before
        if token.kind is Kind.COMMENT:
            if not _CLOSING_COMMENT.fullmatch(token.text):
                (pending if is_new_line else found.setdefault(last_part, [])).append(_comment_text(token.text))
            is_new_line = token.text.startswith("--")
            continue
        if pending and not (depth == 1 and token.word == ")"):
            found.setdefault(part, []).extend(pending)
        pending, is_new_line, last_part = [], False, part
        depth += (token.word == "(") - (token.word == ")")
        if token.word == "(" and depth == 1:
            part = 0
        elif token.word == "," and depth == 1:
            part += 1
    texts = {number: "\n".join(lines) for number, lines in found.items() if any(lines)}
    return texts.pop(-1, None), texts


def _comment_text(comment: str) -> str:
    if comment.startswith("--"):
        return comment.lstrip("-").strip()
    lines = comment.removeprefix("/*").removesuffix("*/").strip().splitlines()
    return "\n".join(line.strip().removeprefix("* ").strip() for line in lines)
