"""Write findings as a JUnit report, which GitLab and Jenkins show beside test results."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from waiaas_migrate.cli.formats.printing import FindingReport
from waiaas_migrate.commands.findings import Finding, Severity
from waiaas_migrate.drawing.plain_text import printable


def junit(report: FindingReport) -> str:
    """Return XML with a failed test for each finding, or a passed test if there are no findings.

    Findings of severity ``info`` are passed tests.
    """
    counts = {"tests": max(1, len(report.findings)), "failures": 0, "errors": 0}
    counts["errors" if report.failed else "failures"] = sum(map(_is_failure, report.findings))
    numbers = {name: str(number) for name, number in counts.items()}
    root = ET.Element("testsuites", numbers)
    suite = ET.SubElement(root, "testsuite", {"name": f"waiaas-migrate {report.command}", **numbers})
    for finding in report.findings:
        _add_case(suite, finding, report)
    if not report.findings:
        ET.SubElement(suite, "testcase", {"classname": f"waiaas-migrate.{report.command}", "name": "no findings"})
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _is_failure(finding: Finding) -> bool:
    return finding.severity is not Severity.INFO


def _add_case(suite: ET.Element, finding: Finding, report: FindingReport) -> None:
    attributes = {
        "classname": f"waiaas-migrate.{report.command}.{finding.code}",
        "name": printable(f"{finding.where}: {finding.what}"),
    }
    place = ""
    if finding.file:
        attributes["file"] = place = printable(report.path_of(finding))
    if finding.line is not None:
        attributes["line"] = str(finding.line)
        place = f"{place}:{finding.line}"
    case = ET.SubElement(suite, "testcase", attributes)
    text = printable("\n".join(part for part in (place, finding.what, finding.fix) if part))
    if not _is_failure(finding):
        ET.SubElement(case, "system-out").text = text
        return
    kind = "error" if report.failed else "failure"
    ET.SubElement(case, kind, {"message": printable(finding.what), "type": finding.code}).text = text
