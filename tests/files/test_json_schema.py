"""The JSON Schema of schema.yaml and its reader accept and refuse the same files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings

from tests.files.test_schema_file_damage import CASES, TABLE
from tests.files.test_schema_reference import EXAMPLES
from tests.support.projects import CHECKOUT
from tests.support.strategies import schemas
from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.schema_file.json_schema import JSON_SCHEMA, json_schema, json_schema_text
from waiaas_migrate.files.schema_file.load_schema import load_schema
from waiaas_migrate.files.schema_file.schema_keys import DEFINITIONS, TOP
from waiaas_migrate.files.schema_file.schema_text import schema_text
from waiaas_migrate.schema.model import Schema

VALIDATOR = jsonschema.Draft7Validator(json_schema())

#: What the reader reports and JSON Schema can't express: SQL, the enums, and what depends on the rest of the file.
ONLY_THE_READER = re.compile(
    r"""
    # the syntax of types and SQL, and NaN, which is a number
    .*\ is\ not\ a\ type\. | .*\ is\ an\ SQL\ keyword,\ not\ part\ of\ a\ type\. | SQLite\ can't\ store\ NaN\.
    | this\ is\ not\ an\ SQL\ expression:.* | can't\ read\ the\ statement:.* | the\ statement\ creates\ .*
    # modules and their enums
    | no\ module\ .* | .*\ is\ neither\ a\ module\ nor\ .* | .*\ is\ not\ a\ module\ name\. | unknown\ enum\ .* | can't\ use\ `.*
    # other tables, columns and names
    | there\ is\ no\ table\ .* | the\ table\ .*\ has\ no\ (column|primary\ key)\ .* | .*\ has\ no\ unique\ key\ on\ .*
    | .*\ is\ a\ view;.* | the\ numbers\ of\ columns\ differ:\ .* | .*\ is\ already\ (declared|used|renamed)\ .*
    | the\ trigger\ is\ on\ .* | .*\ is\ the\ current\ name\. | the\ table\ already\ has\ a\ primary\ key.*
    # values of other keys
    | .*\ requires\ a\ (primary\ key|type)\b.* | a\ (WITHOUT\ ROWID|STRICT)\ table\ can't\ have\ .*
    | the\ column\ (has\ no|is\ nullable,|itself)\ .* | .*\ must\ name\ one\ of\ the\ column's\ constraints\.
    | .*\ has\ no\ names\. | the\ default\ .*\ (enum|boolean)\b.* | a\ boolean\ can't\ have\ an\ enum.*
    | .*\ only\ leaves\ out\ the\ CHECK\ of\ a\ boolean\. | a\ generated\ column\ can't\ .*
    | (renamed|removed):\ .* | .*\ is\ both\ renamed\ and\ removed\.
    """,
    re.VERBOSE,
)


class Yaml12(yaml.SafeLoader):
    """Reads YAML as editors do, by version 1.2: `ON` and dates are text."""


Yaml12.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:null")]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false|True|False|TRUE|FALSE"), list("tTfF"))
Yaml12.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+e[-+]?\d+|\.inf|\.nan)$"), list("-+.0123456789")
)


def is_accepted(content: object) -> bool:
    """Return whether an editor finds nothing."""
    return bool(VALIDATOR.is_valid(content))


def problems(folder: Path, text: str) -> list[str]:
    """Return the problems that the reader reports."""
    path = folder / "schema.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_schema(path, root=folder)
    except SchemaFileError as error:
        return [problem.what for problem in error.problems]
    return []


def expected(found: list[str]) -> bool:
    """Return whether an editor should accept a file with these problems."""
    return all(ONLY_THE_READER.fullmatch(problem) for problem in found)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_damaged_files(tmp_path: Path, case: dict[str, Any]) -> None:
    """An editor marks each damaged file, unless only SQL or the rest of the file shows the damage."""
    text = case.get("file") or f"{TABLE}{case['column']}\n"
    try:
        content = yaml.load(text, Yaml12)  # noqa: S506 — a SafeLoader
    except yaml.YAMLError:
        return
    assert is_accepted(content) == expected(problems(tmp_path, text))


@pytest.mark.parametrize("text", [*EXAMPLES, (CHECKOUT / "schema.yaml").read_text(encoding="utf-8")])
def test_valid_files(text: str) -> None:
    """The examples of the documentation and the shipped schema are valid in an editor."""
    assert is_accepted(yaml.load(text, Yaml12))  # noqa: S506 — a SafeLoader


#: A valid file with each mapping, and the path of the mapping in it.
PLACES: dict[str, tuple[str, str]] = {
    "top": ("{version: 1, tables: {t: {columns: {a: text}}}}", ""),
    "table": ("{version: 1, tables: {t: {columns: {a: text, b: text}}}}", "tables t"),
    "column": ("{version: 1, tables: {t: {columns: {a: {type: text}, b: text}}}}", "tables t columns a"),
    "lint": ("{version: 1, lint: {}, tables: {t: {columns: {a: text}}}}", "lint"),
    "column_primary_key": (
        "{version: 1, tables: {t: {columns: {a: {type: text, primary_key: {}}}}}}",
        "tables t columns a primary_key",
    ),
    "column_unique": (
        "{version: 1, tables: {t: {columns: {a: {type: text, unique: {}}}}}}",
        "tables t columns a unique",
    ),
    "column_conflicts": (
        "{version: 1, tables: {t: {columns: {a: {type: text, nullable: false, unique: true, primary_key: true, on_conflict: {}}}}}}",
        "tables t columns a on_conflict",
    ),
    "enum": ("{version: 1, tables: {t: {columns: {a: {type: text, enum: {values: [x]}}}}}}", "tables t columns a enum"),
    "enum_values": (
        "{version: 1, tables: {t: {columns: {a: {type: text, enum: [x], enum_values: {}}}}}}",
        "tables t columns a enum_values",
    ),
    "generated": (
        "{version: 1, tables: {t: {columns: {b: text, a: {type: text, generated: {expression: b}}}}}}",
        "tables t columns a generated",
    ),
    "check": (
        "{version: 1, tables: {t: {columns: {a: {type: text, check: {check: a > 0}}}}}}",
        "tables t columns a check",
    ),
    "references": (
        "{version: 1, tables: {t: {columns: {a: {type: text, references: {table: t, external: true}}}}}}",
        "tables t columns a references",
    ),
    "parent": (
        "{version: 1, tables: {t: {columns: {a: text}, foreign_keys: [{column: a, references: {table: t, external: true}}]}}}",
        "tables t foreign_keys 0 references",
    ),
    "foreign_key": (
        "{version: 1, tables: {t: {columns: {a: text}, foreign_keys: [{column: a, references: {table: t, external: true}}]}}}",
        "tables t foreign_keys 0",
    ),
    "primary_key": (
        "{version: 1, tables: {t: {columns: {a: text}, primary_key: {columns: [a]}}}}",
        "tables t primary_key",
    ),
    "unique": ("{version: 1, tables: {t: {columns: {a: text}, unique: [{columns: [a]}]}}}", "tables t unique 0"),
    "index": ("{version: 1, tables: {t: {columns: {a: text}, indexes: {i: {columns: [a]}}}}}", "tables t indexes i"),
    "term": ("{version: 1, tables: {t: {columns: {a: text}, primary_key: [{column: a}]}}}", "tables t primary_key 0"),
    "index_term": (
        "{version: 1, tables: {t: {columns: {a: text}, indexes: {i: [{column: a}]}}}}",
        "tables t indexes i 0",
    ),
}
#: Values for every key: of all types, empty, in lists, in mappings, and words in several spellings.
VALUES: tuple[Any, ...] = (
    *(
        {"journal_mode": "memory"},
        {"Journal_Mode": "Wal"},
        {"schema_version": 1},
        {"foreign_keys": "ON"},
        {"cache_size": -1},
    ),
    *(
        ["\r"],
        ["a\0"],
        [""],
        {"a\r": "b"},
        {"a": 1.5},
        {"a": ["x"]},
        [1.5],
    ),
    *(None, True, False, 0, 1, 5, -2.5, "", " ", "a", "x", "t", "t.a", "5", "a > 0", "\x01", "\r", "sqlite_x"),
    *("asc", "DESC", "set_null", "SET NULL", "Initially Deferred", "replace", "integer", "boolean", "names"),
    *([], ["a"], ["a", "a"], [1], [True], [None], [["a"]], [{"column": "a"}], [{"column": "a", "x": 1}], [{}]),
    *({}, {"x": 1}, {"x": "y"}, {"x": None}, {"": "a"}, {"sqlite_x": "a"}, {"column": "a"}, {"columns": ["a"]}),
    *(
        {"check": "a > 0"},
        {"table": "t", "external": True},
        {"values": ["x"]},
        {"name": "n"},
        {"name": 5},
        {"stored": True},
    ),
    *([{"columns": ["a"]}], [{"check": "a", "name": "c"}], [{"column": "a", "references": "t"}]),
)


def mapping_at(content: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the mapping at ``path``."""
    at: Any = content
    for step in path.split():
        at = at[int(step) if step.isdecimal() else step]
    assert isinstance(at, dict)
    return at


def placed(name: str, key: str, value: object) -> dict[str, Any]:
    """Return the file of ``name`` with ``key`` set to ``value`` in its mapping."""
    text, path = PLACES[name]
    content: dict[str, Any] = yaml.safe_load(text)
    mapping_at(content, path)[key] = value
    return content


@settings(max_examples=60)
@given(schemas())
def test_schemas_of_all_kinds(schema: Schema) -> None:
    """Every output of `inspect` is valid in an editor."""
    assert is_accepted(yaml.load(schema_text(schema), Yaml12))  # noqa: S506 — a SafeLoader


@pytest.mark.parametrize("name", ["top", *DEFINITIONS])
def test_every_key_with_every_value(tmp_path: Path, name: str) -> None:
    """Every key of every mapping, with values of every kind, is accepted by both or refused by both."""
    form = TOP if name == "top" else DEFINITIONS[name]
    for key in (*form.keys, "unknown"):
        for value in VALUES:
            content = placed(name, key, value)
            found = problems(tmp_path, json.dumps(content))
            assert is_accepted(content) == expected(found), (key, value, found)


@pytest.mark.parametrize("name", ["top", *DEFINITIONS])
def test_every_key_is_required_by_both(tmp_path: Path, name: str) -> None:
    """If any one key is removed, a mapping is accepted by both or refused by both."""
    text, path = PLACES[name]
    for key in mapping_at(yaml.safe_load(text), path):
        content = yaml.safe_load(text)
        del mapping_at(content, path)[key]
        found = problems(tmp_path, json.dumps(content))
        assert is_accepted(content) == expected(found), (key, found)


def test_the_file_at_the_top_is_up_to_date() -> None:
    """The file equals the output of ``python -m tests.support.reference_pages``."""
    assert (CHECKOUT / JSON_SCHEMA).read_text(encoding="utf-8") == json_schema_text()
