"""``lint``: run the rules on the schema of a project, or of a live database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from waiaas_migrate.authoring.declared import Declared, declare
from waiaas_migrate.commands.findings import Finding, Severity, placed
from waiaas_migrate.commands.lint.rule import Linted, Rule, all_rules, findings_of, unknown_code
from waiaas_migrate.commands.lint.waivers import schema_waivers
from waiaas_migrate.commands.live_database import ignored_by, live_connection
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.lint_settings import LintSettings
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.key_places import KeyPlaces
from waiaas_migrate.files.schema_file.locate import declared_names
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.introspect import introspect_with_strings


@collection_paused()
def lint(project: Project, *, since: str | None = None) -> tuple[Finding, ...]:
    """Return what the rules find in schema.yaml, and the hazards of migrations that ``since`` doesn't have.

    Args:
        project: its schema, and the rules that it selects.
        since: a commit, a tag or a branch; None to leave out migrations.

    Raises:
        InputError: a file cannot be used, or a waiver names an unknown rule.
        UsageError: the settings name an unknown rule, or git doesn't know ``since``.
    """
    rules = selected(project.lint)
    places = KeyPlaces(project.schema, root=project.root)
    found = list(_file_findings(project, declare(project, Renderer(project.templates)), rules, places))
    if since is not None:
        from waiaas_migrate.commands.lint.migration_findings import migration_findings

        found += migration_findings(project, rules, since)
    return tuple(sorted(found, key=lambda one: (one.file, one.line or 0, one.column or 0)))


def certain_findings(project: Project, declared: Declared, places: KeyPlaces) -> Iterator[Finding]:
    """Yield what ``check`` reports, too: findings of schema.yaml that are errors.

    Raises:
        SchemaFileError: a waiver names an unknown rule.
        UsageError: the settings name an unknown rule.
    """
    rules = [one for one in selected(project.lint) if one.severity is Severity.ERROR]
    return _file_findings(project, declared, rules, places)


def lint_database(project: Project, database: str) -> tuple[Finding, ...]:
    """Return what the rules find in the schema of ``database``, without the tables of other tools.

    Raises:
        DatabaseFileError: the database cannot be read.
        UnsupportedError: the database has something that cannot be read exactly.
        UsageError: the settings name an unknown rule.
    """
    rules = selected(project.lint)
    others = ignored_by(project).except_for(declared_names(project.schema))
    with live_connection(database) as (connection, _):
        schema, strings = introspect_with_strings(connection, other_tools=others)
    return tuple(finding for finding, _ in findings_of(Linted(schema=schema, strings=strings), rules))


def selected(settings: LintSettings) -> tuple[Rule, ...]:
    """Return the rules that ``settings`` select, with the severities that they set.

    Raises:
        UsageError: they name an unknown rule.
    """
    for code in settings.codes:
        if problem := unknown_code(code):
            raise UsageError(f"[tool.waiaas-migrate.lint]: {' '.join(problem)}")
    return tuple(
        replace(one, severity=Severity(settings.severity_of(one.code, one.severity)))
        for one in all_rules()
        if settings.selects(one.code)
    )


def _file_findings(project: Project, declared: Declared, rules: Iterable[Rule], places: KeyPlaces) -> Iterator[Finding]:
    """Yield what ``rules`` find in schema.yaml, except what waivers cover."""
    pragmas = {fold(name): value for name, value in declared.source.pragmas}
    waivers = schema_waivers(project.schema, root=project.root)
    for finding, path in findings_of(Linted(schema=declared.schema, pragmas=pragmas), rules):
        if not any(waiver.covers(path, finding.code) for waiver in waivers):
            yield placed(finding, places.find(path))
