"""Reading the declared schema with the migrations' database is quicker, and gives the same result."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.support.projects import CHECKOUT
from tests.support.strategies import schemas
from tests.support.transitions import Body, apply_with_runner, generate, left_to_do, write_schema
from waiaas_migrate.authoring.declared import build, declare
from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.project import find_project
from waiaas_migrate.files.schema_file.schema_text import schema_text
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.reading.introspect import introspect

RENDERER = Renderer()


@settings(max_examples=40)
@given(old=schemas(), new=schemas())
def test_reading_with_the_migrations_gives_the_same_schema(old: Schema, new: Schema) -> None:
    """A schema read with the migrations' database equals the schema read without it, and that database stays as it is."""
    with tempfile.TemporaryDirectory() as folder, closing(build(old, RENDERER, file="old")) as like:
        Path(folder, "schema.yaml").write_text(schema_text(new), encoding="utf-8")
        project = find_project(Path(folder))
        alone, beside = declare(project, RENDERER), declare(project, RENDERER, like=like)
        assert diff(alone.schema, beside.schema) == diff(beside.schema, alone.schema) == ()
        assert diff(introspect(like, beside.known), introspect(like)) == ()


@given(schema=schemas())
@settings(max_examples=40)
def test_known_text_means_what_reading_it_gives(schema: Schema) -> None:
    """The known meaning of a table's text equals the meaning that is read from it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "schema.yaml").write_text(schema_text(schema), encoding="utf-8")
        project = find_project(Path(folder))
        with closing(build(declare(project, RENDERER).source.schema, RENDERER, file="schema.yaml")) as like:
            known = declare(project, RENDERER, like=like).known
            assert len(known) == sum(1 + len(table.indexes) for table in schema.tables)
            read, taken = introspect(like), introspect(like, known)
    assert diff(read, taken) == diff(taken, read) == ()


def test_rows_of_a_migration_do_not_break_reading(tmp_path: Path) -> None:
    """An index that rows of an earlier migration would break can be read; its guard refuses the rows."""
    table: Body = {"columns": {"id": {"type": "integer", "primary_key": True}, "x": "integer"}}
    write_schema(tmp_path, {"tables": {"t": table}})
    generate(tmp_path, "first")
    by_hand = "-- depends: 0001_first\nINSERT INTO t (x) VALUES (1);\nINSERT INTO t (x) VALUES (2);\n"
    (tmp_path / "migrations" / "0002_rows.sql").write_text(by_hand, encoding="utf-8")
    write_schema(tmp_path, {"tables": {"t": {**table, "indexes": {"i": {"columns": ["x"], "unique": True}}}}})
    assert generate(tmp_path, "unique").migration == "0003_unique"
    database = tmp_path / "a.db"
    apply_with_runner(tmp_path, database)
    assert left_to_do(database, introspect_of(tmp_path)) == []


def introspect_of(folder: Path) -> Schema:
    """Read schema.yaml without the migrations."""
    return declare(find_project(folder), RENDERER).schema


def test_a_refusal_by_sqlite_is_reported_with_migrations(tmp_path: Path) -> None:
    """The error names the file and SQLite's reason, not the copy in which the change was tried."""
    table: Body = {"columns": {"id": {"type": "integer", "primary_key": True}}}
    write_schema(tmp_path, {"tables": {"t": table}})
    generate(tmp_path, "first")
    write_schema(tmp_path, {"tables": {"t": table}, "views": {"v": "SELECT id FROM t"}, "triggers": {}})
    broken = {"columns": {"id": "integer", "g": {"type": "integer", "generated": "random()"}}}
    write_schema(tmp_path, {"tables": {"t": table, "u": broken}})
    with pytest.raises(SchemaFileError, match="SQLite says"):
        generate(tmp_path, "second")


def test_custom_templates_are_always_read_back(tmp_path: Path) -> None:
    """If the project has its own templates, every statement is read back."""
    table: Body = {"columns": {"id": {"type": "integer", "primary_key": True}}}
    write_schema(tmp_path, {"tables": {"t": table}})
    generate(tmp_path, "first")
    (tmp_path / "templates").mkdir()
    shutil.copy(CHECKOUT / "templates" / "create_table.sql.j2", tmp_path / "templates")
    project = find_project(tmp_path)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as like:
        run = (tmp_path / "migrations" / "0001_first.sql").read_text(encoding="utf-8")
        like.executescript(run)
        assert declare(project, Renderer(project.templates), like=like).known == {}
        assert set(declare(project, RENDERER, like=like).known) != set()
