"""docs/schema-file.md names every key and has only valid examples; any file gives a schema or an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.schema_file.load_schema import load_schema

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "schema.yaml").read_text(encoding="utf-8")
SCRAPS = (
    "null",
    "[]",
    "{}",
    "5",
    "true",
    "'",
    "\t",
    "*a",
    "&a",
    "!!x",
    "- ",
    ": ",
    "\n",
    "[[",
    "columns",
    "\0",
    "é",
    "\\",
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return the shipped schema with some pieces removed, moved or added."""
    text = SHIPPED
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 40))
        scrap = draw(st.sampled_from(SCRAPS) | st.text(max_size=5) | st.just(text[start:end] * 2))
        text = text[:start] + scrap + text[end:]
    return text.encode("utf-8", "surrogatepass")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.binary(max_size=300) | damaged())
def test_any_file_is_a_schema_or_an_error(tmp_path: Path, content: bytes) -> None:
    """Random bytes and damaged schemas give a schema or a SchemaFileError."""
    path = tmp_path / "schema.yaml"
    path.write_bytes(content)
    try:
        load_schema(path, root=ROOT)
    except SchemaFileError as error:
        assert str(error)  # noqa: PT017 (most damage is an error, and some is none)


REFERENCE = (ROOT / "docs" / "schema-file.md").read_text(encoding="utf-8")
EXAMPLES = [block for block in re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL) if "app.enums" not in block]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_are_valid(tmp_path: Path, example: str) -> None:
    """Every example of docs/schema-file.md is a schema."""
    path = tmp_path / "schema.yaml"
    path.write_text(example, encoding="utf-8")
    assert load_schema(path, root=tmp_path).schema.tables
