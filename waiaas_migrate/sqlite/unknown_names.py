"""Functions and collations that a schema names and this SQLite does not have.

Databases in memory get stand-ins for them (:mod:`waiaas_migrate.sqlite.memory`), because an application may bring its
own. So a misspelled name would go unnoticed until a row is written.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from waiaas_migrate.schema.hazard_codes import Code
from waiaas_migrate.schema.model import Schema, SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.grammar import SqlError, significant, tokenize
from waiaas_migrate.sqlite.memory import execute, memory
from waiaas_migrate.sqlite.quoting import quote_name

#: Functions and collations in the meaning of an expression, which is a tree as JSON.
_NAMED = re.compile(r'"(?P<kind>func_name|collation|keyword)":(?P<name>"(?:[^"\\]|\\.)*")')
_KINDS = {"func_name": Code.UNKNOWN_FUNCTION, "collation": Code.UNKNOWN_COLLATION}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownName:
    """A name that SQLite does not know: the hazard that it is, the name, where it is used, and what SQLite says."""

    code: Code
    name: str
    owner: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """An expression, or a collation by its name, and what it belongs to."""

    owner: str
    text: SqlText | None = None
    collation: str | None = None


def unknown_names(old: Schema, new: Schema) -> tuple[UnknownName, ...]:
    """Return each function and collation that ``new`` names, ``old`` does not, and SQLite does not have."""
    before = {name for use in _uses(old) for name in _names(use)}
    with closing(memory()) as scratch:
        errors: dict[tuple[Code, str], str | None] = {}
        found: dict[tuple[Code, str, str], UnknownName] = {}
        for use in _uses(new):
            for code, name in _names(use):
                if (code, name) not in errors:
                    errors[code, name] = None if (code, name) in before else _lacking(scratch, code, name)
                error = errors[code, name]
                if error is not None:
                    one = UnknownName(code=code, name=name, owner=use.owner, error=error)
                    found.setdefault((code, name, use.owner), one)
    return tuple(found.values())


@lru_cache(maxsize=256)
def default_error(sql: str) -> str | None:
    """Return what SQLite will say of a DEFAULT when it is used: CREATE TABLE does not look at its functions."""
    with closing(memory()) as scratch:
        try:
            execute(scratch, f"EXPLAIN SELECT {sql}")
        except sqlite3.Error as error:
            return str(error)
    return None


def names_it(text: str, code: Code, name: str) -> bool:
    """Return whether an SQL text calls the function, or uses the collation, ``name`` (folded)."""
    try:
        tokens = significant(tokenize(text))
    except SqlError:
        return False
    if code is Code.UNKNOWN_COLLATION:
        pairs = pairwise(tokens)
        return any(left.word == "COLLATE" and fold(right.name) == name for left, right in pairs)
    after = (*(token.word for token in tokens[1:]), "")
    return any(
        fold(token.name) == name and (following == "(" or token.word == "REGEXP")
        for token, following in zip(tokens, after, strict=True)
    )


def _lacking(scratch: sqlite3.Connection, code: Code, name: str) -> str | None:
    """Return SQLite's error if it does not know the name at all; a wrong number of arguments shows that it does."""
    quoted = quote_name(name)
    query = f"SELECT {quoted}()" if code is Code.UNKNOWN_FUNCTION else f"SELECT 1 ORDER BY '' COLLATE {quoted}"
    try:
        scratch.execute(f"EXPLAIN {query}")
    except sqlite3.Error as error:
        return str(error) if str(error).startswith(("no such ", "unknown function")) else None
    return None


def _names(use: _Use) -> Iterator[tuple[Code, str]]:
    if use.collation is not None:
        yield Code.UNKNOWN_COLLATION, fold(use.collation)
    if use.text is None:
        return
    for found in _NAMED.finditer(use.text.key):
        name = fold(json.loads(found["name"]))
        if found["kind"] in _KINDS:
            yield _KINDS[found["kind"]], name
        elif name == "regexp":
            yield Code.UNKNOWN_FUNCTION, name


def _uses(schema: Schema) -> Iterator[_Use]:
    for table in schema.tables:
        yield from _uses_of(table)
    for view in schema.views:
        yield _Use(owner=view.name, text=view.statement)
    for trigger in schema.triggers:
        yield _Use(owner=trigger.name, text=trigger.statement)


def _uses_of(table: Table) -> Iterator[_Use]:
    for column in table.columns:
        generated = column.generated.expression if column.generated is not None else None
        for text in (column.default, generated, column.hints.backfill):
            yield _Use(owner=f"{table.name}.{column.name}", text=text)
        yield _Use(owner=f"{table.name}.{column.name}", collation=column.collation)
    for check in table.checks:
        yield _Use(owner=f"{table.name}.{check.column}" if check.column else table.name, text=check.expression)
    for key in (table.primary_key, *table.uniques):
        for part in key.parts if key is not None else ():
            yield _Use(owner=table.name, collation=part.collation)
    for index in table.indexes:
        yield _Use(owner=index.name, text=index.where)
        for part in index.parts:
            yield _Use(owner=index.name, text=part.expression, collation=part.collation)
