"""Which words in double quotes are strings: SQLite takes one for text when it names nothing where it stands.

https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted. Whether a word names something depends
on scopes, aliases and joins, so SQLite itself is asked: ALTER TABLE … RENAME COLUMN writes every such string of a
database in single quotes, wherever it stands. It runs on an empty copy of the objects in question, in memory.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache

from waiaas_migrate.schema.model import Schema, Table
from waiaas_migrate.schema.rowid import ROWID_NAMES
from waiaas_migrate.sqlite.database.catalog import CatalogRow
from waiaas_migrate.sqlite.database.memory import execute, memory
from waiaas_migrate.sqlite.quoting import fold, quote_name
from waiaas_migrate.sqlite.reading.ddl import names_in
from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token, significant, tokenize

#: What SQLite says of an object at which ALTER TABLE stumbles.
_CULPRIT = re.compile(r"error in (?P<kind>table|index|view|trigger) ")
_MISSING = re.compile(r"no such column: (?P<name>.+)", re.DOTALL)


def double_quoted(sql: str) -> tuple[str, ...]:
    """The words of ``sql`` in double quotes, without them, that could be strings and could be names.

    The empty word is a string to everybody.
    """
    if '"' not in sql:
        return ()
    try:
        tokens = significant(tokenize(sql))
    except SqlError:
        return ()
    before, after = (_NOTHING, *tokens[:-1]), (*tokens[1:], _NOTHING)
    return tuple(
        token.name
        for previous, token, following in zip(before, tokens, after, strict=True)
        if _is_double_quoted(token)
        and token.name
        and previous.word not in _BEFORE_NAMES
        and following.word not in _BEHIND_NAMES
    )


_NOTHING = Token(Kind.SYMBOL, "")
_BEFORE_NAMES = frozenset({".", "COLLATE"})
_BEHIND_NAMES = frozenset({".", "("})


def is_text_term(sql: str) -> bool:
    """Whether a term of an index may be a mere string, as :func:`in_single_quotes` spells it."""
    return _AS_EXPRESSION in sql


_AS_EXPRESSION = " || '')"


def as_names(sql: str) -> str:
    """``sql`` with each word in double quotes written so that it can only be a name."""
    return _respelled(sql, lambda _, token: "`" + token.name.replace("`", "``") + "`")


def in_single_quotes(rows: tuple[CatalogRow, ...], schema: Schema) -> tuple[CatalogRow, ...]:
    """``rows`` with each string that stands in double quotes written in single quotes.

    ``schema`` is what the rows were read as. An object that does not compile stays as it is.
    """
    suspects = frozenset(_suspects(schema))
    if not suspects:
        return rows
    plain = tuple(row for row in rows if (row.kind, fold(row.name)) in suspects)
    found = {(row.kind, row.name): row for row in _fixed(plain, _needed(plain, rows))}
    return tuple(found.get((row.kind, row.name), row) for row in rows)


def strings_in(before: CatalogRow, after: CatalogRow) -> frozenset[str]:
    """The words that stand in double quotes in ``before``, and as strings in ``after``."""
    if before.sql == after.sql:
        return frozenset()
    return frozenset(Counter(_words(before.sql)) - Counter(_words(after.sql)))


def _words(sql: str) -> Iterator[str]:
    return (token.name for token in tokenize(sql) if _is_double_quoted(token))


def _is_double_quoted(token: Token) -> bool:
    return token.kind is Kind.NAME and token.text[0] == '"'


def _suspects(schema: Schema) -> Iterator[tuple[str, str]]:
    """The kinds and folded names of the objects that may hold such a string."""
    for table in schema.tables:
        names = {fold(column.name) for column in table.columns}
        names |= set() if table.without_rowid else {*ROWID_NAMES}
        if any(_holds_other(sql, names) for sql in _expressions(table)):
            yield "table", fold(table.name)
        for index in table.indexes:
            texts = [part.expression.sql for part in index.parts if part.expression is not None]
            texts += [index.where.sql] if index.where is not None else []
            if any(_holds_other(sql, names) for sql in texts):
                yield "index", fold(index.name)
    yield from (("view", fold(view.name)) for view in schema.views if double_quoted(view.statement.sql))
    yield from (("trigger", fold(trigger.name)) for trigger in schema.triggers if double_quoted(trigger.statement.sql))


def _expressions(table: Table) -> Iterator[str]:
    yield from (check.expression.sql for check in table.checks)
    # A DEFAULT can't name a column, so its words in double quotes are strings whatever comes.
    for column in table.columns:
        if column.generated is not None:
            yield column.generated.expression.sql


def _holds_other(sql: str, names: Collection[str]) -> bool:
    return any(fold(word) not in names for word in double_quoted(sql))


def _needed(suspects: Iterable[CatalogRow], rows: Sequence[CatalogRow]) -> tuple[CatalogRow, ...]:
    """``suspects`` and the tables and views that they may read: what a text does not mention means nothing to it."""
    others = {fold(row.name): row for row in rows if row.kind in ("table", "view")}
    needed: dict[tuple[str, str], CatalogRow] = {}
    waiting = list(suspects)
    while waiting:
        row = waiting.pop()
        if (row.kind, row.name) in needed:
            continue
        needed[row.kind, row.name] = row
        mentioned = [fold(row.table)] if row.kind in ("table", "index") else names_in(row.sql)
        waiting += [others[name] for name in mentioned if name in others]
    # A virtual table makes its own tables, and must come before their rows, which then are there already.
    order = ("table", "index", "view", "trigger")
    return tuple(sorted(needed.values(), key=lambda row: (order.index(row.kind), not row.is_virtual, row.name)))


@lru_cache(maxsize=64)
def _fixed(suspects: tuple[CatalogRow, ...], needed: tuple[CatalogRow, ...]) -> tuple[CatalogRow, ...]:
    """``suspects`` as SQLite spells them, beside what they need."""
    with closing(memory()) as scratch:
        for row in needed:
            _create(scratch, row.sql)
        _create(scratch, "CREATE TABLE _waiaas_probe (a)")
        while not _is_renamed(scratch):
            pass
        told = dict(scratch.execute("SELECT type || ' ' || lower(name), sql FROM sqlite_master").fetchall())
    return tuple(
        CatalogRow(
            kind=row.kind,
            name=row.name,
            table=row.table,
            sql=told.get(f"{row.kind} {fold(row.name)}") or row.sql,
        )
        for row in suspects
    )


def _create(scratch: sqlite3.Connection, sql: str) -> bool:
    """Whether ``sql`` works: what it needs may be missing here, or not compile there either."""
    try:
        execute(scratch, sql)
    except sqlite3.Error:
        return False
    return True


def _is_renamed(scratch: sqlite3.Connection) -> bool:
    """Rename a column; or take what is in the way away, or spell it differently, and say that it was."""
    try:
        execute(scratch, "ALTER TABLE _waiaas_probe RENAME COLUMN a TO b")
    except sqlite3.OperationalError as error:
        said = str(error)
        culprit = _CULPRIT.match(said)
        names = (
            []
            if culprit is None
            else [
                name
                for (name,) in scratch.execute("SELECT name FROM sqlite_master WHERE type = ?", (culprit["kind"],))
                if said[culprit.end() :].startswith((f"{name}: ", f"{name} after rename: "))
            ]
        )
        if culprit is None or not names:
            return True
        _take_away(scratch, culprit["kind"], names[0], said)
        return False
    return True


def _take_away(scratch: sqlite3.Connection, kind: str, name: str, said: str) -> None:
    """Drop an object that does not compile; an index on a mere string compiles once that is an expression."""
    sql: str = scratch.execute("SELECT sql FROM sqlite_master WHERE type = ? AND name = ?", (kind, name)).fetchone()[0]
    execute(scratch, f"DROP {kind.upper()} {quote_name(name)}")
    missing = _MISSING.search(said)
    if kind == "index" and missing is not None:
        respelled = _string_as_expression(sql, missing["name"])
        if respelled != sql:
            _create(scratch, respelled)


def _string_as_expression(sql: str, word: str) -> str:
    """The text of an index with a term that is no more than ``word`` as an expression of the same value.

    ``'word'`` alone would be taken for a column there, and nothing else may be written for ``"word"``.
    """
    tokens = significant(tokenize(sql))
    ends = {"(", ")", ",", "COLLATE", "ASC", "DESC"}
    terms = {
        at
        for at, (left, right) in enumerate(zip(tokens[:-2], tokens[2:], strict=True), 1)
        if {left.word, right.word} <= ends
    }
    return _respelled(
        sql, lambda at, token: f"({token.text}{_AS_EXPRESSION}" if at in terms and token.name == word else token.text
    )


def _respelled(sql: str, spelling: Callable[[int, Token], str]) -> str:
    """``sql`` with its words in double quotes as ``spelling`` has them, given the number of each token."""
    pieces: list[str] = []
    position = at = 0
    for token in tokenize(sql):
        start = sql.index(token.text, position)
        pieces += [sql[position:start], spelling(at, token) if _is_double_quoted(token) else token.text]
        position = start + len(token.text)
        at += token.kind is not Kind.COMMENT
    return "".join([*pieces, sql[position:]])
