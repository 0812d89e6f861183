"""Every kind of damage to schema.yaml is reported with its place, the problem and the fix, all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.schema_file.load_schema import load_schema

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("damaged_schemas.yaml").read_text("utf-8"))
#: What stands before the column of a case that has no file of its own.
TABLE = """\
version: 1
tables:
  t:
    columns:
      id: {type: integer, primary_key: true}
      a: """


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_damage_is_reported(tmp_path: Path, case: dict[str, Any]) -> None:
    """The messages are as recorded, and loading writes nothing."""
    path = tmp_path / "schema.yaml"
    path.write_text(case.get("file") or f"{TABLE}{case['column']}\n", encoding="utf-8")
    with pytest.raises(SchemaFileError) as caught:
        load_schema(path, root=tmp_path)
    assert str(caught.value).replace(str(tmp_path), "{root}").splitlines() == case["problems"]
    assert list(tmp_path.iterdir()) == [path]
