"""The command ``check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.formats.printing import FindingReport, OutputFormat, print_report
from waiaas_migrate.cli.output import FINDINGS, print_findings, say

if TYPE_CHECKING:
    from waiaas_migrate.files.project import Project


@click.command()
@options.column_order
@options.finding_format
@options.in_project
def check(project: Project, *, column_order: bool, output_format: OutputFormat) -> int:
    """Check that schema.yaml, the enums, and the migrations agree.

    For CI: needs no database and writes nothing. Exits with 1 if something differs.

    \b
    Example:
      waiaas-migrate check
    """  # noqa: D301
    from waiaas_migrate.commands.check import check as run

    findings = run(project, column_order=column_order)
    agrees = all(finding.severity == "info" for finding in findings)
    if output_format != "text":
        print_report(FindingReport(command="check", root=project.root, findings=findings), output_format)
    else:
        print_findings(findings)
        if agrees:
            say("schema.yaml, the enums, and the migrations agree.")
    return 0 if agrees else FINDINGS
