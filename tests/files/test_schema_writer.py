"""A schema is written in short forms, in a fixed order, and with the same meaning in YAML 1.1 and 1.2."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.files.enum_sources.load_enums import EnumSource
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.schema_file.load_schema import load_schema
from waiaas_migrate.files.schema_file.schema_text import EnumReference, schema_text
from waiaas_migrate.files.yaml_text.yaml_reader import MappingNode, Node, ScalarNode, parse_yaml
from waiaas_migrate.files.yaml_text.yaml_writer import Lines, Paragraph, yaml_text
from waiaas_migrate.schema.model import Column, Schema, Table
from waiaas_migrate.sqlite.database.memory import execute, open_memory
from waiaas_migrate.sqlite.reading.introspect import introspect

OWNERS = """
CREATE TABLE owners ( -- Who pays
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE
)
"""
WALLETS = """
CREATE TABLE wallets (
  owner INTEGER NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
  chain TEXT NOT NULL DEFAULT 'solana' CHECK (chain IN ('solana', 'ethereum')), -- Where it lives
  frozen INTEGER NOT NULL DEFAULT 0 CHECK (frozen IN (0, 1)),
  balance DECIMAL(10, 2),
  label TEXT CHECK (length(label) BETWEEN 1 AND 100 AND label NOT LIKE '% ' AND label NOT LIKE ' %' AND label <> 'no'),
  PRIMARY KEY (owner, chain),
  UNIQUE (label, chain),
  CONSTRAINT rich CHECK (balance >= 0),
  CHECK (chain IN ('solana', 'ethereum')),
  FOREIGN KEY (chain) REFERENCES chains (name)
) WITHOUT ROWID
"""
TRIGGER = """
CREATE TRIGGER frozen_stays AFTER UPDATE ON wallets WHEN old.frozen BEGIN
\tSELECT RAISE(ABORT, 'frozen');  \r\nEND
"""
STATEMENTS = (
    OWNERS,
    WALLETS,
    "CREATE INDEX idx_wallets_chain ON wallets (chain)",
    "CREATE UNIQUE INDEX idx_wallets_label ON wallets (lower(label) DESC) WHERE label IS NOT NULL",
    "CREATE VIEW labels AS SELECT label FROM wallets",
    "CREATE VIEW chains_of (o, c) AS SELECT owner, chain FROM wallets",
    TRIGGER,
    "CREATE TABLE kinds (kind TEXT) STRICT",
)

WRITTEN = """\
version: 1

enums: app.enums

pragmas:
  journal_mode: WAL
  foreign_keys: 'ON'
  cache_size: -64000

tables:
  owners:
    comment: Who pays
    columns:
      id: {type: integer, primary_key: true, autoincrement: true}
      name: {type: text, nullable: false, unique: true}

  wallets:
    columns:
      owner: {type: integer, nullable: false, references: {table: owners, column: id, on_delete: cascade}}
      chain: {type: text, nullable: false, default: solana, enum: CHAINS, comment: Where it lives}
      frozen: {type: boolean, nullable: false, default: false}
      balance: DECIMAL(10, 2)
      label:
        type: text
        check: length(label) BETWEEN 1 AND 100 AND label NOT LIKE '% ' AND label NOT LIKE ' %' AND label <> 'no'
    primary_key: [owner, chain]
    unique: [[label, chain]]
    checks:
      - {check: balance >= 0, name: rich}
      - chain IN ('solana', 'ethereum')
    foreign_keys: [{column: chain, references: {table: chains, column: name, external: true}}]
    indexes:
      idx_wallets_chain: [chain]
      idx_wallets_label: {columns: [{expression: lower(label), order: desc}], unique: true, where: label IS NOT NULL}
    without_rowid: true

  kinds:
    columns:
      kind: text
    strict: true

views:
  labels: SELECT label FROM wallets
  chains_of: CREATE VIEW chains_of (o, c) AS SELECT owner, chain FROM wallets

triggers:
  frozen_stays: |
    CREATE TRIGGER frozen_stays AFTER UPDATE ON wallets WHEN old.frozen BEGIN
        SELECT RAISE(ABORT, 'frozen');
    END
"""


def read(*statements: str) -> Schema:
    """Return the schema that ``statements`` create."""
    with closing(open_memory()) as connection:
        for statement in statements:
            execute(connection, statement)
        return introspect(connection)


def plain(node: Node) -> object:
    """Return a YAML tree as plain data."""
    if isinstance(node, MappingNode):
        return {entry.key.value: plain(entry.value) for entry in node.entries}
    if isinstance(node, ScalarNode):
        return node.value
    return [plain(item) for item in node.items]


def test_a_schema_is_written_in_short_forms() -> None:
    """Short forms take one line, long ones several. Keys have a fixed order, enums are named, and SQL is in blocks."""
    text = schema_text(
        read(*STATEMENTS),
        pragmas=[("journal_mode", "WAL"), ("foreign_keys", "ON"), ("cache_size", -64000)],
        enums={("wallets", "chain"): EnumReference("CHAINS")},
        enum_sources=[EnumSource("app.enums", Origin(file="schema.yaml"))],
    )
    assert text == WRITTEN


def test_a_schema_without_tables_is_written(tmp_path: Path) -> None:
    """The schema of an empty database is a valid file."""
    path = tmp_path / "schema.yaml"
    path.write_text(schema_text(Schema()), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "version: 1\n\ntables: {}\n"
    assert load_schema(path, root=tmp_path).schema == Schema()


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        (Schema(tables=(Table(name="a\nb", columns=(Column(name="c"),)),)), "table 'a\\\\nb'"),
        (Schema(tables=(Table(name="_yoyo_more", columns=(Column(name="c"),)),)), "table '_yoyo_more'"),
        (Schema(tables=(Table(name="t", columns=(Column(name=" "),)),)), "table t: the name ' '"),
        (Schema(tables=(Table(name="t", columns=(Column(name="c", type="a (b)"),)),)), "column c: the type a"),
        (Schema(tables=(Table(name="t", columns=(Column(name="c", collation="\t"),)),)), "column c: the name '"),
    ],
    ids=["newline", "reserved", "blank", "type", "collation"],
)
def test_unsupported_names_and_types_are_refused(schema: Schema, what: str) -> None:
    """The error names what schema.yaml does not accept."""
    with pytest.raises(UnsupportedError, match=what):
        schema_text(schema)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
    | TEXTS
    | st.text("0123456789+-_.:eExob~=<#!&*?|>%@`'\"{}[], \n\tyYnN")
    | st.sampled_from(
        "yes No on OFF y n true True ~ null NULL 0777 0o17 0x1F 1e5 1:30 2020-01-01 << = .inf - ?".split()
    )
)
DATA = st.recursive(
    SCALARS | TEXTS.map(Paragraph),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner) | st.dictionaries(TEXTS, inner).map(Lines),
    max_leaves=15,
)


@given(st.dictionaries(TEXTS, DATA, min_size=1))
@example({"a": Paragraph("one\n\x85")})
@example({"a": Paragraph("one\n\u2028two\n")})
def test_data_has_one_meaning_in_every_yaml(data: dict[str, object]) -> None:
    """YAML 1.2 and YAML 1.1 both read back the same data."""
    text = yaml_text(Lines(data))  # type: ignore[arg-type]
    assert yaml.safe_load(text) == data
    assert plain(parse_yaml(text, name="test")) == data
