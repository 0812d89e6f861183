"""Name the features that a schema uses, so that a property test can show that it reaches all of them."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.strategies import DEFAULTS
from waiaas_migrate.schema.model import (
    Action,
    Check,
    Column,
    Conflict,
    Deferral,
    ForeignKey,
    Index,
    PrimaryKey,
    Schema,
    Table,
    Trigger,
    Unique,
)
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import RESERVED
from waiaas_migrate.sqlite.reading.grammar import tokenize, without_comments

_CONFLICT_OWNERS = ("NOT NULL", "PRIMARY KEY", "UNIQUE")

#: Every feature that random schemas must reach.
FEATURES = frozenset(
    [
        *("name with a space", "name with a quote", "name with #", "name that is not ASCII", "name that is a keyword"),
        *("no primary key", "rowid alias", "INTEGER PRIMARY KEY DESC", "composite primary key", "AUTOINCREMENT"),
        *("inline primary key", "primary key on the table", "primary key with a collation", "primary key DESC"),
        *(f"{owner} ON CONFLICT {conflict}" for owner in _CONFLICT_OWNERS for conflict in Conflict),
        *(f"named {constraint}" for constraint in (*_CONFLICT_OWNERS, "CHECK", "FOREIGN KEY")),
        *(f"DEFAULT {kind}" for kind in DEFAULTS),
        *("column collation", "unknown collation", "unknown function", "no type", "quoted type", "comment"),
        *("CHECK on a column", "CHECK on the table", "inline UNIQUE", "UNIQUE on the table", "UNIQUE DESC"),
        *("foreign key of one column", "composite foreign key", "self-referring foreign key", "MATCH"),
        *(
            "foreign key without columns",
            "foreign key to a missing table",
            "inline foreign key",
            "foreign key on the table",
        ),
        *(f"ON DELETE {action}" for action in Action),
        *(f"ON UPDATE {action}" for action in Action),
        *Deferral,
        *("virtual generated column", "stored generated column", "STRICT", "WITHOUT ROWID"),
        *("unique index", "partial index", "index on an expression", "DESC index", "index with a collation"),
        *("view", "view with columns", "trigger BEFORE", "trigger AFTER", "trigger INSTEAD OF", "trigger UPDATE OF"),
        *(
            "trigger INSERT",
            "trigger UPDATE",
            "trigger DELETE",
            "trigger WHEN",
            "trigger FOR EACH ROW",
            "trigger of several",
        ),
        *("fts4", "fts5", "rtree"),
    ]
)


def features(schema: Schema) -> frozenset[str]:
    """Return the features that ``schema`` uses."""
    return frozenset(_all(schema)) & FEATURES


def _all(schema: Schema) -> Iterator[str]:
    tables = {fold(table.name) for table in schema.tables}
    for table in schema.tables:
        yield from _of_table(table)
        for column in table.columns:
            yield from _of_column(column)
        for key in table.foreign_keys:
            yield from _of_foreign_key(key, table, tables)
        for index in table.indexes:
            yield from _of_index(index)
    for view in schema.views:
        yield "view with columns" if ") AS" in view.statement.sql.partition("SELECT")[0] else "view"
    for trigger in schema.triggers:
        yield from _of_trigger(trigger)
    yield from (table.module for table in schema.virtual_tables)


def _of_name(name: str) -> Iterator[str]:
    yield from ("name with a space",) * (" " in name)
    yield from ("name with a quote",) * any(quote in name for quote in "'\"`[]")
    yield from ("name with #",) * ("#" in name)
    yield from ("name that is not ASCII",) * (not name.isascii())
    yield from ("name that is a keyword",) * (name.upper() in RESERVED)


def _of_table(table: Table) -> Iterator[str]:
    yield from _of_name(table.name)
    yield from ("STRICT",) * table.strict
    yield from ("WITHOUT ROWID",) * table.without_rowid
    if table.primary_key is None:
        yield "no primary key"
    else:
        yield from _of_primary_key(table.primary_key, table)
    for unique in table.uniques:
        yield from _of_unique(unique)
    for check in table.checks:
        yield from _of_check(check)


def _of_primary_key(key: PrimaryKey, table: Table) -> Iterator[str]:
    types = {column.name: fold(column.type or "") for column in table.columns}
    part = key.parts[0]
    if len(key.parts) == 1 and types[part.column or ""] == "integer" and not table.without_rowid:
        yield "INTEGER PRIMARY KEY DESC" if part.descending else "rowid alias"
    yield from ("composite primary key",) * (len(key.parts) > 1)
    yield from ("AUTOINCREMENT",) * key.autoincrement
    yield "inline primary key" if key.inline else "primary key on the table"
    yield from ("primary key with a collation",) * (part.collation is not None)
    yield from ("primary key DESC",) * part.descending
    yield from _of_constraint("PRIMARY KEY", key.name, key.on_conflict)


def _of_constraint(kind: str, name: str | None, conflict: Conflict | None = None) -> Iterator[str]:
    if name is not None:
        yield f"named {kind}"
        yield from _of_name(name)
    yield f"{kind} ON CONFLICT {conflict}"


def _of_unique(unique: Unique) -> Iterator[str]:
    yield "inline UNIQUE" if unique.inline else "UNIQUE on the table"
    yield from ("UNIQUE DESC",) * any(part.descending for part in unique.parts)
    yield from _of_constraint("UNIQUE", unique.name, unique.on_conflict)


def _of_check(check: Check) -> Iterator[str]:
    yield "CHECK on a column" if check.column else "CHECK on the table"
    yield from ("unknown function",) * ("app_" in check.expression.sql)
    yield from _of_constraint("CHECK", check.name)


def _of_column(column: Column) -> Iterator[str]:
    yield from _of_name(column.name)
    if column.not_null is not None:
        yield from _of_constraint("NOT NULL", column.not_null.name, column.not_null.on_conflict)
    if column.default is not None:
        tokens = without_comments(tokenize(column.default.sql))
        default = tokens[0].text if len(tokens) == 1 else column.default.sql
        yield from (f"DEFAULT {kind}" for kind, texts in DEFAULTS.items() if default in texts)
    yield from ("column collation",) * (column.collation is not None)
    yield from ("unknown collation",) * (column.collation == "app order")
    if column.generated is not None:
        yield "stored generated column" if column.generated.stored else "virtual generated column"
    yield from ("no type",) * (column.type is None)
    yield from ("quoted type",) * (column.type or "").startswith('"')
    yield from ("comment",) * (column.comment is not None)


def _of_foreign_key(key: ForeignKey, table: Table, tables: set[str]) -> Iterator[str]:
    yield "foreign key of one column" if len(key.columns) == 1 else "composite foreign key"
    yield "inline foreign key" if key.inline else "foreign key on the table"
    yield from ("foreign key without columns",) * (not key.targets)
    yield from ("self-referring foreign key",) * (fold(key.table) == fold(table.name))
    yield from ("foreign key to a missing table",) * (fold(key.table) not in tables)
    yield f"ON DELETE {key.on_delete}"
    yield f"ON UPDATE {key.on_update}"
    yield from ("MATCH",) * (key.match is not None)
    yield str(key.deferral)
    yield from _of_constraint("FOREIGN KEY", key.name)


def _of_index(index: Index) -> Iterator[str]:
    yield from _of_name(index.name)
    yield from ("unique index",) * index.unique
    yield from ("partial index",) * (index.where is not None)
    yield from ("index on an expression",) * any(part.expression is not None for part in index.parts)
    yield from ("DESC index",) * any(part.descending for part in index.parts)
    yield from ("index with a collation",) * any(part.collation is not None for part in index.parts)


def _of_trigger(trigger: Trigger) -> Iterator[str]:
    head = trigger.statement.sql.partition(" BEGIN\n")[0]
    yield from (f"trigger {time}" for time in ("BEFORE", "AFTER", "INSTEAD OF", "UPDATE OF") if f"{time} " in head)
    yield from (f"trigger {happens}" for happens in ("INSERT", "UPDATE", "DELETE") if f"{happens} ON" in head)
    yield from (f"trigger {clause}" for clause in ("WHEN", "FOR EACH ROW") if f" {clause}" in head)
    yield from ("trigger of several",) * (trigger.statement.sql.count(";\n") > 1)
