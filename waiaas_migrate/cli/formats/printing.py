"""Print findings, and errors, in the format that ``--format`` names."""

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

Style = Literal["text", "json", "github", "sarif", "junit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The findings of a command.

    Args:
        command: its name.
        root: the folder that the files of the findings are relative to.
        findings: what it found.
        failed: whether it could not complete; then the findings are the reasons.
    """

    command: str
    root: Path
    findings: Sequence[Finding]
    failed: bool = False

    def path_of(self, finding: Finding) -> str:
        """Return the path of the file, relative to the checkout, as services that show findings need it."""
        base = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
        path = self.root / finding.file
        return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def print_found(found: Found, style: Style) -> None:
    """Print ``found`` in ``style``, which is not text."""
    if style == "json":
        print_json({"findings": [asdict(finding) for finding in found.findings]})
    elif style == "github":
        from waiaas_migrate.cli.formats.github import workflow_commands

        print_data(workflow_commands(found))
    elif style == "sarif":
        from waiaas_migrate.cli.formats.sarif import sarif

        print_json(sarif(found))
    elif style == "junit":
        from waiaas_migrate.cli.formats.junit import junit

        print_data(junit(found))


def print_failure_as(failure: Failure, style: Style, *, command: str) -> None:
    """Print an error that ended ``command`` in ``style``, which is not text."""
    if style == "json":
        print_failure(failure)
        return
    from waiaas_migrate.commands.findings import failure_findings

    findings = failure_findings(failure)
    print_found(Found(command=command, root=_root(), findings=findings, failed=True), style)


def _root() -> Path:
    """Return the project's folder; the current one if the project itself is broken."""
    from waiaas_migrate.errors import MigrateError
    from waiaas_migrate.files.project import find_project

    try:
        return find_project(Path.cwd()).root
    except MigrateError:
        return Path.cwd()
