"""Write findings as SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from waiaas_migrate import __version__
from waiaas_migrate.cli.formats.printing import Found
from waiaas_migrate.commands.findings import Finding, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(found: Found) -> dict[str, object]:
    """Return a SARIF log; a failure is a notification of the run rather than a result."""
    from waiaas_migrate.commands.lint.rule import explanations

    codes = tuple(dict.fromkeys(finding.code for finding in found.findings))
    meanings = explanations()
    rules = [] if found.failed else [_rule(code, meanings[code]) for code in codes]
    entries = [_entry(finding, found, codes) for finding in found.findings]
    run: dict[str, object] = {
        "tool": {"driver": {"name": "waiaas-migrate", "semanticVersion": __version__, "rules": rules}},
        "automationDetails": {"id": f"waiaas-migrate/{found.command}/"},
        "columnKind": "unicodeCodePoints",
        "results": [] if found.failed else entries,
    }
    if found.failed:
        notifications = [{key: value for key, value in one.items() if not key.startswith("rule")} for one in entries]
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


def _entry(finding: Finding, found: Found, codes: Sequence[str]) -> dict[str, object]:
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": str(finding)},
        **({"locations": [_location(finding, found)]} if finding.file else {}),
    }


def _location(finding: Finding, found: Found) -> dict[str, object]:
    path = found.path_of(finding)
    base = {} if path.startswith("/") else {"uriBaseId": "%SRCROOT%"}
    physical: dict[str, object] = {"artifactLocation": {"uri": quote(path), **base}}
    if finding.line is not None:
        column = {} if finding.column is None else {"startColumn": finding.column}
        physical["region"] = {"startLine": finding.line, **column}
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": finding.where}]}
