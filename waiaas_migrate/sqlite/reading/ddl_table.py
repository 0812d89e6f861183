"""Read CREATE TABLE into the model (https://www.sqlite.org/lang_createtable.html)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from waiaas_migrate.schema import model as m
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.allowed_values import allowed_values
from waiaas_migrate.sqlite.reading.cursor import Cursor, split_commas
from waiaas_migrate.sqlite.reading.ddl import bare_default, index_part, known_names, stored_expression
from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token, significant, tokenize
from waiaas_migrate.sqlite.reading.spelling import spell

_TABLE_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
_COLUMN_CONSTRAINTS = frozenset(
    {"CONSTRAINT", "DEFAULT", "NULL", "NOT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "COLLATE", "GENERATED", "AS"}
    | {"DEFERRABLE"}
)
#: Comments written for yoyo's splitter (see :mod:`waiaas_migrate.sqlite.reading.spelling`).
_CLOSING_COMMENT = re.compile(r"/\*['\"]+\*/")


def table(sql: str) -> m.Table:
    """Read a CREATE TABLE that SQLite has accepted; return the table without its indexes.

    Raises:
        SqlError: it is not a CREATE TABLE that this grammar knows.
    """
    tokens = tokenize(sql)
    cursor = Cursor(significant(tokens))
    cursor.expect("CREATE", "TABLE")
    cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.name()
    parts = split_commas(cursor.balanced())
    rest = [token for token in cursor.rest() if token.word != ";"]
    options = {" ".join(fold(token.name) for token in part) for part in split_commas(rest)} if rest else set()
    if unknown := options - {"strict", "without rowid"}:
        raise SqlError(f"unknown table option {unknown.pop()!r}")
    without_rowid = "without rowid" in options
    on_table, on_parts = _comments(tokens)
    body = _TableBody(name, parts)
    try:
        for at, part in enumerate(parts):
            body.read(part, comment=on_parts.get(at))
    except ValueError as error:  # the model does not know a word, such as a conflict clause
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
        comment=on_table,
    )


def _rowid_key(key: m.PrimaryKey | None, columns: Sequence[m.Column]) -> m.PrimaryKey | None:
    """Return the primary key without a DESC that has no effect.

    DESC has no effect in a table constraint on a single INTEGER column.
    """
    if key is None or key.inline or len(key.parts) != 1 or not key.parts[0].descending:
        return key
    types = {fold(column.name): column.type or "" for column in columns}
    if types.get(fold(key.parts[0].column or ""), "").upper() != "INTEGER":
        return key
    return replace(key, parts=(replace(key.parts[0], descending=False),))


class _TableBody:
    """The columns and constraints read so far."""

    def __init__(self, table_name: str, parts: Sequence[Sequence[Token]]) -> None:
        self._table_name = table_name
        columns = (part[0].name for part in parts if part[0].word not in _TABLE_CONSTRAINTS)
        self._names = {fold(name): name for name in columns}
        self._known = known_names([*self._names, table_name])
        self.columns: list[m.Column] = []
        self.primary_key: m.PrimaryKey | None = None
        self.uniques: list[m.Unique] = []
        self.checks: list[m.Check] = []
        self.foreign_keys: list[m.ForeignKey] = []

    def read(self, part: Sequence[Token], comment: str | None) -> None:
        """Read a column with its constraints, or a constraint of the table."""
        cursor = Cursor(part)
        column = name = None
        if part[0].word not in _TABLE_CONSTRAINTS:
            column = cursor.name()
            self.columns.append(m.Column(name=column, type=_type(cursor), comment=comment))
        while not cursor.is_done:  # SQLite ignores a name without a constraint
            if cursor.accept("CONSTRAINT"):
                name = cursor.name()
            else:
                self._constraint(cursor, column, name)
                name = None

    def _expression(self, cursor: Cursor) -> m.SqlText:
        return stored_expression(cursor.balanced(), self._known, self._table_name)

    def _constraint(self, cursor: Cursor, column: str | None, name: str | None) -> None:
        match cursor.next().word:
            case "PRIMARY":
                cursor.expect("KEY")
                self._key(cursor, column, name)
            case "UNIQUE":
                parts = self._parts(cursor.balanced()) if column is None else (m.IndexPart(column=column),)
                unique = m.Unique(parts=parts, on_conflict=_conflict(cursor), name=name, inline=column is not None)
                self.uniques.append(unique)
            case "CHECK":
                expression = self._expression(cursor)
                allowed = allowed_values(expression)
                self.checks.append(m.Check(expression=expression, name=name, column=column, allowed=allowed))
                _conflict(cursor)  # allowed by the grammar, without effect
            case "FOREIGN" if column is None:
                cursor.expect("KEY")
                columns = cursor.names()
                cursor.expect("REFERENCES")
                key = _reference(cursor, columns, name=name, inline=False)
                self.foreign_keys.append(replace(key, deferral=_deferral(cursor)))
            case "REFERENCES" if column is not None:
                self.foreign_keys.append(_reference(cursor, (column,), name=name, inline=True))
            case word if column is not None:
                self._column_constraint(cursor, word, name)
            case word:
                raise SqlError(f"unknown table constraint {word!r}")

    def _key(self, cursor: Cursor, column: str | None, name: str | None) -> None:
        parts: tuple[m.IndexPart, ...]
        if column is not None:
            parts = (m.IndexPart(column=column, descending=cursor.one_of("ASC", "DESC") == "DESC"),)
            conflict, autoincrement = _conflict(cursor), cursor.accept("AUTOINCREMENT")
        else:
            inside = cursor.balanced()
            autoincrement = bool(inside) and inside[-1].word == "AUTOINCREMENT"
            parts, conflict = self._parts(inside[:-1] if autoincrement else inside), _conflict(cursor)
        self.primary_key = m.PrimaryKey(
            parts=parts,
            autoincrement=autoincrement,
            on_conflict=conflict,
            name=name,
            inline=column is not None,
            uniques_before=sum(not unique.inline for unique in self.uniques),
        )

    def _parts(self, tokens: Sequence[Token]) -> tuple[m.IndexPart, ...]:
        return tuple(index_part(part, self._names, self._known) for part in split_commas(tokens))

    def _column_constraint(self, cursor: Cursor, word: str, name: str | None) -> None:
        """Read a constraint that only a column can have, and that belongs to the last column."""
        column = self.columns[-1]
        match word:
            case "DEFAULT":
                self.columns[-1] = replace(column, default=self._default(cursor))
            case "NOT" if cursor.accept("NULL"):
                not_null = m.NotNull(on_conflict=_conflict(cursor), name=name)
                self.columns[-1] = replace(column, not_null=not_null)
            case "NOT" | "DEFERRABLE":
                cursor.at -= 1
                deferral = _deferral(cursor)
                if deferral is None or not self.foreign_keys:
                    raise SqlError(f"column {column.name!r}: {word} without a constraint that it belongs to")
                self.foreign_keys[-1] = replace(self.foreign_keys[-1], deferral=deferral)
            case "NULL":
                _conflict(cursor)  # allowed by the grammar, without effect
            case "COLLATE":
                self.columns[-1] = replace(column, collation=cursor.name())
            case "GENERATED" | "AS":
                self.columns[-1] = replace(column, generated=self._generated(cursor, word))
            case _:
                raise SqlError(f"column {column.name!r}: unknown constraint {word!r}")

    def _default(self, cursor: Cursor) -> m.SqlText:
        if cursor.peek() == "(":
            return self._expression(cursor)
        sign = [cursor.next()] if cursor.peek() in ("+", "-") else []
        return bare_default([*sign, cursor.next()])

    def _generated(self, cursor: Cursor, word: str) -> m.Generated:
        if word == "GENERATED":
            cursor.expect("ALWAYS", "AS")
        expression = self._expression(cursor)
        is_over = cursor.is_done or cursor.peek() in _COLUMN_CONSTRAINTS
        kind = "" if is_over else fold(cursor.name())
        return m.Generated(expression=expression, stored=kind == "stored", virtual=kind == "virtual")


def _type(cursor: Cursor) -> str | None:
    """Read the declared type as written, with single spaces; None if there is none."""
    found: list[Token] = []
    depth = 0
    while not cursor.is_done and (depth or cursor.peek() not in _COLUMN_CONSTRAINTS):
        token = cursor.next()
        depth += (token.word == "(") - (token.word == ")")
        found.append(token)
    return spell(found) or None


def _conflict(cursor: Cursor) -> m.Conflict | None:
    """Read an ON CONFLICT clause if one is next; None for the default, which is ABORT."""
    if not cursor.accept("ON", "CONFLICT"):
        return None
    word = cursor.next().word
    return None if word == "ABORT" else m.Conflict(word)


def _reference(cursor: Cursor, columns: tuple[str, ...], *, name: str | None, inline: bool) -> m.ForeignKey:
    table_name = cursor.name()
    targets = cursor.names() if cursor.peek() == "(" else ()
    key = m.ForeignKey(columns=columns, table=table_name, targets=targets, name=name, inline=inline)
    while (word := cursor.one_of("ON", "MATCH")) is not None:
        if word == "MATCH":
            key = replace(key, match=cursor.name())
        elif cursor.accept("DELETE"):
            key = replace(key, on_delete=_action(cursor))
        elif cursor.accept("UPDATE"):
            key = replace(key, on_update=_action(cursor))
        else:
            cursor.expect("INSERT")
            _action(cursor)  # allowed by the grammar, without effect
    return key


def _action(cursor: Cursor) -> m.Action | None:
    word = cursor.next().word
    if word in ("SET", "NO"):
        word += " " + cursor.next().word
    return None if word == "NO ACTION" else m.Action(word)


def _deferral(cursor: Cursor) -> m.Deferral | None:
    words = "NOT DEFERRABLE" if cursor.accept("NOT", "DEFERRABLE") else "DEFERRABLE"
    if words == "DEFERRABLE" and not cursor.accept("DEFERRABLE"):
        return None
    if cursor.accept("INITIALLY"):
        words += " INITIALLY " + cursor.next().word
    return m.Deferral(words)


def _comments(tokens: Sequence[Token]) -> tuple[str | None, dict[int, str]]:
    """Return the table's comment, and the comments on its columns and constraints by their position.

    A comment at the end of a line describes the part on that line. A comment on a separate line describes the next
    part.
    """
    found: dict[int, list[str]] = {}
    pending: list[str] = []  # comments on separate lines, before the part that they describe
    depth, part = 0, -1  # part -1 is the table itself
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
