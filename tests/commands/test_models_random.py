"""For any schema, the module that ``models`` writes builds that schema, except for what its head lists."""

from __future__ import annotations

import ast
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import orm

from tests.support.strategies import schemas
from waiaas_migrate.authoring.declared import build
from waiaas_migrate.commands.typed_tables.module_text import Style, module_text
from waiaas_migrate.commands.typed_tables.values import Source
from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.memory import open_memory
from waiaas_migrate.sqlite.reading.introspect import introspect

RENDERER = Renderer()
NAME = "written_by_models"
# The same schemas each time: each takes long to draw.
RANDOM = settings(
    suppress_health_check=list(HealthCheck), max_examples=30, deadline=None, derandomize=True, phases=[Phase.generate]
)
#: What SQLite says about functions and collations that only the application has.
UNKNOWN = ("no such function", "no such collation")


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """Forget the imported module after the test."""
    yield
    sys.modules.pop(NAME, None)


def created(text: str) -> Schema | None:
    """Return the schema that a module creates; None if it needs the application's functions."""
    module = sys.modules[NAME] = types.ModuleType(NAME)
    connection = open_memory()
    engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=sa.StaticPool)
    with closing(connection), warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(text, NAME, "exec"), vars(module))  # noqa: S102 — it is what is tested
        orm.configure_mappers()
        base = vars(module).get("Base")
        try:
            (module.metadata if base is None else base.metadata).create_all(engine)
        except sa.exc.OperationalError as error:
            if any(one in str(error) for one in UNKNOWN):
                return None
            raise
        finally:
            if base is not None:
                base.registry.dispose()
        return introspect(connection)


def is_listed(change: str, text: str) -> bool:
    """Return whether the head of a module lists a change, or a part of the same table."""
    head = (ast.get_docstring(ast.parse(text)) or "").split("\n- ")[1:]
    items = [" ".join(item.split()) for item in head]
    tables = [item.removeprefix("table ").rpartition(": ")[0] for item in items if item.startswith("table ")]
    return any(change.startswith(f"add {item}") for item in items) or any(table in change for table in tables)


@pytest.mark.parametrize("style", ["declarative", "core"])
@RANDOM
@given(schema=schemas())
def test_a_module_builds_its_schema(style: Style, schema: Schema) -> None:
    """``create_all`` builds the declared schema, except for what the module's head lists."""
    text = module_text(Source(declared=DeclaredSchema(schema=schema)), style=style)
    found = created(text)
    if found is None:
        return
    with closing(build(schema, RENDERER, file="test")) as connection:
        changes = diff(found, introspect(connection))
    words = [" ".join(describe(change).split()) for change in changes]
    assert [word for word in words if not is_listed(word, text)] == [], text
