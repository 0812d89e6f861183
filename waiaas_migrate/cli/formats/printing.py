"""Print findings and errors in the format that ``--format`` names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from waiaas_migrate.cli.output import print_data, print_failure, print_json

if TYPE_CHECKING:
    from waiaas_migrate.commands.findings import Finding
    from waiaas_migrate.errors import Failure

OutputFormat = Literal["text", "json", "github", "sarif", "junit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingReport:
    """The findings of a command. Their files are relative to ``root``, the project's folder.

    If the command ``failed``, the findings are the errors that ended it.
    """

    command: str
    root: Path
    findings: Sequence[Finding]
    failed: bool = False

    def path_of(self, finding: Finding) -> str:
        """Return the path of the finding's file, relative to the checkout or current folder that contains it."""
        base = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
        path = self.root / finding.file
        return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def print_report(report: FindingReport, output_format: OutputFormat) -> None:
    """Print ``report`` in an output format other than text."""
    if output_format == "json":
        print_json({"findings": [asdict(finding) for finding in report.findings]})
    elif output_format == "github":
        from waiaas_migrate.cli.formats.github import workflow_commands

        print_data(workflow_commands(report))
    elif output_format == "sarif":
        from waiaas_migrate.cli.formats.sarif import sarif

        print_json(sarif(report))
    elif output_format == "junit":
        from waiaas_migrate.cli.formats.junit import junit

        print_data(junit(report))


def print_failure_as(failure: Failure, output_format: OutputFormat, *, command: str) -> None:
    """Print the error that ended ``command``, in an output format other than text."""
    if output_format == "json":
        print_failure(failure)
        return
    from waiaas_migrate.commands.findings import failure_findings

    findings = failure_findings(failure)
    print_report(FindingReport(command=command, root=_project_folder(), findings=findings, failed=True), output_format)


def _project_folder() -> Path:
    """Return the project's folder, or the current folder if the project's settings are broken."""
    from waiaas_migrate.errors import MigrateError
    from waiaas_migrate.files.project import find_project

    try:
        return find_project(Path.cwd()).root
    except MigrateError:
        return Path.cwd()
