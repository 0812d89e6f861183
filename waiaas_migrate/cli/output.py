"""What the commands print: results to stdout, messages to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import TYPE_CHECKING, TextIO

import click

from waiaas_migrate.cli.streams import safe

if TYPE_CHECKING:
    from pathlib import Path

    # What finds these takes long to import, and applying does without.
    from waiaas_migrate.commands.findings import Finding
    from waiaas_migrate.errors import Failure, Problem
    from waiaas_migrate.schema.hazards.hazard import Hazard

#: The exit status where there is something to report.
FINDINGS = 1

#: Where results for machines go, while all else that is printed goes to stderr.
_stdout: ContextVar[TextIO | None] = ContextVar("stdout", default=None)


def say(text: str, *, good: bool | None = None) -> None:
    """A result for people, green or red on a terminal where it is good or bad news."""
    click.secho(safe(text), fg=None if good is None else "green" if good else "red")


def note(text: str) -> None:
    """A message beside the result."""
    click.echo(safe(text), err=True)


def print_document(text: str) -> None:
    """A file's text, exactly; in UTF-8, as in the file, if the encoding of stdout lacks a character."""
    is_whole = _can_encode(sys.stdout, text)
    click.echo(text if is_whole else text.encode(errors="surrogateescape"), nl=False)


def print_json(value: object) -> None:
    """A result for machines."""
    stream = _stdout.get()
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if not _can_encode(stream or sys.stdout, text):  # the name of a file may be no text; JSON must be
        text = json.dumps(value, indent=2)
    click.echo(text, file=stream)


def _can_encode(stream: TextIO | None, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def json_alone() -> Iterator[None]:
    """Have stdout hold the JSON alone: what a project's own code prints, its enums or migrations, goes to stderr."""
    token = _stdout.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _stdout.reset(token)


def print_failure(failure: Failure) -> None:
    """Why there is no result, for machines."""
    print_json({"error": error_row(failure), "exit_status": failure.exit_code})


def error_row(failure: Failure) -> dict[str, object]:
    """A failure for machines, for the only database or for one of many."""
    return {
        "kind": failure.kind,
        "message": failure.message,
        "problems": [problem_row(problem) for problem in failure.problems],
        "committed": failure.committed,
        "backup": failure.backup,
    }


def problem_row(problem: Problem) -> dict[str, object]:
    """What is wrong in a file, for machines."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "what": problem.what,
        "fix": problem.fix,
    }


def hazard_row(hazard: Hazard) -> dict[str, object]:
    """A hazard for machines."""
    return {
        "code": hazard.code,
        "where": hazard.where,
        "place": hazard.place,
        "what": hazard.what,
        "fix": hazard.fix,
        "destructive": hazard.is_destructive,
    }


def path_or_none(path: Path | None) -> str | None:
    """Where a file is, for machines, if there is one."""
    return None if path is None else str(path)


def finding_rows(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings for machines."""
    return [{"subject": f.subject, "where": f.where, "what": f.what, "fix": f.fix} for f in findings]


def print_findings(findings: Iterable[Finding]) -> None:
    """Findings for people, one a line."""
    for finding in findings:
        say(str(finding), good=False)
