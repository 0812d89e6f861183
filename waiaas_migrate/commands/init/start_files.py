"""The texts of the files that ``init`` writes."""

from __future__ import annotations

import json
import shlex
from importlib.metadata import version

from waiaas_migrate.commands.editor_findings import EDITOR_LINE
from waiaas_migrate.files.schema_file.json_schema import JSON_SCHEMA

#: The first line of schema.yaml, for editors.
HEAD = f"{EDITOR_LINE}{JSON_SCHEMA}\n"

ENUMS = '''\
"""The enums that schema.yaml refers to."""

from enum import StrEnum


class State(StrEnum):
    OPEN = "open"
    DONE = "done"
'''

_SCHEMA = """\
version: 1
enums: {module}
pragmas:
  journal_mode: WAL
  foreign_keys: ON
tables:
  # An example. Replace it with your own tables, then run `waiaas-migrate generate`.
  tasks:
    columns:
      id: {{type: text, primary_key: true, nullable: false}}
      title: {{type: text, nullable: false}}
      state: {{type: text, nullable: false, default: open, enum: {enum}}}
      due_at: timestamp
    indexes:
      idx_tasks_due: {{columns: [due_at], where: state = 'open'}}
"""

_WORKFLOW = """\
# Fails if schema.yaml, the enums and the migrations disagree.
name: Migrations

on:
  push:
    branches: [main, master]
  pull_request:

permissions:
  contents: read

jobs:
  check:
    runs-on: ubuntu-latest
{folder}    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: python -m pip install {packages}
      - run: waiaas-migrate check --format github
"""

_HOOK = """\
  - repo: local
    hooks:
      - id: waiaas-migrate-check
        name: waiaas-migrate check
        entry: {entry}
        language: system
        pass_filenames: false
"""


def schema_sample(module: str, *, has_enum: bool) -> str:
    """Return a schema.yaml with one table; ``has_enum``: the module has the enum ``State``."""
    return HEAD + _SCHEMA.format(module=module, enum="State" if has_enum else "[open, done]")


def settings(database: str, *, newline: str = "\n") -> str:
    """Return the table of pyproject.toml, for a project with this database."""
    keys = {"schema": "schema.yaml", "migrations": "migrations", "database": database}
    # A basic string of TOML has the escapes of JSON (https://toml.io/en/v1.0.0#string).
    lines = ["[tool.waiaas-migrate]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    return "".join(f"{line}{newline}" for line in lines)


def workflow(folder: str, packages: tuple[str, ...]) -> str:
    """Return the CI workflow for a project in ``folder`` of the repository, which needs ``packages``."""
    inside = f"    defaults:\n      run:\n        working-directory: {json.dumps(folder)}\n" if folder else ""
    # A later release could report that the JSON Schema is outdated.
    this = f"waiaas-migrate=={version('waiaas-migrate')}"
    return _WORKFLOW.format(folder=inside, packages=" ".join([*packages, this]))


def hook(folder: str) -> str:
    """Return the entry of .pre-commit-config.yaml for a project in ``folder`` of the repository."""
    entry = "waiaas-migrate check"
    if folder:
        entry = json.dumps(f"bash -c {shlex.quote(f'cd {shlex.quote(folder)} && {entry}')}")
    return _HOOK.format(entry=entry)
