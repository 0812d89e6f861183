"""Report a missing or outdated JSON Schema, for ``check``.

A comment in schema.yaml names this file. Editors use it to complete and check the keys of schema.yaml.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from waiaas_migrate.commands.findings import Finding, FindingCode, Subject
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.text_file import display_name

#: The beginning of the comment that names the JSON Schema (https://github.com/redhat-developer/yaml-language-server).
EDITOR_LINE = "# yaml-language-server: $schema="
_EDITOR_LINE = re.compile(r"^\s*#\s*yaml-language-server\s*:\s*\$schema=(\S+)", re.MULTILINE)


def editor_findings(project: Project) -> tuple[Finding, ...]:
    """Return a finding if schema.yaml names a JSON Schema file that is missing or of another release.

    A JSON Schema at a URL, or from another author, is ignored.
    """
    text = project.schema.read_text(encoding="utf-8")
    if "yaml-language-server" not in text or (comment := _EDITOR_LINE.search(text)) is None or "://" in comment[1]:
        return ()
    path = project.schema.parent / comment[1].removeprefix("file:")
    what = _fault(path)
    if not what:
        return ()
    shown, file = display_name(path, project.root), display_name(project.schema, project.root)
    return (
        Finding(
            code=FindingCode.STALE_JSON_SCHEMA,
            subject=Subject.SCHEMA,
            where=shown,
            what=what,
            fix=f"Run `waiaas-migrate json-schema -o {shown}`.",
            file=file,
            line=text.count("\n", 0, comment.start(1)) + 1,
        ),
    )


def _fault(path: Path) -> str:
    """Return what is wrong with the JSON Schema ``path``; empty if it is current or from another author."""
    from waiaas_migrate.files.schema_file.json_schema import is_json_schema, json_schema

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "schema.yaml names this JSON Schema for editors, but there is no such file."
    except (OSError, ValueError, RecursionError) as error:
        return f"schema.yaml names this JSON Schema for editors, but it can't be read: {error}."
    is_current = not is_json_schema(content) or content == json_schema()
    return "" if is_current else "this JSON Schema for editors is of another release."
