"""CREATE TABLE read into the model (https://www.sqlite.org/lang_createtable.html)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from waiaas_migrate.schema.model import (
    Action,
    Check,
    Column,
    Conflict,
    Deferral,
    ForeignKey,
    Generated,
    IndexPart,
    NotNull,
    PrimaryKey,
    SqlText,
    Table,
    Unique,
)
from waiaas_migrate.schema.rowid import rowid_column
from waiaas_migrate.sqlite.quoting import fold
from waiaas_migrate.sqlite.reading.allowed_values import allowed_values
from waiaas_migrate.sqlite.reading.cursor import Cursor, split_commas
from waiaas_migrate.sqlite.reading.ddl import bare_default, index_part, known_names, stored_expression
from waiaas_migrate.sqlite.reading.ddl_comments import comments
from waiaas_migrate.sqlite.reading.grammar import SqlError, Token, significant, tokenize
from waiaas_migrate.sqlite.reading.spelling import spell

WordT = TypeVar("WordT", bound=StrEnum)

_TABLE_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
_COLUMN_CONSTRAINTS = frozenset(
    {"CONSTRAINT", "DEFAULT", "NULL", "NOT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "COLLATE", "GENERATED", "AS"}
    | {"DEFERRABLE"}
)


def table(sql: str) -> Table:
    """The table of a CREATE TABLE that SQLite has accepted, without its indexes.

    Raises:
        SqlError: where the text is no CREATE TABLE that this grammar knows.
    """
    tokens = tokenize(sql)
    cursor = Cursor(significant(tokens))
    cursor.expect("CREATE", "TABLE")
    cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.name()
    parts = split_commas(cursor.balanced())
    strict, without_rowid = _options(cursor)
    on_table, on_parts = comments(tokens)
    reading = _Reading(name, parts)
    for at, part in enumerate(parts):
        reading.read(part, comment=on_parts.get(at))
    return reading.finished(strict=strict, without_rowid=without_rowid, comment=on_table)


def _options(cursor: Cursor) -> tuple[bool, bool]:
    strict = without_rowid = False
    while not cursor.is_done and not cursor.accept(";"):
        if cursor.accept("STRICT"):
            strict = True
        else:
            cursor.expect("WITHOUT")
            if fold(cursor.name()) != "rowid":
                raise SqlError("unknown table option")
            without_rowid = True
        cursor.accept(",")
    return strict, without_rowid


def _begins_constraint(part: Sequence[Token]) -> bool:
    return part[0].word in _TABLE_CONSTRAINTS


class _Reading:
    """What was read of one table so far."""

    def __init__(self, name: str, parts: Sequence[Sequence[Token]]) -> None:
        self.name = name
        self.names = {fold(part[0].name): part[0].name for part in parts if not _begins_constraint(part)}
        self.known = known_names([*self.names, name])
        self.columns: list[Column] = []
        self.primary_key: PrimaryKey | None = None
        self.uniques: list[Unique] = []
        self.checks: list[Check] = []
        self.foreign_keys: list[ForeignKey] = []

    def read(self, part: Sequence[Token], comment: str | None) -> None:
        cursor = Cursor(part)
        if _begins_constraint(part):
            while not cursor.is_done:
                self._table_constraint(cursor)
        else:
            self._column(cursor, comment)

    def finished(self, *, strict: bool, without_rowid: bool, comment: str | None) -> Table:
        table = Table(
            name=self.name,
            columns=tuple(self.columns),
            primary_key=self.primary_key,
            uniques=tuple(self.uniques),
            checks=tuple(self.checks),
            foreign_keys=tuple(self.foreign_keys),
            strict=strict,
            without_rowid=without_rowid,
            comment=comment,
        )
        key = table.primary_key
        if key is None or rowid_column(table) is None:
            return table
        # DESC, written on the table, means nothing for an alias of the rowid.
        return replace(table, primary_key=replace(key, parts=(replace(key.parts[0], descending=False),)))

    def _expression(self, cursor: Cursor) -> SqlText:
        return stored_expression(cursor.balanced(), self.known, self.name)

    def _check(self, cursor: Cursor, name: str | None, column: str | None = None) -> Check:
        expression = self._expression(cursor)
        return Check(expression=expression, name=name, column=column, allowed=allowed_values(expression))

    # Table constraints

    def _table_constraint(self, cursor: Cursor) -> None:
        name = None
        while cursor.accept("CONSTRAINT"):
            name = cursor.name()
        if cursor.is_done:
            return  # a name without a constraint, which SQLite accepts and forgets
        match cursor.next().word:
            case "PRIMARY":
                cursor.expect("KEY")
                self._table_key(cursor, name)
            case "UNIQUE":
                parts = self._parts(cursor.balanced())
                self.uniques.append(Unique(parts=parts, on_conflict=conflict(cursor), name=name))
            case "CHECK":
                self.checks.append(self._check(cursor, name))
                conflict(cursor)  # accepted by the grammar, without effect
            case "FOREIGN":
                cursor.expect("KEY")
                columns = cursor.names()
                cursor.expect("REFERENCES")
                key = _reference(cursor, columns, name=name, inline=False)
                self.foreign_keys.append(replace(key, deferral=_deferral(cursor)))
            case word:
                raise SqlError(f"unknown table constraint {word!r}")

    def _table_key(self, cursor: Cursor, name: str | None) -> None:
        inside = cursor.balanced()
        autoincrement = bool(inside) and inside[-1].word == "AUTOINCREMENT"
        parts = self._parts(inside[:-1] if autoincrement else inside)
        on_conflict = conflict(cursor)
        after = sum(not unique.inline for unique in self.uniques)
        self.primary_key = PrimaryKey(
            parts=parts, autoincrement=autoincrement, on_conflict=on_conflict, name=name, after=after
        )

    def _parts(self, tokens: Sequence[Token]) -> tuple[IndexPart, ...]:
        return tuple(index_part(part, self.names, self.known) for part in split_commas(tokens))

    # Columns

    def _column(self, cursor: Cursor, comment: str | None) -> None:
        name = cursor.name()
        declared = _type(cursor)
        self.columns.append(Column(name=name, type=declared, comment=comment))
        constraint_name = None
        while not cursor.is_done:
            word = cursor.next().word
            if word == "CONSTRAINT":
                constraint_name = cursor.name()
            else:
                self._column_constraint(cursor, word, constraint_name)
                constraint_name = None

    def _column_constraint(self, cursor: Cursor, word: str, name: str | None) -> None:
        column = self.columns[-1].name
        match word:
            case "NOT" | "DEFERRABLE":
                self._negation(cursor, word, name)
            case "NULL":
                conflict(cursor)  # accepted by the grammar, without effect
            case "PRIMARY":
                self._column_key(cursor, name)
            case "UNIQUE":
                part = IndexPart(column=column)
                self.uniques.append(Unique(parts=(part,), on_conflict=conflict(cursor), name=name, inline=True))
            case "CHECK":
                self.checks.append(self._check(cursor, name, column))
            case "REFERENCES":
                self.foreign_keys.append(_reference(cursor, (column,), name=name, inline=True))
            case _:
                self._column_attribute(cursor, word)

    def _column_attribute(self, cursor: Cursor, word: str) -> None:
        match word:
            case "DEFAULT":
                self._change(default=self._default(cursor))
            case "COLLATE":
                self._change(collation=cursor.name())
            case "GENERATED":
                cursor.expect("ALWAYS", "AS")
                self._generated(cursor)
            case "AS":
                self._generated(cursor)
            case _:
                raise SqlError(f"column {self.columns[-1].name!r}: unknown constraint {word!r}")

    def _change(
        self,
        *,
        default: SqlText | None = None,
        collation: str | None = None,
        generated: Generated | None = None,
        not_null: NotNull | None = None,
    ) -> None:
        column = self.columns[-1]
        self.columns[-1] = replace(
            column,
            default=default or column.default,
            collation=collation or column.collation,
            generated=generated or column.generated,
            not_null=not_null or column.not_null,
        )

    def _negation(self, cursor: Cursor, word: str, name: str | None) -> None:
        if word == "NOT" and cursor.accept("NULL"):
            self._change(not_null=NotNull(on_conflict=conflict(cursor), name=name))
            return
        cursor.at -= 1
        deferral = _deferral(cursor)
        if deferral is None or not self.foreign_keys:
            raise SqlError(f"column {self.columns[-1].name!r}: {word} without what it belongs to")
        self.foreign_keys[-1] = replace(self.foreign_keys[-1], deferral=deferral)

    def _column_key(self, cursor: Cursor, name: str | None) -> None:
        cursor.expect("KEY")
        part = IndexPart(column=self.columns[-1].name, descending=cursor.one_of("ASC", "DESC") == "DESC")
        on_conflict = conflict(cursor)
        autoincrement = cursor.accept("AUTOINCREMENT")
        self.primary_key = PrimaryKey(
            parts=(part,), autoincrement=autoincrement, on_conflict=on_conflict, name=name, inline=True
        )

    def _default(self, cursor: Cursor) -> SqlText:
        if cursor.peek() == "(":
            return self._expression(cursor)
        sign = [cursor.next()] if cursor.peek() in ("+", "-") else []
        token = cursor.next()
        return bare_default([*sign, token])

    def _generated(self, cursor: Cursor) -> None:
        expression = self._expression(cursor)
        word = ""
        if not cursor.is_done and cursor.peek() not in _COLUMN_CONSTRAINTS:
            word = fold(cursor.name())
        generated = Generated(expression=expression, stored=word == "stored", virtual=word == "virtual")
        self._change(generated=generated)


def _type(cursor: Cursor) -> str | None:
    """The declared type as written, white space collapsed; None where there is none."""
    found: list[Token] = []
    depth = 0
    while not cursor.is_done and (depth or cursor.peek() not in _COLUMN_CONSTRAINTS):
        token = cursor.next()
        depth += (token.word == "(") - (token.word == ")")
        found.append(token)
    return spell(found) or None


def conflict(cursor: Cursor) -> Conflict | None:
    """An ON CONFLICT clause, if one is next; ABORT is the default and None."""
    if not cursor.accept("ON", "CONFLICT"):
        return None
    word = cursor.next().word
    return None if word == "ABORT" else _member(Conflict, word)


def _member(words: type[WordT], word: str) -> WordT:
    try:
        return words(word)
    except ValueError:
        raise SqlError(f"unknown word {word!r}") from None


def _reference(cursor: Cursor, columns: tuple[str, ...], *, name: str | None, inline: bool) -> ForeignKey:
    table_name = cursor.name()
    targets = cursor.names() if cursor.peek() == "(" else ()
    key = ForeignKey(columns=columns, table=table_name, targets=targets, name=name, inline=inline)
    while (word := cursor.one_of("ON", "MATCH")) is not None:
        if word == "MATCH":
            key = replace(key, match=cursor.name())
            continue
        event = cursor.next().word
        action = _action(cursor)
        if event == "DELETE":
            key = replace(key, on_delete=action)
        elif event == "UPDATE":
            key = replace(key, on_update=action)
    return key


def _action(cursor: Cursor) -> Action | None:
    word = cursor.next().word
    if word in ("SET", "NO"):
        word += " " + cursor.next().word
    return None if word == "NO ACTION" else _member(Action, word)


def _deferral(cursor: Cursor) -> Deferral | None:
    words: list[str] = []
    if cursor.accept("NOT", "DEFERRABLE"):
        words = ["NOT", "DEFERRABLE"]
    elif cursor.accept("DEFERRABLE"):
        words = ["DEFERRABLE"]
    if words and cursor.accept("INITIALLY"):
        words += ["INITIALLY", cursor.next().word]
    return _member(Deferral, " ".join(words)) if words else None
