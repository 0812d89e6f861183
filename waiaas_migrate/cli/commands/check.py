"""The command ``check``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import FINDINGS, print_findings, print_json, say

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project


@click.command()
@options.column_order
@options.as_json
@options.in_project
def check(project: Project, *, column_order: bool, as_json: bool) -> int:
    """Check that schema.yaml, the enums, and the migrations agree.

    For CI: needs no database and writes nothing. Exits with 1 if something differs.

    \b
    Example:
      waiaas-migrate check
    """  # noqa: D301
    from waiaas_migrate.commands.check import check as run

    findings = run(project, column_order=column_order)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    elif findings:
        print_findings(findings)
    else:
        say("schema.yaml, the enums, and the migrations agree.")
    return FINDINGS if findings else 0
