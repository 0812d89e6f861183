"""Write the JSON Schema of schema.yaml. Editors use it to complete and check the file."""

from __future__ import annotations

import json
import re
from typing import Any

from waiaas_migrate.files.schema_file.forms import Form, Key
from waiaas_migrate.files.schema_file.schema_keys import DEFINITIONS, TOP

#: The name of the file, beside schema.yaml.
JSON_SCHEMA = "waiaas-migrate.schema.json"
_TITLE = "schema.yaml of waiaas-migrate"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 7, which editors for YAML support)."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": _TITLE,
        **_object(TOP),
        "definitions": {name: _shape(form) for name, form in DEFINITIONS.items()},
    }


def json_schema_text() -> str:
    """Return the JSON Schema as the text of its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def is_json_schema(content: object) -> bool:
    """Return whether ``content`` is the JSON Schema of this or another release."""
    return isinstance(content, dict) and content.get("title") == _TITLE


def _shape(form: Form) -> dict[str, Any]:
    """Return the shape of a mapping, or of the value that may replace it."""
    return {"anyOf": [form.keys[form.short].kind.shape, _object(form)]} if form.short else _object(form)


def _object(form: Form) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(key) for name, key in form.keys.items()},
        "additionalProperties": False,
    }
    if required := [*([form.short] if form.short else []), *form.required]:
        found["required"] = required
    if form.one_of:
        found["oneOf"] = [{"required": [name]} for name in form.one_of]
    if form.exclusive:
        found["not"] = {"required": list(form.exclusive)}
    return found


def _property(key: Key) -> dict[str, Any]:
    text = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", key.description)
    text = f"{text} Example: `{key.example}`" if key.example else text
    # Draft 7 ignores all keywords next to a `$ref`.
    shape = {"allOf": [key.kind.shape]} if "$ref" in key.kind.shape else key.kind.shape
    # The YAML language server would show backticks in `description`, so it reads `markdownDescription`.
    return {"description": text.replace("`", ""), "markdownDescription": text, **shape}
