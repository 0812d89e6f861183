"""Broken input gives a clear error, never a traceback, a crash or a hang."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.folders import run_python
from tests.support.strategies import schemas
from waiaas_migrate.authoring.declared import build
from waiaas_migrate.commands.inspect import inspect
from waiaas_migrate.errors import MigrateError
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.reading import ddl, ddl_table
from waiaas_migrate.sqlite.reading.grammar import SqlError, tokenize
from waiaas_migrate.sqlite.reading.spelling import tidy_whitespace

RENDERER = Renderer()
RANDOM = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
SEEDS = st.integers(0, 2**32)

#: Tokens that may confuse a reader in unexpected places.
PIECES = (
    *("( ) , ; ' \" ` [ ] -- /* */ . ? \\ \0 \r é \ud800 0x ||".split(" ")),
    *("CHECK,PRIMARY KEY,REFERENCES,CONSTRAINT,AS,DEFAULT,ON CONFLICT,COLLATE,GENERATED ALWAYS AS".split(",")),
    *("DEFERRABLE NOT INITIALLY MATCH ON SET WITHOUT CASE END BEGIN SELECT NULL IN".split()),
)


def read_everyhow(sql: str) -> None:
    """Read ``sql`` as every kind of statement; the only error allowed is SqlError."""
    for reader in (
        tokenize,
        tidy_whitespace,
        ddl.read_expression,
        ddl.may_omit_parentheses,
        ddl_table.read_table,
        lambda text: ddl.read_index(text, ["a", "b"]),
        lambda text: ddl.read_view("v", text),
        lambda text: ddl.read_trigger("r", text),
        lambda text: ddl.read_virtual_table("s", text),
    ):
        with contextlib.suppress(SqlError):
            reader(sql)


def mutated(sql: str, rng: random.Random) -> str:
    """Return ``sql`` with a few pieces removed, doubled, swapped or inserted."""
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(sql) + 1)
        end = min(len(sql), start + rng.randrange(12))
        match rng.randrange(4):
            case 0:
                sql = sql[:start] + sql[end:]
            case 1:
                sql = sql[:end] + sql[start:]
            case 2:
                sql = sql[:start] + rng.choice(PIECES) + sql[start:]
            case _:
                sql = sql[:start] + f" {rng.choice(PIECES)} " + sql[end:]
    return sql


@settings(RANDOM, max_examples=30)
@given(schemas(), SEEDS)
def test_a_mutated_statement_is_read_or_refused(schema: Schema, seed: int) -> None:
    """A CREATE statement with pieces missing, doubled or out of place is read, or refused with SqlError."""
    rng = random.Random(seed)
    with closing(build(schema, RENDERER, file="test")) as connection:
        rows = read_catalog(connection)
    for row in rows:
        for _ in range(5):
            read_everyhow(mutated(row.sql, rng))


@settings(RANDOM, max_examples=150)
@given(
    st.text()
    | st.lists(st.sampled_from((*PIECES, " ", "a", "t", "1"))).map(" ".join)
    | st.binary().map(lambda b: b.decode("latin-1"))
)
@example("CREATE TABLE t (a")
@example("CREATE TABLE t (a CHECK (")
@example("CREATE TABLE t ()")
@example("CREATE TABLE t (a DEFAULT")
@example("CREATE TABLE t (a REFERENCES p ON DELETE SET)")
@example("CREATE TABLE t (a ON CONFLICT NONSENSE)")
@example("CREATE TABLE t (a UNIQUE ON CONFLICT NONSENSE)")
@example("CREATE TABLE t (a REFERENCES p ON DELETE NONSENSE)")
@example("CREATE TABLE t (a DEFERRABLE)")
@example("CREATE TABLE t (a REFERENCES p DEFERRABLE INITIALLY NONSENSE)")
@example("CREATE TABLE t (PRIMARY KEY (a DESC))")
@example("CREATE TABLE t (PRIMARY KEY ())")
@example("CREATE TRIGGER r")
@example("\0" * 1000)
def test_random_text_is_read_or_refused(sql: str) -> None:
    """Any text is read, or refused with SqlError."""
    read_everyhow(sql)


#: Python for expressions that are N deep or N long.
DEEP = (
    "'(' * N + 'a' + ')' * N",
    "'(' * N",
    "'a' + ' + a' * N",
    "'a' + ' || a' * N",
    "'- ' * N + 'a'",
    "'NOT ' * N + 'a'",
    "'a' + ' ISNULL NOTNULL' * N",
    "'a' + ' COLLATE b' * N",
    "'CASE WHEN ' * N + 'a' + ' THEN 1 END' * N",
    "'CASE WHEN 1 THEN 2 ELSE ' * N + 'a' + ' END' * N",
    "'CASE' + ' WHEN 1 THEN 2' * N + ' END'",
    "'f(' * N + 'a' + ')' * N",
    "'(SELECT ' * N + 'a' + ')' * N",
    "'(SELECT 1 FROM ' * N + 'a' + ')' * N",
    "'(SELECT 1, 2' + ' UNION SELECT 1, 2' * N + ')'",
    "'(SELECT 1 FROM a' + ', a' * N + ')'",
    "'(SELECT 1 FROM a' + ' NATURAL LEFT JOIN a' * N + ')'",
    "'a IN (1' + ', 1' * N + ')'",
    "'(VALUES (1)' + ', (1)' * N + ')'",
    "'a' + ' IN (1)' * N",
)


@pytest.mark.parametrize("size", [60, 390, 2000])
def test_deep_and_long_expressions_end(size: int) -> None:
    """Deep nesting and great length neither crash nor hang the parser."""
    code = (
        "import sys\nfrom waiaas_migrate.sqlite.reading import ddl\n"
        "from waiaas_migrate.sqlite.reading.grammar import SqlError\nN = int(sys.argv[1])\n"
        "for shape in sys.argv[2:]:\n    print(shape, flush=True)\n"
        "    try:\n        ddl.read_expression(eval(shape))\n    except SqlError as error:\n        print(error)\n"
    )
    run = run_python(code, size, *DEEP)
    assert run.returncode == 0, (run.stdout[-200:], run.stderr[-300:])


def test_depth_does_not_depend_on_the_caller() -> None:
    """An expression has the same meaning for a caller that is deep in calls."""
    sql = "a" + " + a" * 380

    def deep_in_calls(depth: int) -> str:
        return ddl.read_expression(sql).key if depth == 0 else deep_in_calls(depth - 1)

    key = deep_in_calls(400)
    assert ddl.read_expression(sql + " ").key == key
    assert key.startswith("{")


@pytest.mark.parametrize("part", [" NOT NULL", " CHECK (a)", ", b%d", " /* x */", " -- x\n", " CONSTRAINT x"])
def test_long_statements_do_not_hang(part: str) -> None:
    """Thousands of columns, constraints or comments are all read."""
    sql = "CREATE TABLE t (a" + "".join(part % at if "%" in part else part for at in range(20_000)) + "\n)"
    assert len(ddl_table.read_table(sql).columns) == (20_001 if part == ", b%d" else 1)


@settings(RANDOM, max_examples=15)
@given(schemas(), SEEDS, st.sampled_from(["flip", "cut", "fill", "header"]))
def test_a_damaged_database_is_read_or_refused(schema: Schema, seed: int, damage: str) -> None:
    """A database file with bytes changed, cut off or overwritten gives a schema or one of this package's errors."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, closing(build(schema, RENDERER, file="test")) as connection:
        path = Path(folder, "app.db")
        with closing(sqlite3.connect(path)) as target:
            connection.backup(target)
        whole = path.read_bytes()
        for _ in range(10):
            path.write_bytes(damaged(whole, damage, rng))
            with contextlib.suppress(MigrateError):
                inspect(str(path))
        assert [file.name for file in Path(folder).iterdir()] == ["app.db"]


def damaged(content: bytes, damage: str, rng: random.Random) -> bytes:
    """Return ``content`` with one kind of damage."""
    changed = bytearray(content)
    start = rng.randrange(len(content))
    match damage:
        case "flip":
            for _ in range(rng.randrange(1, 20)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        case "cut":
            del changed[start:]
        case "fill":
            changed[start : start + 200] = bytes([rng.choice([0, 255])]) * len(changed[start : start + 200])
        case _:
            changed[rng.randrange(100)] = rng.randrange(256)
    return bytes(changed)


@settings(RANDOM, max_examples=50)
@given(st.binary(max_size=600), st.booleans())
def test_random_bytes_are_read_or_refused(content: bytes, has_magic: bool) -> None:  # noqa: FBT001 (drawn)
    """A file of any bytes gives a schema or one of this package's errors."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "app.db")
        path.write_bytes(b"SQLite format 3\0" * has_magic + content)
        with contextlib.suppress(MigrateError):
            inspect(str(path))
