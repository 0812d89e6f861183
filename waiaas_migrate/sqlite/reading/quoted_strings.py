"""Find strings in double quotes, and rewrite them in single quotes.

SQLite reads a word in double quotes as a string if nothing has that name
(https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted). This depends on scopes, aliases and
joins, so SQLite itself must decide: ALTER TABLE … RENAME COLUMN rewrites every such string of a database in single
quotes. :func:`requote_strings` runs this statement in memory, on a copy of the affected objects without rows.
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

#: Strings in double quotes, by the kind and folded name of the object. The strings of an index are listed under its
#: table.
QuotedStrings = Mapping[tuple[str, str], frozenset[str]]

_MISSING = re.compile(r"no such column: (?P<name>.+)", re.DOTALL)
_NO_TOKEN = Token(Kind.SYMBOL, "")
#: The end of an index term that :func:`requote_strings` rewrote as an expression, because it was only a string.
_END_OF_EXPRESSION = " || '')"


def double_quoted_words(sql: str) -> tuple[str, ...]:
    """Return the words in double quotes that may be strings or names, without quotes.

    Leave out the empty word, which is always a string. Return nothing if ``sql`` has a part that is not a token.
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
    """Return whether :func:`requote_strings` may have rewritten an index term."""
    return _END_OF_EXPRESSION in sql


def quote_as_names(sql: str) -> str:
    """Return ``sql`` on one line, with backticks for double quotes, so that the words are names."""
    return spell(
        [
            token._replace(text="`" + token.name.replace("`", "``") + "`") if _is_double_quoted(token) else token
            for token in tokenize(sql)
        ]
    )


def requote_strings(rows: tuple[CatalogRow, ...], schema: Schema) -> tuple[tuple[CatalogRow, ...], QuotedStrings]:
    """Change the quotes of strings from double to single; return the new rows and the strings.

    ``rows`` are the catalog of a database, and ``schema`` was read from them. An object that doesn't compile stays
    unchanged.
    """
    suspects = frozenset(_suspects(schema))
    old = tuple(row for row in rows if (row.kind, fold(row.name)) in suspects)
    new = _requoted(old, _needed(old, rows)) if old else ()
    strings: dict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
    for before, after in zip(old, new, strict=True):
        if words := frozenset(Counter(_words(before.sql)) - Counter(_words(after.sql))):
            kind, name = ("table", before.table) if before.kind == "index" else (before.kind, before.name)
            strings[kind, fold(name)] |= words
    requoted = {(row.kind, row.name): row for row in new}
    return tuple(requoted.get((row.kind, row.name), row) for row in rows), dict(strings)


def _with_neighbors(sql: str) -> Iterator[tuple[Token, Token, Token]]:
    """Yield the previous token, the token and the next token, for each token of ``sql``."""
    tokens = without_comments(tokenize(sql))
    return zip((_NO_TOKEN, *tokens[:-1]), tokens, (*tokens[1:], _NO_TOKEN), strict=True)


def _words(sql: str) -> Iterator[str]:
    return (token.name for token in tokenize(sql) if _is_double_quoted(token))


def _is_double_quoted(token: Token) -> bool:
    return token.kind is Kind.NAME and token.text[0] == '"'


def _suspects(schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield the kind and folded name of each object that may have a string in double quotes."""
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
    yield from (("view", fold(item.name)) for item in schema.views if double_quoted_words(item.statement.sql))
    yield from (("trigger", fold(item.name)) for item in schema.triggers if double_quoted_words(item.statement.sql))


def _has_other_word(texts: Iterable[SqlText | None], names: Collection[str]) -> bool:
    """Return whether ``texts`` have a word in double quotes that is not one of ``names``."""
    return any(fold(word) not in names for text in texts if text is not None for word in double_quoted_words(text.sql))


def _needed(suspects: Iterable[CatalogRow], rows: Sequence[CatalogRow]) -> tuple[CatalogRow, ...]:
    """Return ``suspects``, and the tables and views that they may read."""
    readable = {fold(row.name): row for row in rows if row.kind in ("table", "view")}
    needed: set[CatalogRow] = set()
    waiting = list(suspects)
    while waiting:
        row = waiting.pop()
        if row not in needed:
            needed.add(row)
            mentioned = [fold(row.table)] if row.kind in ("table", "index") else names_in(row.sql)
            waiting += [readable[name] for name in mentioned if name in readable]
    return tuple(row for row in rows if row in needed)


@lru_cache(maxsize=64)
def _requoted(suspects: tuple[CatalogRow, ...], needed: tuple[CatalogRow, ...]) -> tuple[CatalogRow, ...]:
    """Run a rename in a database with ``needed``; return ``suspects`` as SQLite rewrites them."""
    with closing(schema_copy(needed, skip_refused=True)) as scratch:
        with suppress(sqlite3.OperationalError):
            for culprit, error in dropped_culprits(scratch, RENAME_COLUMN):
                missing = _MISSING.search(error)
                if culprit.kind == "index" and missing is not None:
                    respelled = _string_as_expression(culprit.sql, missing["name"])
                    if is_string_term(respelled):
                        with suppress(sqlite3.Error):  # the index may fail for another reason
                            execute(scratch, respelled)
        texts = dict(scratch.execute("SELECT type || ' ' || lower(name), sql FROM sqlite_master").fetchall())
    return tuple(replace(row, sql=texts.get(f"{row.kind} {fold(row.name)}") or row.sql) for row in suspects)


def _string_as_expression(sql: str, word: str) -> str:
    """Rewrite the string ``word`` as an expression, if it is a whole term of an index.

    As a whole term, SQLite would read even ``'word'`` as a column.
    """
    ends = {"(", ")", ",", "COLLATE", "ASC", "DESC"}
    return spell(
        [
            token._replace(text=f"({token.text}{_END_OF_EXPRESSION}")
            if _is_double_quoted(token) and token.name == word and {previous.word, following.word} <= ends
            else token
            for previous, token, following in _with_neighbors(sql)
        ]
    )
