"""Write findings as workflow commands, which GitHub Actions shows as annotations.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from waiaas_migrate.cli.formats.printing import Found
from waiaas_migrate.commands.findings import Finding, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def workflow_commands(found: Found) -> str:
    """Return a line for each finding."""
    return "".join(f"{_command(finding, found)}\n" for finding in found.findings)


def _command(finding: Finding, found: Found) -> str:
    properties = {
        "file": found.path_of(finding) if finding.file else None,
        "line": finding.line,
        "col": finding.column,
        "title": finding.code,
    }
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None)
    return f"::{_COMMANDS[finding.severity]} {listed}::{_escaped(str(finding))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
