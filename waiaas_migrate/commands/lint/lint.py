"""``lint``: run the rules on the schema of a project, or of a live database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from waiaas_migrate.authoring.declared import Declared, declare
from waiaas_migrate.commands.findings import Finding, Severity, with_place
from waiaas_migrate.commands.lint.rule import Linted, Rule, all_rules, run_rules, unknown_code
from waiaas_migrate.commands.lint.waivers import schema_waivers
from waiaas_migrate.commands.live_database import ignored_by, live_connection
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.project import LintSettings, Project
from waiaas_migrate.files.schema_file.locate import KeyPlaces, declared_names
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.introspect import introspect_with_strings


@collection_paused()
def lint(project: Project, *, since: str | None = None) -> tuple[Finding, ...]:
    """Run the rules on schema.yaml and on the migrations that ``since`` lacks, and return the findings.

    ``since`` is a commit, a tag or a branch; None to leave out migrations.

    Raises:
        InputError: a file cannot be used, or a waiver names an unknown rule.
        UsageError: the settings name an unknown rule, or git doesn't know ``since``.
    """
    rules = _selected_rules(project.lint)
    places = KeyPlaces(project.schema, root=project.root)
    findings = list(_file_findings(project, declare(project, Renderer(project.templates)), rules, places))
    if since is not None:
        from waiaas_migrate.commands.lint.migration_findings import migration_findings

        findings += migration_findings(project, rules, since)
    return tuple(sorted(findings, key=lambda finding: (finding.file, finding.line or 0, finding.column or 0)))


def lint_errors(project: Project, declared: Declared, places: KeyPlaces) -> Iterator[Finding]:
    """Run the rules whose severity is error on schema.yaml, for ``check``, and yield their findings.

    Raises:
        SchemaFileError: a waiver names an unknown rule.
        UsageError: the settings name an unknown rule.
    """
    rules = [rule for rule in _selected_rules(project.lint) if rule.severity is Severity.ERROR]
    return _file_findings(project, declared, rules, places)


def lint_database(project: Project, database: str) -> tuple[Finding, ...]:
    """Run the rules on the schema of ``database``, without the tables of other tools, and return their findings.

    Raises:
        DatabaseFileError: the database cannot be read.
        UnsupportedError: the database has something that cannot be read exactly.
        UsageError: the settings name an unknown rule.
    """
    rules = _selected_rules(project.lint)
    other_tools = ignored_by(project).with_declared(declared_names(project.schema))
    with live_connection(database) as (connection, _):
        schema, strings = introspect_with_strings(connection, other_tools=other_tools)
    return tuple(finding for finding, _ in run_rules(rules, Linted(schema=schema, strings=strings)))


def _selected_rules(settings: LintSettings) -> tuple[Rule, ...]:
    """Return the rules that ``settings`` select, with the severities that they set; refuse unknown codes."""
    for code in settings.codes:
        if problem := unknown_code(code):
            raise UsageError(f"[tool.waiaas-migrate.lint]: {' '.join(problem)}")
    return tuple(
        replace(rule, severity=Severity(settings.severity_of(rule.code, rule.severity)))
        for rule in all_rules()
        if settings.selects(rule.code)
    )


def _file_findings(project: Project, declared: Declared, rules: Iterable[Rule], places: KeyPlaces) -> Iterator[Finding]:
    """Yield the findings of ``rules`` in schema.yaml that no waiver covers."""
    pragmas = {fold(name): value for name, value in declared.source.pragmas}
    waivers = schema_waivers(project.schema, root=project.root)
    for finding, path in run_rules(rules, Linted(schema=declared.schema, pragmas=pragmas)):
        keys = tuple(map(fold, path))
        # A waiver covers the whole file, a table (two keys), or a column (four keys).
        if not any((keys[:length], finding.code) in waivers for length in (0, 2, 4)):
            yield with_place(finding, places.find(path))
