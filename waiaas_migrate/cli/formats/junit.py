"""Write findings as a JUnit report, which GitLab and Jenkins show beside test results."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from waiaas_migrate.cli.formats.printing import Found
from waiaas_migrate.commands.findings import Finding, Severity
from waiaas_migrate.drawing.plain_text import printable


def junit(found: Found) -> str:
    """Return a report with a failed test for each finding, or with one passed test if there are none."""
    counts = {"tests": max(1, len(found.findings)), "failures": 0, "errors": 0}
    counts["errors" if found.failed else "failures"] = sum(map(_fails, found.findings))
    numbers = {name: str(number) for name, number in counts.items()}
    report = ET.Element("testsuites", numbers)
    suite = ET.SubElement(report, "testsuite", {"name": f"waiaas-migrate {found.command}", **numbers})
    for finding in found.findings:
        _add_case(suite, finding, found)
    if not found.findings:
        ET.SubElement(suite, "testcase", {"classname": f"waiaas-migrate.{found.command}", "name": "no findings"})
    ET.indent(report)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(report, encoding="unicode")}\n'


def _fails(finding: Finding) -> bool:
    return finding.severity is not Severity.INFO


def _add_case(suite: ET.Element, finding: Finding, found: Found) -> None:
    attributes = {
        "classname": f"waiaas-migrate.{found.command}.{finding.code}",
        "name": printable(f"{finding.where}: {finding.what}"),
    }
    place = ""
    if finding.file:
        attributes["file"] = place = printable(found.path_of(finding))
    if finding.line is not None:
        attributes["line"] = str(finding.line)
        place = f"{place}:{finding.line}"
    case = ET.SubElement(suite, "testcase", attributes)
    text = printable("\n".join(part for part in (place, finding.what, finding.fix) if part))
    if not _fails(finding):
        ET.SubElement(case, "system-out").text = text
        return
    kind = "error" if found.failed else "failure"
    ET.SubElement(case, kind, {"message": printable(finding.what), "type": finding.code}).text = text
