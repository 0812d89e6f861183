"""Find functions and collations that a schema uses and SQLite does not have.

An application may register its own, so databases in memory accept any name (``database/memory.py``). Without this
check, nobody would notice a misspelled name until a row is written.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from itertools import pairwise

from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.model import Index, Schema, SqlText
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import execute, open_memory
from waiaas_migrate.sqlite.planning.row_values import is_filled
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.grammar import SqlError, tokenize, without_comments

#: Finds functions and collations in the key of an expression, which is the expression's syntax tree as JSON.
_NAMED = re.compile(r'"(?P<kind>func_name|collation|keyword)":(?P<name>"(?:[^"\\]|\\.)*")')
_KINDS = {"func_name": Code.UNKNOWN_FUNCTION, "collation": Code.UNKNOWN_COLLATION}

#: The name of an object or column, and its expression or the name of its collation, if any.
_Use = tuple[str, SqlText | str | None]


def unknown_names(old: Schema, new: Schema) -> tuple[Hazard, ...]:
    """Return a hazard for each function or collation that SQLite does not have.

    Names that ``old`` uses do not count. A backfill counts only if it fills existing rows.
    """
    before = old.by_name()
    added_or_changed = Schema(
        tables=tuple(table for table in new.tables if table != before.get(fold(table.name))),
        views=tuple(view for view in new.views if view not in old.views),
        triggers=tuple(trigger for trigger in new.triggers if trigger not in old.triggers),
    )
    used = [(code, name, owner) for owner, use in _uses(added_or_changed, old) for code, name in _names(use)]
    if not used:
        return ()
    with closing(open_memory()) as scratch:
        errors = {(code, fold(name)): _missing_error(scratch, code, name) for code, name, _ in used}
    known = {(code, fold(name)) for _, use in _uses(old, old) for code, name in _names(use)}
    found: dict[tuple[Code, str, str], Hazard] = {}
    for code, name, owner in used:
        key = code, fold(name)
        if key not in known and (error := errors[key]):
            found.setdefault((*key, owner), _hazard(code, name, owner, error))
    return tuple(found.values())


def _hazard(code: Code, name: str, owner: str, error: str) -> Hazard:
    kind = "function" if code is Code.UNKNOWN_FUNCTION else "collation"
    what = f"SQLite does not have this {kind}: {error}."
    fix = f"Correct the name. If the application defines the {kind}, register it in every connection that uses it."
    return Hazard(code=code, where=owner, what=what, fix=fix, name=fold(name))


@lru_cache(maxsize=256)
def default_error(sql: str) -> str | None:
    """Return SQLite's error for a DEFAULT, which CREATE TABLE does not check."""
    with closing(open_memory()) as scratch:
        try:
            execute(scratch, f"EXPLAIN SELECT {sql}")
        except sqlite3.Error as error:
            return str(error)
    return None


def uses_name(text: str, code: Code, name: str) -> bool:
    """Return whether ``text`` uses a literal, or a function or collation (folded)."""
    try:
        tokens = without_comments(tokenize(text))
    except SqlError:
        return False
    if code is Code.STALE_VALUE:
        return any(token.text == name for token in tokens)
    if code is Code.UNKNOWN_COLLATION:
        pairs = pairwise(tokens)
        return any(left.word == "COLLATE" and fold(right.name) == name for left, right in pairs)
    after = (*(token.word for token in tokens[1:]), "")
    return any(
        fold(token.name) == name and (following == "(" or token.word == "REGEXP")
        for token, following in zip(tokens, after, strict=True)
    )


def _missing_error(scratch: sqlite3.Connection, code: Code, name: str) -> str | None:
    """Return SQLite's error if ``name`` is missing, not if its arguments are wrong."""
    quoted = quote_name(name)
    query = f"SELECT {quoted}()" if code is Code.UNKNOWN_FUNCTION else f"SELECT 1 ORDER BY '' COLLATE {quoted}"
    try:
        scratch.execute(f"EXPLAIN {query}")
    except sqlite3.Error as error:
        return str(error) if str(error).startswith(("no such ", "unknown function")) else None
    return None


def _names(use: SqlText | str | None) -> Iterator[tuple[Code, str]]:
    if isinstance(use, str):
        yield Code.UNKNOWN_COLLATION, use
    for found in _NAMED.finditer(use.key) if isinstance(use, SqlText) else ():
        name: str = json.loads(found["name"])
        if found["kind"] in _KINDS:
            yield _KINDS[found["kind"]], name
        elif name == "REGEXP":
            yield Code.UNKNOWN_FUNCTION, name


def _uses(schema: Schema, old: Schema) -> Iterator[_Use]:
    """Yield expressions and collations, including backfills that fill rows of ``old``."""
    before = old.by_name()
    for table in schema.tables:
        for column in table.columns:
            yield f"{table.name}.{column.name}", column.default
            yield f"{table.name}.{column.name}", column.collation
            if (old_table := before.get(fold(table.name))) is not None and is_filled(old_table, column):
                yield f"{table.name}.{column.name}", column.hints.backfill
        yield from ((where, text) for _, where, text in table.expressions())
        for key in (table.primary_key, *table.uniques, *table.indexes):
            for part in key.parts if key is not None else ():
                yield key.name if isinstance(key, Index) else table.name, part.collation
    yield from ((view.name, view.statement) for view in schema.views)
    yield from ((trigger.name, trigger.statement) for trigger in schema.triggers)
