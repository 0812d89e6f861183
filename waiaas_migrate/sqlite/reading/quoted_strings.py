"""Find strings in double quotes: SQLite reads such a word as a string if nothing has that name.

See https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted. Whether a word names something
depends on scopes, aliases and joins, so SQLite decides: ALTER TABLE … RENAME COLUMN puts every such string of a
database in single quotes. The rename runs in memory, on a copy of the affected objects without rows.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import lru_cache

from waiaas_migrate.schema.model import Schema, SqlText
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES
from waiaas_migrate.sqlite.database.catalog import CatalogRow
from waiaas_migrate.sqlite.database.memory import execute, schema_copy
from waiaas_migrate.sqlite.reading.broken import RENAME_COLUMN, dropped_culprits
from waiaas_migrate.sqlite.reading.ddl import names_in
from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token, tokenize, without_comments
from waiaas_migrate.sqlite.reading.spelling import spell

#: The strings in double quotes, by the kind and folded name of the table (also for its indexes), view or trigger.
Strings = Mapping[tuple[str, str], frozenset[str]]

_MISSING = re.compile(r"no such column: (?P<name>.+)", re.DOTALL)
_NOTHING = Token(Kind.SYMBOL, "")
#: The end of an index term that was only a string before :func:`in_single_quotes` made it an expression.
_AS_EXPRESSION = " || '')"


def double_quoted(sql: str) -> tuple[str, ...]:
    """Return the words of ``sql`` in double quotes that may be strings or names, without their quotes.

    The empty word is left out, since it is always a string.
    """
    if '"' not in sql:
        return ()
    try:
        neighbors = _with_neighbors(sql)
    except SqlError:
        return ()
    return tuple(
        token.name
        for previous, token, following in neighbors
        if _is_double_quoted(token)
        and token.name
        and previous.word not in (".", "COLLATE")
        and following.word not in (".", "(")
    )


def is_string_term(sql: str) -> bool:
    """Return whether an index term may be a string that :func:`in_single_quotes` made an expression."""
    return _AS_EXPRESSION in sql


def quote_as_names(sql: str) -> str:
    """Return ``sql`` with backticks in place of double quotes, so that each quoted word can only be a name."""
    return spell(
        [
            token._replace(text="`" + token.name.replace("`", "``") + "`") if _is_double_quoted(token) else token
            for token in tokenize(sql)
        ]
    )


def in_single_quotes(rows: tuple[CatalogRow, ...], schema: Schema) -> tuple[tuple[CatalogRow, ...], Strings]:
    """Return ``rows`` with single quotes around each string in double quotes, and these strings.

    ``schema`` is the model of the rows. An object that doesn't compile stays unchanged.
    """
    suspects = frozenset(_suspects(schema))
    old = tuple(row for row in rows if (row.kind, fold(row.name)) in suspects)
    new = _requoted(old, _needed(old, rows)) if old else ()
    strings: dict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
    for before, after in zip(old, new, strict=True):
        if words := frozenset(Counter(_words(before.sql)) - Counter(_words(after.sql))):
            kind, name = ("table", before.table) if before.kind == "index" else (before.kind, before.name)
            strings[kind, fold(name)] |= words
    fixed = {(row.kind, row.name): row for row in new}
    return tuple(fixed.get((row.kind, row.name), row) for row in rows), dict(strings)


def _with_neighbors(sql: str) -> Iterator[tuple[Token, Token, Token]]:
    """Return each token of ``sql`` between the ones before and after it."""
    tokens = without_comments(tokenize(sql))
    return zip((_NOTHING, *tokens[:-1]), tokens, (*tokens[1:], _NOTHING), strict=True)


def _words(sql: str) -> Iterator[str]:
    return (token.name for token in tokenize(sql) if _is_double_quoted(token))


def _is_double_quoted(token: Token) -> bool:
    return token.kind is Kind.NAME and token.text[0] == '"'


def _suspects(schema: Schema) -> Iterator[tuple[str, str]]:
    """Return the kinds and folded names of the objects that may have a string in double quotes."""
    for table in schema.tables:
        names = {fold(column.name) for column in table.columns}
        names |= set() if table.without_rowid else {*ROWID_NAMES}
        # A DEFAULT can't name a column, so its words in double quotes are always strings.
        texts = [check.expression for check in table.checks]
        texts += [column.generated.expression for column in table.columns if column.generated is not None]
        if _has_other_word(texts, names):
            yield "table", fold(table.name)
        for index in table.indexes:
            if _has_other_word([*(part.expression for part in index.parts), index.where], names):
                yield "index", fold(index.name)
    yield from (("view", fold(view.name)) for view in schema.views if double_quoted(view.statement.sql))
    yield from (("trigger", fold(trigger.name)) for trigger in schema.triggers if double_quoted(trigger.statement.sql))


def _has_other_word(texts: Iterable[SqlText | None], names: Collection[str]) -> bool:
    return any(fold(word) not in names for text in texts if text is not None for word in double_quoted(text.sql))


def _needed(suspects: Iterable[CatalogRow], rows: Sequence[CatalogRow]) -> tuple[CatalogRow, ...]:
    """Return ``suspects``, and the tables and views that they may read, because their texts mention them."""
    others = {fold(row.name): row for row in rows if row.kind in ("table", "view")}
    needed: set[CatalogRow] = set()
    waiting = list(suspects)
    while waiting:
        row = waiting.pop()
        if row not in needed:
            needed.add(row)
            mentioned = [fold(row.table)] if row.kind in ("table", "index") else names_in(row.sql)
            waiting += [others[name] for name in mentioned if name in others]
    return tuple(row for row in rows if row in needed)


@lru_cache(maxsize=64)
def _requoted(suspects: tuple[CatalogRow, ...], needed: tuple[CatalogRow, ...]) -> tuple[CatalogRow, ...]:
    """Return ``suspects`` as SQLite spells them after a rename, in a database with the objects that they need."""
    with closing(schema_copy(needed, skip_refused=True)) as scratch:
        with suppress(sqlite3.OperationalError):
            for culprit in dropped_culprits(scratch, RENAME_COLUMN):
                missing = _MISSING.search(culprit.error)
                if culprit.kind == "index" and missing is not None:
                    respelled = _string_as_expression(culprit.sql, missing["name"])
                    if is_string_term(respelled):
                        with suppress(sqlite3.Error):  # it may not compile for another reason
                            execute(scratch, respelled)
        texts = dict(scratch.execute("SELECT type || ' ' || lower(name), sql FROM sqlite_master").fetchall())
    return tuple(replace(row, sql=texts.get(f"{row.kind} {fold(row.name)}") or row.sql) for row in suspects)


def _string_as_expression(sql: str, word: str) -> str:
    """Return the text of an index; turn each term that is only ``word`` into an expression of the same value.

    In an index, SQLite would read even ``'word'`` as a column.
    """
    ends = {"(", ")", ",", "COLLATE", "ASC", "DESC"}
    return spell(
        [
            token._replace(text=f"({token.text}{_AS_EXPRESSION}")
            if _is_double_quoted(token) and token.name == word and {previous.word, following.word} <= ends
            else token
            for previous, token, following in _with_neighbors(sql)
        ]
    )
