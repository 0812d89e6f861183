"""The command ``lint``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.formats.printing import FindingReport, OutputFormat, print_report
from waiaas_migrate.cli.output import FINDINGS, Color, plural, say
from waiaas_migrate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from waiaas_migrate.commands.findings import Finding
    from waiaas_migrate.files.project import Project

_LEVELS = ("info", "warning", "error")
_COLORS: dict[str, Color] = {"error": "red", "warning": "yellow", "info": "green"}


@click.command()
# Not named `database`: a default database would replace a missing DATABASE, which means schema.yaml here.
@click.argument("source", required=False, metavar="[DATABASE]")
@click.option(
    "--since", metavar="REF", help="Report the hazards of migrations that the branch, tag or commit REF lacks."
)
@click.option(
    "--severity",
    type=click.Choice(_LEVELS),
    metavar="LEVEL",
    default="info",
    help="Report only findings of at least LEVEL: `info`, `warning` or `error`.  [default: info]",
)
@options.finding_format
@options.in_project
def lint(project: Project, source: str | None, *, since: str | None, severity: str, output_format: OutputFormat) -> int:
    """Find weaknesses in schema.yaml and in new migrations.

    Reports, for example, a foreign key without an index. With DATABASE, reads the schema of that database instead.
    Writes nothing. Exits with 1 if there is an error or a warning.

    \b
    Example:
      waiaas-migrate lint --since origin/main
    """  # noqa: D301
    from waiaas_migrate.commands.lint.lint import lint as run
    from waiaas_migrate.commands.lint.lint import lint_database

    if source is not None and since is not None:
        raise UsageError("--since: a DATABASE has no commits. Leave out one of them.")
    every_finding = run(project, since=since) if source is None else lint_database(project, source)
    findings = [one for one in every_finding if _LEVELS.index(one.severity) >= _LEVELS.index(severity)]
    if output_format != "text":
        print_report(FindingReport(command="lint", root=project.root, findings=findings), output_format)
    else:
        _print_findings(findings)
    return FINDINGS if any(one.severity != "info" for one in findings) else 0


def _print_findings(findings: Sequence[Finding]) -> None:
    for one in findings:
        place = ":".join(str(part) for part in (one.file, one.line, one.column) if part)
        text = f"{one.code} {one.where}: {one.what} {one.fix}".rstrip()
        say(text, label=f"{place}: {one.severity}:" if place else f"{one.severity}:", color=_COLORS[one.severity])
    if not findings:
        say("no findings.")
        return
    counts = Counter(str(one.severity) for one in findings)
    words = {level: plural(counts[level], level) for level in ("error", "warning")}
    words["info"] = f"{counts['info']} for information"
    say(f"{plural(len(findings), 'finding')}: {', '.join(words[level] for level in words if counts[level])}.")
