"""``lint``: run the rules on the schema of a project, or of a live database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from waiaas_migrate.authoring.declared import Declared, declare
from waiaas_migrate.commands.findings import Finding, Severity, Subject, placed
from waiaas_migrate.commands.lint.rule import Linted, Rule, all_rules, unknown_code
from waiaas_migrate.commands.lint.waivers import Waiver, schema_waivers
from waiaas_migrate.commands.live_database import ignored_by, live_connection
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.lint_settings import LintSettings
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.key_places import KeyPlaces
from waiaas_migrate.files.schema_file.locate import declared_names
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.introspect import introspect_quoted


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
    declared = declare(project, Renderer(project.templates))
    waivers = schema_waivers(project.schema, root=project.root)
    places = KeyPlaces(project.schema, root=project.root)
    found = tuple(_findings(_linted(declared), rules, project.lint, waivers, places))
    if since is None:
        return _in_order(found)
    from waiaas_migrate.commands.lint.migration_findings import migration_findings

    in_migrations = migration_findings(project, rules, since)
    return _in_order((*found, *_configured(in_migrations, project.lint)))


def certain_findings(project: Project, declared: Declared, places: KeyPlaces) -> tuple[Finding, ...]:
    """Return what ``check`` reports, too: findings of schema.yaml that are errors.

    Raises:
        SchemaFileError: a waiver names an unknown rule.
        UsageError: the settings name an unknown rule.
    """
    linted, severities = _linted(declared), dict(project.lint.severity)
    rules = [one for one in selected(project.lint) if severities.get(one.code, one.severity) == Severity.ERROR]
    if not any(True for rule in rules for _ in rule.find(linted)):  # as nearly always; then no waivers are read
        return ()
    waivers = schema_waivers(project.schema, root=project.root)
    return tuple(_findings(linted, rules, project.lint, waivers, places))


def _linted(declared: Declared) -> Linted:
    pragmas = {fold(name): value for name, value in declared.source.pragmas}
    return Linted(schema=declared.schema, pragmas=pragmas)


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
        schema, strings = introspect_quoted(connection, others=others)
    return tuple(_findings(Linted(schema=schema, strings=strings), rules, project.lint))


def selected(settings: LintSettings) -> tuple[Rule, ...]:
    """Return the rules that ``settings`` select.

    Raises:
        UsageError: they name an unknown rule.
    """
    for code in settings.codes:
        if problem := unknown_code(code):
            raise UsageError(f"[tool.waiaas-migrate.lint]: {' '.join(problem)}")
    return tuple(rule for rule in all_rules() if _is_selected(rule.code, settings))


def _is_selected(code: str, settings: LintSettings) -> bool:
    return code not in settings.ignore and (not settings.select or code in settings.select)


def _findings(
    linted: Linted,
    rules: Iterable[Rule],
    settings: LintSettings,
    waivers: Collection[Waiver] = (),
    places: KeyPlaces | None = None,
) -> Iterator[Finding]:
    severities = dict(settings.severity)
    for rule in rules:
        severity = Severity(severities.get(rule.code, rule.severity))
        for found in rule.find(linted):
            if not any(waiver.covers(found.path, rule.code) for waiver in waivers):
                finding = Finding(
                    code=rule.code,
                    severity=severity,
                    subject=Subject.SCHEMA,
                    where=found.where,
                    what=found.what,
                    fix=found.fix,
                )
                yield placed(finding, None if places is None else places.find(found.path))


def _configured(findings: Iterable[Finding], settings: LintSettings) -> Iterator[Finding]:
    """Yield the findings in migrations that ``settings`` select, with the severity that they give them."""
    severities = dict(settings.severity)
    for one in findings:
        if _is_selected(one.code, settings):
            yield replace(one, severity=Severity(severities.get(one.code, one.severity)))


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: (one.file, one.line or 0, one.column or 0)))
