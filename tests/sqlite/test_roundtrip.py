"""Every schema stays unchanged when it is read back from SQLite and from schema.yaml."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import yaml
from hypothesis import HealthCheck, Phase, event, given, settings

from tests.support.schema_features import FEATURES, features
from tests.support.strategies import schemas
from waiaas_migrate.authoring.declared import build
from waiaas_migrate.authoring.yoyo_reading import first_misread
from waiaas_migrate.files.schema_file.load_schema import load_schema
from waiaas_migrate.files.schema_file.schema_text import schema_text
from waiaas_migrate.files.templates.render import Head, Renderer
from waiaas_migrate.files.yaml_text.yaml_reader import MappingNode, Node, ScalarNode, parse_yaml
from waiaas_migrate.schema.canonical import canonical
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.planning.plan import creation
from waiaas_migrate.sqlite.reading.introspect import introspect

RENDERER = Renderer()
# A schema is a large thing to draw.
RANDOM = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def rebuilt(schema: Schema) -> Schema:
    """Return ``schema`` as read back from SQLite."""
    with closing(build(schema, RENDERER, file="test")) as connection:
        return introspect(connection)


def loaded(text: str) -> Schema:
    """Return the schema of a schema.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "schema.yaml")
        path.write_text(text, encoding="utf-8")
        return load_schema(path, root=Path(folder)).schema


def plain(node: Node) -> object:
    """Return a tree of YAML as plain data."""
    if isinstance(node, MappingNode):
        return {entry.key.value: plain(entry.value) for entry in node.entries}
    if isinstance(node, ScalarNode):
        return node.value
    return [plain(item) for item in node.items]


@settings(RANDOM, max_examples=60)
@given(schemas())
def test_a_schema_comes_back_from_sqlite(schema: Schema) -> None:
    """Built in a database and read back, a schema has the same meaning and column order."""
    for feature in sorted(features(schema)):
        event(feature)
    found = rebuilt(schema)
    assert canonical(found) == canonical(schema)
    assert diff(schema, found, column_order=True) == ()


@settings(RANDOM, max_examples=50)
@given(schemas())
def test_a_schema_comes_back_from_yaml(schema: Schema) -> None:
    """Read from a database, written to schema.yaml, loaded and built again, a schema has the same meaning."""
    found = rebuilt(schema)
    again = rebuilt(loaded(schema_text(found)))
    assert canonical(again) == canonical(schema)
    assert diff(schema, again, column_order=True) == ()


@settings(RANDOM, max_examples=50)
@given(schemas())
def test_every_reader_of_yaml_reads_the_same(schema: Schema) -> None:
    """A written schema.yaml means the same in YAML 1.2, which this package reads, and in PyYAML's YAML 1.1."""
    text = schema_text(schema)
    assert yaml.safe_load(text) == plain(parse_yaml(text, name="test"))


@settings(RANDOM, max_examples=30)
@given(schemas())
def test_yoyo_reads_what_sqlite_sees(schema: Schema) -> None:
    """Yoyo splits the SQL of a schema into the same statements as SQLite."""
    steps = creation(schema, RENDERER.clause)
    sql = RENDERER.migration(Head(title="0001_random"), steps)
    assert first_misread(sql) is None


def test_random_schemas_reach_every_feature() -> None:
    """Random schemas use every feature."""
    seen: dict[str, int] = dict.fromkeys(FEATURES, 0)

    @settings(RANDOM, max_examples=300, derandomize=True, database=None, phases=[Phase.generate])
    @given(schemas())
    def count(schema: Schema) -> None:
        for feature in features(schema):
            seen[feature] += 1

    count()
    assert [feature for feature, times in seen.items() if times == 0] == []
