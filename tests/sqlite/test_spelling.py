"""Schemas are compared by meaning; spelling doesn't count."""

from __future__ import annotations

import random
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.spellings import changed, moved, respelt
from tests.support.strategies import schemas
from waiaas_migrate.authoring.declared import build
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.canonical import canonical
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.database.memory import execute, open_memory
from waiaas_migrate.sqlite.reading.introspect import introspect

RENDERER = Renderer()
RANDOM = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
SEEDS = st.integers(0, 2**32)


def catalog_of(schema: Schema) -> tuple[CatalogRow, ...]:
    """Return the CREATE statements of ``schema``, as SQLite keeps them."""
    with closing(build(schema, RENDERER, file="test")) as connection:
        return read_catalog(connection)


def made_of(statements: list[str]) -> Schema:
    """Return the schema that ``statements`` make."""
    with closing(open_memory()) as connection:
        for statement in statements:
            execute(connection, statement)
        return introspect(connection)


def names_of(schema: Schema) -> frozenset[str]:
    """Return the folded names of tables and columns."""
    names = {fold(table.name) for table in schema.tables}
    return frozenset(names | {fold(column.name) for table in schema.tables for column in table.columns})


@settings(RANDOM, max_examples=50)
@given(schemas(virtual=False), SEEDS)
def test_another_spelling_compares_equal(schema: Schema, seed: int) -> None:
    """Quotes, case, comments, white space, redundant parentheses, order and place of constraints do not count."""
    rng, names = random.Random(seed), names_of(schema)
    written = made_of([row.sql for row in catalog_of(schema)])
    otherwise = made_of([respelt(row.sql, names, rng) for row in catalog_of(moved(schema, rng))])
    assert [describe(change) for change in diff(written, otherwise)] == []
    assert canonical(otherwise) == canonical(written)


@settings(RANDOM, max_examples=60)
@given(schemas(virtual=False), SEEDS)
def test_a_meaningful_change_is_named(schema: Schema, seed: int) -> None:
    """A schema that differs in one thing compares unequal, and the description of the difference names it."""
    after, word = random.Random(seed).choice(changed(schema))
    old, new = (made_of([row.sql for row in catalog_of(one)]) for one in (schema, after))
    changes = [describe(change) for change in diff(old, new)]
    assert any(word in change for change in changes), (word, changes)
    assert canonical(old) != canonical(new)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CREATE TABLE t (a DEFAULT 'Abc')", "CREATE TABLE t (a DEFAULT 'abc')"),
        ('CREATE TABLE t (a DEFAULT "Abc")', 'CREATE TABLE t (a DEFAULT "abc")'),
        ("CREATE TABLE t (a DEFAULT Abc)", "CREATE TABLE t (a DEFAULT abc)"),
        ("CREATE TABLE t (a DEFAULT 1)", "CREATE TABLE t (a DEFAULT '1')"),
        ("CREATE TABLE t (a CHECK (a IN ('1', '2')))", "CREATE TABLE t (a CHECK (a IN (1, 2)))"),
        ("CREATE TABLE t (a CHECK (a NOT IN ('x', 'y')))", "CREATE TABLE t (a CHECK (a NOT IN ('y', 'x')))"),
        ('CREATE TABLE t (a CHECK (a <> "Abc"))', 'CREATE TABLE t (a CHECK (a <> "abc"))'),
        ("CREATE TABLE t (a, b, PRIMARY KEY (a, b))", "CREATE TABLE t (a, b, PRIMARY KEY (b, a))"),
        ("CREATE TABLE t (a INTEGER PRIMARY KEY DESC)", "CREATE TABLE t (a INTEGER PRIMARY KEY)"),
        ("CREATE TABLE t (a TEXT PRIMARY KEY)", "CREATE TABLE t (a TEXT PRIMARY KEY DESC)"),
        ("CREATE TABLE t (a REFERENCES p)", "CREATE TABLE t (a REFERENCES p DEFERRABLE)"),
        ("CREATE TABLE t (a, b AS (a))", "CREATE TABLE t (a, b AS (a) STORED)"),
        ("CREATE TABLE t (a INT)", "CREATE TABLE t (a INTEGER)"),
        ("CREATE TABLE t (a, CONSTRAINT x UNIQUE (a))", "CREATE TABLE t (a, CONSTRAINT y UNIQUE (a))"),
    ],
)
def test_these_differ(one: str, other: str) -> None:
    """Statements that look alike but differ in meaning compare unequal."""
    assert diff(made_of([one]), made_of([other])) != ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CREATE TABLE t (a INTEGER PRIMARY KEY)", "CREATE TABLE t (a INTEGER, PRIMARY KEY (a DESC))"),
        ("CREATE TABLE t (a CHECK (a IN ('x', 'y')))", "CREATE TABLE t (a, CHECK (a = 'y' OR a IS NULL OR a = 'x'))"),
        ("CREATE TABLE t (a DEFAULT (1))", "CREATE TABLE T (A DEFAULT 1)"),
        ('CREATE TABLE t (a DEFAULT "it\'s")', "CREATE TABLE t (a DEFAULT 'it''s')"),
        ("CREATE TABLE t (a DEFAULT Abc)", "CREATE TABLE t (a DEFAULT 'Abc')"),
        ("CREATE TABLE t (a DEFAULT TRUE)", "CREATE TABLE t (a DEFAULT true)"),
        ("CREATE TABLE t (a REFERENCES p ON DELETE NO ACTION)", "CREATE TABLE t (a, FOREIGN KEY (a) REFERENCES p)"),
        ("CREATE TABLE t (a NOT NULL ON CONFLICT ABORT)", "CREATE TABLE t (a NOT NULL)"),
        ("CREATE TABLE t (a VARCHAR(10) NULL)", "CREATE TABLE t (a varchar ( 10 ))"),
        ("CREATE TABLE t (a DECIMAL(-1, 2))", "CREATE TABLE t (a DECIMAL ( - 1,2 ))"),
        ("CREATE TABLE t (a, UNIQUE (a), UNIQUE (a))", "CREATE TABLE t (a UNIQUE)"),
        ("CREATE TABLE t (a, CHECK (a > 0) CHECK (a < 9))", "CREATE TABLE t (a CHECK (a < 9) CHECK (a > 0))"),
        ("CREATE TABLE t (a AS (1 + b) VIRTUAL, b)", "CREATE TABLE t (b, a GENERATED ALWAYS AS ((1+b)))"),
        ("CREATE TABLE t (a CHECK (a IN ('x', 'y')))", "CREATE TABLE t (a CHECK (a IN ('y', 'x')))"),
        ("CREATE TABLE t (a CONSTRAINT x)", "CREATE TABLE t (a)"),
        ("CREATE TABLE [t] (`a` TEXT) STRICT, WITHOUT ROWID", 'CREATE TABLE "t" ("a" TEXT) WITHOUT ROWID, STRICT'),
    ],
)
def test_these_are_the_same(one: str, other: str) -> None:
    """Statements that look different but mean the same compare equal."""
    if "WITHOUT" in one:
        one, other = (sql.replace(" TEXT)", " TEXT PRIMARY KEY)") for sql in (one, other))
    assert [describe(change) for change in diff(made_of([one]), made_of([other]))] == []
