"""``--format``: findings with their parts, as annotations, SARIF and JUnit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.projects import edit, generated_project, run
from waiaas_migrate.cli.formats.github import workflow_commands
from waiaas_migrate.cli.formats.junit import junit
from waiaas_migrate.cli.formats.printing import FindingReport
from waiaas_migrate.commands.findings import Finding, Severity, Subject

FIX = "Run `waiaas-migrate generate`, review what it writes, and commit it."
WHAT = "missing migration: add column notes.author (TEXT)."


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose column notes.author, in line 18 of schema.yaml, has no migration."""
    generated_project(tmp_path)
    edit(tmp_path / "schema.yaml", "      body: text\n", "      body: text\n      author: text\n")
    return tmp_path


def test_json_has_the_parts(project: Path) -> None:
    """``--format json`` is ``--json``: code, severity, place, problem and fix are keys of their own."""
    done = run(project, "check", "--format", "json")
    assert json.loads(done.out)["findings"] == [
        {
            "code": "MISSING_MIGRATION",
            "severity": "error",
            "subject": "schema",
            "where": "notes",
            "what": WHAT,
            "fix": FIX,
            "file": "schema.yaml",
            "line": 18,
            "column": 7,
        }
    ]
    assert run(project, "check", "--json") == done


def test_github_annotates_the_line(project: Path) -> None:
    """``--format github`` prints one workflow command for each finding, and nothing else to stdout."""
    done = run(project, "check", "--format", "github")
    assert (done.status, done.err) == (1, "")
    place = "file=schema.yaml,line=18,col=7,title=MISSING_MIGRATION"
    assert done.out == f"::error {place}::notes: {WHAT} {FIX}\n"


def test_github_paths_are_those_of_the_checkout(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Annotations name files relative to the checkout, also if the project is a folder of it."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.parent))
    assert f"file={project.name}/schema.yaml,line=18" in run(project, "check", "--format=github").out


def test_github_escapes_texts() -> None:
    """No text in a finding can end a property or a line, or begin another command."""
    finding = Finding(
        code="A:B,C",
        severity=Severity.WARNING,
        subject=Subject.SCHEMA,
        where="50%",
        what="a\r\n::error::b.",
        file="a:b,c.yaml",
    )
    report = FindingReport(command="check", root=Path.cwd(), findings=[finding])
    assert workflow_commands(report) == "::warning file=a%3Ab%2Cc.yaml,title=A%3AB%2CC::50%25: a%0D%0A::error::b.\n"


def test_sarif(project: Path) -> None:
    """``--format sarif`` prints a run with a rule for each code, and a result with its place for each finding."""
    done = run(project, "check", "--format", "sarif")
    assert done.status == 1
    log = json.loads(done.out)
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (found,) = log["runs"]
    (rule,) = found["tool"]["driver"]["rules"]
    assert (rule["id"], rule["name"]) == ("MISSING_MIGRATION", "MissingMigration")
    assert rule["shortDescription"]["text"] == "schema.yaml declares a change that no migration makes."
    (result,) = found["results"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("MISSING_MIGRATION", 0, "error")
    assert result["message"]["text"] == f"notes: {WHAT} {FIX}"
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "schema.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 18, "startColumn": 7},
    }


def test_junit(project: Path) -> None:
    """``--format junit`` prints a failed test for each finding, with its place."""
    done = run(project, "check", "--format", "junit")
    assert done.status == 1
    report = ET.fromstring(done.out)  # noqa: S314 — our own
    assert (report.tag, report.get("tests"), report.get("failures"), report.get("errors")) == (
        "testsuites",
        "1",
        "1",
        "0",
    )
    case = report.find("testsuite/testcase")
    assert case is not None
    assert case.attrib == {
        "classname": "waiaas-migrate.check.MISSING_MIGRATION",
        "name": f"notes: {WHAT}",
        "file": "schema.yaml",
        "line": "18",
    }
    failure = case.find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == (WHAT, "MISSING_MIGRATION")
    assert failure.text == f"schema.yaml:18\n{WHAT}\n{FIX}"


def test_junit_is_xml_whatever_names_hold() -> None:
    """Control characters, which XML can't hold, are replaced; findings for information pass."""
    finding = Finding(
        code="A", severity=Severity.INFO, subject=Subject.SCHEMA, where="a\x00<b>", what="\x1b[31m & \ud800."
    )
    findings = FindingReport(command="lint", root=Path.cwd(), findings=[finding])
    report = ET.fromstring(junit(findings))  # noqa: S314 — our own
    case = report.find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == "a\ufffd<b>: \ufffd[31m & \ufffd."
    assert (report.get("failures"), case.find("failure")) == ("0", None)


@pytest.mark.parametrize("style", ["github", "sarif", "junit"])
def test_no_findings(tmp_path: Path, style: str) -> None:
    """Without findings the report is valid and empty, and the exit status is 0."""
    generated_project(tmp_path)
    done = run(tmp_path, "check", "--format", style)
    assert (done.status, done.err) == (0, "")
    if style == "github":
        assert done.out == ""
    elif style == "sarif":
        assert json.loads(done.out)["runs"][0]["results"] == []
    else:
        cases = ET.fromstring(done.out).findall("testsuite/testcase")  # noqa: S314 — our own
        assert [case.get("name") for case in cases] == ["no findings"]


def test_a_broken_schema_is_reported_in_the_format_too(project: Path) -> None:
    """A typo that stops the command is an annotation, a notification or an error, at its line."""
    edit(project / "schema.yaml", "author: text", "author: {typo: text}")
    github = run(project, "check", "--format", "github")
    assert github.status == 2
    assert github.out.startswith(
        "::error file=schema.yaml,line=18,col=16,title=SchemaFileError::tables.notes.columns.author"
    )
    (log,) = json.loads(run(project, "check", "--format", "sarif").out)["runs"]
    (invocation,) = log["invocations"]
    assert (log["results"], invocation["executionSuccessful"]) == ([], False)
    assert invocation["toolExecutionNotifications"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 18
    report = ET.fromstring(run(project, "check", "--format", "junit").out)  # noqa: S314 — our own
    assert (report.get("errors"), len(report.findall("testsuite/testcase/error"))) == ("1", 1)


def test_an_unknown_format_is_wrong_usage(tmp_path: Path) -> None:
    """Another format is refused with the formats that there are."""
    done = run(tmp_path, "check", "--format", "xml")
    assert (done.status, done.out) == (2, "")
    assert "'text', 'json', 'github', 'sarif', 'junit'" in done.err


def test_places(tmp_path: Path) -> None:
    """Findings point to the line that declares what they are about, or else to the nearest one above it."""
    generated_project(tmp_path)
    schema = tmp_path / "schema.yaml"
    edit(schema, "idx_tasks_state: [state]", "idx_tasks_state: [state, title]")
    edit(schema, "      body: text\n", "")
    edit(schema, "tables:\n", "views:\n  v: SELECT 1 AS one\ntables:\n")
    edit(schema, "foreign_keys: ON", "foreign_keys: ON\n  synchronous: FULL")
    (tmp_path / "kinds.py").write_text('STATES = ("open", "done", "late")\n', encoding="utf-8")
    found = json.loads(run(tmp_path, "check", "--json").out)["findings"]
    assert [(one["file"], declared(tmp_path / one["file"], one["line"])) for one in found] == [
        ("kinds.py", "STATES = "),
        ("schema.yaml", "idx_tasks_state"),
        ("schema.yaml", "notes"),
        ("schema.yaml", "v"),
        ("migrations/manifest.json", None),
    ]


def declared(file: Path, line: int | None) -> str | None:
    """Return the key, or the beginning, of a line in ``file``."""
    if line is None:
        return None
    text = file.read_text(encoding="utf-8").splitlines()[line - 1].strip()
    return re.split(r"[:(]", text)[0]
