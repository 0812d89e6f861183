"""Write findings as a JUnit report, which GitLab and Jenkins show beside test results."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from waiaas_migrate.cli.formats.printing import Found
from waiaas_migrate.commands.findings import Finding, Severity

#: Characters that XML 1.0 can't hold, even escaped.
_UNHOLDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
        "name": _holdable(f"{finding.where}: {finding.what}"),
    }
    place = ""
    if finding.file:
        attributes["file"] = place = _holdable(found.path_of(finding))
    if finding.line is not None:
        attributes["line"] = str(finding.line)
        place = f"{place}:{finding.line}"
    case = ET.SubElement(suite, "testcase", attributes)
    text = _holdable("\n".join(part for part in (place, finding.what, finding.fix) if part))
    if not _fails(finding):
        ET.SubElement(case, "system-out").text = text
        return
    kind = "error" if found.failed else "failure"
    ET.SubElement(case, kind, {"message": _holdable(finding.what), "type": finding.code}).text = text


def _holdable(text: str) -> str:
    return _UNHOLDABLE.sub("\N{REPLACEMENT CHARACTER}", text)
