"""The command ``check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output import FINDINGS, print_findings, say

if TYPE_CHECKING:
    from waiaas_migrate.cli.formats.printing import Style
    from waiaas_migrate.files.project import Project


@click.command()
@options.column_order
@options.finding_format
@options.in_project
def check(project: Project, *, column_order: bool, style: Style) -> int:
    """Check that schema.yaml, the enums, and the migrations agree.

    For CI: needs no database and writes nothing. Exits with 1 if something differs.

    \b
    Example:
      waiaas-migrate check
    """  # noqa: D301
    from waiaas_migrate.commands.check import check as run

    findings = run(project, column_order=column_order)
    if style != "text":
        from waiaas_migrate.cli.formats.printing import Found, print_found
        from waiaas_migrate.commands.findings import EXPLANATIONS

        found = Found(command="check", root=project.root, findings=findings, explanations=EXPLANATIONS)
        print_found(found, style)
    elif findings:
        print_findings(findings)
    else:
        say("schema.yaml, the enums, and the migrations agree.")
    return FINDINGS if findings else 0
