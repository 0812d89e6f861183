"""Write findings as workflow commands, which GitHub Actions shows as annotations.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from waiaas_migrate.cli.formats.printing import FindingReport
from waiaas_migrate.commands.findings import Finding, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def workflow_commands(report: FindingReport) -> str:
    """Return a line for each finding."""
    return "".join(f"{_command(finding, report)}\n" for finding in report.findings)


def _command(finding: Finding, report: FindingReport) -> str:
    properties = {
        "file": report.path_of(finding) if finding.file else None,
        "line": finding.line,
        "col": finding.column,
        "title": finding.code,
    }
    pairs = ",".join(f"{key}={_escape_value(str(value))}" for key, value in properties.items() if value is not None)
    return f"::{_COMMANDS[finding.severity]} {pairs}::{_escape_text(str(finding))}"


def _escape_text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_value(text: str) -> str:
    return _escape_text(text).replace(":", "%3A").replace(",", "%2C")
