"""The command ``json-schema``."""

from __future__ import annotations

import click

from waiaas_migrate.cli.output_file import output, output_path, write_document


@click.command("json-schema")
@output
def json_schema(output: str | None) -> None:
    """Print the JSON Schema of schema.yaml, for editors.

    Editors use it to complete and check schema.yaml if the first line of schema.yaml is
    `# yaml-language-server: $schema=waiaas-migrate.schema.json`. `check` reports a copy from another release.

    \b
    Example:
      waiaas-migrate json-schema -o waiaas-migrate.schema.json
    """  # noqa: D301
    from waiaas_migrate.files.schema_file.json_schema import json_schema_text

    write_document(output_path(output), json_schema_text())
