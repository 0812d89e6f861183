"""Make the JSON Schema with which editors complete and check schema.yaml."""

from __future__ import annotations

import json
import re
from typing import Any

from waiaas_migrate.files.schema_file.forms import Form, Key
from waiaas_migrate.files.schema_file.schema_keys import DEFINITIONS, TOP

#: The name of the JSON Schema's file, which is beside schema.yaml.
JSON_SCHEMA = "waiaas-migrate.schema.json"
_TITLE = "schema.yaml of waiaas-migrate"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema, in draft 7, which YAML editors support."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": _TITLE,
        **_form_shape(TOP),
        "definitions": {name: _form_shape(form) for name, form in DEFINITIONS.items()},
    }


def json_schema_text() -> str:
    """Return the JSON Schema as the text of its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def is_json_schema(content: object) -> bool:
    """Return whether ``content`` is the JSON Schema of this or another release."""
    return isinstance(content, dict) and content.get("title") == _TITLE


def _form_shape(form: Form) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: _key_shape(key) for name, key in form.keys.items()},
        "additionalProperties": False,
    }
    if required := [*([form.short] if form.short else []), *form.required]:
        found["required"] = required
    if form.one_of:
        found["oneOf"] = [{"required": [name]} for name in form.one_of]
    if form.exclusive:
        found["not"] = {"required": list(form.exclusive)}
    return {"anyOf": [form.keys[form.short].kind.shape, found]} if form.short else found


def _key_shape(key: Key) -> dict[str, Any]:
    text = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", key.description)
    text = f"{text} Example: `{key.example}`" if key.example else text
    # Draft 7 ignores all keywords next to a `$ref`.
    shape = {"allOf": [key.kind.shape]} if "$ref" in key.kind.shape else key.kind.shape
    # The YAML language server shows backticks in `description` as they are, and renders `markdownDescription`.
    return {"description": text.replace("`", ""), "markdownDescription": text, **shape}
