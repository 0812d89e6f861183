"""Write findings as SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from waiaas_migrate import __version__
from waiaas_migrate.cli.formats.printing import FindingReport
from waiaas_migrate.commands.findings import Finding, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(report: FindingReport) -> dict[str, object]:
    """Return a SARIF log.

    Findings are results of the run. The errors of a command that failed are notifications instead.
    """
    from waiaas_migrate.commands.lint.rule import explanations

    codes = tuple(dict.fromkeys(finding.code for finding in report.findings))
    explanation_of = explanations()
    rules = [] if report.failed else [_rule(code, explanation_of[code]) for code in codes]
    entries = [_entry(finding, report, codes) for finding in report.findings]
    run: dict[str, object] = {
        "tool": {"driver": {"name": "waiaas-migrate", "semanticVersion": __version__, "rules": rules}},
        "automationDetails": {"id": f"waiaas-migrate/{report.command}/"},
        "columnKind": "unicodeCodePoints",
        "results": [] if report.failed else entries,
    }
    if report.failed:
        notifications = [{key: entry[key] for key in entry if not key.startswith("rule")} for entry in entries]
        run["invocations"] = [{"executionSuccessful": False, "toolExecutionNotifications": notifications}]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, explanation: str) -> dict[str, object]:
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in code.split("_")),
        "shortDescription": {"text": explanation.partition("\n")[0]},
        "fullDescription": {"text": explanation},
        "help": {"text": explanation, "markdown": explanation},
    }


def _entry(finding: Finding, report: FindingReport, codes: Sequence[str]) -> dict[str, object]:
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": str(finding)},
        **({"locations": [_location(finding, report)]} if finding.file else {}),
    }


def _location(finding: Finding, report: FindingReport) -> dict[str, object]:
    path = report.path_of(finding)
    base = {} if path.startswith("/") else {"uriBaseId": "%SRCROOT%"}
    physical: dict[str, object] = {"artifactLocation": {"uri": quote(path), **base}}
    if finding.line is not None:
        column = {} if finding.column is None else {"startColumn": finding.column}
        physical["region"] = {"startLine": finding.line, **column}
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": finding.where}]}
