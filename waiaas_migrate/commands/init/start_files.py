"""The texts of the files that ``init`` writes, and the class ``Start`` that collects them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from waiaas_migrate.files.schema_file.json_schema import JSON_SCHEMA

#: The first line of schema.yaml, which names the JSON Schema for editors.
EDITOR_COMMENT = f"# yaml-language-server: $schema={JSON_SCHEMA}\n"

SAMPLE_ENUMS = '''\
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The texts of the files that a new project starts with, by path, and the database for pyproject.toml.

    ``files`` lacks pyproject.toml, the CI workflow and the pre-commit hook. ``notices`` are sentences for the user.
    ``is_adoptable``: ``files`` has the first migration, and the database has the schema that it makes.
    """

    files: Mapping[Path, str]
    database: str = "app.db"
    notices: tuple[str, ...] = ()
    is_adoptable: bool = False


def sample_schema(module: str, *, enum: str) -> str:
    """Return a schema.yaml with one table; ``enum`` is the name of its enum in ``module``, or the values."""
    return EDITOR_COMMENT + _SCHEMA.format(module=module, enum=enum)


def settings(database: str, *, newline: str = "\n") -> str:
    """Return the table ``[tool.waiaas-migrate]`` of pyproject.toml for a project with ``database``."""
    keys = {"schema": "schema.yaml", "migrations": "migrations", "database": database}
    # A JSON string is also a basic string of TOML (https://toml.io/en/v1.0.0#string).
    lines = ["[tool.waiaas-migrate]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    return "".join(f"{line}{newline}" for line in lines)


def workflow(folder: str, packages: tuple[str, ...]) -> str:
    """Return the CI workflow that installs ``packages`` and checks the project in ``folder`` of the repository."""
    defaults = f"    defaults:\n      run:\n        working-directory: {json.dumps(folder)}\n" if folder else ""
    # Pinned, because `check` of a later release may report that the JSON Schema is outdated.
    this_release = f"waiaas-migrate=={version('waiaas-migrate')}"
    return _WORKFLOW.format(folder=defaults, packages=" ".join([*packages, this_release]))


def hook(folder: str) -> str:
    """Return the entry of .pre-commit-config.yaml that checks the project in ``folder`` of the repository."""
    entry = "waiaas-migrate check"
    if folder:
        entry = json.dumps(f"bash -c {shlex.quote(f'cd {shlex.quote(folder)} && {entry}')}")
    return _HOOK.format(entry=entry)
