"""``check`` reports a JSON Schema for editors that is missing or from another release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.projects import edit, generated_project, run
from waiaas_migrate.files.schema_file.json_schema import json_schema, json_schema_text

LINE = "# yaml-language-server: $schema=editor/s.json\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project whose schema.yaml names a JSON Schema that is missing."""
    project = generated_project(tmp_path / "p")
    (project / "editor").mkdir()
    edit(project / "schema.yaml", "version: 1", f"{LINE}version: 1")
    return project


def test_the_command_writes_what_check_accepts(project: Path) -> None:
    """The finding names a command, and ``check`` accepts the file that this command writes."""
    found = run(project, "check", "--format", "github")
    assert found.status == 1
    assert found.out.startswith("::error file=schema.yaml,line=1,title=STALE_JSON_SCHEMA")
    assert "waiaas-migrate json-schema -o editor/s.json" in found.out
    assert run(project, "json-schema", "-o", "editor/s.json").status == 0
    assert (project / "editor" / "s.json").read_text() == json_schema_text() == run(project, "json-schema").out
    assert run(project, "check").status == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps({**json_schema(), "definitions": {}}), "was written by another version"),
        ("{", "can't be read"),
        ("[" * 100_000, "can't be read"),
        ("\ud800", "can't be read"),
    ],
    ids=["older", "cut off", "too deep", "not UTF-8"],
)
def test_a_file_that_is_not_the_current_one(project: Path, text: str, said: str) -> None:
    """An outdated file is one finding, and ``check`` continues."""
    (project / "editor" / "s.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    found = run(project, "check")
    assert (found.status, said in found.out) == (1, True)


@pytest.mark.parametrize(
    ("named", "text"),
    [
        ("editor/s.json", json.dumps(json_schema(), separators=(",", ":"))),
        ("editor/s.json", '{"title": "Our own"}'),
        ("https://example.com/s.json", None),
    ],
    ids=["formatted differently", "of somebody else", "at a URL"],
)
def test_a_file_that_is_not_to_be_corrected(project: Path, named: str, text: str | None) -> None:
    """Another formatting of the file, and JSON Schemas of other origin, are not findings."""
    edit(project / "schema.yaml", "editor/s.json", named)
    if text is not None:
        (project / "editor" / "s.json").write_text(text)
    assert run(project, "check").status == 0
