"""Write a schema in a different spelling, and make schemas that differ in one thing."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from waiaas_migrate.schema.model import (
    Action,
    Check,
    Column,
    Conflict,
    Deferral,
    ForeignKey,
    Index,
    NotNull,
    PrimaryKey,
    Schema,
    SqlText,
    Table,
    Unique,
)
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import RESERVED, quote_name
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import Kind, Token, tokenize, without_comments

_SPACES = (" ", "\n", "\t", "  \r\n ", "/* it's, ( ; */", "/**/", ' -- say "no", )\n', "\f ")
#: Words that may be a name, and mean something else in other quotes: type names, and WITHOUT ROWID.
_OTHER_WORDS = frozenset("any big blob boolean int integer json numeric odd real rowid text type uuid unsigned".split())
_OTHER_WORDS |= {"quoted type"}


def respelt(sql: str, names: frozenset[str], rng: random.Random) -> str:
    """Return a CREATE statement in other quotes and other case, with comments and white space anywhere."""
    pieces: list[str] = []
    previous = Token(Kind.SYMBOL, "(")
    for token in without_comments(tokenize(sql)):
        follows_default = previous.word == "DEFAULT"
        pieces.append(_space(previous, token, rng))
        pieces.append(token.text if follows_default else _token(token, names, rng))
        previous = token
    return "".join(pieces)


def _space(previous: Token, token: Token, rng: random.Random) -> str:
    if token.word in ("GENERATED", "ALWAYS"):
        return " "  # SQLite reads a comment before either as part of the type
    may_touch = not token.spaced or {previous.text, token.text} & set("(),;")
    return "" if may_touch and rng.random() < 0.5 else rng.choice(_SPACES)


def _token(token: Token, names: frozenset[str], rng: random.Random) -> str:
    name = token.name
    is_reserved = name.upper() in RESERVED
    is_name = token.kind is Kind.NAME or (token.kind is Kind.WORD and fold(name) in names and not is_reserved)
    if is_name and fold(name) not in _OTHER_WORDS:
        return _quoted(rng.choice([name, name.upper(), name.lower()]) if name.isascii() else name, rng)
    if token.kind in (Kind.WORD, Kind.VALUE):
        return rng.choice([token.text, token.text.upper(), token.text.lower(), token.text.title()])
    return token.text


def _quoted(name: str, rng: random.Random) -> str:
    spellings = [quote_name(name), '"' + name.replace('"', '""') + '"', "`" + name.replace("`", "``") + "`"]
    if "]" not in name:
        spellings.append(f"[{name}]")
    return rng.choice(spellings)


def moved(schema: Schema, rng: random.Random) -> Schema:
    """Return ``schema`` with its constraints in other places and another order, and more parentheses."""
    tables = [_moved_table(table, rng) for table in schema.tables]
    rng.shuffle(tables)
    return replace(schema, tables=tuple(tables))


def _moved_table(table: Table, rng: random.Random) -> Table:
    checks = [
        replace(
            check,
            expression=_wrapped(check.expression, rng),
            column=rng.choice([None, *(column.name for column in table.columns)]),
        )
        for check in table.checks
    ]
    uniques = [replace(unique, inline=_is_movable(unique) and rng.random() < 0.5) for unique in table.uniques]
    keys = [replace(key, inline=len(key.columns) == 1 and rng.random() < 0.5) for key in table.foreign_keys]
    for constraints in (checks, uniques, keys):
        rng.shuffle(constraints)
    return replace(
        table,
        columns=tuple(_moved_column(column, rng) for column in table.columns),
        primary_key=_moved_key(table, rng),
        checks=tuple(checks),
        uniques=tuple(uniques),
        foreign_keys=tuple(keys),
        indexes=tuple(_moved_index(index, rng) for index in rng.sample(table.indexes, len(table.indexes))),
    )


def _is_movable(key: PrimaryKey | Unique) -> bool:
    return len(key.parts) == 1 and key.parts[0].collation is None and not key.parts[0].descending


def _moved_key(table: Table, rng: random.Random) -> PrimaryKey | None:
    key = table.primary_key
    return key if key is None or not _is_movable(key) else replace(key, inline=rng.random() < 0.5)


def _moved_column(column: Column, rng: random.Random) -> Column:
    generated, default = column.generated, column.default
    if generated is not None:
        generated = replace(generated, expression=_wrapped(generated.expression, rng))
    if default is not None and not re.match(r'[A-Z"`\[][a-z;]*', default.sql):
        default = _wrapped(default, rng)
    return replace(column, generated=generated, default=default, comment=None)


def _moved_index(index: Index, rng: random.Random) -> Index:
    parts = tuple(
        part if part.expression is None else replace(part, expression=_wrapped(part.expression, rng))
        for part in index.parts
    )
    return replace(index, parts=parts, where=None if index.where is None else _wrapped(index.where, rng))


def _wrapped(expression: SqlText, rng: random.Random) -> SqlText:
    return replace(expression, sql="(" * (depth := rng.randrange(3)) + expression.sql + ")" * depth)


# --- One meaningful change --------------------------------------------------------------------------------------------

Change = tuple[Schema, str]


def changed(schema: Schema) -> list[Change]:
    """Return every schema that one change makes of ``schema``, each with a word that names the change."""
    table = schema.tables[0]
    found = [
        (replace(schema, tables=(after, *schema.tables[1:])), word)
        for change in _TABLE_CHANGES
        for after, word in change(table)
    ]
    for view in schema.views:
        sql = view.statement.sql.rstrip() + " LIMIT 7"
        found.append((replace(schema, views=(replace(view, statement=_statement(sql)),)), view.name))
    for trigger in schema.triggers:
        sql = re.sub(r"END\Z", "SELECT 7;\nEND", trigger.statement.sql)
        rest = tuple(other for other in schema.triggers if other is not trigger)
        found.append((replace(schema, triggers=(replace(trigger, statement=_statement(sql)), *rest)), trigger.name))
    return found


def _statement(sql: str) -> SqlText:
    return SqlText(sql=sql, key=sql)


def _column_changes(table: Table) -> Iterator[tuple[Table, str]]:
    for at, column in enumerate(table.columns):
        others = [
            replace(column, type="REAL" if column.type != "REAL" else "TEXT"),
            replace(column, not_null=None if column.not_null else NotNull()),
            replace(column, collation="RTRIM" if column.collation != "RTRIM" else None),
        ]
        if column.not_null is not None:
            conflict = Conflict.FAIL if column.not_null.on_conflict is not Conflict.FAIL else None
            others.append(replace(column, not_null=replace(column.not_null, on_conflict=conflict)))
        if column.generated is None:
            others.append(replace(column, default=ddl.read_expression("'Changed'")))
        else:
            others.append(replace(column, generated=replace(column.generated, stored=not column.generated.stored)))
        for other in others:
            if _keeps_rowid(table, column, other):
                yield replace(table, columns=(*table.columns[:at], other, *table.columns[at + 1 :])), column.name
    yield replace(table, columns=(*table.columns, Column(name="new column", type="TEXT"))), "new column"


def _keeps_rowid(table: Table, old: Column, new: Column) -> bool:
    """Return whether the type can change: AUTOINCREMENT and DESC of a primary key depend on it."""
    in_key = table.primary_key is not None and old.name in [part.column for part in table.primary_key.parts]
    return old.type == new.type or not in_key


def _check_changes(table: Table) -> Iterator[tuple[Table, str]]:
    first = quote_name(table.columns[0].name)
    check = Check(expression=ddl.read_expression(f"{first} <> 'Changed'"))
    yield replace(table, checks=(*table.checks, check)), "<> 'Changed'"
    for at, old in enumerate(table.checks):
        rest = (*table.checks[:at], *table.checks[at + 1 :])
        yield replace(table, checks=rest), old.expression.sql
        yield replace(table, checks=(*rest, replace(old, name="other name"))), "other name"


def _foreign_key_changes(table: Table) -> Iterator[tuple[Table, str]]:
    for at, key in enumerate(table.foreign_keys):
        others = [
            replace(key, table="other table"),
            replace(key, on_delete=Action.CASCADE if key.on_delete is not Action.CASCADE else None),
            replace(key, on_update=Action.CASCADE if key.on_update is not Action.CASCADE else None),
            replace(key, match="PARTIAL"),
            replace(key, deferral=Deferral.DEFERRED if key.deferral is not Deferral.DEFERRED else None),
        ]
        for other in others:
            rest = (*table.foreign_keys[:at], *table.foreign_keys[at + 1 :])
            yield replace(table, foreign_keys=(*rest, other)), other.table
    yield replace(table, foreign_keys=()) if table.foreign_keys else _with_foreign_key(table), "foreign key"


def _with_foreign_key(table: Table) -> Table:
    return replace(table, foreign_keys=(ForeignKey(columns=(table.columns[0].name,), table="foreign key"),))


def _key_changes(table: Table) -> Iterator[tuple[Table, str]]:
    key = table.primary_key
    if key is not None:
        yield replace(table, primary_key=replace(key, name="other name")), "other name"
        if not any({part.column for part in unique.parts} == {key.parts[0].column} for unique in table.uniques):
            conflict = Conflict.FAIL if key.on_conflict is not Conflict.FAIL else None
            yield replace(table, primary_key=replace(key, on_conflict=conflict)), "primary key"
    for at, unique in enumerate(table.uniques):
        rest = (*table.uniques[:at], *table.uniques[at + 1 :])
        yield replace(table, uniques=rest), "UNIQUE"
        yield replace(table, uniques=(*rest, replace(unique, name="other name"))), "UNIQUE"


def _index_changes(table: Table) -> Iterator[tuple[Table, str]]:
    for at, index in enumerate(table.indexes):
        rest = (*table.indexes[:at], *table.indexes[at + 1 :])
        first = index.parts[0]
        where = ddl.read_expression(f"{quote_name(table.columns[0].name)} = 'Changed'")
        for other in (
            replace(index, unique=not index.unique),
            replace(index, parts=(replace(first, descending=not first.descending), *index.parts[1:])),
            replace(index, parts=(replace(first, collation="other collation"), *index.parts[1:])),
            replace(index, where=None if index.where else where),
        ):
            yield replace(table, indexes=(*rest, other)), index.name
        yield replace(table, indexes=rest), index.name


_TABLE_CHANGES: tuple[Callable[[Table], Iterator[tuple[Table, str]]], ...] = (
    _column_changes,
    _check_changes,
    _foreign_key_changes,
    _key_changes,
    _index_changes,
)
